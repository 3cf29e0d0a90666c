"""Bundles, runs and audit files lead to code of a user's own only where the settings name it, unchanged."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from algo_pipeline.backtest.reproduction import Likeness
from algo_pipeline.common.audit_archive import AuditArchive
from algo_pipeline.common.errors import CorruptFileError, OtherCodeError
from algo_pipeline.common.storage import json_hash
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.interfaces.strategy import StrategyInterface
from algo_pipeline.models.calibration import CalibratedClassifier, PlattCalibrator
from algo_pipeline.models.catalog import make_model
from algo_pipeline.models.linear_scorer import is_linear
from algo_pipeline.models.threads import single_threaded
from algo_pipeline.registry.audit_export import BARS, RUN, bars_csv
from algo_pipeline.registry.audit_verify import verify
from algo_pipeline.registry.bundle import ChampionBundle
from algo_pipeline.registry.champion import DeployedChampion
from algo_pipeline.registry.deployment import bundle_estimator
from algo_pipeline.registry.reproduce import reproduce
from algo_pipeline.registry.run_lineage import with_own_sources
from algo_pipeline.strategy.catalog import configured_strategy
from algo_pipeline_tests.example_parts import MODEL, OWN, STRATEGY, change, own_modules_forgotten, working_in
from algo_pipeline_tests.models.samples import planted_rows
from algo_pipeline_tests.registry.logged import logged_training, some_bars
from algo_pipeline_tests.registry.samples import sample_bundle, sample_record

LINEAR = """
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from algo_pipeline.models.sklearn_baseline import LogisticBaseline


class Plain(LogisticBaseline):
    kind = "plain"

    def make_estimator(self):
        return Pipeline([("scaler", StandardScaler()), ("classifier", LogisticRegression())])
