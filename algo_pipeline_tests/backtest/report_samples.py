"""Small but complete report inputs, made from a seed."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from algo_pipeline.backtest.engine import BacktestConfig, run_backtest
from algo_pipeline.backtest.report import ReportInputs, verdict_sentence
from algo_pipeline.common.types import Symbol
from algo_pipeline.research.evaluate import Evaluation, RocCurve, Score, evaluate
from algo_pipeline_tests.market import random_bars

NAN = float("nan")
UNDEFINED_SCORE = Score(0, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN)
NO_EVALUATION = Evaluation(UNDEFINED_SCORE, (), {}, (), RocCurve((), ()))


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
        verdict=verdict_sentence(evaluation, strategy, free),
        at_zero_cost=free,
    )
    return replace(inputs, **changes)


def constant_inputs(n_bars: int, probability: float = 0.5, start: str = "2024-01-01", **changes: Any) -> ReportInputs:
    """A report on one constant probability: at one half nothing is ever traded."""
    bars = random_bars(n_bars, seed=1, start=start)
    columns = {"probability": probability, "outcome": 1.0, "base_rate": 0.5, "fold": 0}
    return make_inputs(bars, pd.DataFrame(columns, index=bars.index), **changes)
