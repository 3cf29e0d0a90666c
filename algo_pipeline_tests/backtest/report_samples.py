"""Small but complete report inputs, made from a seed."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from algo_pipeline.backtest.engine import BacktestConfig, run_backtest
from algo_pipeline.backtest.evidence import Evidence
from algo_pipeline.backtest.performance_intervals import performance_intervals
from algo_pipeline.backtest.report import Grounds, ReportInputs
from algo_pipeline.backtest.sharpe import sharpe_estimate
from algo_pipeline.common.types import Symbol
from algo_pipeline.research.evaluate import Evaluation, Interval, RocCurve, Score, evaluate
from algo_pipeline.research.trials import TrialSummary
from algo_pipeline_tests.market import random_bars

NAN = float("nan")
UNDEFINED_SCORE = Score(0, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN)
NO_EVALUATION = Evaluation(UNDEFINED_SCORE, (), {}, (), RocCurve((), ()))
SOME_EVIDENCE = Evidence(
    skill_p_value=0.001,
    log_loss_skill=0.004,
    log_loss_skill_interval=Interval(0.002, 0.006),
    zero_cost_edge_p_value=0.012,
    zero_cost_excess_return=0.35,
    after_cost_edge_p_value=0.8,
    after_cost_excess_return=-0.4,
    n_shuffles=999,
    n_entries=50,
)


@lru_cache(maxsize=4)
def sample_inputs(n_bars: int = 2_000, seed: int = 0, n_folds: int = 4) -> ReportInputs:
    """A report on random bars and noisy probabilities that know a little of the next bar."""
    bars = random_bars(n_bars, seed=seed)
    rng = np.random.default_rng(seed)
    outcome = (bars["open"].shift(-2) > bars["open"].shift(-1)).astype(float)
    probability = np.clip(0.5 + 0.05 * (outcome - 0.5) + rng.normal(0.0, 0.06, n_bars), 0.01, 0.99)
    fold = np.arange(n_bars) * n_folds // n_bars
    oos = pd.DataFrame({"probability": probability, "outcome": outcome, "base_rate": 0.5, "fold": fold}, bars.index)
    return make_inputs(bars, oos, evaluate(oos, n_resamples=50))


def make_inputs(
    bars: pd.DataFrame,
    oos: pd.DataFrame,
    evaluation: Evaluation = NO_EVALUATION,
    config: BacktestConfig | None = None,
    **changes: Any,
) -> ReportInputs:
    """Inputs whose three backtests are run here; ``changes`` replace fields."""
    config = config or BacktestConfig(max_drawdown=0.02)
    unstopped = replace(config, max_drawdown=10.0)
    strategy = run_backtest(bars, oos["probability"], unstopped)
    free = run_backtest(bars, oos["probability"], replace(unstopped, fee_bps=0.0, slippage_bps=0.0))
    inputs = ReportInputs(
        symbol=Symbol("BTC", "USD"),
        label="direction_1h",
        source="file",
        recipe="logistic+platt",
        recipe_hash="0123456789abcdef",
        model_version=None,
        bars=bars,
        oos=oos,
        evaluation=evaluation,
        config=config,
        strategy=strategy,
        deployed=run_backtest(bars, oos["probability"], config),
        grounds=Grounds(SOME_EVIDENCE, sharpe_estimate(strategy), TrialSummary(62, 0.0004)),
        intervals=performance_intervals(strategy, n_resamples=100),
        at_zero_cost=free,
    )
    return replace(inputs, **changes)


def constant_inputs(n_bars: int, probability: float = 0.5, start: str = "2024-01-01", **changes: Any) -> ReportInputs:
    """A report on one constant probability: at one half nothing is ever traded."""
    bars = random_bars(n_bars, seed=1, start=start)
    columns = {"probability": probability, "outcome": 1.0, "base_rate": 0.5, "fold": 0}
    return make_inputs(bars, pd.DataFrame(columns, index=bars.index), **changes)
