"""How often the watch over a live model is wrong, and how long it takes: null years and stated drifts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import binom, norm

from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.types import BoolArray, FloatArray, IntArray, Symbol
from algo_pipeline.data.features import build_features
from algo_pipeline.data.simulation import GENESIS, simulate_bars
from algo_pipeline.research.drift import WINDOW_H, FeatureReference, reference_of
from algo_pipeline.research.sequential import ALTERNATIVES, FALSE_ALARM_PROBABILITY, CalibrationMonitor
from algo_pipeline_tests.proofs.table import Row

_PROOF = "monitoring"
_YEAR_H, _MONTH_H, _DAY_H = 8_760, 720, 24
_LOGISTIC = 1.6  # log-odds per standard deviation of a normal, near even odds
_COVERAGE = 0.975
_FEATURE_ALARMS_A_YEAR = 0.05  # in a market that does not change
_SLOPES = np.array([each.slope for each in ALTERNATIVES])
_SHIFTS = np.array([each.shift for each in ALTERNATIVES])

Truth = Callable[[FloatArray], FloatArray]
"""The true log-odds of labels by the issued ones."""

DRIFTS: Mapping[str, Truth] = {
    "it knows nothing any more": np.zeros_like,
    "its opinion is turned around": np.negative,
    "it is twice too sure of itself": lambda issued: issued / 2.0,
    "ones are 5 percentage points more frequent": lambda issued: issued + 0.2,
    "ones are 10 percentage points rarer": lambda issued: issued - 0.4,
}
SPOILT: Mapping[str, Callable[[FloatArray], FloatArray]] = {
    "twice as large": lambda values: 2.0 * values,
    "with its sign turned": lambda values: -values,
    "standing still": lambda values: np.full_like(values, values[0]),
}


@dataclass(frozen=True)
class Extent:
    """How much is tried.

    Attributes
    ----------
    n_years : int
        Null years of forecasts per horizon; drifts are tried on a fifth as many.
    knowledge : float
        Standard deviation of the log-odds that the model issues; 0.2 is a log-loss skill of 0.7 %.
    other_knowledge : tuple of float
        The same, of models for which the delay is told too: it goes with the inverse square.
    n_markets : int
        Simulated markets whose features are watched: two years of training, one of watch.
    """

    first_seed: int = 0
    n_years: int = 1_000
    horizons: tuple[int, ...] = (1, 24)
    knowledge: float = 0.2
    other_knowledge: tuple[float, ...] = (0.1, 0.4)
    n_markets: int = 40


QUICK = Extent(n_years=50, n_markets=4)


def prove(extent: Extent, say: Callable[[str], object]) -> Iterator[Row]:
    """False alarms and delays of both watches."""
    for horizon in extent.horizons:
        say(f"{extent.n_years} null years, {horizon} h")
        rng = np.random.default_rng([extent.first_seed, horizon])
        false = false_alarms(rng, extent.n_years, extent.knowledge, horizon)
        yield _false_row(f"calibration, {horizon} h: false alarms in a null year", false)
    for name, truth in DRIFTS.items():
        say(name)
        rng = np.random.default_rng([extent.first_seed, 99])
        for broken_at in (0, _YEAR_H // 2):
            found = detection_delays(rng, extent.n_years // 5, extent.knowledge, truth, broken_at)
            when = "at once" if broken_at == 0 else "after half a good year"
            yield Row(_PROOF, f"calibration, 1 h: {name}, {when}", _delay_words(found, _YEAR_H - broken_at))
    for knowledge in extent.other_knowledge:
        rng = np.random.default_rng([extent.first_seed, 98])
        found = detection_delays(rng, extent.n_years // 5, knowledge, np.zeros_like, 0)
        what = f"calibration, 1 h: log-odds of deviation {knowledge:g}, nothing known any more"
        yield Row(_PROOF, what, _delay_words(found, _YEAR_H))
    yield from _feature_rows(extent, say)


def false_alarms(rng: np.random.Generator, n_years: int, knowledge: float, horizon: int) -> BoolArray:
    """Whether a calibrated model raised an alarm, year by year; labels of several hours overlap."""
    made = (_forecasts(rng, knowledge, horizon, _YEAR_H) for _ in range(n_years))
    return np.array([first_alarm(probability, outcome, horizon) >= 0 for probability, outcome in made])


def detection_delays(
    rng: np.random.Generator, n_years: int, knowledge: float, truth: Truth, broken_at: int
) -> FloatArray:
    """Hours from the break to the alarm, infinite where there was none within the year."""
    delays = np.full(n_years, np.inf)
    for year in range(n_years):
        issued = knowledge * rng.standard_normal(_YEAR_H)
        true = np.concatenate([issued[:broken_at], truth(issued[broken_at:])])
        at = first_alarm(_expit(issued), (rng.random(_YEAR_H) < _expit(true)).astype(np.int64), 1)
        if at >= broken_at:
            delays[year] = at - broken_at + 1
    return delays


def first_alarm(probability: FloatArray, outcome: IntArray, horizon: int, base_rate: float = 0.5) -> int:
    """The bar whose outcome raised a :class:`CalibrationMonitor`'s alarm; -1 without one."""
    monitor = CalibrationMonitor(horizon)
    deciding = (horizon + 1) // 2
    start = monitor.bettors[0].start
    base = np.log(base_rate / (1.0 - base_rate))
    return int(
        _first_alarm(probability, outcome, horizon, deciding, monitor.threshold(), start, base, _SLOPES, _SHIFTS)
    )


