"""The data behind the charts of the HTML report, compact and JSON-able.

Times are whole minutes since the epoch. A time grid is ``{"start": minute, "steps": [minutes, how often, …]}``; a curve
on it is ``{"scale": s, "deltas": [d, …]}``, its value at i being the sum of the first i + 1 deltas over s.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from algo_pipeline.backtest.report_inputs import ReportInputs
from algo_pipeline.backtest.report_tables import (
    buy_and_hold_equity,
    daily_returns,
    drawdown_series,
    gaps,
    histogram,
)
from algo_pipeline.backtest.sharpe import rolling_sharpe
from algo_pipeline.backtest.trades import TRADE_COLUMNS
from algo_pipeline.common.downsampling import extreme_positions
from algo_pipeline.common.time import BAR, epoch_ns
from algo_pipeline.common.types import FloatArray
from algo_pipeline.strategy.signal_to_trade import ThresholdStrategy

MAX_POINTS = 45_000
MAX_TRADES = 6_000
_MINUTE_NS = 60 * 10**9
_SIGNIFICANT_DIGITS = 6


def chart_payload(inputs: ReportInputs) -> dict[str, Any]:
    """Everything the page's charts and its trade list read.

    Curves are thinned to at most ``MAX_POINTS`` points that keep every extreme; the trades are exact, the newest
    ``MAX_TRADES`` of them.
    """
    config = inputs.config
    latched = inputs.deployed.kill_switch_at
    return {
        "initial_cash": config.initial_cash,
        "currency": inputs.symbol.quote,
        "thresholds": _thresholds(inputs),
        "kill_switch": None if latched is None else _minute(latched),
        "curves": _curves(inputs),
        "rolling": _rolling(inputs),
        "gaps": [[_minute(first), _minute(last + BAR)] for first, last in gaps(pd.DatetimeIndex(inputs.bars.index))],
        "trades": _trades(inputs.strategy.trades),
        "trade_returns": _histogram(inputs.strategy.trades["return"].to_numpy(dtype=np.float64), 41, clip_tails=True),
        "probabilities": _histogram(inputs.oos["probability"].to_numpy(dtype=np.float64), 50, clip_tails=False),
        "reliability": _reliability(inputs),
        "roc": _roc(inputs),
    }


def _thresholds(inputs: ReportInputs) -> list[tuple[str, float]]:
    """Words and probabilities, of the strategy that has such."""
    strategy = inputs.strategy.strategy
    if not isinstance(strategy, ThresholdStrategy):
        return []
    return [("Exit at", strategy.exit_threshold), ("enter at", strategy.enter_threshold)]


def _curves(inputs: ReportInputs) -> dict[str, Any]:
    cash, close = inputs.config.initial_cash, inputs.bars["close"]
    hold = buy_and_hold_equity(close, cash, inputs.strategy.metrics["buy_and_hold_return"])
    falls = {"drawdown": -inputs.strategy.curve["drawdown"], "hold_drawdown": -drawdown_series(hold, cash)}
    series = {name: result.equity for name, result in inputs.backtests.items()} | {"close": close} | falls
    columns: FloatArray = np.column_stack([values.to_numpy(dtype=np.float64) for values in series.values()])
    kept = extreme_positions(columns, MAX_POINTS)
    grid = _grid(pd.DatetimeIndex(inputs.bars.index[kept]) + BAR)
    packed = {name: _packed(columns[kept, column], 4 if name in falls else 6) for column, name in enumerate(series)}
    return grid | packed | {"hold_per_close": float(hold.iloc[0] / close.iloc[0])}


def _rolling(inputs: ReportInputs) -> dict[str, Any]:
    rolling = rolling_sharpe(daily_returns(inputs.strategy.equity, inputs.config.initial_cash))
    ends = pd.PeriodIndex(rolling.index, freq="D").to_timestamp().tz_localize("UTC") + pd.Timedelta(days=1)
    return _grid(ends.where(ends < inputs.span[1], inputs.span[1])) | {
        name: _rounded(rolling[name].to_numpy()) for name in rolling.columns
    }


def _trades(trades: pd.DataFrame) -> dict[str, Any]:
    newest = trades.iloc[-MAX_TRADES:]
    columns: dict[str, Any] = {"total": len(trades)}
    for name in TRADE_COLUMNS:
        values = newest[name]
        is_time = name.endswith("_time")
        columns[name] = _minutes(pd.DatetimeIndex(values)) if is_time else _plain(values.to_numpy(dtype=np.float64))
    return columns


def _reliability(inputs: ReportInputs) -> dict[str, Any]:
    bins = inputs.evaluation.reliability
    names = ("lower_edge", "upper_edge", "mean_probability", "observed_rate", "rate_lower", "rate_upper", "n")
    return {name: _rounded(np.array([getattr(b, name) for b in bins], dtype=np.float64)) for name in names}


def _roc(inputs: ReportInputs) -> dict[str, Any]:
    roc = inputs.evaluation.roc
    x, y = np.asarray(roc.false_positive_rate), np.asarray(roc.true_positive_rate)
    kept = np.unique(np.linspace(0, len(x) - 1, min(len(x), 300)).round().astype(np.int64))
    return {"x": _rounded(x[kept]), "y": _rounded(y[kept])} if len(x) else {"x": [], "y": []}


def _histogram(values: FloatArray, bins: int, *, clip_tails: bool) -> dict[str, Any]:
    counted = histogram(values, bins, clip_tails=clip_tails)
    return {
        "edges": _rounded(counted.edges),
        "counts": counted.counts.astype(int).tolist(),
        "open_ends": counted.open_ends,
    }


def _grid(times: pd.DatetimeIndex) -> dict[str, Any]:
    minutes = np.asarray(_minutes(times), dtype=np.int64)
    steps = np.diff(minutes)
    runs = np.flatnonzero(np.diff(steps, prepend=steps[:1] - 1))
    lengths = np.diff(runs, append=len(steps))
    return {
        "start": int(minutes[0]) if len(minutes) else None,
        "steps": np.column_stack([steps[runs], lengths]).ravel().tolist(),
    }


def _packed(values: FloatArray, digits: int) -> dict[str, Any]:
    """Values as differences of whole multiples of ``1 / scale``, exact to ``digits`` digits of the largest."""
    largest = float(np.abs(values).max())
    scale = 10.0 ** (digits - 1 - math.floor(math.log10(largest))) if largest > 0.0 else 1.0
    return {
        "scale": _shortest(scale),
        "deltas": np.diff(np.rint(values * scale), prepend=0.0).astype(np.int64).tolist(),
    }


def _minute(at: pd.Timestamp) -> int:
    return int(at.value // _MINUTE_NS) if at.unit == "ns" else int(at.as_unit("ns").value // _MINUTE_NS)


def _minutes(times: pd.DatetimeIndex) -> list[int]:
    stamps: list[int] = (epoch_ns(times) // _MINUTE_NS).tolist()
    return stamps


def _rounded(values: FloatArray) -> list[float | None]:
    return _plain(np.array([float(f"{value:.{_SIGNIFICANT_DIGITS}g}") for value in values], dtype=np.float64))


def _plain(values: FloatArray) -> list[float | None]:
    return [_shortest(value) if math.isfinite(value) else None for value in values.tolist()]


def _shortest(value: float) -> float:
    return int(value) if value.is_integer() and abs(value) < 2**53 else value
