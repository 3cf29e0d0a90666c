"""Is luck ever called skill, and skill found where there is some? Null and planted markets by the hundred."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from algo_pipeline.backtest.evidence import LEVEL
from algo_pipeline.data.labels import LABELS
from algo_pipeline_tests.proofs.markets import Finding, Market, equal_recipe_wins, examine, results_of
from algo_pipeline_tests.proofs.table import Row

_PROOF = "statistics"
LONGEST_LABEL = max((spec for spec in LABELS if spec.is_binary), key=lambda spec: spec.horizon_bars).name
_LEAST_SHARE = 0.02  # a test that never speaks proves nothing
_COVERAGE = 0.975
_LARGEST_BIAS = 3.0  # in standard errors
_STATED_POWER = 0.9


@dataclass(frozen=True)
class Extent:
    """How much is tried.

    Attributes
    ----------
    n_null, n_null_longest : int
        Markets without any signal, of ``null_years`` each: on the traded label, and on the longest.
    strengths, years : tuple of float
        The power curve: ``n_planted`` markets of every strength and length.
    stated : (float, float)
        The strength and length at which skill must be found in 90 % of ``n_stated`` markets.
    n_equal : int
        Promotion trials of equal recipes.
    """

    first_seed: int = 0
    processes: int = os.cpu_count() or 1
    n_null: int = 500
    n_null_longest: int = 200
    null_years: float = 4.0
    n_planted: int = 40
    strengths: tuple[float, ...] = (0.03, 0.06, 0.1, 0.2)
    years: tuple[float, ...] = (1.0, 2.0, 4.0)
    stated: tuple[float, float] = (0.1, 2.0)
    n_stated: int = 100
    n_equal: int = 200


QUICK = Extent(
    n_null=60, n_null_longest=20, null_years=2.0, n_planted=10, strengths=(0.1,), years=(1.0,), n_stated=20, n_equal=20
)


def prove(extent: Extent, say: Callable[[str], object]) -> Iterator[Row]:
    """All rows: null markets, also with the longest label, the stated point, equal recipes, the power curve."""
    yield from _null_rows(extent, say)
    yield from _longest_null_rows(extent, say)
    yield from _stated_rows(extent, say)
    yield _equal_row(extent, say)
    for strength in extent.strengths:
        for years in extent.years:
            found = _examine(extent, extent.n_planted, years, strength, say)
            yield Row(_PROOF, f"planted at {strength:g}, {years:g} years", _power(found))


def allowed_announcements(n: int) -> tuple[int, int]:
    """Fewest and most announcements on ``n`` null markets: 2 %, and the 97.5 % bound of an exact test at 5 %.

    In a sample so small that an exact test may well speak less often, the 2.5 % bound takes the place of the 2 %.
    """
    fewest = min(math.ceil(_LEAST_SHARE * n), int(binom.ppf(1.0 - _COVERAGE, n, LEVEL)))
    return fewest, int(binom.ppf(_COVERAGE, n, LEVEL))


def sized_row(what: str, announced: int, n: int) -> Row:
    """A row for a test at 5 % where there is nothing to find."""
    fewest, most = allowed_announcements(n)
    figures = f"{announced} of {n} ({announced / n:.1%}), {fewest} to {most} allowed"
    return Row(_PROOF, what, figures, _unless(fewest <= announced <= most, figures))


def bounded_row(what: str, announced: int, n: int) -> Row:
    """A row for a rule that may be stricter than 5 %."""
    most = allowed_announcements(n)[1]
    figures = f"{announced} of {n} ({announced / n:.1%}), at most {most} allowed"
    return Row(_PROOF, what, figures, _unless(announced <= most, figures))


def _null_rows(extent: Extent, say: Callable[[str], object]) -> Iterator[Row]:
    found = _examine(extent, extent.n_null, extent.null_years, 0.0, say)
    n, where = len(found), f"null, {extent.null_years:g} years"
    yield sized_row(f"{where}: predictive skill announced", sum(f.evidence.has_skill for f in found), n)
    yield sized_row(f"{where}: edge at zero cost announced", sum(f.evidence.has_zero_cost_edge for f in found), n)
    yield bounded_row(f"{where}: edge after costs announced", sum(f.evidence.has_after_cost_edge for f in found), n)
    yield bounded_row(f"{where}: better than the base rate", sum(f.evidence.beats_base_rate for f in found), n)
    yield from _calibration_rows(where, found)


def _longest_null_rows(extent: Extent, say: Callable[[str], object]) -> Iterator[Row]:
    markets = _markets(extent, extent.n_null_longest, extent.null_years, 0.0, LONGEST_LABEL)
    evidence = [found.evidence for found in results_of(examine, markets, extent.processes, say)]
    n, where = len(evidence), f"null, {extent.null_years:g} years of {LONGEST_LABEL}"
    yield sized_row(f"{where}: predictive skill announced", sum(e.has_skill for e in evidence), n)
    yield sized_row(f"{where}: edge at zero cost announced", sum(e.has_zero_cost_edge for e in evidence), n)
    yield bounded_row(f"{where}: edge after costs announced", sum(e.has_after_cost_edge for e in evidence), n)


def _stated_rows(extent: Extent, say: Callable[[str], object]) -> Iterator[Row]:
    strength, years = extent.stated
    where = f"planted at {strength:g}, {years:g} years"
    found = _examine(extent, extent.n_stated, years, strength, say)
    power = float(np.mean([f.evidence.has_skill for f in found]))
    figures = f"{power:.0%} of {len(found)}, at least {_STATED_POWER:.0%} stated"
    yield Row(_PROOF, f"{where}: predictive skill found", figures, _unless(power >= _STATED_POWER, figures))
    yield from _calibration_rows(where, found)


def _calibration_rows(where: str, found: Sequence[Finding]) -> Iterator[Row]:
    free = sum(f.free_calibration_p_value <= LEVEL for f in found)
    yield sized_row(f"{where}: calibration without a prior rejected at 5 %", free, len(found))
    traded = sum(f.calibration_p_value <= LEVEL for f in found)
    yield bounded_row(f"{where}: calibration as traded rejected at 5 %", traded, len(found))
    bias = np.array([f.bias for f in found])
    z = float(bias.mean() / (bias.std(ddof=1) / math.sqrt(len(bias))))
    figures = f"{1e4 * bias.mean():+.1f} bps, {z:+.1f} standard errors"
    yield Row(
        _PROOF, f"{where}: mean probability less share of ones", figures, _unless(abs(z) <= _LARGEST_BIAS, figures)
    )


def _equal_row(extent: Extent, say: Callable[[str], object]) -> Row:
    strength, years = extent.stated
    markets = _markets(extent, extent.n_equal, years, strength)
    wins = sum(results_of(equal_recipe_wins, markets, extent.processes, say))
    return bounded_row(f"equal recipes, {years:g} years: promoted", wins, len(markets))


def _examine(extent: Extent, n: int, years: float, strength: float, say: Callable[[str], object]) -> list[Finding]:
    def told(progress: str) -> object:
        return say(f"strength {strength:g}, {years:g} years: {progress}")

    return results_of(examine, _markets(extent, n, years, strength), extent.processes, told)


def _markets(extent: Extent, n: int, years: float, strength: float, label: str = Market.label) -> list[Market]:
    return [Market(extent.first_seed + k, years, strength, label) for k in range(n)]


def _power(found: Sequence[Finding]) -> str:
    evidence = [f.evidence for f in found]
    shares = {
        "skill": np.mean([e.has_skill for e in evidence]),
        "edge at zero cost": np.mean([e.has_zero_cost_edge for e in evidence]),
        "after costs": np.mean([e.has_after_cost_edge for e in evidence]),
    }
    log_loss_skill = np.mean([e.log_loss_skill for e in evidence])
    told = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
    return f"{told} of {len(found)}; log-loss skill {log_loss_skill:+.2%}"


def _unless(holds: bool, problem: str) -> tuple[str, ...]:
    return () if holds else (problem,)
