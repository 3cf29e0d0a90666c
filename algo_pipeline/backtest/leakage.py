"""Do trades follow from rules fixed beforehand and from bars that were closed? Judged from a backtest's curve."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from algo_pipeline.backtest.strategy_signals import outlooks_of
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.interfaces.strategy import Outlooks, StrategyInterface
from algo_pipeline.research import claims
from algo_pipeline.research.claims import Finding
from algo_pipeline.strategy.own import assess_bars, scalar_differences

Trade = Callable[[pd.DataFrame, pd.DataFrame], pd.DataFrame]
"""Bars, and the out-of-sample frame with ``probability``, to a curve by open time."""

_TRUNCATIONS = 4


def judge_rules(
    trade: Trade,
    bars: pd.DataFrame,
    oos: pd.DataFrame,
    curve: pd.DataFrame,
    strategy: StrategyInterface | None = None,
    config: BacktestConfig | None = None,
) -> Finding:
    """Whether a curve is that of the configured rules, which say of a bar alone what they say of it among others.

    Parameters
    ----------
    trade : callable
        Backtests by the configured rules.
    bars, oos : pd.DataFrame
        All bars, and the out-of-sample probabilities.
    curve : pd.DataFrame
        The strategy's, as stored.
    strategy, config : StrategyInterface, BacktestConfig, optional
        The configured ones: live trading asks the strategy about one bar at a time.
    """
    found = _difference(curve, trade(bars, oos), "by the configured rules")
    if strategy is not None and config is not None:
        found += _said_otherwise_alone(strategy, config, bars, oos)
    evidence = f"{len(curve):,} bars of the curve, traded again by the configured rules, are equal to the bit."
    return Finding(claims.TRADES_KEEP_TO_THE_RULES, found, evidence)


def judge_trades(trade: Trade, bars: pd.DataFrame, oos: pd.DataFrame, curve: pd.DataFrame) -> Finding:
    """Whether a curve changes with bars or probabilities that come later.

    Parameters
    ----------
    trade : callable
        The code that made the curve.
    bars, oos, curve : pd.DataFrame
        As for :func:`judge_rules`.

    Notes
    -----
    Bars end with one at whose open an order filled, probabilities one bar before: so an order that needed the
    probability of the bar in which it fills is missed.
    """
    ends = _ends(oos, curve)
    found: tuple[str, ...] = ()
    for end in ends:
        known = oos.loc[:end].copy()
        known.loc[end, "probability"] = np.nan
        again = trade(bars.loc[:end], known)
        found += _difference(curve.loc[:end], again, f"when everything after {end} is cut off")
    evidence = f"{len(ends)} truncations of {len(curve):,} bars, each after a fill if there is one, left no trace."
    return Finding(claims.TRADES_SEE_NO_FUTURE, found, evidence)


def _said_otherwise_alone(
    strategy: StrategyInterface, config: BacktestConfig, bars: pd.DataFrame, oos: pd.DataFrame
) -> tuple[str, ...]:
    outlooks, cost = outlooks_of(bars, oos), config.round_trip_cost
    known = outlooks if strategy.reads_conditions else Outlooks(outlooks.probability, np.empty(0), np.empty(0))
    rows = scalar_differences(strategy, outlooks, assess_bars(strategy, known, cost), cost)
    if not rows:
        return ()
    words = "live, the strategy would say other than in the backtest"
    return (f"{words}, of {len(rows):,} bars, the first at {oos.index[rows[0]]}",)


def _ends(oos: pd.DataFrame, curve: pd.DataFrame) -> pd.Index:
    """Bars that have a probability, evenly spread over those in which a holding changed; over all if none did."""
    held = curve["quantity"].to_numpy()
    filled = curve.index[1:][held[1:] != held[:-1]].intersection(oos.index)
    candidates = filled if len(filled) else oos.index[1:]
    places = np.linspace(0, len(candidates) - 1, _TRUNCATIONS).round().astype(np.int64)
    return candidates[np.unique(places)]


def _difference(found: pd.DataFrame, expected: pd.DataFrame, when: str) -> tuple[str, ...]:
    if not found.index.equals(expected.index):
        return (f"the curve has {len(found):,} bars, and {len(expected):,} {when}",)
    rows = np.flatnonzero((found.to_numpy() != expected[found.columns].to_numpy()).any(axis=1))
    return (f"the curve at {found.index[rows[0]]} is another {when}",) if len(rows) else ()
