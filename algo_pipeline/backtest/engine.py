"""Event-driven backtests of one symbol, or of several in one account.

The order of events inside a bar, and every rule, is told in ``docs/backtest.md``; the compiled state machine is
``backtest.kernel``, that of realistic orders ``backtest.realistic_kernel``, their slow twin in exact decimals
``backtest.broker_sim``.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd

from algo_pipeline.backtest.accounting import verify_accounting
from algo_pipeline.backtest.conditions import MarketAssessments, assess_market
from algo_pipeline.backtest.inputs import Market, account_market, one_symbol_market
from algo_pipeline.backtest.kernel import KernelRules, Simulation, simulate
from algo_pipeline.backtest.metrics import TradingFigures, compute_metrics
from algo_pipeline.backtest.realism import PLAIN, ExecutionOptions
from algo_pipeline.backtest.realistic_fills import OrderRules
from algo_pipeline.backtest.realistic_inputs import venue_bars
from algo_pipeline.backtest.realistic_kernel import simulate_realistic
from algo_pipeline.backtest.result import AccountResult, BacktestResult
from algo_pipeline.backtest.trades import RoundTrips, fill_totals, fills_frame, round_trips, trades_frame
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import FloatArray
from algo_pipeline.interfaces.strategy import StrategyInterface
from algo_pipeline.strategy.catalog import threshold_strategy

__all__ = [
    "AccountResult",
    "BacktestConfig",
    "BacktestResult",
    "ExecutionOptions",
    "run_account_backtest",
    "run_backtest",
]


def run_backtest(
    bars: pd.DataFrame,
    probability: pd.Series[float],
    config: BacktestConfig | None = None,
    execution: ExecutionOptions | None = None,
    *,
    strategy: StrategyInterface | None = None,
    conditions: pd.DataFrame | None = None,
) -> BacktestResult:
    """Trade one symbol's probabilities under ``config``.

    A decision at bar t uses bars up to t and fills at the open of the next bar that exists, unless ``execution`` asks
    for more realistic orders.

    Parameters
    ----------
    bars : pd.DataFrame
        Shape (n, 5), valid by ``common.schemas.validate_bars``; n >= 1.
    probability : pd.Series
        P(label = 1) by open time of the bar that decides; NaN, or no row, is HOLD. Every row must belong to a bar.
    config : BacktestConfig, optional
        The account's rules; default costs and limits if omitted.
    execution : ExecutionOptions, optional
        Limits, latency, volume caps, slippage by volatility and protective exits; all off if omitted.
    strategy : StrategyInterface, optional
        Turns probabilities into signals and sizes; the fixed thresholds of ``config`` if omitted.
    conditions : pd.DataFrame, optional
        What the strategy knows beside the probability, by open time, as ``conditions.market_conditions`` makes it; if
        omitted, made from ``bars`` alone, so that it knows no volatility in the first day.

    Raises
    ------
    InsufficientHistoryError
        If there is no bar.
    DataValidationError
        If bars break their schema, a probability lies outside [0, 1], or one belongs to no bar.
    AccountingError
        If cash, holdings and fees do not add up to equity: a defect of the engine.
    """
    config = config or BacktestConfig()
    market = one_symbol_market(bars, probability)
    execution, strategy = execution or PLAIN, strategy or threshold_strategy(config)
    assessed = assess_market(market, [bars], [conditions], strategy, config)
    simulation, trips, metrics = _run(market, assessed, [bars], config, execution)
    return BacktestResult(
        config=config,
        curve=_frame(simulation.curve, market.times, ("equity", "cash", "quantity", "drawdown")),
        trades=trades_frame(trips, market.times),
        fills=fills_frame(simulation.fill_places, simulation.fill_values, market.times),
        metrics=metrics,
        kill_switch_at=_kill_switch_at(simulation, market),
        execution=execution,
        strategy=strategy,
    )


def run_account_backtest(
    bars_by_symbol: Mapping[Hashable, pd.DataFrame],
    probability_by_symbol: Mapping[Hashable, pd.Series[float]],
    config: BacktestConfig | None = None,
    execution: ExecutionOptions | None = None,
    *,
    strategy: StrategyInterface | None = None,
    conditions_by_symbol: Mapping[Hashable, pd.DataFrame] | None = None,
) -> AccountResult:
    """Trade several symbols in one account: one cash, one equity, one peak and one kill switch.

    Fraction and cap are per symbol, of account equity. At an open, sells fill before buys, buys in the order of
    ``bars_by_symbol`` until cash ends. Cooldowns are per symbol. A symbol without a bar at t is marked at its last
    close and HOLDs; its pending order fills at the next bar it has. With one symbol the figures equal
    :func:`run_backtest` bit for bit.

    Parameters
    ----------
    bars_by_symbol, probability_by_symbol : mapping
        By the same symbols (``Symbol`` or str); values as in :func:`run_backtest`.
    config : BacktestConfig, optional
        The account's rules; default costs and limits if omitted.
    execution : ExecutionOptions, optional
        Limits, latency, volume caps, slippage by volatility and protective exits; all off if omitted.
    strategy : StrategyInterface, optional
        As in :func:`run_backtest`, the same for every symbol.
    conditions_by_symbol : mapping, optional
        As ``conditions`` of :func:`run_backtest`; a symbol that is not named has its own made from its bars.

    Raises
    ------
    ConfigValueError
        If the two mappings do not name the same symbols.
    InsufficientHistoryError, DataValidationError, AccountingError
        As :func:`run_backtest`.
    """
    config = config or BacktestConfig()
    market = account_market(bars_by_symbol, probability_by_symbol)
    execution, strategy = execution or PLAIN, strategy or threshold_strategy(config)
    frames = list(bars_by_symbol.values())
    conditions = [(conditions_by_symbol or {}).get(symbol) for symbol in bars_by_symbol]
    assessed = assess_market(market, frames, conditions, strategy, config)
    simulation, trips, metrics = _run(market, assessed, frames, config, execution)
    names = np.array([str(symbol) for symbol in bars_by_symbol], dtype=object)
    fills = fills_frame(simulation.fill_places, simulation.fill_values, market.times)
    return AccountResult(
        config=config,
        curve=_frame(simulation.curve[[0, 1, -1]], market.times, ("equity", "cash", "drawdown")),
        quantities=_frame(simulation.curve[2:-1], market.times, tuple(names)),
        trades=trades_frame(trips, market.times).assign(symbol=names[trips.places[:, 2]]),
        fills=fills.assign(symbol=names[simulation.fill_places[:, 1]]),
        metrics=metrics,
        kill_switch_at=_kill_switch_at(simulation, market),
        execution=execution,
        strategy=strategy,
    )


def _run(
    market: Market,
    assessed: MarketAssessments,
    frames: Sequence[pd.DataFrame],
    config: BacktestConfig,
    execution: ExecutionOptions,
) -> tuple[Simulation, RoundTrips, dict[str, float]]:
    rules = KernelRules.from_config(config, assessed.band)
    if execution.is_plain:
        simulation = simulate(market.opens, market.closes, assessed.scores, rules, assessed.size_limits)
    else:
        bars = venue_bars(market, assessed, frames, config, execution)
        simulation = simulate_realistic(bars, rules, OrderRules.from_options(execution))
    verify_accounting(simulation, market.closes, rules)
    trips = round_trips(simulation.fill_places, simulation.fill_values, simulation.curve[2:-1], rules.fee_rate_in_coin)
    trading = _trading_figures(market, simulation, trips)
    return simulation, trips, compute_metrics(market.open_ns, simulation.curve[0], config.initial_cash, trading)


def _trading_figures(market: Market, simulation: Simulation, trips: RoundTrips) -> TradingFigures:
    traded_notional, costs = fill_totals(simulation.fill_places, simulation.fill_values, market.opens)
    return TradingFigures(
        trade_pnl=trips.pnl,
        holding_bars=trips.holding_bars,
        bars_held=simulation.bars_held,
        traded_notional=traded_notional,
        costs=costs,
        buy_and_hold_return=_buy_and_hold_return(market),
    )


def _buy_and_hold_return(market: Market) -> float:
    """Mean over symbols of last close / first open − 1: start cash spread evenly, without costs."""
    returns = [
        _first_price(closes[::-1]) / _first_price(opens) - 1.0
        for opens, closes in zip(market.opens, market.closes, strict=True)
    ]
    return float(np.mean(returns))


def _first_price(prices: FloatArray) -> float:
    """First price of a row in which NaN marks the times without a bar."""
    return next(float(price) for price in prices if not math.isnan(price))


def _frame(rows: FloatArray, times: pd.DatetimeIndex, columns: tuple[str, ...]) -> pd.DataFrame:
    """A frame over ``rows`` of shape (n_columns, n_bars) without copying them."""
    return pd.DataFrame(rows.T, index=times, columns=list(columns), copy=False)


def _kill_switch_at(simulation: Simulation, market: Market) -> pd.Timestamp | None:
    return None if simulation.kill_bar < 0 else market.times[simulation.kill_bar]
