"""What was tried: written to the ledger when it is evaluated, and counted for every verdict."""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import dagster as dg

from algo_pipeline.backtest.result import BacktestResult
from algo_pipeline.backtest.trials import backtest_trial
from algo_pipeline.common.errors import StorageError
from algo_pipeline.common.types import Symbol
from algo_pipeline.defs.resources import Pipeline
from algo_pipeline.research.trials import Forecast, Trial, TrialKind, TrialSummary

if TYPE_CHECKING:
    from algo_pipeline.research.train import Recipe

TRIALS_METRIC, VARIANCE_METRIC = "n_trials", "variance_of_trials"
_RESEARCH = TrialKind.RESEARCH
_DAMAGED = "the ledger of trials is damaged or incomplete"
_NOT_WRITTEN = "the ledger of trials could not be written"


def record_trial(
    context: dg.AssetExecutionContext,
    pipeline: Pipeline,
    symbol: Symbol,
    recipe: "Recipe",
    strategy: BacktestResult,
) -> None:
    """Write a backtest (kill switch off) to the ledger; a ledger that takes no more is told, and ends no run."""
    record_trials(context, pipeline, [research_trial(pipeline, symbol, recipe, strategy)])


def research_trial(pipeline: Pipeline, symbol: Symbol, recipe: "Recipe", strategy: BacktestResult) -> Trial:
    """What a research run's backtest (kill switch off) counts as."""
    return backtest_trial(forecast_of(pipeline, symbol, recipe), strategy, _RESEARCH)


def record_trials(context: dg.AssetExecutionContext, pipeline: Pipeline, trials: Iterable[Trial]) -> None:
    """Write trials to the ledger in one go; a ledger that takes no more is told, and ends no run."""
    try:
        pipeline.trials().record(trials)
    except StorageError as error:
        context.log.warning(f"What was tried could not be recorded. {error}")


def forecast_of(pipeline: Pipeline, symbol: Symbol, recipe: "Recipe") -> Forecast:
    """A recipe's probabilities on the bars of the run's source."""
    return Forecast(str(symbol), recipe.label, pipeline.settings().data_source, recipe.hash)


def known_trials(pipeline: Pipeline, symbol: Symbol, own: Trial) -> TrialSummary:
    """Everything tried for a symbol and label, by the ledger or by MLflow's runs, whichever tells of more.

    Neither can be emptied unnoticed: runs deleted from MLflow stay in the ledger, a ledger that tells of fewer
    trials than a run has counted has lost some, and one that lacks the run's own trial takes none.
    """
    source, ledger = pipeline.settings().data_source, pipeline.trials()
    try:
        summary = ledger.summary(str(symbol), own.forecast.label, source)
        if not ledger.holds(own):
            summary = replace(summary, problem=_NOT_WRITTEN)
    except StorageError:
        summary = TrialSummary.unknown(_DAMAGED)
    same = {"label": own.forecast.label, "source": source}
    counted = pipeline.registry().metrics_where_largest(symbol, same, TRIALS_METRIC)
    n_counted = int(counted.get(TRIALS_METRIC, 0))
    if n_counted <= summary.n_trials:
        return summary
    problem = summary.problem or f"the ledger holds {summary.n_trials} of them"
    return TrialSummary(n_counted, counted.get(VARIANCE_METRIC, math.nan), problem)
