"""Every seeded leak is caught by name; a clean pipeline raises no alarm, however odd the market."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.data.labels import LABEL_NAMES, build_labels
from algo_pipeline.models.catalog import CALIBRATOR_KINDS, MODEL_KINDS
from algo_pipeline.research.claims import CLAIMS, Claim, Finding
from algo_pipeline.research.label_twin import label_bounds
from algo_pipeline.research.leakage import judge_labels, judge_models, judge_purge
from algo_pipeline.research.recipe import Recipe
from algo_pipeline.research.splits import SplitRule
from algo_pipeline.research.train import fit_models
from algo_pipeline_tests.market import random_bars, without_rows
from algo_pipeline_tests.research.leaks.catalogue import LEAKS, Leak
from algo_pipeline_tests.research.leaks.markets import odd_market, planted_market
from algo_pipeline_tests.research.leaks.stages import Run, Stages, alarms, findings, run

N_ODD_MARKETS = 6


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    return planted_market()


@pytest.fixture(scope="module")
def clean(bars: pd.DataFrame) -> Run:
    return run(bars, LEAKS[0].recipe, Stages())


def _names(found: tuple[Finding, ...]) -> list[str]:
    return [finding.claim.name for finding in found]


class TestCatalogue:
    @pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.name)
    def test_a_leak_is_caught_by_its_name_and_by_no_other(self, leak: Leak, bars: pd.DataFrame) -> None:
        found = alarms(bars, leak.recipe, leak.inject(Stages()))
        assert _names(found) == [claim.name for claim in leak.caught_by]
        assert all(finding.describe() for finding in found)

    def test_each_leak_replaces_exactly_one_stage(self) -> None:
        clean = Stages()
        for leak in LEAKS:
            leaking = leak.inject(clean)
            changed = [name for name in vars(clean) if getattr(leaking, name) is not getattr(clean, name)]
            assert len(changed) == 1, leak.name

    def test_every_claim_is_broken_by_some_leak(self) -> None:
        assert {claim for leak in LEAKS for claim in leak.caught_by} == set(CLAIMS)

    def test_every_leak_has_its_own_name_and_story(self) -> None:
        assert len({leak.name for leak in LEAKS}) == len({leak.story for leak in LEAKS}) == len(LEAKS)
        assert all(leak.story.endswith(".") for leak in LEAKS)


class TestCleanPipeline:
    @pytest.mark.parametrize("seed", range(N_ODD_MARKETS))
    def test_an_odd_market_raises_no_alarm(self, seed: int) -> None:
        market = odd_market(seed)
        assert [f.describe() for f in alarms(market.bars, market.recipe)] == [], market.what

    @pytest.mark.parametrize("kind", MODEL_KINDS)
    def test_no_kind_of_model_raises_an_alarm(self, bars: pd.DataFrame, kind: str) -> None:
        assert _names(alarms(bars, Recipe(kind, "platt", "triple_barrier_24h", SplitRule(2, 0.3)))) == []

    @pytest.mark.parametrize("calibrator", CALIBRATOR_KINDS)
    def test_no_calibrator_raises_an_alarm(self, bars: pd.DataFrame, calibrator: str) -> None:
        recipe = Recipe("logistic", calibrator, "direction_24h", SplitRule(2, 0.3), sample_weight="uniqueness+recency")
        assert _names(alarms(bars, recipe)) == []

    def test_all_claims_are_judged_in_their_order_and_each_says_what_was_tried(self, clean: Run) -> None:
        made = findings(clean, Stages())
        assert tuple(finding.claim for finding in made) == CLAIMS
        assert all(any(letter.isdigit() for letter in finding.describe()) for finding in made)


class TestStoredArtifacts:
    """Code that is right does not excuse an artifact that is not what it gives."""

    def test_a_stored_feature_that_was_changed_is_noticed(self, clean: Run) -> None:
        features = clean.research.features.copy()
        features.iloc[1_500, 7] = np.nextafter(features.iloc[1_500, 7], 1.0)
        assert _alarms_of(clean, features=features) == [
            "features_equal_a_recomputation",
            "dataset_rows_are_features_joined_with_the_label",
        ]

    def test_models_in_another_order_are_noticed(self, clean: Run) -> None:
        models = clean.research.models
        assert _alarms_of(clean, models=(models[1], models[0], *models[2:])) == [
            "scalers_know_their_own_base_rows_only",
            "models_learnt_from_their_own_base_rows_only",
            "calibrators_learnt_from_their_own_rows_only",
            "calibrated_models_are_those_of_their_folds",
        ]

    def test_one_changed_bit_of_one_probability_is_noticed(self, clean: Run) -> None:
        oos = clean.research.oos.copy()
        oos.iloc[77, 0] = np.nextafter(oos.iloc[77, 0], 1.0)
        assert _alarms_of(clean, oos=oos)[0] == "probabilities_come_from_their_own_folds_model"

    def test_a_plan_of_another_dataset_is_noticed(self, clean: Run) -> None:
        made = clean.research
        longer = replace(made.plan, n_rows=made.plan.n_rows + 1)
        (violation,) = judge_purge(longer, made.dataset.timestamps).violations
        assert violation == "the folds are of 2,798 rows, the dataset has 2,797"


def _alarms_of(clean: Run, **changed: object) -> list[str]:
    broken = Run(replace(clean.research, **changed), clean.curve)  # type: ignore[arg-type]
    return _names(tuple(finding for finding in findings(broken, Stages()) if not finding.holds))


@pytest.mark.parametrize("kind", MODEL_KINDS)
def test_one_row_too_many_is_noticed_in_a_model_of_any_kind(clean: Run, kind: str) -> None:
    made, recipe = clean.research, Recipe(kind, split=clean.research.recipe.split)
    fold = made.plan.folds[0]
    more = replace(fold, base=slice(fold.base.start, fold.base.stop + 1))
    honest, leaking = (made.plan.only(each) for each in (fold, more))
    for plan, holds in ((honest, True), (leaking, False)):
        models = fit_models(made.dataset, plan, recipe)
        assert judge_models(fit_models, made.dataset, honest, recipe, models).holds == holds


class TestSecondComputationOfLabels:
    @pytest.mark.parametrize("gaps", [(), (30,), tuple(range(100, 140)), (200, 203, 230, 290)])
    def test_it_agrees_with_the_first(self, gaps: tuple[int, ...]) -> None:
        bars = without_rows(random_bars(300, seed=2), *gaps)
        assert judge_labels(build_labels(bars), bars).holds

    def test_its_two_bounds_agree_where_no_barrier_is_touched_to_the_digit(self) -> None:
        lower, upper = label_bounds(random_bars(400, seed=5))
        pd.testing.assert_frame_equal(lower, upper)

    def test_a_worked_example(self) -> None:
        bars = random_bars(60, seed=0).assign(open=np.arange(1.0, 61.0))
        lower, _ = label_bounds(bars)
        assert tuple(lower.columns) == LABEL_NAMES
        assert lower["fwd_return_4h"].iloc[10] == 16.0 / 12.0 - 1.0  # open[t+1] is 12, open[t+5] is 16
        assert lower["direction_24h"].iloc[33] == 1.0
        assert np.isnan(lower["direction_24h"].iloc[35])

    def test_one_wrong_label_is_named(self) -> None:
        bars = random_bars(200, seed=1)
        labels = build_labels(bars)
        labels.iloc[50, 3] = 1.0 - labels.iloc[50, 3]
        (violation,) = judge_labels(labels, bars).violations
        assert violation == f"direction_1h at {bars.index[50]} is not what the bars after it say (1 such rows)"


def test_a_finding_shows_five_violations_and_counts_the_rest() -> None:
    finding = Finding(CLAIMS[0], tuple("abcdefg"), "nothing")
    assert (finding.holds, finding.describe()) == (False, "a; b; c; d; e; and 2 more")
    assert Finding(CLAIMS[0], (), "nothing").describe() == "nothing"


def test_claims_have_names_of_checks_and_statements_of_one_sentence() -> None:
    for claim in CLAIMS:
        assert isinstance(claim, Claim)
        assert claim.name.isidentifier()
        assert claim.statement.endswith(".")
        assert ". " not in claim.statement
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS)
