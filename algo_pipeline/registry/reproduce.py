"""Make a logged training again from its bars, and compare every stage with what was logged."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from algo_pipeline.backtest.report_assembly import make_report
from algo_pipeline.backtest.report_document import report_document
from algo_pipeline.backtest.reproduction import (
    Likeness,
    Reproduction,
    Stage,
    compare_bars,
    compare_dataset,
    compare_figures,
    compare_parameters,
    compare_predictions,
)
from algo_pipeline.common.errors import AlgoPipelineError, CorruptFileError, OtherCodeError, StorageError
from algo_pipeline.common.machine import environment, environment_changes
from algo_pipeline.common.storage import frame_hash, json_hash, to_json
from algo_pipeline.common.time import to_utc
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Symbol
from algo_pipeline.models.linear_scorer import LinearScorer, is_linear
from algo_pipeline.models.parameter_hash import parameter_hash
from algo_pipeline.registry.logged_run import (
    METRICS_FILE,
    PARAMETERS_FILE,
    REPORT_FILE,
    REPORT_TAG,
    LoggedRun,
    predictions_hash,
)
from algo_pipeline.research.evaluate import Evaluation, evaluate
from algo_pipeline.research.lineage import BarChanges, Lineage, bar_changes, column_hashes
from algo_pipeline.research.pipeline import ResearchResult, run_research
from algo_pipeline.research.recipe import Recipe
from algo_pipeline.research.report import evaluation_document
from algo_pipeline.research.trials import TrialSummary
from algo_pipeline.strategy.catalog import strategy_from_document


def bars_of(lineage: Lineage, stored: pd.DataFrame) -> pd.DataFrame:
    """The part of the stored bars that a training saw.

    Raises
    ------
    StorageError
        If none of them is stored any more.
    """
    bars = stored.loc[to_utc(lineage.first_bar) : to_utc(lineage.last_bar)]
    if bars.empty:
        raise StorageError(
            f"No stored bar of {lineage.symbol} from {lineage.source} lies between {lineage.first_bar} and"
            f" {lineage.last_bar}, on which the run was trained.",
            "Fetch them again with `algo-pipeline research`, or set ALGO_TRADER_DATA_DIR to the folder that has them.",
        )
    return bars


def reproduce(run: LoggedRun, stored: pd.DataFrame, own: Collection[str] = ()) -> Reproduction:
    """Features, dataset, models, probabilities and report anew, each compared to the bit.

    Parameters
    ----------
    run : LoggedRun
        What was logged.
    stored : pd.DataFrame
        All bars now stored of its symbol and source.
    own : collection of str
        The user's own classes that the settings of this machine name: no other is imported.

    Raises
    ------
    OtherCodeError
        If its model was of a class of the user's own that is not at hand as it was.
    RegistryError, CorruptFileError
        If the run lacks what is needed, or was changed.
    StorageError
        If its bars are gone.
    """
    lineage = run.lineage()
    bars = bars_of(lineage, stored)
    made = run_research(bars, Recipe.from_document(lineage.recipe, own), own=own)
    stages = (
        _bars_stage(run, lineage, bars),
        compare_dataset(
            lineage.dataset_hash, made.dataset.content_hash, lineage.dataset_columns, column_hashes(made.dataset)
        ),
        _parameters_stage(run, lineage, made),
        compare_predictions(lineage.predictions_hash, predictions_hash(made.oos), run.predictions(), made.oos),
        _scores_stage(run, made),
        _report_stage(run, lineage, bars, made, own),
    )
    return Reproduction(stages, environment_changes(lineage.environment, environment()))


def report_stage(
    run: LoggedRun,
    lineage: Lineage,
    bars: pd.DataFrame,
    oos: pd.DataFrame,
    evaluation: Evaluation | None = None,
    own: Collection[str] = (),
) -> Stage:
    """The report made again from probabilities and bars, compared with the logged one, figure by figure.

    The trials that were counted when it was made are an input of it: the ledger has grown since.
    """
    recorded = run.document(REPORT_FILE)
    if recorded is None:
        return Stage("report", Likeness.UNKNOWN, detail="the run has no report: only the traded recipe's runs have one")
    recorded_hash = json_hash(recorded)
    if run.tags.get(REPORT_TAG, recorded_hash) != recorded_hash:
        detail = f"{REPORT_FILE} is not what was logged: its hash differs"
        return Stage("report", Likeness.DIFFERENT, run.tags[REPORT_TAG], recorded_hash, detail)
    facts = _ReportFacts.of(recorded, lineage)
    try:
        strategy = strategy_from_document(facts.strategy, own)
    except OtherCodeError as error:
        return Stage("report", Likeness.UNKNOWN, detail=f"it can't be made again: {error.message}")
    inputs = make_report(
        Symbol.parse(lineage.symbol),
        lineage.source,
        Recipe.from_document(lineage.recipe, own),
        facts.model_version,
        bars,
        oos,
        evaluation or evaluate(oos),
        facts.config,
        strategy,
        facts.trials,
    )
    found = report_document(inputs)
    return compare_figures("report", recorded, found)


def _bars_stage(run: LoggedRun, lineage: Lineage, bars: pd.DataFrame) -> Stage:
    found = frame_hash(bars)
    return compare_bars(lineage.bars_hash, found, _changes(run, lineage, bars) if found != lineage.bars_hash else None)


def _parameters_stage(run: LoggedRun, lineage: Lineage, made: ResearchResult) -> Stage:
    """A linear model's numbers must be those of their hash as well."""
    values, recorded = None, run.document(PARAMETERS_FILE)
    if is_linear(made.production):
        values = json.loads(to_json(LinearScorer.from_estimator(made.production).to_document()))
    if recorded is not None and json_hash(recorded) != (lineage.parameters_hash or json_hash(recorded)):
        detail = f"{PARAMETERS_FILE} is not what was logged: its hash differs"
        return Stage("parameters", Likeness.DIFFERENT, lineage.parameters_hash, json_hash(recorded), detail)
    return compare_parameters(lineage.parameters_hash, parameter_hash(made.production), recorded, values)