"""


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Path]:
    with working_in(tmp_path) as folder:
        yield folder


def _fitted(kind: str) -> CalibratedClassifier:
    (base, y), (tail, outcomes) = planted_rows(1200), planted_rows(600, 1)
    with single_threaded():
        model = make_model(kind).fit(base.to_numpy(), y)
        return CalibratedClassifier(model, PlattCalibrator()).fit(tail, outcomes)


def _breakout(**parameters: float) -> StrategyInterface:
    facts = {"horizon_bars": 1, "edge_multiple": 1.0, "kelly_fraction": 0.5}
    return configured_strategy(STRATEGY, BacktestConfig(), **facts, parameters=parameters)  # type: ignore[arg-type]


def _bundle() -> ChampionBundle:
    return sample_bundle(MODEL, estimator=_fitted(MODEL))


def test_a_bundle_of_the_users_own_model_gives_the_estimators_probabilities(parts: Path) -> None:
    estimator, (rows, _) = _fitted(MODEL), planted_rows(50, 3)
    bundle = ChampionBundle.from_document(
        json.loads(json.dumps(sample_bundle(MODEL, estimator=estimator).to_document()))
    )
    assert bundle.scorer is None
    scored = bundle_estimator(bundle, OWN).probability(rows)
    np.testing.assert_array_equal(scored, estimator.predict_proba(rows)[:, 1])
    champion = DeployedChampion(bundle, OWN)
    alone = [champion.probability(row) for row in rows.to_numpy()]
    np.testing.assert_allclose(alone, scored, rtol=0, atol=1e-12)
    assert math.isnan(champion.probability(np.full(37, math.nan)))


def test_a_bundle_leads_to_no_code_that_settings_do_not_name(parts: Path) -> None:
    bundle = _bundle()
    with own_modules_forgotten():
        (parts / "momentum_model.py").write_text("from pathlib import Path\nPath('imported').touch()\n")
        with pytest.raises(OtherCodeError, match=r"champion bundle of BTC/USD can't be used.*do not name; .*: none"):
            DeployedChampion(bundle)
        with pytest.raises(OtherCodeError, match="ALGO_TRADER_MODEL=momentum_model:Momentum"):
            bundle_estimator(bundle, {"another_model:Momentum"})
        assert not (parts / "imported").exists()


def test_a_bundle_is_refused_once_the_file_that_made_it_has_changed_and_taken_when_it_is_restored(parts: Path) -> None:
    bundle, path = _bundle(), parts / "momentum_model.py"
    kept = path.read_text()
    change(parts, "momentum_model")
    with own_modules_forgotten(), pytest.raises(OtherCodeError, match=r"changed since.*Run the research again"):
        DeployedChampion(bundle, OWN)
    path.unlink()
    with own_modules_forgotten(), pytest.raises(OtherCodeError, match="neither installed nor a file"):
        DeployedChampion(bundle, OWN)
    path.write_text(kept)
    with own_modules_forgotten():
        assert DeployedChampion(bundle, OWN).symbol.base == "BTC"


def test_a_linear_model_of_the_users_own_takes_the_quick_path_and_is_refused_like_any_other(parts: Path) -> None:
    (parts / "momentum_model.py").write_text(LINEAR)
    kind = "momentum_model:Plain"
    estimator, (rows, _) = _fitted(kind), planted_rows(50, 3)
    assert is_linear(estimator)
    bundle = sample_bundle(kind, estimator=estimator)
    assert bundle.estimator_skops is None
    scored = bundle_estimator(bundle, {kind}).probability(rows)
    np.testing.assert_allclose(scored, estimator.predict_proba(rows)[:, 1], rtol=0, atol=1e-12)
    change(parts, "momentum_model")
    with own_modules_forgotten(), pytest.raises(OtherCodeError, match="changed since"):
        DeployedChampion(bundle, {kind})


def test_a_bundle_that_holds_another_type_than_the_model_declares_is_refused(parts: Path) -> None:
    path = parts / "momentum_model.py"
    path.write_text(path.read_text().replace('.__module__}.{MomentumClassifier.__qualname__}"', '.__module__}.Other"'))
    bundle = _bundle()
    with pytest.raises(CorruptFileError, match="types that are not ours"):
        bundle_estimator(bundle, OWN)


def test_a_strategy_in_a_bundle_is_followed_only_as_settings_name_it(parts: Path) -> None:
    strategy = _breakout(enter_edge=0.07)
    bundle = sample_bundle(strategy=strategy)
    assert DeployedChampion(bundle, OWN).strategy == strategy
    with pytest.raises(OtherCodeError, match="ALGO_TRADER_STRATEGY=breakout_strategy:Breakout"):
        DeployedChampion(bundle, {MODEL})
    change(parts, "breakout_strategy")
    with own_modules_forgotten(), pytest.raises(OtherCodeError, match="changed since"):
        DeployedChampion(bundle, OWN)


def test_a_run_keeps_the_source_of_the_users_own_classes(parts: Path) -> None:
    record = sample_record(_fitted(MODEL), MODEL)
    files = with_own_sources(record, {MODEL, "never_loaded:Class"}).files
    assert files["own/momentum_model.py"].decode() == (parts / "momentum_model.py").read_text()
    assert set(files) - set(record.files) == {"own/momentum_model.py"}


def test_a_training_of_the_users_own_model_is_made_again_to_the_bit_where_settings_name_it(parts: Path) -> None:
    bars = some_bars(2_400)
    run = logged_training(bars, MODEL)
    assert reproduce(run, bars, OWN).is_equal
    with pytest.raises(OtherCodeError, match="do not name"):
        reproduce(run, bars)
    change(parts, "momentum_model")
    with own_modules_forgotten(), pytest.raises(OtherCodeError, match="changed since"):
        reproduce(run, bars, OWN)


def test_a_report_by_a_strategy_that_is_not_at_hand_is_left_open_and_the_rest_compared(parts: Path) -> None:
    bars = some_bars(2_400)
    run = logged_training(bars)
    lineage = json.loads(run.files["lineage/lineage.json"])
    lineage["strategy"] = {"name": STRATEGY, "enter_edge": 0.04, "source_sha256": "0" * 64}
    files = {**run.files, "lineage/lineage.json": json.dumps(lineage).encode()}
    changed = dataclasses.replace(run, files=files, parameters={**run.parameters, "lineage_hash": json_hash(lineage)})
    found = {stage.name: stage for stage in reproduce(changed, bars).stages}
    assert found["report"].likeness is Likeness.UNKNOWN
    assert "do not name" in found["report"].detail
    assert found["predictions"].likeness is Likeness.EQUAL


def test_an_audit_file_of_somebodys_own_class_is_checked_as_far_as_that_goes(parts: Path) -> None:
    bars = some_bars(2_400)
    run = logged_training(bars, MODEL)
    document = {"run_id": run.run_id, "parameters": dict(run.parameters), "tags": dict(run.tags)}
    files = {RUN: json.dumps(document).encode(), BARS: bars_csv(bars)}
    files |= {f"run/{name}": data for name, data in run.files.items()}
    archive = AuditArchive("run", {"run_id": run.run_id}, {}, files, {})
    found = verify(archive)
    assert {check.name: check.passed for check in found.checks} == {"manifest": True, "run": None}
    assert "do not name" in found.checks[-1].detail
    again = verify(archive, OWN)
    assert again.is_sound
    assert {check.name for check in again.checks} >= {"parameters", "predictions", "report"}
