"""The live core, run hour by hour against a broker, trades what the account backtest trades."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from algo_pipeline.backtest.engine import run_account_backtest
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.live.events import Event
from algo_pipeline.strategy.cost_aware import CostAwareStrategy
from algo_pipeline_tests.live.harness import BTC, ETH, SOL, World, broken_promises, lost_orders, scripted_volatility
from algo_pipeline_tests.live.worlds import LIVE, flat_bars, hour, random_world, scripted
from algo_pipeline_tests.market import random_bars

RULES = st.builds(
    BacktestConfig,
    initial_cash=st.sampled_from([50.0, 100_000.0, 98_765.43]),
    enter_threshold=st.sampled_from([0.5, 0.55, 0.7]),
    exit_threshold=st.sampled_from([0.3, 0.45, 0.5]),
    position_fraction=st.sampled_from([0.2, 0.5, 1.0]),
    max_position_fraction=st.sampled_from([0.2, 0.6, 1.0]),
    max_drawdown=st.sampled_from([0.02, 0.05, 1.0]),
    cooldown_bars=st.sampled_from([0, 1, 3]),
    fee_bps=st.sampled_from([0.0, 25.0, 333.3]),
    slippage_bps=st.sampled_from([0.0, 5.0, 250.0]),
    fee_in_base=st.booleans(),
    quantity_step=st.sampled_from([1.0, 1e-2, 1e-6]),
    min_notional=st.sampled_from([0.0, 10.0]),
    cash_buffer_bps=st.sampled_from([None, 0.0, 50.0]),
)


def live_fills(world: World) -> list[tuple[pd.Timestamp, str, str]]:
    return [
        (pd.Timestamp(line.details["filled_bar"]), str(line.symbol), line.details["side"])
        for line in world.lines_of(Event.RESULT)
        if Decimal(line.details["filled_quantity"]) > 0
    ]


def scripted_conditions(probability: pd.Series) -> pd.DataFrame:
    """What the harness's champions know of their bars."""
    return pd.DataFrame({"volatility": probability.map(scripted_volatility), "base_rate": 0.5})


def assert_equals_the_backtest(world: World) -> int:
    """Run every bar; compare mark by mark and order by order. Returns the number of fills."""
    for bar in world.times:
        world.tick(bar)
    strategy = next(iter(world.champions.values())).own_strategy
    conditions = {symbol: scripted_conditions(table) for symbol, table in world.probability.items()}
    backtest = run_account_backtest(
        dict(world.bars),
        dict(world.probability),
        world.config,
        strategy=strategy,
        conditions_by_symbol=conditions,
    )
    marks = {line.timestamp: line.details for line in world.lines_of(Event.MARK)}
    curve = backtest.curve.loc[world.times]
    assert list(marks) == list(curve.index)
    np.testing.assert_allclose([m["equity"] for m in marks.values()], curve["equity"], rtol=1e-9)
    np.testing.assert_allclose([m["drawdown"] for m in marks.values()], curve["drawdown"], atol=1e-9)
    fills = backtest.fills
    assert sorted(live_fills(world)) == sorted(zip(fills["timestamp"], fills["symbol"], fills["side"], strict=True))
    sold = {
        (pd.Timestamp(line.details["filled_bar"]), str(line.symbol)): float(line.details["filled_quantity"])
        for line in world.lines_of(Event.RESULT)
        if Decimal(line.details["filled_quantity"]) > 0
    }
    for fill in fills.itertuples():
        found = sold[(fill.timestamp, fill.symbol)]
        if fill.side == "buy":
            assert found == fill.quantity
        else:
            assert found == pytest.approx(fill.quantity, rel=1e-12)
    kill_lines = world.lines_of(Event.KILL_SWITCH)
    assert [line.timestamp for line in kill_lines] == [
        at for at in [backtest.kill_switch_at] if at is not None and at in set(world.times)
    ]
    assert broken_promises(world) == []
    assert lost_orders(world) == []
    return len(fills)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**31), n_symbols=st.integers(1, 3), config=RULES)
def test_orders_quantities_and_equity_equal_the_account_backtest(tmp_path_factory, seed, n_symbols, config):
    folder = tmp_path_factory.mktemp("parity")
    assert_equals_the_backtest(random_world(folder, seed, (BTC, ETH, SOL)[:n_symbols], 30, config))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**31),
    n_symbols=st.integers(1, 3),
    config=RULES,
    strategy=st.builds(
        CostAwareStrategy,
        st.sampled_from([1, 24]),
        edge_multiple=st.sampled_from([0.1, 1.0]),
        kelly_fraction=st.sampled_from([0.002, 0.5]),
    ),
)
def test_a_strategy_that_counts_costs_trades_what_its_backtest_trades(
    tmp_path_factory, seed, n_symbols, config, strategy
):
    folder = tmp_path_factory.mktemp("cost_aware")
    world = random_world(folder, seed, (BTC, ETH, SOL)[:n_symbols], 30, config)
    for champion in world.champions.values():
        champion.own_strategy = strategy
    assert_equals_the_backtest(world)