def _scores_stage(run: LoggedRun, made: ResearchResult) -> Stage:
    recorded = run.document(METRICS_FILE)
    if recorded is None:
        return Stage("scores", Likeness.UNKNOWN, detail=f"the run has no {METRICS_FILE}")
    found = json.loads(to_json(evaluation_document(made.evaluation)))
    return compare_figures("scores", recorded, found)


def _changes(run: LoggedRun, lineage: Lineage, bars: pd.DataFrame) -> BarChanges | None:
    recorded = run.fingerprints()
    return None if recorded is None else bar_changes(recorded, to_utc(lineage.first_bar), bars)


def _report_stage(
    run: LoggedRun, lineage: Lineage, bars: pd.DataFrame, made: ResearchResult, own: Collection[str]
) -> Stage:
    try:
        return report_stage(run, lineage, bars, made.oos, made.evaluation, own)
    except CorruptFileError as error:
        return Stage("report", Likeness.DIFFERENT, detail=error.message)


@dataclass(frozen=True, slots=True)
class _ReportFacts:
    """What a report rests on beside bars and probabilities."""

    model_version: str | None
    config: BacktestConfig
    strategy: Mapping[str, Any]
    trials: TrialSummary

    @classmethod
    def of(cls, report: Any, lineage: Lineage) -> _ReportFacts:
        """From the lineage, or for an older run from the report itself."""
        try:
            trials = report["trials"]
            variance = trials["variance_of_daily_sharpe"]
            config = BacktestConfig(**(lineage.config or report["config"]))
            return cls(
                report["model"],
                config,
                lineage.strategy or report["trading_strategy"],
                TrialSummary(
                    int(trials["n_trials"]), math.nan if variance is None else float(variance), trials["problem"] or ""
                ),
            )
        except (KeyError, TypeError, ValueError, AlgoPipelineError) as error:
            raise CorruptFileError(
                f"{REPORT_FILE} of the run lacks what a report of this version says: {error!r}.",
                "Reproduce with the version of the program that wrote it.",
            ) from error
