"""The evidence of a run: imported when it is gathered, for the code location must load quickly."""

import pandas as pd

from algo_pipeline.backtest.evidence import Evidence, gather_evidence
from algo_pipeline.backtest.report_inputs import SIMULATED
from algo_pipeline.backtest.result import BacktestResult
from algo_pipeline.backtest.sharpe import sharpe_estimate
from algo_pipeline.backtest.strategy_signals import strategy_signals
from algo_pipeline.backtest.variants import Variants, run_variants
from algo_pipeline.backtest.verdict import Grounds
from algo_pipeline.common.types import Symbol
from algo_pipeline.defs.resources import Pipeline
from algo_pipeline.defs.trials import known_trials, research_trial
from algo_pipeline.research.evaluate import Evaluation


def run_evidence(
    pipeline: Pipeline, bars: pd.DataFrame, oos: pd.DataFrame, evaluation: Evaluation | None = None
) -> Evidence:
    """Test skill and edge of out-of-sample probabilities, traded by the strategy and rules of the settings."""
    config = pipeline.settings().backtest_config()
    signals = strategy_signals(bars, oos, config, pipeline.strategy())
    return gather_evidence(bars, oos, config, evaluation=evaluation, signals=signals)


def run_variants_of(pipeline: Pipeline, bars: pd.DataFrame, oos: pd.DataFrame, label: str | None = None) -> Variants:
    """Backtest out-of-sample probabilities, of the traded label unless named, by the settings' strategy and rules."""
    config, strategy = pipeline.settings().backtest_config(), pipeline.strategy(label)
    return run_variants(bars, oos["probability"], config, strategy=strategy, base_rate=oos["base_rate"])


def run_grounds(
    pipeline: Pipeline,
    symbol: Symbol,
    bars: pd.DataFrame,
    oos: pd.DataFrame,
    strategy: BacktestResult,
    evaluation: Evaluation | None = None,
) -> Grounds:
    """What the verdict rests on: report and gate judge by the same."""
    return Grounds(
        evidence=run_evidence(pipeline, bars, oos, evaluation),
        estimate=sharpe_estimate(strategy),
        trials=known_trials(pipeline, symbol, research_trial(pipeline, symbol, pipeline.recipe(), strategy)),
        simulated=pipeline.settings().data_source == SIMULATED,
    )
