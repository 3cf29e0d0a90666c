"""The sandbox's account against the backtest's simulated broker: two accounts of one market, in exact decimals."""

from __future__ import annotations

import dataclasses
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.backtest.broker_sim import SimulatedBroker
from algo_pipeline.backtest.broker_sim_decimals import exact
from algo_pipeline.backtest.broker_sim_orders import Candle
from algo_pipeline.common.errors import AccountingError
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Side
from algo_pipeline.sandbox.clock import VirtualClock
from algo_pipeline.sandbox.ledger import Ledger
from algo_pipeline.sandbox.market import Market
from algo_pipeline.sandbox.orders import LedgerFill, Transfer
from algo_pipeline.sandbox.venue import Venue, VenueRules
from algo_pipeline_tests.market import random_bars
from algo_pipeline_tests.sandbox.rig import BTC, ETH, HOUR, ns, order

D = Decimal
N_BARS = 30


def candle(row) -> Candle:
    return Candle(*(exact(row[name]) for name in ("open", "high", "low", "close", "volume")))


class Twins:
    """The simulated broker and the sandbox's venue, given the same orders hour by hour."""

    def __init__(self, seed: int, config: BacktestConfig) -> None:
        self.bars = {BTC: random_bars(N_BARS, seed, price=100.0), ETH: random_bars(N_BARS, seed + 1, price=7.0)}
        self.broker = SimulatedBroker(self.bars, config)
        self.times = self.bars[BTC].index
        self.venue = Venue(Market(self.bars), VirtualClock(ns(self.times[1])), VenueRules(config))

    def live_through(self, t: int, wishes: list[tuple]) -> None:
        """Orders decided at the close of bar t, sells first, fill in bar t + 1."""
        at = self.times[t + 1]
        self.venue.clock.set(ns(at))
        for n, (symbol, side, quantity) in enumerate(sorted(wishes, key=lambda wish: wish[1] is Side.BUY)):
            self.broker.place_order(symbol, quantity, side, f"{t}-{n}")
            asked = order(side.value, str(quantity), client_order_id=f"{t}-{n}", tif="ioc", symbol=symbol)
            self.venue.place(asked)
        self.broker.trade_bar(at, {symbol: candle(bars.loc[at]) for symbol, bars in self.bars.items()})
        self.broker.close_bar(at, {symbol: exact(bars.loc[at, "close"]) for symbol, bars in self.bars.items()})

    def agree(self) -> None:
        ledger = self.venue.ledger
        assert ledger.cash == self.broker.get_account().cash
        for symbol in self.bars:
            assert ledger.holding(symbol).quantity == self.broker.quantity_held(symbol)
        fields = ("symbol", "side", "quantity", "price", "fee", "fee_in_coin")
        ours, theirs = ([tuple(getattr(f, name) for name in fields) for f in fills] for fills in self.fills())
        assert ours == theirs
        ledger.verify()

    def fills(self):
        return self.venue.ledger.fills, self.broker.fills


@given(st.integers(0, 10_000), st.booleans(), st.sampled_from([0.3, 0.9, 2.5]))
@settings(max_examples=40, deadline=None)
def test_it_equals_the_simulated_broker_to_the_last_digit(seed, fee_in_base, appetite):
    twins = Twins(seed, BacktestConfig(initial_cash=10_000.0, fee_in_base=fee_in_base))
    rng = np.random.default_rng(seed)
    for t in range(1, N_BARS - 1):
        wishes = []
        for symbol, bars in twins.bars.items():
            held, close = twins.broker.quantity_held(symbol), exact(bars["close"].iloc[t])
            if held * close >= 10 and rng.random() < 0.5:
                wishes.append((symbol, Side.SELL, held))
            elif held * close < 10 and rng.random() < 0.7:
                worth = D(str(round(appetite * 10_000 * rng.random() + 11, 2)))
                wishes.append((symbol, Side.BUY, (worth / close).quantize(D("1e-6")) + D("1e-6")))
        twins.live_through(t, wishes)
        twins.agree()
    assert len(twins.venue.ledger.fills) > 10


def test_a_thousand_orders_balance_to_the_last_digit():
    bars = random_bars(1100, 4)
    venue = Venue(Market({BTC: bars}), VirtualClock(ns(bars.index[1])), VenueRules(BacktestConfig(fee_in_base=True)))
    for n in range(1000):
        venue.clock.advance(int(HOUR.value))
        held = venue.ledger.free_quantity(BTC)
        venue.place(
            order("sell", str(held), client_order_id=str(n))
            if n % 2
            else order("buy", "1.234567", client_order_id=str(n))
        )
    venue.ledger.verify()
    assert len(venue.ledger.fills) == 1000


class TestVerification:
    FILL = LedgerFill(1, "id", "client", BTC, Side.BUY, D("2"), D("50"), D("1"), D("0.02"))

    @pytest.fixture
    def ledger(self):
        ledger = Ledger("account", 0)
        ledger.transfer(Transfer(0, None, D(1000)))
        ledger.book(self.FILL)
        return ledger

    def test_a_fill_moves_cash_and_coin(self, ledger):
        assert (ledger.cash, ledger.holding(BTC).quantity, ledger.holding(BTC).cost) == (900, D("1.98"), 100)

    def test_a_sale_takes_its_share_of_the_cost(self, ledger):
        ledger.book(LedgerFill(2, "id", "client", BTC, Side.SELL, D("0.99"), D("60"), D("0.5"), D(0)))
        assert (ledger.cash, ledger.holding(BTC).cost) == (D("958.9"), 50)

    def test_a_forgotten_fill_is_noticed(self, ledger):
        ledger.verify()
        ledger.fills.pop()
        with pytest.raises(AccountingError, match="cash"):
            ledger.verify()

    def test_a_changed_digit_of_coin_is_noticed(self, ledger):
        ledger.fills[0] = dataclasses.replace(self.FILL, fee_in_coin=D("0.020000000000000000000001"))
        with pytest.raises(AccountingError, match="BTC"):
            ledger.verify()
