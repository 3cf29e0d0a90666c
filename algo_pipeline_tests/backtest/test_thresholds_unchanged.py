"""What fixed thresholds earned before other strategies existed: fingerprints of curves and fills, to the last bit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.backtest.engine import (
    AccountResult,
    BacktestConfig,
    BacktestResult,
    run_account_backtest,
    run_backtest,
)
from algo_pipeline.backtest.realism import ExecutionOptions
from algo_pipeline_tests.market import random_bars

_LIVE = BacktestConfig(fee_in_base=True, cash_buffer_bps=50.0, max_drawdown=1.0)
_ALL_IN = BacktestConfig(position_fraction=0.6, max_position_fraction=0.6, max_drawdown=0.3, cooldown_bars=3)
_REALISTIC = ExecutionOptions(limit_timeout_bars=3, latency_bars=1, stop_loss_bps=300.0)
_NAMES = ("BTCUSDT", "ETHUSDT", "SOLUSDT")

Run = Callable[[dict[str, pd.DataFrame]], "BacktestResult | AccountResult"]

RUNS: dict[str, Run] = {
    "one symbol": lambda bars: run_backtest(bars["BTCUSDT"], _restless(bars["BTCUSDT"], 1)),
    "one symbol, live rules": lambda bars: run_backtest(bars["ETHUSDT"], _restless(bars["ETHUSDT"], 2), _LIVE),
    "realistic orders": lambda bars: run_backtest(
        bars["SOLUSDT"], _restless(bars["SOLUSDT"], 3), _LIVE, execution=_REALISTIC
    ),
    "one account": lambda bars: run_account_backtest(bars, _each_restless(bars), _ALL_IN),
    "one account, realistic orders": lambda bars: run_account_backtest(bars, _each_restless(bars), _ALL_IN, _REALISTIC),
}


def _restless(bars: pd.DataFrame, seed: int) -> pd.Series:
    """Probabilities that wander across both thresholds, a few unknown; the same on every machine."""
    rng = np.random.default_rng(seed)
    values = 0.5 + np.clip(rng.integers(-3, 4, len(bars)).cumsum() % 41 - 20, -15, 15) / 100
    values[rng.integers(0, 50, len(bars)) == 0] = np.nan
    return pd.Series(values, index=bars.index)


def _each_restless(bars: dict[str, pd.DataFrame]) -> dict[str, pd.Series]:
    return {name: _restless(frame, seed) for seed, (name, frame) in enumerate(bars.items(), 10)}


def _made_bars(seed: int) -> pd.DataFrame:
    """Random bars without the last digits, in which machines differ."""
    return random_bars(5_000, seed=seed).round(4)


def _fingerprint(result: BacktestResult | AccountResult) -> str:
    digest = hashlib.sha256()
    for frame in (result.curve, result.fills[["quantity", "price", "fee"]]):
        digest.update(np.ascontiguousarray(frame.to_numpy(), np.float64).tobytes())
    digest.update(result.fills["timestamp"].astype("int64").to_numpy().tobytes())
    return f"{len(result.fills)} fills {digest.hexdigest()[:16]}"


RECORDED_ON_REAL_BARS = {
    "one symbol": "102 fills 6f2b0f2905d38c6c",
    "one symbol, live rules": "1554 fills 4891ebabd51cf39c",
    "realistic orders": "1651 fills ab7169f554faeaac",
    "one account": "162 fills 17622c5826005517",
    "one account, realistic orders": "170 fills c01a033ee888adb5",
}

RECORDED_ON_RANDOM_BARS = {
    "one symbol": "54 fills 9cedd063080a398e",
    "one symbol, live rules": "258 fills 6da5d3c0c84d9894",
    "realistic orders": "221 fills 6103343205be6bfe",
    "one account": "114 fills fa33f1e55704049e",
    "one account, realistic orders": "89 fills 69528a8aea3f519f",
}


@pytest.mark.parametrize("run", RUNS)
def test_thresholds_earn_what_they_always_did_on_real_bars(run: str, real_bars: Callable[[str], pd.DataFrame]) -> None:
    bars = {name: real_bars(name).iloc[:30_000] for name in _NAMES}
    assert _fingerprint(RUNS[run](bars)) == RECORDED_ON_REAL_BARS[run]


@pytest.mark.parametrize("run", RUNS)
def test_thresholds_earn_what_they_always_did_on_random_bars(run: str) -> None:
    bars = {name: _made_bars(seed) for seed, name in enumerate(_NAMES)}
    assert _fingerprint(RUNS[run](bars)) == RECORDED_ON_RANDOM_BARS[run]