@compiled
def _first_alarm(
    probability: FloatArray,
    outcome: IntArray,
    horizon: int,
    deciding: int,
    threshold: float,
    start: float,
    base: float,
    slopes: FloatArray,
    shifts: FloatArray,
) -> int:
    staked = np.zeros((horizon, len(slopes)))
    n_bets = np.zeros(horizon, np.int64)
    has_reached = np.zeros(horizon, np.bool_)
    for bar in range(len(probability)):
        place, p = bar % horizon, min(max(probability[bar], 1e-6), 1.0 - 1e-6)
        n = n_bets[place]
        stake = start / (start + n) / (start + n + 1.0) / len(slopes)
        wealth = start / (start + n + 1.0)
        for each in range(len(slopes)):
            right = 1.0 / (1.0 + np.exp(-(base + slopes[each] * (np.log(p / (1.0 - p)) - base) + shifts[each])))
            ratio = right / p if outcome[bar] == 1 else (1.0 - right) / (1.0 - p)
            staked[place, each] = (staked[place, each] + stake) * ratio
            wealth += staked[place, each]
        n_bets[place] = n + 1
        has_reached[place] = has_reached[place] or wealth >= threshold
        if has_reached.sum() >= deciding:
            return bar
    return -1


def _forecasts(rng: np.random.Generator, knowledge: float, horizon: int, n: int) -> tuple[FloatArray, IntArray]:
    """Calibrated probabilities of a rise over the next ``horizon`` hours, and whether it came; labels overlap.

    An hour's move is a part known ``horizon`` hours ahead and a part that nobody knows, of deviation 1.
    """
    known = knowledge / _LOGISTIC * rng.standard_normal(n + horizon)
    moves = known + rng.standard_normal(n + horizon)
    probability: FloatArray = norm.cdf(_sums(known, horizon)[:n] / np.sqrt(horizon))
    return probability, (_sums(moves, horizon)[:n] > 0.0).astype(np.int64)


def _sums(values: FloatArray, n: int) -> FloatArray:
    running = np.concatenate([[0.0], values.cumsum()])
    sums: FloatArray = running[n:] - running[:-n]
    return sums


def _expit(log_odds: FloatArray) -> FloatArray:
    odds: FloatArray = 1.0 / (1.0 + np.exp(-log_odds))
    return odds