def test_a_long_run_with_the_default_rules_equals_the_backtest_through_the_kill_switch(tmp_path):
    world = random_world(tmp_path, 11, (BTC, ETH, SOL), 260, replace(LIVE, position_fraction=0.2, max_drawdown=0.05))
    assert assert_equals_the_backtest(world) > 30
    assert world.state.killed_at is not None


def test_cash_that_binds_is_shared_in_configured_order(tmp_path):
    config = replace(LIVE, position_fraction=0.6, max_position_fraction=0.6)
    world = scripted(tmp_path, {BTC: [0.9, 0.9], ETH: [0.9, 0.9]}, config=config)
    assert_equals_the_backtest(world)
    bought = [Decimal(line.details["quantity"]) for line in world.lines_of(Event.INTENT)]
    assert bought[0] == Decimal(600)
    assert bought[1] < Decimal(400)


def test_a_hole_in_one_symbols_bars_marks_it_at_its_last_close_and_holds(tmp_path):
    probability = {BTC: [0.7, 0.5, 0.5, 0.3, 0.5], ETH: [0.5, 0.7, 0.5, 0.5, 0.3]}
    world = scripted(tmp_path, probability, {BTC: [100, 101, 102, 103, 104, 105, 106]})
    bars = {BTC: world.bars[BTC].drop(hour(2)), ETH: world.bars[ETH]}
    tables = {BTC: world.probability[BTC].drop(hour(2)), ETH: world.probability[ETH]}
    holed = World(tmp_path / "holed", bars, tables, LIVE)
    assert_equals_the_backtest(holed)
    (decision,) = (line for line in holed.lines_of(Event.DECISION) if (line.timestamp, line.symbol) == (hour(2), BTC))
    assert (decision.signal, decision.action) == ("HOLD", "none")
    (mark,) = (line for line in holed.lines_of(Event.MARK) if line.timestamp == hour(2))
    assert mark.details["closes"]["BTC/USD"] == 101


def test_a_cooldown_counts_the_symbols_own_bars(tmp_path):
    config = replace(LIVE, cooldown_bars=2)
    bars = flat_bars([100.0] * 10)
    table = pd.Series([0.7, 0.3, 0.5, 0.7, 0.7, 0.7, 0.5, 0.5], index=bars.index[:8])
    world = World(
        tmp_path, {BTC: bars.drop(hour(3)), ETH: bars}, {BTC: table.drop(hour(3)), ETH: table * 0 + 0.5}, config
    )
    assert_equals_the_backtest(world)
    entries = [line.timestamp for line in world.lines_of(Event.DECISION) if line.action == "enter"]
    assert entries == [hour(0), hour(5)]


def test_real_bars_give_the_backtests_orders(tmp_path, real_bars):
    bars = {BTC: real_bars("BTCUSDT").iloc[-200:], ETH: real_bars("ETHUSDT").iloc[-200:]}
    rng = np.random.default_rng(3)
    probability = {symbol: pd.Series(rng.random(200), index=frame.index) for symbol, frame in bars.items()}
    assert assert_equals_the_backtest(World(tmp_path, bars, probability, LIVE)) > 50


def test_a_venue_that_sells_only_nine_decimals_leaves_dust_that_changes_no_order(tmp_path):
    bars = {BTC: random_bars(120, seed=5, price=41_000.0)}
    probability = {BTC: pd.Series(np.random.default_rng(5).random(120), index=bars[BTC].index)}
    exact, rounded = World(tmp_path / "exact", bars, probability, LIVE), World(tmp_path / "r", bars, probability, LIVE)
    place = rounded.broker._place
    rounded.broker._place = lambda s, q, side, i: place(s, q.quantize(Decimal("1e-9"), "ROUND_FLOOR"), side, i)
    for bar in exact.times:
        exact.tick(bar)
        rounded.tick(bar)
    buys = [
        [line.details["quantity"] for line in world.lines_of(Event.INTENT) if line.action == "buy"]
        for world in (exact, rounded)
    ]
    assert buys[0] == buys[1]
    assert rounded.state.stopped is None
