"""The evidence of a run: imported when it is gathered, for the code location must load quickly."""

import pandas as pd

from algo_pipeline.backtest.evidence import Evidence, gather_evidence
from algo_pipeline.backtest.strategy_signals import strategy_signals
from algo_pipeline.defs.resources import Pipeline
from algo_pipeline.research.evaluate import Evaluation


def run_evidence(
    pipeline: Pipeline, bars: pd.DataFrame, oos: pd.DataFrame, evaluation: Evaluation | None = None
) -> Evidence:
    """Test skill and edge of out-of-sample probabilities, traded by the strategy and rules of the settings."""
    config = pipeline.settings().backtest_config()
    signals = strategy_signals(bars, oos, config, pipeline.strategy())
    return gather_evidence(bars, oos, config, evaluation=evaluation, signals=signals)
