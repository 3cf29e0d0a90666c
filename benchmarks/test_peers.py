"""The rivals reach our figures by our rules, and where they cannot, the difference is this one and no other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.backtest.engine import BacktestResult
from algo_pipeline.common.types import FloatArray
from benchmarks import ours, peer_backtesting, peer_pybroker
from benchmarks.markets import N_REAL_BARS, Market, bar_source, simulated_market
from benchmarks.peer_vectorbt import ENGINES, VectorbtProcess
from benchmarks.rules import FEE, FRACTION, HOURS_PER_YEAR, INITIAL_CASH, SLIPPAGE

EXACT = 1e-11
"""Relative: the same arithmetic in another order of operations."""


@pytest.fixture(scope="module")
def vectorbt() -> Iterator[VectorbtProcess]:
    with VectorbtProcess() as process:
        yield process


@pytest.fixture(scope="module", params=["long", "simulated 1", "simulated 2"])
def market(request: pytest.FixtureRequest) -> Market:
    """37,660 bars, real where there are any, and two short ones."""
    if request.param == "long":
        return bar_source().market(N_REAL_BARS, seed=5)
    return simulated_market(3_000, seed=int(request.param[-1]))


@pytest.fixture(scope="module")
def result(market: Market) -> BacktestResult:
    return ours.run(market)


@pytest.fixture(scope="module")
def small() -> Market:
    return simulated_market(3_000, seed=3)


def same(found: object, expected: object, tolerance: float = EXACT) -> None:
    np.testing.assert_allclose(np.asarray(found, float), np.asarray(expected, float), rtol=tolerance)


def same_pnl(found: pd.Series[float], result: BacktestResult) -> None:
    """To within 1e-11 of start cash: a pnl may be near nothing."""
    np.testing.assert_allclose(found.to_numpy(), result.trades["pnl"].to_numpy(), atol=EXACT * INITIAL_CASH, rtol=1e-9)


class TestSameCurveAndTrades:
    @pytest.mark.parametrize("engine", ENGINES)
    def test_in_vectorbt(self, engine: str, market: Market, result: BacktestResult, vectorbt: VectorbtProcess) -> None:
        outcome = vectorbt.outcome(market, engine)
        closed = outcome.trades[outcome.trades["closed"]]
        same(outcome.equity, result.equity)
        same_pnl(closed["pnl"], result)
        same(closed["size"], result.trades["quantity"])
        assert (market.bars.index[closed["entry_idx"]] == result.trades["entry_time"]).all()
        assert (market.bars.index[closed["exit_idx"]] == result.trades["exit_time"]).all()

    def test_in_backtesting_py(self, market: Market, result: BacktestResult) -> None:
        stats = peer_backtesting.run(peer_backtesting.prepare(market))
        same(stats["_equity_curve"]["Equity"], result.equity)
        same_pnl(stats["_trades"]["PnL"], result)
        same(stats["_trades"]["Size"], result.trades["quantity"])
        assert (market.bars.index[stats["_trades"]["EntryBar"]] == result.trades["entry_time"]).all()
        assert (market.bars.index[stats["_trades"]["ExitBar"]] == result.trades["exit_time"]).all()

    def test_in_pybroker(self, market: Market, result: BacktestResult) -> None:
        tested = peer_pybroker.run(peer_pybroker.prepare(market))
        same(tested.portfolio["equity"], result.equity)
        same(tested.trades["shares"], result.trades["quantity"])
        for theirs, here in (("entry_date", "entry_time"), ("exit_date", "exit_time")):
            assert (stamps(tested.trades[theirs]).tz_localize("UTC") == stamps(result.trades[here])).all()
        same(tested.orders["fees"], result.fills["fee"])
        same(tested.orders["fill_price"], result.fills["price"])


class TestWhatVectorbtDoesDifferently:
    def test_by_default_it_sizes_at_the_price_of_the_fill(self, small: Market, vectorbt: VectorbtProcess) -> None:
        trades = vectorbt.outcome(small, "rust", sized_at_fill=True).trades
        ours_first = ours.run(small).trades.iloc[0]
        opens = small.bars["open"].to_numpy()
        same(trades["size"].iloc[0], FRACTION * INITIAL_CASH / opens[trades["entry_idx"].iloc[0]])
        assert trades["size"].iloc[0] != pytest.approx(ours_first["quantity"], rel=1e-6)

    @pytest.mark.parametrize("engine", ENGINES)
    def test_a_buy_beyond_cash_shrinks_as_ours_does(
        self, engine: str, small: Market, vectorbt: VectorbtProcess
    ) -> None:
        everything = ours.run(small, position_fraction=1.0, max_position_fraction=1.0)
        same(vectorbt.outcome(small, engine, fraction=1.0).equity, everything.equity)

    def test_an_open_position_counts_as_a_trade_of_its_statistics(self, vectorbt: VectorbtProcess) -> None:
        held = open_at_the_end()
        result, outcome = ours.run(held), vectorbt.outcome(held, "rust")
        assert len(outcome.trades) == len(result.trades) + 1
        assert not outcome.trades["closed"].iloc[-1]
        losers = outcome.trades["pnl"] < 0.0
        by_all = outcome.trades["pnl"][~losers].sum() / -outcome.trades["pnl"][losers].sum()
        same(outcome.metrics["profit_factor"], by_all)
        same(outcome.metrics["win_rate"], (outcome.trades["pnl"] > 0.0).mean())
        assert outcome.metrics["profit_factor"] != pytest.approx(result.metrics["profit_factor"], rel=1e-9)

    def test_drawdown_is_ours_with_a_minus(self, small: Market, vectorbt: VectorbtProcess) -> None:
        same(-vectorbt.outcome(small, "rust").metrics["max_drawdown"], ours.run(small).metrics["max_drawdown"], 1e-9)

    def test_sharpe_and_sortino_are_of_hourly_returns(self, small: Market, vectorbt: VectorbtProcess) -> None:
        outcome = vectorbt.outcome(small, "rust")
        hourly = hourly_returns(outcome.equity)
        mean = HOURS_PER_YEAR**0.5 * hourly.mean()
        same(outcome.metrics["sharpe"], mean / hourly.std(ddof=1), 1e-9)
        same(outcome.metrics["sortino"], mean / np.sqrt((np.minimum(hourly, 0.0) ** 2).mean()), 1e-9)


class TestWhatBacktestingPyDoesDifferently:
    def test_its_spread_moves_the_entry_alone(self, small: Market) -> None:
        stats = peer_backtesting.run(peer_backtesting.prepare(small), spread=SLIPPAGE, commission=0.0)
        trades, opens = stats["_trades"], small.bars["open"].to_numpy()
        same(trades["EntryPrice"], opens[trades["EntryBar"]] * (1.0 + SLIPPAGE))
        same(trades["ExitPrice"], opens[trades["ExitBar"]])

    def test_so_spread_and_commission_are_chosen_for_equal_costs_of_each_side(self) -> None:
        paid, fee = peer_backtesting.SPREAD, peer_backtesting.COMMISSION
        same((1.0 + paid) * (1.0 + fee), (1.0 + SLIPPAGE) * (1.0 + FEE), 1e-15)
        same(1.0 - fee, (1.0 - SLIPPAGE) * (1.0 - FEE), 1e-15)

    def test_its_fractional_unit_is_our_quantity_step(self, small: Market) -> None:
        stats = peer_backtesting.run(peer_backtesting.prepare(small), fractional_unit=0.01)
        same(stats["_equity_curve"]["Equity"], ours.run(small, quantity_step=0.01).equity)

    def test_it_cannot_decide_at_the_first_bar(self, small: Market) -> None:
        eager = Market(small.bars, small.probability.where(small.probability.index != small.bars.index[0], 0.9))
        stats = peer_backtesting.run(peer_backtesting.prepare(eager))
        assert ours.run(eager).fills["timestamp"].iloc[0] == small.bars.index[1]
        assert stats["_trades"]["EntryBar"].iloc[0] > 1

    def test_it_cancels_a_buy_that_cash_cannot_cover(self, small: Market) -> None:
        stats = peer_backtesting.run(peer_backtesting.prepare(small), fraction=1.0)
        assert len(stats["_trades"]) == 0
        assert ours.run(small, position_fraction=1.0, max_position_fraction=1.0).metrics["n_trades"] > 100

    def test_if_asked_to_finish_it_sells_at_the_open_of_the_last_bar(self) -> None:
        held = open_at_the_end()
        left = peer_backtesting.run(peer_backtesting.prepare(held))
        finished = peer_backtesting.run(peer_backtesting.prepare(held), finalize_trades=True)
        assert len(left["_trades"]) == len(ours.run(held).trades) == len(finished["_trades"]) - 1
        last = finished["_trades"].iloc[-1]
        assert last["ExitBar"] == len(held.bars) - 1
        same(last["ExitPrice"], held.bars["open"].iloc[-1])


class TestWhatPyBrokerDoesDifferently:
    def test_a_trade_s_pnl_is_before_fees(self, small: Market) -> None:
        tested, result = peer_pybroker.run(peer_pybroker.prepare(small)), ours.run(small)
        fees = result.trades["fees"].to_numpy()
        same_pnl(tested.trades["pnl"] - fees, result)
        assert tested.metrics.win_rate == pytest.approx(100 * (result.trades["pnl"] + fees > 0).mean())

    def test_it_buys_for_all_its_cash_and_owes_the_fee(self, small: Market) -> None:
        orders = peer_pybroker.run(peer_pybroker.prepare(small), fraction=1.0).orders
        first, bought = orders.iloc[0], ours.run(small, position_fraction=1.0, max_position_fraction=1.0).fills.iloc[0]
        same(float(first["shares"]) * float(first["fill_price"]), INITIAL_CASH, 1e-9)
        same(bought["notional"] + bought["fee"], INITIAL_CASH, 1e-9)

    def test_its_own_fill_is_between_low_and_high(self, small: Market) -> None:
        order = peer_pybroker.run(peer_pybroker.prepare(small), fill="MIDDLE").orders.iloc[0]
        bar = small.bars.loc[pd.Timestamp(order["date"], tz="UTC")]
        same(order["fill_price"], (bar["low"] + bar["high"]) / 2.0 * (1.0 + SLIPPAGE))

    def test_sharpe_is_of_hourly_returns_by_the_population_deviation(self, small: Market) -> None:
        tested = peer_pybroker.run(peer_pybroker.prepare(small))
        hourly = hourly_returns(tested.portfolio["equity"].to_numpy(float))[1:]
        same(tested.metrics.sharpe, HOURS_PER_YEAR**0.5 * hourly.mean() / hourly.std(ddof=0), 1e-9)


def stamps(times: pd.Series) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(times)


def open_at_the_end() -> Market:
    """A market whose last bars want to be long."""
    market = simulated_market(3_000, seed=4)
    probability = market.probability.copy()
    probability.iloc[-20:] = 0.9
    return Market(market.bars, probability)


def hourly_returns(equity: FloatArray) -> FloatArray:
    """The first is over start cash."""
    before = np.concatenate([[INITIAL_CASH], equity[:-1]])
    return np.asarray(equity / before - 1.0, dtype=np.float64)
