"""The watch over deployed champions, from their bundles."""

from __future__ import annotations

import dataclasses

import pandas as pd
import pytest

from algo_pipeline.common.errors import CorruptFileError
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.labels import LabelSpec, label_spec
from algo_pipeline.registry.bundle import ChampionBundle
from algo_pipeline.registry.champion import DeployedChampion
from algo_pipeline.registry.watch import DeployedWatch
from algo_pipeline.research.drift import reference_of
from algo_pipeline_tests.registry.samples import BTC, sample_bundle
from algo_pipeline_tests.research.samples import planted_dataset

BAR = pd.Timestamp("2024-01-01", tz="UTC")


@pytest.fixture(scope="module")
def bundle() -> ChampionBundle:
    return sample_bundle(dataset=planted_dataset(5000))


def outcome(symbol: Symbol, label: LabelSpec, bar: pd.Timestamp) -> float:
    return float((symbol, label.name, bar) == (BTC, "direction_1h", BAR))


def watch_over(bundle: ChampionBundle) -> DeployedWatch:
    return DeployedWatch({BTC: DeployedChampion(bundle)}, outcome)


def test_it_asks_for_outcomes_of_the_label_that_the_bundle_names(bundle: ChampionBundle) -> None:
    watch = watch_over(bundle)
    assert watch.label(BTC) == label_spec("direction_1h")
    assert watch.outcome(BTC, BAR) == 1.0


def test_it_compares_a_week_with_the_rows_that_the_bundle_learnt_from(bundle: ChampionBundle) -> None:
    features = planted_dataset(5000).features
    reference, watch = reference_of(features), watch_over(bundle)
    rows = [watch.bins(BTC, row) for row in features.to_numpy()[-168:]]
    assert reference is not None
    assert rows[0] == reference.bins(features.to_numpy()[-168])
    assert watch.strangest(BTC, rows) == reference.strangest(rows)
    assert watch.strangest(BTC, rows[:100]) is None


def test_a_bundle_that_does_not_say_what_it_learnt_from_has_its_outcomes_watched_all_the_same() -> None:
    watch = watch_over(sample_bundle())
    assert watch.bins(BTC, planted_dataset(100).features.to_numpy()[0]) == ""
    assert watch.strangest(BTC, [""] * 168) is None
    assert watch.outcome(BTC, BAR) == 1.0


def test_a_reference_that_is_none_is_refused(bundle: ChampionBundle) -> None:
    broken = dataclasses.replace(bundle, feature_reference={"names": ["rsi_14"]})
    with pytest.raises(CorruptFileError, match="feature reference"):
        watch_over(broken).bins(BTC, planted_dataset(100).features.to_numpy()[0])
