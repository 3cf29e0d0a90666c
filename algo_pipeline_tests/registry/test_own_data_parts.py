"""A champion of the user's own features and label: live it sees and says what research did, or it is refused."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.common.errors import ConfigValueError, CorruptFileError, OtherCodeError
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.data.feature_sets import FeatureSets, configured_features
from algo_pipeline.data.features import build_features
from algo_pipeline.data.own_label import OwnLabel, all_labels, configured_own_label
from algo_pipeline.data.skew import feature_skew
from algo_pipeline.models.linear_scorer import LinearScorer
from algo_pipeline.models.price_action import N_TERMS
from algo_pipeline.registry.bundle import ChampionBundle
from algo_pipeline.registry.champion import DeployedChampion
from algo_pipeline.registry.deployment import make_bundle
from algo_pipeline.registry.explain import recompute
from algo_pipeline.registry.watch import DeployedWatch
from algo_pipeline.research.pipeline import ResearchResult, run_research
from algo_pipeline.research.promotion import Trading
from algo_pipeline.research.recipe import Recipe
from algo_pipeline.research.splits import SplitRule
from algo_pipeline.research.train import predict
from algo_pipeline.sources.live_bars import LiveBars
from algo_pipeline.sources.live_feed import LiveFeed, LiveInputs
from algo_pipeline_tests.market import random_bars
from algo_pipeline_tests.own_parts import Small, UpInThree, reference
from algo_pipeline_tests.registry.samples import BTC, VERSION, sample_bundle
from algo_pipeline_tests.sources.test_live_bars import RecordedSource

SMALL, UP = reference(Small), reference(UpInThree)
OWN = frozenset({SMALL, UP})
ALL_BARS = random_bars(3_060, seed=11)
BARS = ALL_BARS.iloc[:3_000]


@dataclass(frozen=True)
class Made:
    """One training, and the bundle of it."""

    sets: FeatureSets
    label: OwnLabel
    result: ResearchResult
    bundle: ChampionBundle


def _made(names: tuple[str, ...], kind: str) -> Made:
    sets, label = configured_features(names), configured_own_label(UP)
    assert label is not None
    recipe = Recipe(kind, "shrunk", label.spec.name, SplitRule(2), features=sets.choice, own_label=label.spec)
    result = run_research(BARS, recipe, 20, OWN)
    bundle = make_bundle(
        symbol=BTC,
        source="recorded",
        venue_symbol="BTC/USD",
        dataset=result.dataset,
        recipe=recipe,
        estimator=result.production,
        config=BacktestConfig(),
        history_start=BARS.index[0],
        trading=Trading.ON,
        version=VERSION,
    )
    return Made(sets, label, result, bundle)


@pytest.fixture(scope="module")
def made() -> Made:
    return _made(("standard", SMALL), "scaled_logistic")


def _feed(champion: DeployedChampion, bars: pd.DataFrame, exact: bool = True) -> LiveFeed:
    history = LiveBars(RecordedSource(bars), BTC, BARS.index[0])
    inputs = LiveInputs(champion.features, champion.feature_check, champion.own_label)
    return LiveFeed({BTC: history}, {BTC: exact}, {BTC: inputs})


@pytest.mark.parametrize(
    ("names", "kind"),
    [(("standard", SMALL), "scaled_logistic"), (("standard", SMALL), "ensemble"), ((SMALL,), "logistic")],
)
def test_hour_by_hour_live_says_what_research_says_to_the_bit(names: tuple[str, ...], kind: str) -> None:
    case = _made(names, kind)
    bundle = ChampionBundle.from_document(case.bundle.to_document())
    champion = DeployedChampion(bundle, OWN)
    feed, features = _feed(champion, ALL_BARS), case.sets.build(ALL_BARS)
    volatility = build_features(ALL_BARS)["realized_vol_24"]
    expected = pd.Series(predict(case.result.production, features.iloc[-60:]), index=ALL_BARS.index[-60:])
    for bar in ALL_BARS.index[-60::7]:
        feed.bars(BTC, bar)
        seen = feed.features(BTC, bar)
        assert (seen.exact, seen.reason) == (True, None)
        assert seen.row is not None
        assert champion.probability(seen.row) == expected[bar]
        assert champion.volatility(seen.row) == volatility[bar]
    assert recompute(bundle, ALL_BARS, OWN).probability == expected.iloc[-1]


def test_the_scorer_of_further_features_is_json_and_takes_their_own_terms(made: Made) -> None:
    assert made.bundle.scorer is not None
    scorer = LinearScorer.from_document(made.bundle.scorer)
    assert len(scorer.weights) == N_TERMS + 2
    parts = recompute(made.bundle, ALL_BARS, OWN).contributions
    assert parts is not None
    assert {"range_6", "ema_gap_4"} <= set(parts.by_term)


def test_outcomes_and_the_watch_are_of_the_own_label_and_all_features(made: Made) -> None:
    champion = DeployedChampion(made.bundle, OWN)
    feed, bar = _feed(champion, ALL_BARS), ALL_BARS.index[-1]
    feed.bars(BTC, bar)
    watch = DeployedWatch({BTC: champion}, feed.outcome)
    assert watch.label(BTC) == made.label.spec
    labels = all_labels(ALL_BARS, made.label)["up_in_three"]
    known = [watch.outcome(BTC, each) for each in ALL_BARS.index[-12:]]
    np.testing.assert_array_equal(known, labels.to_numpy()[-12:])
    assert np.isnan(known[-4:]).all()
    row = feed.features(BTC, bar).row
    assert row is not None
    assert champion.feature_reference is None  # too few rows; else a digit for each feature
    assert watch.bins(BTC, row) == ""
    assert len(champion.inputs(row)) == len(made.sets.columns)


@pytest.mark.parametrize(
    ("own", "words"),
    [(frozenset(), "do not name"), (frozenset({SMALL}), "do not name"), (frozenset({UP}), "do not name")],
)
def test_it_is_refused_where_settings_do_not_name_its_classes(made: Made, own: frozenset[str], words: str) -> None:
    with pytest.raises(OtherCodeError, match=f"The champion bundle of BTC/USD can't be used.*{words}"):
        DeployedChampion(made.bundle, own)


@pytest.mark.parametrize("part", ["label", "feature_sets"])
def test_it_is_refused_where_the_source_is_another(made: Made, part: str) -> None:
    document = dict(made.bundle.recipe_document)
    if part == "label":
        document["label"] = {**document["label"], "source_sha256": "0" * 64}
    else:
        document["feature_sets"] = [{"reference": "standard"}, {"reference": SMALL, "source_sha256": "0" * 64}]
    with pytest.raises(OtherCodeError, match="has changed since"):
        DeployedChampion(replace(made.bundle, recipe_document=document), OWN)


@pytest.mark.parametrize(("part", "broken"), [(Small, "__init__"), (Small, "specs"), (UpInThree, "name")])
@pytest.mark.parametrize("error", [RuntimeError, KeyError, OSError])
def test_it_is_refused_where_a_class_breaks_when_it_is_made(
    made: Made, monkeypatch: pytest.MonkeyPatch, part: type, broken: str, error: type[Exception]
) -> None:
    def breaks(self: object) -> object:
        raise error("weights.csv is not there")

    monkeypatch.setattr(part, broken, breaks if broken == "__init__" else property(breaks))
    with pytest.raises((OtherCodeError, CorruptFileError), match=r"The .*of BTC/USD.*weights.csv is not there"):
        DeployedChampion(made.bundle, OWN)


@pytest.mark.parametrize(
    "changes",
    [
        {"feature_check": {"bar": "never", "values": {}}},
        {"feature_check": [1]},
        {"recipe_document": {"feature_sets": [{}]}},
        {"recipe_document": {"feature_sets": 3}},
    ],
)
def test_what_a_bundle_says_that_cant_be_read_is_refused(made: Made, changes: dict[str, object]) -> None:
    with pytest.raises(CorruptFileError, match="can't be read"):
        DeployedChampion(replace(made.bundle, **changes), OWN)  # type: ignore[arg-type]


def test_features_that_are_not_what_the_model_learnt_have_no_row(made: Made) -> None:
    champion, bar = DeployedChampion(made.bundle, OWN), ALL_BARS.index[-1]
    moved = ALL_BARS.assign(high=ALL_BARS["high"] * 1.001)
    feed = _feed(champion, moved)
    feed.bars(BTC, bar)
    seen = feed.features(BTC, bar)
    assert seen.row is None
    assert "Your own features are not what they were: range_6 of" in str(seen.reason)
    elsewhere = _feed(champion, moved, exact=False)
    elsewhere.bars(BTC, bar)
    assert elsewhere.features(BTC, bar).row is not None  # another source has other bars


def test_a_bundle_of_standard_features_says_nothing_of_own_ones() -> None:
    document = sample_bundle().to_document()
    assert "feature_check" not in document
    assert set(document["recipe_document"]) == {"features", "label", "model", "calibrator", "split"}
    assert set(document["recipe_document"]["label"]) == {"name", "horizon_bars", "kind"}


def test_the_skew_table_has_the_own_features(made: Made) -> None:
    other = ALL_BARS.assign(high=ALL_BARS["high"] * 1.001)
    skew = feature_skew(ALL_BARS, other, 500, made.sets)
    assert len(skew.table) == len(made.sets.columns)
    medians = dict(zip(skew.table.index, skew.table["median"].to_numpy(), strict=True))
    assert medians["range_6"] > 0.0
    assert medians["ema_gap_4"] == 0.0


def test_a_model_that_reads_the_standard_features_says_which_are_missing() -> None:
    alone = configured_features((SMALL,)).choice
    with pytest.raises(ConfigValueError, match=r"scaled_logistic reads 37 features by name; missing .*log_return_1"):
        Recipe("scaled_logistic", features=alone)
    assert Recipe("boosting", features=alone).features == alone
