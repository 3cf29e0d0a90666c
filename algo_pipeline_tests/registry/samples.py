"""Bundles, ledger entries and training records for tests."""

from __future__ import annotations

import numpy as np
import pandas as pd

from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.features import FEATURE_NAMES
from algo_pipeline.interfaces.strategy import StrategyInterface
from algo_pipeline.models.calibration import TRUSTED_TYPES, CalibratedClassifier
from algo_pipeline.registry.bundle import ChampionBundle
from algo_pipeline.registry.deployment import make_bundle
from algo_pipeline.registry.ledger import PromotionEntry
from algo_pipeline.registry.records import RegisteredVersion, TrainingRecord
from algo_pipeline.registry.training_record import Training, training_record
from algo_pipeline.research.dataset import Dataset
from algo_pipeline.research.evaluate import evaluate
from algo_pipeline.research.promotion import Trading
from algo_pipeline.research.splits import SplitRule
from algo_pipeline.research.train import Recipe
from algo_pipeline_tests.models.samples import fitted
from algo_pipeline_tests.research.samples import calibrated_forecasts, planted_dataset

BTC = Symbol("BTC", "USD")
VERSION = RegisteredVersion("algo-pipeline-BTC-USD-direction_1h", "3", "run-7", "1")
HISTORY_START = pd.Timestamp("2021-12-01T05:00Z")


def recipe_of(estimator_kind: str, calibrator: str = "platt") -> Recipe:
    return Recipe(estimator_kind, calibrator, "direction_1h", SplitRule(n_folds=2))


def sample_bundle(
    kind: str = "logistic",
    calibrator: str = "platt",
    estimator: CalibratedClassifier | None = None,
    config: BacktestConfig | None = None,
    strategy: StrategyInterface | None = None,
    dataset: Dataset | None = None,
) -> ChampionBundle:
    """A bundle of a model that learnt a planted signal; thresholds that no float prints briefly."""
    return make_bundle(
        symbol=BTC,
        source="file",
        venue_symbol="BTC/USD",
        dataset=dataset or planted_dataset(100),
        recipe=recipe_of(kind, calibrator),
        estimator=estimator or fitted(kind, calibrator),
        config=config or BacktestConfig(enter_threshold=0.1 + 0.2 + 0.25, exit_threshold=1 / 3),
        history_start=HISTORY_START,
        trading=Trading.FLAT,
        version=VERSION,
        strategy=strategy,
    )


def entry(
    to_version: str | None, from_version: str | None = None, at: str = "2024-01-01T00:00:00+00:00", **changes: object
) -> PromotionEntry:
    """A line of the ledger, with a reason in the signs that real ones use."""
    fields: dict[str, object] = {
        "at": at,
        "who": "gate",
        "symbol": "BTC/USD",
        "label": "direction_1h",
        "candidate_version": to_version or "1",
        "from_version": from_version,
        "to_version": to_version,
        "trading": "on",
        "policy": "gated",
        "passed": True,
        "reason": "Δ −0.0012 … 95 % ≤ σ",
        "figures": {"log_loss_minus_base_rate": -0.1 - 0.2, "undefined": float("nan"), "rule": "first"},
    }
    return PromotionEntry(**{**fields, **changes})  # type: ignore[arg-type]


def sample_record(estimator: CalibratedClassifier, kind: str = "logistic") -> TrainingRecord:
    """What one training hands to the experiment store."""
    oos = calibrated_forecasts(400)
    weights = pd.Series(np.linspace(-1, 1, len(FEATURE_NAMES)), index=list(FEATURE_NAMES), name="weight")
    facts = (planted_dataset(300), recipe_of(kind), estimator, oos, evaluate(oos, 50), weights, HISTORY_START)
    training = Training(BTC, "file", "BTC/USD", *facts)
    return training_record(training, {"roc.png": b"picture"}, {"dagster_run_id": "abc"}, TRUSTED_TYPES)
