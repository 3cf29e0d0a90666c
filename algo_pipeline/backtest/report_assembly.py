"""From backtests and their grounds to a report's inputs: one way, for the pipeline and for whoever makes it again."""

from __future__ import annotations

import pandas as pd

from algo_pipeline.backtest.evidence import gather_evidence
from algo_pipeline.backtest.performance_intervals import performance_intervals
from algo_pipeline.backtest.report_inputs import SIMULATED, ReportInputs
from algo_pipeline.backtest.sharpe import sharpe_estimate
from algo_pipeline.backtest.strategy_signals import strategy_signals
from algo_pipeline.backtest.variants import Variants, run_variants
from algo_pipeline.backtest.verdict import Grounds
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.ingest import find_gaps
from algo_pipeline.interfaces.strategy import StrategyInterface
from algo_pipeline.research.evaluate import Evaluation
from algo_pipeline.research.recipe import Recipe
from algo_pipeline.research.trials import TrialSummary


def assemble_report(
    symbol: Symbol,
    source: str,
    recipe: Recipe,
    model_version: str | None,
    oos: pd.DataFrame,
    evaluation: Evaluation,
    config: BacktestConfig,
    runs: Variants,
    grounds: Grounds,
) -> ReportInputs:
    """Gather what a report is made of; parameters as in :class:`~algo_pipeline.backtest.report_inputs.ReportInputs`."""
    gaps = find_gaps(runs.bars)
    missing = sum(gap.n_bars for gap in gaps)
    return ReportInputs(
        symbol=symbol,
        label=recipe.label,
        source=source,
        recipe=recipe.describe(),
        recipe_hash=recipe.hash,
        model_version=model_version,
        bars=runs.bars,
        oos=oos,
        evaluation=evaluation,
        config=config,
        strategy=runs.strategy,
        deployed=runs.deployed,
        at_zero_cost=runs.at_zero_cost,
        grounds=grounds,
        intervals=performance_intervals(runs.strategy),
        notes=(f"{missing} hours are missing from the bars, in {len(gaps)} gaps.",) if gaps else (),
    )


def make_report(
    symbol: Symbol,
    source: str,
    recipe: Recipe,
    model_version: str | None,
    bars: pd.DataFrame,
    oos: pd.DataFrame,
    evaluation: Evaluation,
    config: BacktestConfig,
    strategy: StrategyInterface,
    trials: TrialSummary,
) -> ReportInputs:
    """Backtest out-of-sample probabilities and judge them, with trials counted by somebody else.

    Parameters
    ----------
    bars : pd.DataFrame
        All bars of the training.
    strategy : StrategyInterface
        What turns probabilities into signals and sizes.
    trials : TrialSummary
        Everything that was tried when the report was made.
    """
    runs = run_variants(bars, oos["probability"], config, strategy=strategy, base_rate=oos["base_rate"])
    signals = strategy_signals(bars, oos, config, strategy)
    grounds = Grounds(
        evidence=gather_evidence(bars, oos, config, evaluation=evaluation, signals=signals),
        estimate=sharpe_estimate(runs.strategy),
        trials=trials,
        simulated=source == SIMULATED,
    )
    return assemble_report(symbol, source, recipe, model_version, oos, evaluation, config, runs, grounds)
