"""A grid of configurations over one symbol: a row of metrics for each, all cores, no curves kept."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from algo_pipeline.backtest.accounting import TOLERANCE
from algo_pipeline.backtest.inputs import Market, one_symbol_market
from algo_pipeline.backtest.kernel import KernelRules
from algo_pipeline.backtest.metrics import METRIC_NAMES, annual_growth, elapsed_years
from algo_pipeline.backtest.sweep_kernel import SweepFigures, SweepMarket, sweep
from algo_pipeline.common.errors import AccountingError, ConfigValueError
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import FloatArray

_CONFIGS_PER_STEP = 1000
_DAY_NS = 86_400 * 10**9
_FIELDS = tuple(field.name for field in dataclasses.fields(BacktestConfig))


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
    names, combinations = _combinations(grid)
    rules = _rules(names, combinations, base or BacktestConfig())
    figures = SweepFigures(*_run(market, rules, progress))
    if not (np.abs(figures.imbalance) <= TOLERANCE).all():
        raise AccountingError("In a sweep cash, holdings and fees did not add up to equity.", "Please report it.")
    columns = dict(zip(names, zip(*combinations, strict=True), strict=True))
    return pd.DataFrame(columns | _metrics(market, figures, rules[:, 0]))


def _combinations(grid: Mapping[str, Iterable[object]]) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
    values = {name: list(values) for name, values in grid.items()}
    unknown = [name for name in values if name not in _FIELDS]
    empty = [name for name, choices in values.items() if not choices]
    if unknown or empty or not values:
        raise ConfigValueError(
            f"A grid maps fields of BacktestConfig to values; unknown {unknown}, without values {empty}.",
            f"The fields are {', '.join(_FIELDS)}.",
        )
    return tuple(values), list(itertools.product(*values.values()))


def _rules(names: tuple[str, ...], combinations: Sequence[tuple[object, ...]], base: BacktestConfig) -> FloatArray:
    """Shape (n_configs, 13): the rules of each combination as the kernel reads them."""
    fixed = {name: getattr(base, name) for name in _FIELDS}
    configs = (BacktestConfig(**(fixed | dict(zip(names, row, strict=True)))) for row in combinations)
    return np.array([KernelRules.from_config(config) for config in configs], dtype=np.float64)


def _run(market: Market, rules: FloatArray, progress: Callable[[int, int], None] | None) -> FloatArray:
    days = np.unique(market.open_ns // _DAY_NS, return_inverse=True)[1].astype(np.int64)
    flat = SweepMarket(market.opens[0], market.closes[0], market.probabilities[0], days)
    figures = np.empty((len(SweepFigures._fields), len(rules)))
    for start in range(0, len(rules), _CONFIGS_PER_STEP):
        done = min(start + _CONFIGS_PER_STEP, len(rules))
        part = np.empty((len(figures), done - start))
        sweep(flat, rules[start:done], part)
        figures[:, start:done] = part
        if progress is not None:
            progress(done, len(rules))
    return figures


def _metrics(market: Market, figures: SweepFigures, initial_cash: FloatArray) -> dict[str, FloatArray]:
    years = elapsed_years(market.open_ns)
    total_return = figures.final_equity / initial_cash - 1.0
    cagr = np.array([annual_growth(value, years) for value in total_return])
    buy_and_hold = market.closes[0, -1] / market.opens[0, 0] - 1.0
    columns = (
        total_return,
        cagr,
        figures.sharpe,
        figures.sortino,
        _ratio(cagr, figures.max_drawdown),
        figures.max_drawdown,
        figures.max_drawdown_bars.astype(np.int64),
        _ratio(figures.n_wins, figures.n_trades),
        _ratio(figures.gains, figures.losses),
        figures.bars_held / len(market.open_ns),
        figures.traded_notional / years / figures.mean_equity,
        figures.n_trades.astype(np.int64),
        _ratio(figures.holding_bars, figures.n_trades),
        figures.costs,
        np.full(len(cagr), buy_and_hold),
    )
    return dict(zip(METRIC_NAMES, columns, strict=True))


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    return np.asarray(np.divide(numerator, denominator, out=np.full(len(numerator), np.nan), where=denominator > 0.0))
