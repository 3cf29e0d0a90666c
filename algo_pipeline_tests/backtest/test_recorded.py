"""A recorded account has the figures that a backtest of it has."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from algo_pipeline.backtest.engine import run_account_backtest
from algo_pipeline.backtest.metrics import METRIC_NAMES
from algo_pipeline.backtest.recorded import recorded_metrics
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.live.monitoring import session_figures
from algo_pipeline_tests.live.harness import BTC, ETH
from algo_pipeline_tests.live.worlds import LIVE, random_world

START = pd.Timestamp("2024-01-01", tz="UTC")
FREE = BacktestConfig(fee_bps=0.0, slippage_bps=0.0, fee_in_base=True)
# What a record measures against closes, where a backtest knows the opens.
MEASURED_OTHERWISE = {"costs_paid", "buy_and_hold_return"}


def equity_of(*values: float) -> pd.Series:
    return pd.Series(values, index=pd.date_range(START, periods=len(values), freq="h", name="timestamp"))


def fills_of(*rows: tuple[int, str, float, float]) -> pd.DataFrame:
    """Bar, side, quantity, price of BTC."""
    columns = ["timestamp", "side", "quantity", "price"]
    frame = pd.DataFrame([(START + bar * pd.Timedelta(hours=1), *rest) for bar, *rest in rows], columns=columns)
    frame["timestamp"] = frame["timestamp"].astype("datetime64[ns, UTC]")
    return frame.assign(symbol="BTC/USD", reference=float("nan")).astype({"quantity": float, "price": float})


def closes_of(equity: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"BTC/USD": [100.0, *[150.0] * len(equity)][: len(equity)]}, index=equity.index)


def metrics_of(equity: pd.Series, fills: pd.DataFrame, config: BacktestConfig = FREE) -> dict[str, float]:
    return recorded_metrics(equity, fills, closes_of(equity), config)


@pytest.mark.parametrize(("seed", "fee_in_base"), [(5, True), (11, False)])
def test_a_live_session_has_the_metrics_of_its_backtest(tmp_path: Path, seed: int, fee_in_base: bool) -> None:
    config = replace(LIVE, fee_in_base=fee_in_base, max_drawdown=1.0, position_fraction=0.2)
    world = random_world(tmp_path, seed, (BTC, ETH), 100, config)
    for bar in world.times:
        world.tick(bar)
    figures = session_figures(world.lines)
    found = recorded_metrics(figures.growth, figures.fills, figures.closes, config)
    bars = {symbol: frame.loc[world.times] for symbol, frame in world.bars.items()}
    probability = {symbol: world.probability[symbol].reindex(frame.index) for symbol, frame in bars.items()}
    expected = run_account_backtest(bars, probability, config).metrics
    assert found["n_trades"] > 10
    assert tuple(found) == METRIC_NAMES
    for name in set(METRIC_NAMES) - MEASURED_OTHERWISE:
        assert found[name] == pytest.approx(expected[name], rel=1e-9, abs=1e-12, nan_ok=True), name


def test_a_worked_session() -> None:
    # 1 coin for 100, sold for 150 two hours later: a gain of 50 on 1000.
    equity = equity_of(1000.0, 1000.0, 1020.0, 1050.0)
    found = metrics_of(equity, fills_of((1, "buy", 1.0, 100.0), (3, "sell", 1.0, 150.0)))
    assert found["total_return"] == pytest.approx(0.05)
    assert (found["n_trades"], found["win_rate"], found["avg_holding_bars"]) == (1, 1.0, 2.0)
    assert found["exposure"] == 0.5  # held at the closes of hours 1 and 2
    assert found["costs_paid"] == 0.0
    assert found["buy_and_hold_return"] == pytest.approx(0.5)


def test_costs_are_the_fee_and_the_way_from_the_close_decided_on() -> None:
    fills = fills_of((1, "buy", 2.0, 101.0)).assign(reference=100.0)
    found = metrics_of(equity_of(1000.0, 990.0), fills, BacktestConfig(fee_bps=100.0))
    assert found["costs_paid"] == pytest.approx(2.0 * 1.0 + 0.01 * 202.0)


def test_coin_that_was_there_before_is_sold_without_a_round_trip() -> None:
    found = metrics_of(equity_of(1000.0, 1000.0, 1000.0), fills_of((1, "sell", 3.0, 100.0)))
    assert (found["n_trades"], found["exposure"]) == (0, 0.0)
    both = fills_of((1, "buy", 1.0, 100.0), (2, "sell", 3.0, 120.0))
    assert metrics_of(equity_of(1000.0, 1000.0, 1000.0), both)["win_rate"] == 1.0


def test_a_remainder_too_small_to_sell_ends_the_round_trip() -> None:
    fills = fills_of((1, "buy", 1.0, 100.0), (2, "sell", 0.95, 120.0))  # 6 USD are left, less than 10
    assert metrics_of(equity_of(1000.0, 1000.0, 1000.0), fills)["n_trades"] == 1


def test_a_fill_after_the_last_mark_waits_for_the_next_one() -> None:
    fills = fills_of((1, "buy", 1.0, 100.0), (3, "sell", 1.0, 120.0))
    assert metrics_of(equity_of(1000.0, 1000.0, 1000.0), fills)["n_trades"] == 0


def test_missed_hours_are_no_hours_held_but_count_in_the_length_of_a_trip() -> None:
    equity = equity_of(*[1000.0] * 6).drop(START + pd.Timedelta(hours=2))
    found = metrics_of(equity, fills_of((1, "buy", 1.0, 100.0), (4, "sell", 1.0, 120.0)))
    assert found["avg_holding_bars"] == 3.0
    assert found["exposure"] == pytest.approx(2 / 5)


def test_one_mark_has_no_ratio_and_none_has_no_figures() -> None:
    assert math.isnan(metrics_of(equity_of(1000.0), fills_of())["sharpe"])
    assert recorded_metrics(equity_of(), fills_of(), closes_of(equity_of()), FREE) == {}
