"""vectorbt's side of the comparison: a process in its own environment, which has pandas 3 and not this project.

``python -m benchmarks.vectorbt_worker ADDRESS`` answers requests at a local socket until it is closed. The clock runs
here, around vectorbt alone. The index is without a time zone: with one, vectorbt takes 40 times as long.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from multiprocessing.connection import Client
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import vectorbt
from vectorbt.signals.dispatch import clean_enex

from benchmarks import markets
from benchmarks.rules import ENTER, EXIT, FEE, FRACTION, INITIAL_CASH, SLIPPAGE

Array = np.ndarray[Any, np.dtype[Any]]


class Market(NamedTuple):
    """Prices as Series, the probability as an array."""

    open: pd.Series[float]
    close: pd.Series[float]
    probability: Array


class Grid(NamedTuple):
    """Parameter sets, each an array of shape (n_sets,)."""

    enter: Array
    exit: Array
    fee: Array
    slippage: Array


ONE_SET = Grid(*(np.array([value]) for value in (ENTER, EXIT, FEE, SLIPPAGE)))


def make_market(open_ns: Array, opens: Array, closes: Array, probability: Array) -> Market:
    """The market in vectorbt's layout."""
    index = pd.DatetimeIndex(open_ns.view("datetime64[ns]"))
    return Market(pd.Series(opens, index), pd.Series(closes, index), probability)


def target_fractions(probability: Array, grid: Grid, fraction: float) -> Array:
    """Shape (n_bars, n_sets): the fraction of equity to hold from each open on, NaN where nothing is to be done.

    An order stands where the wanted state changes, one bar after the probability that changes it.
    """
    values = probability[:, None]
    entries, exits = clean_enex(values >= grid.enter, values <= grid.exit, entry_first=True)
    targets = np.full(entries.shape, np.nan)
    targets[1:][entries[:-1]] = fraction
    targets[1:][exits[:-1]] = 0.0
    return targets


def simulate(market: Market, grid: Grid = ONE_SET, fraction: float = FRACTION, sized_at_fill: bool = False) -> Any:
    """A portfolio of one column per set.

    ``val_price`` is the close before: the size is set by equity and price at the decision. Left out, as by default,
    vectorbt sizes at the price of the fill.
    """
    targets = target_fractions(market.probability, grid, fraction)
    many = targets.shape[1] > 1
    return vectorbt.Portfolio.from_orders(
        market.close,
        targets if many else targets[:, 0],
        size_type="targetpercent",
        direction="longonly",
        price=market.open,
        val_price=None if sized_at_fill else market.close.shift(1),
        fees=grid.fee[None, :] if many else grid.fee[0],
        slippage=grid.slippage[None, :] if many else grid.slippage[0],
        init_cash=INITIAL_CASH,
        freq="1h",
    )


def six_metrics(portfolio: Any) -> list[Any]:
    """Figures beyond the total return; one per column."""
    trades = portfolio.trades
    return [
        portfolio.sharpe_ratio(),
        portfolio.sortino_ratio(),
        portfolio.calmar_ratio(),
        portfolio.max_drawdown(),
        trades.win_rate(),
        trades.profit_factor(),
    ]


class Worker:
    """The requests that it understands; each returns what goes back over the socket."""

    def __init__(self) -> None:
        self._market: Market | None = None

    def versions(self) -> dict[str, str]:
        """Of vectorbt and what it runs on."""
        return {name: version(name) for name in ("vectorbt", "vectorbt-rust", "pandas", "numba", "numpy")}

    def load(self, open_ns: Array, opens: Array, closes: Array, probability: Array) -> None:
        """Take a market, for the requests that follow."""
        self._market = make_market(open_ns, opens, closes, probability)

    def run(self, engine: str, metrics: bool) -> tuple[float, float]:
        """Seconds of one run, with curve, trade log and six metrics if asked for; last equity."""
        return _clocked(lambda: self._one(engine, metrics))

    def sweep(self, engine: str, metrics: bool, grid: tuple[Array, ...]) -> tuple[float, float]:
        """Seconds of one run per set; sum of last equities."""
        return _clocked(lambda: self._many(engine, metrics, Grid(*grid)))

    def outcome(self, engine: str, fraction: float, sized_at_fill: bool) -> dict[str, Array]:
        """Curve, trades and metrics of one run."""
        vectorbt.settings["engine"] = engine
        portfolio = simulate(self._loaded(), ONE_SET, fraction, sized_at_fill)
        records = portfolio.trades.records
        columns = {name: records[name].to_numpy() for name in ("size", "entry_idx", "exit_idx", "pnl", "return")}
        closed = records["status"].to_numpy() == 1
        metrics = np.array(six_metrics(portfolio), dtype=np.float64)
        return {"equity": portfolio.value().to_numpy(), "closed": closed, "metrics": metrics, **columns}

    def _loaded(self) -> Market:
        assert self._market is not None, "load a market first"
        return self._market

    def _one(self, engine: str, metrics: bool) -> float:
        vectorbt.settings["engine"] = engine
        portfolio = simulate(self._loaded())
        final = INITIAL_CASH * (1.0 + portfolio.total_return())
        if metrics:
            _ = portfolio.value(), portfolio.trades.records, six_metrics(portfolio)
        return float(final)

    def _many(self, engine: str, metrics: bool, grid: Grid) -> float:
        vectorbt.settings["engine"] = engine
        portfolio = simulate(self._loaded(), grid)
        final = INITIAL_CASH * (1.0 + portfolio.total_return())
        if metrics:
            six_metrics(portfolio)
        return float(final.sum())


def run_once(market: markets.Market, engine: str) -> None:
    """One run with everything, for the first call of a process."""
    worker = Worker()
    stamps = pd.DatetimeIndex(market.bars.index).tz_localize(None).to_numpy().view("int64")
    opens, closes = market.bars["open"].to_numpy(), market.bars["close"].to_numpy()
    worker.load(stamps, opens, closes, market.probability.to_numpy())
    worker.run(engine, metrics=True)


def _clocked(work: Callable[[], float]) -> tuple[float, float]:
    start = time.perf_counter()
    figure = work()
    return time.perf_counter() - start, figure


def main() -> None:
    """Answer until the other side closes."""
    worker = Worker()
    with Client(sys.argv[1]) as connection:
        while True:
            try:
                request, arguments = connection.recv()
            except EOFError:
                return
            connection.send(getattr(worker, request)(*arguments))


if __name__ == "__main__":
    main()
