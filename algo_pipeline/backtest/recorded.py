"""The figures of an account that was traded and recorded, by the functions that a backtest's figures come from."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from algo_pipeline.backtest.metrics import TradingFigures, compute_metrics
from algo_pipeline.backtest.trades import RoundTrips, fill_totals, round_trips
from algo_pipeline.common.time import bar_numbers, epoch_ns
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import FloatArray, IntArray, Side
from algo_pipeline.strategy.position_sizing import counts_as_flat


def recorded_metrics(
    equity: pd.Series[float], fills: pd.DataFrame, closes: pd.DataFrame, config: BacktestConfig
) -> dict[str, float]:
    """The metrics of :func:`~algo_pipeline.backtest.metrics.compute_metrics` for a recorded account.

    Parameters
    ----------
    equity : pd.Series of shape (n_marks,)
        At close by the open time of the bar, ascending, positive, without money that came or went; hours may be
        missing. Nothing was traded before its first bar closed.
    fills : pd.DataFrame
        ``timestamp`` (open time of the bar), ``symbol``, ``side``, ``quantity`` (before a fee in coin), ``price`` and
        ``reference`` (the price it is compared with; NaN: its own), in their order. Those after the last mark, or
        without a price, are left out.
    closes : pd.DataFrame of shape (n_marks, n_symbols)
        What the account was marked at.
    config : BacktestConfig
        Gives the fee, which no record holds, and the smallest holding.

    Returns
    -------
    dict
        Start cash is the first mark's equity. A round trip is coin that was bought here: what the account held before
        is sold without one. ``buy_and_hold_return`` is the mean over symbols of last close / first close − 1.
        Empty without a mark.
    """
    if equity.empty:
        return {}
    account = _Recorded(pd.DatetimeIndex(equity.index), _counted(fills, equity), config)
    trips = account.trips()
    notional, costs = account.totals()
    trading = TradingFigures(
        trade_pnl=trips.pnl,
        holding_bars=trips.holding_bars,
        bars_held=account.bars_held(),
        traded_notional=notional,
        costs=costs,
        buy_and_hold_return=_buy_and_hold(closes),
    )
    values: FloatArray = np.asarray(equity, dtype=np.float64)
    return compute_metrics(epoch_ns(account.marks), values, float(values[0]), trading)


class _Recorded:
    """Fills on the grid of hours from the first mark to the last, in the arrays that a simulation has."""

    def __init__(self, marks: pd.DatetimeIndex, fills: pd.DataFrame, config: BacktestConfig) -> None:
        self.marks, self._config = marks, config
        self._mark_bars = bar_numbers(marks) - bar_numbers(marks[:1])[0]
        bars = bar_numbers(pd.DatetimeIndex(fills["timestamp"])) - bar_numbers(marks[:1])[0]
        symbols, names = pd.factorize(fills["symbol"])
        self._places: IntArray = np.column_stack([bars, symbols.astype(np.int64)])
        signs = np.where(fills["side"] == Side.BUY.value, 1.0, -1.0)
        quantity, price = fills["quantity"].to_numpy(np.float64), fills["price"].to_numpy(np.float64)
        reference = fills["reference"].fillna(fills["price"]).to_numpy(np.float64)
        self._values = np.column_stack([signs * quantity, price, config.fee_rate * quantity * price, reference])
        self._quantities = np.zeros((len(names), int(self._mark_bars[-1]) + 1))

    def trips(self) -> RoundTrips:
        """Round trips of the coin that was bought here."""
        own = self._own_coin()
        kept = own[:, 0] != 0.0
        return round_trips(self._places[kept], own[kept], self._quantities, self._fee_rate_in_coin)

    def totals(self) -> tuple[float, float]:
        """Notional and costs of all fills."""
        no_opens = np.empty((0, 0))
        return fill_totals(self._places, self._values, no_opens)

    def bars_held(self) -> int:
        """Marks with coin that was bought here."""
        return int(np.any(self._quantities[:, self._mark_bars] > 0.0, axis=0).sum())

    @property
    def _fee_rate_in_coin(self) -> float:
        return self._config.fee_rate if self._config.fee_in_base else 0.0

    def _own_coin(self) -> FloatArray:
        """The fills with sales cut to what was bought here; fills the grid of holdings on the way."""
        own = self._values[:, :3].copy()
        held = np.zeros(len(self._quantities))
        for (bar, symbol), fill in zip(self._places, own, strict=True):
            if fill[0] < 0.0:
                sold = min(-fill[0], held[symbol])
                fill[2] *= sold / -fill[0]
                fill[0] = -sold
            after = held[symbol] + (fill[0] * (1.0 - self._fee_rate_in_coin) if fill[0] > 0.0 else fill[0])
            is_over = fill[0] <= 0.0 and counts_as_flat(after, fill[1], float(self._config.min_notional))
            held[symbol] = 0.0 if is_over else after
            self._quantities[symbol, bar:] = held[symbol]
        return own


def _counted(fills: pd.DataFrame, equity: pd.Series[float]) -> pd.DataFrame:
    times = fills["timestamp"]
    counted: pd.DataFrame = fills[(times >= equity.index[0]) & (times <= equity.index[-1]) & fills["price"].notna()]
    return counted


def _buy_and_hold(closes: pd.DataFrame) -> float:
    returns = [_growth(closes[symbol]) for symbol in closes.columns]
    known = [value for value in returns if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def _growth(closes: pd.Series[float]) -> float:
    known = closes.dropna()
    return math.nan if known.empty else float(known.iloc[-1] / known.iloc[0] - 1.0)
