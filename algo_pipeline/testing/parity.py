"""Does live trading decide what the backtest decides? Asked at every bar of a random market."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import numpy as np
import pandas as pd

from algo_pipeline.backtest.conditions import market_conditions
from algo_pipeline.backtest.engine import run_account_backtest
from algo_pipeline.backtest.result import AccountResult
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import FloatArray, Symbol
from algo_pipeline.data.simulation import simulate_bars
from algo_pipeline.interfaces.strategy import StrategyInterface
from algo_pipeline.live.decision import NEVER_EXITED, SymbolView, decide
from algo_pipeline.strategy.signal_to_trade import Action

_SYMBOL = Symbol("BTC", "USD")
_START = pd.Timestamp("2024-01-01", tz="UTC")
_WITHOUT_PROBABILITY = 0.1
_LIVE = BacktestConfig(fee_in_base=True, cash_buffer_bps=50.0, max_drawdown=0.5, cooldown_bars=2)


def live_differences(strategy: StrategyInterface, seed: int, n_bars: int = 400) -> tuple[str, ...]:
    """Where the live decision is not what the account backtest does, in words; nothing where all is equal to the bit.

    At every close the live core is given the backtest's own cash, holding and equity; what it decides has to be what
    the backtest fills at the next open. Equal at every bar, they are equal from first to last.

    Parameters
    ----------
    strategy : StrategyInterface
        Any.
    seed : int
        Of market, probabilities and base rates.
    n_bars : int
        Length of the market.
    """
    bars = simulate_bars(_SYMBOL, _START, _START + pd.Timedelta(hours=n_bars), seed=seed)
    probability, conditions = _restless(bars, seed)
    account = run_account_backtest(
        {_SYMBOL: bars}, {_SYMBOL: probability}, _LIVE, strategy=strategy, conditions_by_symbol={_SYMBOL: conditions}
    )
    return tuple(_differences(strategy, bars, probability, conditions, account))


def _restless(bars: pd.DataFrame, seed: int) -> tuple[pd.Series[float], pd.DataFrame]:
    """Probabilities from 0 to 1, some missing, and what else is known; the first day has no volatility."""
    rng = np.random.default_rng(seed)
    values: FloatArray = rng.random(len(bars))
    values[rng.random(len(bars)) < _WITHOUT_PROBABILITY] = np.nan
    base_rate = pd.Series(rng.choice([0.45, 0.5, 0.55], len(bars)), index=bars.index)
    return pd.Series(values, index=bars.index), market_conditions(bars, base_rate)


def _differences(
    strategy: StrategyInterface,
    bars: pd.DataFrame,
    probability: pd.Series[float],
    conditions: pd.DataFrame,
    account: AccountResult,
) -> Iterator[str]:
    fills = {fill.timestamp: fill for fill in account.fills.itertuples()}
    times, last_exit = bars.index, -NEVER_EXITED
    held, closes = account.quantities.iloc[:, 0].to_numpy(), bars["close"].to_numpy()
    for t, at in enumerate(times[:-1]):
        done = fills.get(at)
        last_exit = t if done is not None and done.side == "sell" else last_exit
        view = SymbolView(
            _SYMBOL,
            float(closes[t]),
            Decimal(repr(float(held[t]))),
            probability=float(probability.iloc[t]),
            bars_since_exit=t - last_exit,
            base_rate=float(conditions["base_rate"].iloc[t]),
            volatility=float(conditions["volatility"].iloc[t]),
            strategy=strategy,
        )
        killed = account.kill_switch_at is not None and at >= account.kill_switch_at
        live = _decided(view, account, at, "the kill switch latched" if killed else None)
        backtest = _filled(fills.get(times[t + 1]))
        if live != backtest:
            yield f"at {at} live decides {_words(live)}, the backtest {_words(backtest)}"


def _decided(view: SymbolView, account: AccountResult, at: pd.Timestamp, must_exit: str | None) -> tuple[str, float]:
    state = account.curve.loc[at]
    cash = Decimal(repr(float(state["cash"])))
    (made,) = decide(float(state["equity"]), cash, (view,), account.config, must_exit=must_exit)
    sides = {Action.ENTER: "buy", Action.EXIT: "sell", Action.NOTHING: "nothing"}
    return sides[made.action], made.quantity


def _filled(fill: object) -> tuple[str, float]:
    return ("nothing", 0.0) if fill is None else (str(fill.side), float(fill.quantity))  # type: ignore[attr-defined]


def _words(order: tuple[str, float]) -> str:
    side, quantity = order
    return side if side == "nothing" else f"{side} {quantity!r}"
