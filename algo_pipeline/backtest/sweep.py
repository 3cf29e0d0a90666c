"""A grid of configurations over one symbol: a row of metrics for each, all cores, no curves kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd

from algo_pipeline.backtest.accounting import TOLERANCE
from algo_pipeline.backtest.inputs import Market, one_symbol_market
from algo_pipeline.backtest.kernel_rules import KernelRules
from algo_pipeline.backtest.metrics import METRIC_NAMES, annual_growth, elapsed_years
from algo_pipeline.backtest.sweep_bars import SweepFigures, SweepMarket, daily_returns_by_bars, sweep_by_bars
from algo_pipeline.backtest.sweep_kernel import sweep
from algo_pipeline.backtest.sweep_rules import RuleGrid
from algo_pipeline.common.errors import AccountingError
from algo_pipeline.common.time import DAY_NS
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import FloatArray, IntArray

_CONFIGS_PER_STEP = 1000


def run_sweep(
    bars: pd.DataFrame,
    probability: pd.Series[float],
    grid: Mapping[str, Iterable[object]],
    base: BacktestConfig | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Backtest every combination of the values in ``grid``.

    Parameters
    ----------
    bars, probability
        As in ``engine.run_backtest``, whose metrics each row equals (sums may differ in the last digits).
    grid : mapping
        Values by :class:`BacktestConfig` field; all combinations run, the last field varying fastest.
    base : BacktestConfig, optional
        Values of the fields that the grid leaves out; defaults if omitted.
    progress : callable, optional
        Called with the numbers of configurations done and in all.

    Returns
    -------
    pd.DataFrame
        A row per combination: the grid's fields, then the metrics of ``metrics.METRIC_NAMES``.

    Raises
    ------
    ConfigValueError
        If a name is no field, a field has no values, or a combination is no valid configuration.
    InsufficientHistoryError, DataValidationError, AccountingError
        As ``engine.run_backtest``.
    """
    market = one_symbol_market(bars, probability)
    combinations = RuleGrid.of(grid, base or BacktestConfig())
    rules = combinations.rules()
    figures = dict(zip(SweepFigures._fields, _run(market, rules, progress), strict=True))
    if not (np.abs(figures["imbalance"]) <= TOLERANCE).all():
        raise AccountingError("In a sweep cash, holdings and fees did not add up to equity.", "Please report it.")
    return pd.DataFrame(combinations.columns() | _metrics(market, figures, rules[:, 0]))


def sweep_daily_returns(
    bars: pd.DataFrame,
    probability: pd.Series[float],
    grid: Mapping[str, Iterable[object]],
    positions: IntArray,
    base: BacktestConfig | None = None,
) -> FloatArray:
    """Daily UTC returns of some combinations of a grid, which :func:`run_sweep` does not keep.

    Parameters
    ----------
    bars, probability, grid, base
        As in :func:`run_sweep`.
    positions : ndarray of shape (n,)
        Rows of its table.

    Returns
    -------
    ndarray of shape (n_days, n)
        A row for each day that has bars, a column for each position, by the definition of the Sharpe ratio in
        ``metrics.compute_metrics``.
    """
    market = _flat(one_symbol_market(bars, probability))
    rules = RuleGrid.of(grid, base or BacktestConfig()).rules()[positions]
    daily = np.empty((len(rules), len(market.day_ends)))
    daily_returns_by_bars(market, rules, daily)
    return daily.T


def _run(market: Market, rules: FloatArray, progress: Callable[[int, int], None] | None) -> FloatArray:
    flat = _flat(market)
    figures = np.empty((len(SweepFigures._fields), len(rules)))
    order = _by_thresholds_and_cooldown(rules)
    for start in range(0, len(rules), _CONFIGS_PER_STEP):
        step = order[start : start + _CONFIGS_PER_STEP]
        figures[:, step] = _figures(flat, rules[step])
        if progress is not None:
            progress(start + len(step), len(rules))
    return figures


def _flat(market: Market) -> SweepMarket:
    days = market.open_ns // DAY_NS
    day_ends = np.flatnonzero(np.append(days[1:] != days[:-1], True))
    return SweepMarket(market.opens[0], market.closes[0], market.probabilities[0], market.open_ns, day_ends)


def _figures(market: SweepMarket, rules: FloatArray) -> FloatArray:
    figures = np.empty((len(SweepFigures._fields), len(rules)))
    sweep(market, rules, figures)
    off_plan = np.flatnonzero(np.isnan(figures[0]))
    if len(off_plan) > 0:
        part = np.empty((len(figures), len(off_plan)))
        sweep_by_bars(market, rules[off_plan], part)
        figures[:, off_plan] = part
    return figures


def _by_thresholds_and_cooldown(rules: FloatArray) -> IntArray:
    """Places of the configurations in an order in which those that share a plan follow each other."""
    keys = ("cooldown_bars", "exit_threshold", "enter_threshold")
    return np.lexsort([rules[:, KernelRules._fields.index(key)] for key in keys])


def _metrics(market: Market, figures: Mapping[str, FloatArray], initial_cash: FloatArray) -> dict[str, FloatArray]:
    years = elapsed_years(market.open_ns)
    total_return = figures["final_equity"] / initial_cash - 1.0
    cagr = np.array([annual_growth(value, years) for value in total_return])
    buy_and_hold = market.closes[0, -1] / market.opens[0, 0] - 1.0
    columns = (
        total_return,
        cagr,
        figures["sharpe"],
        figures["sortino"],
        _ratio(cagr, figures["max_drawdown"]),
        figures["max_drawdown"],
        figures["max_drawdown_bars"].astype(np.int64),
        _ratio(figures["n_wins"], figures["n_trades"]),
        _ratio(figures["gains"], figures["losses"]),
        figures["bars_held"] / len(market.open_ns),
        figures["traded_notional"] / years / figures["mean_equity"],
        figures["n_trades"].astype(np.int64),
        _ratio(figures["holding_bars"], figures["n_trades"]),
        figures["costs"],
        np.full(len(cagr), buy_and_hold),
    )
    return dict(zip(METRIC_NAMES, columns, strict=True))


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    return np.asarray(np.divide(numerator, denominator, out=np.full(len(numerator), np.nan), where=denominator > 0.0))
