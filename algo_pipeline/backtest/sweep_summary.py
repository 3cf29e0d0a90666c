"""What a sweep shows: its best combinations, and the very best judged as the best of all that were tried.

Combinations are compared under equal conditions (``sweep_grid.CONDITIONS``) only. A trial is a combination that
traded; combinations with the very same figures are one trial.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from algo_pipeline.backtest.engine import run_backtest
from algo_pipeline.backtest.metrics import DAYS_PER_YEAR, METRIC_NAMES, curve_figures, sharpe_ratio
from algo_pipeline.backtest.sweep import run_sweep, sweep_daily_returns
from algo_pipeline.backtest.sweep_grid import CONDITIONS, SweepPlan
from algo_pipeline.backtest.sweep_judgement import Judgement
from algo_pipeline.common.time import epoch_ns
from algo_pipeline.common.types import FloatArray, IntArray
from algo_pipeline.research.backtest_overfitting import probability_of_backtest_overfitting
from algo_pipeline.research.sharpe_statistics import SharpeEstimate

RANKED_BY: Mapping[str, bool] = {
    "sharpe": True,
    "sortino": True,
    "calmar": True,
    "total_return": True,
    "cagr": True,
    "max_drawdown": False,
    "profit_factor": True,
    "win_rate": True,
}
"""Metrics that rank combinations, and whether more is better."""
TOP = 20
_COMPARED = 1_000
_SEED = 20_140_731
_ANNUAL = math.sqrt(DAYS_PER_YEAR)


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """A sweep that was run.

    Attributes
    ----------
    bars, probability : pd.DataFrame, pd.Series
        As ``engine.run_backtest`` takes them.
    plan : SweepPlan
        What was tried.
    rows : pd.DataFrame
        The table of ``sweep.run_sweep``.
    """

    bars: pd.DataFrame
    probability: pd.Series[float]
    plan: SweepPlan
    rows: pd.DataFrame

    @classmethod
    def run(
        cls,
        bars: pd.DataFrame,
        probability: pd.Series[float],
        plan: SweepPlan,
        progress: Callable[[int, int], None] | None = None,
    ) -> Sweep:
        """Backtest every combination of ``plan``; parameters and errors as ``sweep.run_sweep``."""
        return cls(bars, probability, plan, run_sweep(bars, probability, plan.grid, plan.base, progress))

    def daily_returns(self, position: int) -> FloatArray:
        """Returns of each UTC day of the combination in row ``position``, shape (n_days,)."""
        config = self.plan.config(position)
        equity = run_backtest(self.bars, self.probability, config).equity
        return _daily_returns(equity, config.initial_cash)

    def daily_return_table(self, positions: IntArray) -> FloatArray:
        """:meth:`daily_returns` of many rows at once, shape (n_days, n_positions)."""
        return sweep_daily_returns(self.bars, self.probability, self.plan.grid, positions, self.plan.base)


class Ranked(NamedTuple):
    """A row of the list of the best: its position in the table, and how many combinations did the very same."""

    position: int
    n_same: int


@dataclass(frozen=True, slots=True)
class SweepSummary:
    """What a sweep shows.

    Attributes
    ----------
    judged : Judgement
        Under the configured conditions, or the costliest where those were not swept: the verdict rests on it.
    by_conditions : tuple of Judgement
        Under each set of conditions in the grid.
    metric : str
        The one by which ``top`` is ordered.
    top : tuple of Ranked
        The best combinations under the judged conditions, best first.
    trial_sharpes : ndarray of shape (n_trials,)
        Annualized Sharpe ratios of the judged trials.
    trial_positions : ndarray of shape (n_trials,)
        Their rows in the table.
    """

    judged: Judgement
    by_conditions: tuple[Judgement, ...]
    metric: str
    top: tuple[Ranked, ...]
    trial_sharpes: FloatArray
    trial_positions: IntArray


def summarize_sweep(sweep: Sweep, metric: str = "sharpe", top: int = TOP) -> SweepSummary:
    """Judge the best combination, under each set of conditions and under the configured ones.

    Parameters
    ----------
    sweep : Sweep
        What was run.
    metric : str
        A key of :data:`RANKED_BY` that orders the list of the best; the verdict is always about Sharpe ratios.
    top : int
        Length of that list.
    """
    own = sweep.plan.own_conditions()
    groups = _by_conditions(sweep.plan)
    hold = _hold_sharpe(sweep.bars)
    judgements = tuple(_judge(sweep, *group, hold, between_trials=group[0] == own) for group in groups)
    place = next(place for place, (conditions, _) in enumerate(groups) if conditions == own)
    rows = sweep.rows.iloc[groups[place][1]]
    trials = _trials(rows)
    return SweepSummary(
        judged=judgements[place],
        by_conditions=judgements,
        metric=metric,
        top=_best_first(rows, metric, top),
        trial_sharpes=trials["sharpe"].to_numpy(dtype=np.float64),
        trial_positions=trials.index.to_numpy(dtype=np.int64),
    )


def _by_conditions(plan: SweepPlan) -> list[tuple[dict[str, object], IntArray]]:
    """Each combination of conditions with the rows that have it."""
    places = np.unravel_index(np.arange(plan.n_combinations), plan.shape)
    key = np.zeros(plan.n_combinations, dtype=np.int64)
    for (name, values), place in zip(plan.grid.items(), places, strict=True):
        if name in CONDITIONS:
            key = key * len(values) + place
    groups = (np.flatnonzero(key == one) for one in range(int(key.max()) + 1))
    return [
        ({name: value for name, value in plan.combination(int(rows[0])).items() if name in CONDITIONS}, rows)
        for rows in groups
    ]


def _judge(
    sweep: Sweep, conditions: Mapping[str, object], positions: IntArray, hold_sharpe: float, between_trials: bool
) -> Judgement:
    rows = sweep.rows.iloc[positions]
    trials = _trials(rows)
    sharpes = trials["sharpe"] / _ANNUAL
    best = int(sharpes.idxmax()) if len(trials) else None
    daily = _daily_returns_of_sample(sweep, trials.index.to_numpy()) if between_trials else np.empty((0, 0))
    return Judgement(
        conditions=conditions,
        n_combinations=len(rows),
        n_traded=int((rows["turnover"] > 0.0).sum()),
        n_gained=int((rows["total_return"] > 0.0).sum()),
        n_trials=len(trials),
        mean_correlation=_mean_correlation(daily),
        variance_of_trials=float(sharpes.var(ddof=1)),
        best=best,
        estimate=SharpeEstimate.of(np.empty(0) if best is None else sweep.daily_returns(best)),
        hold_sharpe=hold_sharpe,
        other_than_configured=sweep.plan.other_than_configured(conditions),
        overfitting=probability_of_backtest_overfitting(daily),
    )


def _hold_sharpe(bars: pd.DataFrame) -> float:
    """Of the coin, bought at the first open."""
    return sharpe_ratio(_daily_returns(bars["close"], float(bars["open"].iloc[0])))


def _daily_returns(values: pd.Series[float], start: float) -> FloatArray:
    """Compiled, for there may be thousands of conditions: what ``report_tables.daily_returns`` says with pandas."""
    open_times = epoch_ns(pd.DatetimeIndex(values.index))
    return curve_figures(open_times, np.ascontiguousarray(values, np.float64), start).daily_returns


def _trials(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows that traded and have a Sharpe ratio; of rows with the very same figures the first."""
    traded = rows[(rows["turnover"] > 0.0) & np.isfinite(rows["sharpe"])]
    distinct: pd.DataFrame = traded.drop_duplicates(list(METRIC_NAMES))
    return distinct


