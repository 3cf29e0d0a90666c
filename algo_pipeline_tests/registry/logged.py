"""A whole training, logged as MLflow would hold it, without MLflow."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping

import pandas as pd

from algo_pipeline.backtest.report_assembly import make_report
from algo_pipeline.backtest.report_document import report_document
from algo_pipeline.common.storage import json_hash, to_json
from algo_pipeline.common.time import BAR
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.simulation import GENESIS, simulate_bars
from algo_pipeline.models.calibration import TRUSTED_TYPES
from algo_pipeline.registry.logged_run import REPORT_FILE, REPORT_TAG, LoggedRun
from algo_pipeline.registry.run_lineage import with_lineage
from algo_pipeline.registry.training_record import Training, training_record
from algo_pipeline.research.pipeline import run_research
from algo_pipeline.research.recipe import Recipe
from algo_pipeline.research.splits import SplitRule
from algo_pipeline.research.trials import TrialSummary
from algo_pipeline.strategy.catalog import threshold_strategy

BTC = Symbol("BTC", "USD")
RULES = BacktestConfig(enter_threshold=0.52, exit_threshold=0.48)


def logged_training(bars: pd.DataFrame, model: str = "logistic") -> LoggedRun:
    """Train on the bars and keep what a run would keep, its report included."""
    recipe = Recipe(model, "platt", "direction_1h", SplitRule(n_folds=2))
    made = run_research(bars, recipe)
    weights = pd.Series(0.0, index=made.dataset.features.columns, name="weight")
    facts = (made.dataset, recipe, made.production, made.oos, made.evaluation, weights, bars.index[0])
    training = Training(BTC, "simulated", "BTC/USD", *facts)
    strategy = threshold_strategy(RULES)
    record = with_lineage(training_record(training, {}, {}, TRUSTED_TYPES), training, bars, RULES, strategy)
    inputs = make_report(
        BTC,
        "simulated",
        recipe,
        "m version 1",
        bars,
        made.oos,
        made.evaluation,
        RULES,
        strategy,
        TrialSummary(3, 0.002),
    )
    report = json.loads(to_json(report_document(inputs)))
    return LoggedRun(
        "run-1",
        dict(record.parameters),
        {**record.tags, REPORT_TAG: json_hash(report)},
        {**record.files, REPORT_FILE: to_json(report).encode()},
    )


def some_bars(n: int = 3_000) -> pd.DataFrame:
    """Simulated bars with a signal."""
    return simulate_bars(BTC, GENESIS, GENESIS + n * BAR, seed=5, signal_strength=0.5)


def with_file(run: LoggedRun, path: str, data: bytes | None) -> LoggedRun:
    """The run with one file replaced, or without it."""
    files: dict[str, bytes] = {name: content for name, content in run.files.items() if name != path}
    return dataclasses.replace(run, files=files if data is None else {**files, path: data})


def with_parameters(run: LoggedRun, changes: Mapping[str, str | None]) -> LoggedRun:
    """The run with parameters replaced, or without those that are None."""
    merged = {**run.parameters, **changes}
    return dataclasses.replace(run, parameters={name: value for name, value in merged.items() if value is not None})
