"""The deployed bundle as live trading uses it."""

from __future__ import annotations

import dataclasses
import math

import pytest

from algo_pipeline.common.errors import CorruptFileError
from algo_pipeline.registry.champion import DeployedChampion
from algo_pipeline.registry.deployment import bundle_estimator
from algo_pipeline.strategy.signal_to_trade import ThresholdStrategy
from algo_pipeline_tests.models.samples import planted_rows
from algo_pipeline_tests.registry.samples import BTC, HISTORY_START, sample_bundle


@pytest.mark.parametrize("kind", ["logistic", "boosting"])
def test_a_row_has_the_probability_that_the_bundle_gives_it(kind: str) -> None:
    bundle = sample_bundle(kind)
    champion, scorer = DeployedChampion(bundle), bundle_estimator(bundle)
    features, _ = planted_rows(20, seed=8)
    for row in range(len(features)):
        expected = float(scorer.probability(features.iloc[[row]])[0])
        assert champion.probability(features.to_numpy()[row]) == expected


def test_a_row_with_an_unknown_feature_has_no_probability() -> None:
    row = planted_rows(1, seed=8)[0].to_numpy()[0].copy()
    row[5] = math.nan
    assert math.isnan(DeployedChampion(sample_bundle()).probability(row))


def test_it_says_what_it_trades_and_where_its_history_starts() -> None:
    bundle = sample_bundle()
    champion = DeployedChampion(bundle)
    assert (champion.symbol, champion.trading, champion.sha256) == (BTC, "flat", bundle.sha256)
    assert champion.history_start == HISTORY_START
    assert champion.strategy == ThresholdStrategy(bundle.enter_threshold, bundle.exit_threshold)


@pytest.mark.parametrize(
    ("source", "venue_symbol", "same"),
    [("file", "BTC/USD", True), ("binance", "BTC/USD", False), ("file", "BTCUSDT", False)],
)
def test_it_knows_the_bars_that_it_learnt_from(source: str, venue_symbol: str, same: bool) -> None:
    assert DeployedChampion(sample_bundle()).learnt_from(source, venue_symbol) is same


def test_a_bundle_of_other_features_is_refused() -> None:
    bundle = sample_bundle()
    other = dataclasses.replace(bundle, feature_names=bundle.feature_names[::-1])
    with pytest.raises(CorruptFileError, match="other features than this version computes"):
        DeployedChampion(other)
