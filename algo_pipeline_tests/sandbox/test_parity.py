"""A backtest's orders on real bars, sent to a sandbox in parity mode: the same fills, the same money."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.backtest.engine import run_account_backtest
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Symbol
from algo_pipeline.sandbox.clock import VirtualClock
from algo_pipeline.sandbox.market import Market
from algo_pipeline.sandbox.venue import Venue, VenueRules
from algo_pipeline_tests.sandbox.rig import BTC, ETH, HOUR, ns, order

SOL = Symbol("SOL", "USD")
START = pd.Timestamp("2022-06-01", tz="UTC")


@pytest.mark.parametrize("fraction", [0.2, 0.9])
def test_every_fill_and_the_equity_agree_also_where_cash_binds(real_bars, fraction):
    names = {BTC: "BTCUSDT", ETH: "ETHUSDT", SOL: "SOLUSDT"}
    bars = {symbol: real_bars(name).loc[START : START + 2000 * HOUR] for symbol, name in names.items()}
    rng = np.random.default_rng(11)
    probability = {symbol: pd.Series(rng.normal(0.5, 0.08, len(b)).clip(0, 1), b.index) for symbol, b in bars.items()}
    rules = BacktestConfig(
        fee_in_base=True, max_drawdown=1.0, position_fraction=fraction, max_position_fraction=fraction
    )
    result = run_account_backtest(bars, probability, rules)
    venue = Venue(Market(bars), VirtualClock(ns(START)), VenueRules(rules))
    differences = [_send(venue, n, fill) for n, fill in enumerate(_in_order(result.fills))]
    assert len(differences) > 1000
    assert max(differences) < 1e-9
    has_shrunk = any(done.status == "canceled" for done in venue.ledger.orders)
    assert has_shrunk is (fraction > 1 / 3)
    last = bars[BTC].index[-1]
    holdings = {symbol: float(venue.ledger.holding(symbol).quantity) for symbol in bars}
    equity = float(venue.ledger.cash) + sum(held * bars[symbol].close[last] for symbol, held in holdings.items())
    assert equity == pytest.approx(result.equity[last], abs=1e-6)
    venue.ledger.verify()


def _in_order(fills: pd.DataFrame) -> list:
    """Hour by hour, sells before buys, buys in the order of the symbols."""
    rows = fills.reset_index()
    rank = rows["symbol"].astype(str).map({"BTC/USD": 0, "ETH/USD": 1, "SOL/USD": 2})
    is_buy = rows["side"].astype(str).str.endswith("buy")
    return list(rows.assign(rank=rank, is_buy=is_buy).sort_values(["timestamp", "is_buy", "rank"]).itertuples())


def _send(venue: Venue, n: int, fill) -> float:
    """Send the order whose fill this was, in the minute after its decision; how much the filled quantity differs."""
    symbol = Symbol.parse(str(fill.symbol))
    venue.clock.set(max(ns(fill.timestamp) + 60_000_000_000, venue.clock.now_ns()))
    if fill.is_buy:
        # A little more than was filled where cash bound: the venue must shrink it to the same quantity.
        price = Decimal(repr(float(fill.price)))
        more = venue.ledger.cash < Decimal(repr(float(fill.quantity))) * price + price * Decimal("1e-6")
        quantity = Decimal(repr(float(fill.quantity))) + (Decimal("0.5") if more else 0)
        venue.place(order("buy", str(quantity), client_order_id=str(n), tif="ioc", symbol=symbol))
    else:
        held = float(venue.ledger.free_quantity(symbol))
        venue.place(order("sell", repr(held), client_order_id=str(n), tif="ioc", symbol=symbol))
    done = venue.ledger.order_of_client(str(n))
    return abs(float(done.filled_quantity) - float(fill.quantity))