def _daily_returns_of_sample(sweep: Sweep, trials: IntArray) -> FloatArray:
    """Shape (n_days, n), of at most so many trials: all, or a random sample that keeps a large sweep quick."""
    return sweep.daily_return_table(np.random.default_rng(_SEED).permutation(trials)[:_COMPARED])


def _mean_correlation(daily: FloatArray) -> float:
    """Average correlation between the daily returns of pairs of trials."""
    n_trials = daily.shape[1]
    if n_trials < 2:
        return math.nan
    matrix = np.atleast_2d(np.corrcoef(daily, rowvar=False))
    return float(matrix[~np.eye(n_trials, dtype=bool)].mean())


def _best_first(rows: pd.DataFrame, metric: str, top: int) -> tuple[Ranked, ...]:
    ranked = rows[(rows["turnover"] > 0.0) & np.isfinite(rows[metric])]
    groups = ranked.groupby(list(METRIC_NAMES), dropna=False, sort=False).indices.values()
    firsts = pd.Series({ranked.index[same[0]]: len(same) for same in groups}, dtype=np.int64)
    order = ranked.loc[firsts.index, metric].sort_values(ascending=not RANKED_BY[metric], kind="stable")
    return tuple(Ranked(int(position), int(firsts[position])) for position in order.index[:top])