@dataclass(frozen=True)
class WatchedYear:
    """The features of a simulated market: what a champion learnt from in two years, and the year after."""

    reference: FeatureReference
    features: pd.DataFrame

    @classmethod
    def of(cls, seed: int) -> WatchedYear:
        """The market of a seed."""
        until = GENESIS + pd.Timedelta(hours=3 * _YEAR_H + 1_000)
        features = build_features(simulate_bars(Symbol("BTC", "USD"), GENESIS, until, seed=seed)).dropna()
        reference = reference_of(features.iloc[: 2 * _YEAR_H])
        assert reference is not None
        return cls(reference, features.iloc[2 * _YEAR_H : 3 * _YEAR_H])

    def ratios(
        self, place: int, spoil: Callable[[FloatArray], FloatArray] | None = None, hours: int = _YEAR_H
    ) -> FloatArray:
        """Index over limit of a feature, hour by hour from the first whole week on, shape (hours - 167,).

        The index is that of :meth:`FeatureReference.indices`, from running sums.
        """
        values = self.features.to_numpy()[:hours, place]
        spoilt = values if spoil is None else np.concatenate([values[:WINDOW_H], spoil(values[WINDOW_H:])])
        bins = np.searchsorted(self.reference.edges[place], spoilt, side="left")
        shares = self.reference.shares[place]
        running = np.concatenate([np.zeros((1, len(shares))), (bins[:, None] == np.arange(len(shares))).cumsum(axis=0)])
        seen = (running[WINDOW_H:] - running[:-WINDOW_H] + shares) / (WINDOW_H + 1.0)
        index: FloatArray = ((seen - shares) * np.log(seen / shares)).sum(axis=1)
        ratios: FloatArray = index / self.reference.limits[place]
        return ratios


def _feature_rows(extent: Extent, say: Callable[[str], object]) -> Iterator[Row]:
    years = []
    for seed in range(extent.n_markets):
        say(f"market {seed + 1} of {extent.n_markets}")
        years.append(WatchedYear.of(extent.first_seed + seed))
    names = years[0].reference.names
    alarms = [any((year.ratios(place) > 1.0).any() for place in range(len(names))) for year in years]
    most = int(binom.ppf(_COVERAGE, len(alarms), _FEATURE_ALARMS_A_YEAR))
    figures = f"{sum(alarms)} of {len(alarms)} ({np.mean(alarms):.1%}), at most {most} allowed"
    yield Row(_PROOF, "features: null years with a false alarm", figures, () if sum(alarms) <= most else (figures,))
    for words, spoil in SPOILT.items():
        say(words)
        yield Row(_PROOF, f"features: one of them {words}", _found_words(years[: max(extent.n_markets // 4, 1)], spoil))


def _found_words(years: Sequence[WatchedYear], spoil: Callable[[FloatArray], FloatArray]) -> str:
    """For each feature, whether at least half of the markets raise the alarm within 30 days, and how soon."""
    names = years[0].reference.names
    found: dict[str, float] = {}
    for place, name in enumerate(names):
        delays = [_delay(year.ratios(place, spoil, _MONTH_H + WINDOW_H)) for year in years]
        median = float(np.median(delays))
        if np.isfinite(median):
            found[name] = median / _DAY_H
    days = f", median {np.median(list(found.values())):.1f} days" if found else ""
    return f"{len(found)} of {len(names)} features are found within 30 days{days}"


def _delay(ratios: FloatArray) -> float:
    """Hours from the break, with which the second week begins, to the first hour beyond the limit."""
    beyond = np.flatnonzero(ratios[1:] > 1.0)
    return float(beyond[0] + 1) if len(beyond) else np.inf


def _false_row(what: str, false: BoolArray) -> Row:
    n, most = len(false), int(binom.ppf(_COVERAGE, len(false), FALSE_ALARM_PROBABILITY))
    figures = f"{int(false.sum())} of {n} ({false.mean():.2%}), at most {most} allowed"
    return Row(_PROOF, what, figures, () if false.sum() <= most else (figures,))


def _delay_words(delays: FloatArray, watched_h: int) -> str:
    found = np.isfinite(delays)
    half = f"median {np.median(delays) / _DAY_H:.0f} days" if found.mean() > 0.5 else "less than half"
    return f"{found.mean():.0%} of {len(delays)} within {watched_h / _DAY_H:.0f} days, {half}"
