"""Nothing looks ahead: every seeded leak is caught by name, and a clean pipeline raises no alarm on many markets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from algo_pipeline.common.errors import DataValidationError, InsufficientHistoryError
from algo_pipeline.research.claims import CLAIMS
from algo_pipeline_tests.proofs.table import Row
from algo_pipeline_tests.research.leaks.catalogue import LEAKS, Leak
from algo_pipeline_tests.research.leaks.markets import odd_market, planted_market
from algo_pipeline_tests.research.leaks.stages import Stages, alarms

_PROCESSES = 2
_SEEDS_OF_PLANTED_MARKETS = 3
_APART = 1_000_000


def prove(n_markets: int, first_seed: int, say: Callable[[str], object]) -> Iterator[Row]:
    """Rows about the catalogue and about ``n_markets`` odd markets."""
    yield leaks_caught(first_seed, say)
    yield false_alarms(range(first_seed, first_seed + n_markets), say)


def leaks_caught(first_seed: int, say: Callable[[str], object]) -> Row:
    """Every leak of the catalogue on a few markets: exactly the claims that it names must fail."""
    problems = []
    seeds = range(first_seed + 1, first_seed + 1 + _SEEDS_OF_PLANTED_MARKETS)
    for number, leak in enumerate(LEAKS, start=1):
        say(f"leak {number} of {len(LEAKS)}: {leak.name}")
        problems += [f"{leak.name}, market {seed}: {wrong}" for seed in seeds for wrong in _misjudged(leak, seed)]
    n_caught = len(LEAKS) - len({problem.partition(",")[0] for problem in problems})
    figures = f"{n_caught} of {len(LEAKS)} caught by name, on {len(seeds)} markets each"
    return Row("leakage", "seeded leaks", figures, tuple(problems))


def false_alarms(seeds: range, say: Callable[[str], object]) -> Row:
    """The clean pipeline on odd markets: no claim may fail."""
    problems, n_refused = list[str](), 0
    with ProcessPoolExecutor(_PROCESSES, mp_context=get_context("spawn")) as pool:
        for number, judged in enumerate(pool.map(_judged, seeds), start=1):
            say(f"market {number} of {len(seeds)}")
            problems += judged.alarms
            n_refused += judged.n_refused
    figures = f"{len(problems)} alarms of {len(CLAIMS)} checks on {len(seeds)} clean markets"
    refused = f" ({n_refused} more could not be trained)" if n_refused else ""
    return Row("leakage", "false alarms", figures + refused, tuple(problems))


def _misjudged(leak: Leak, seed: int) -> Iterator[str]:
    found = {finding.claim.name for finding in alarms(planted_market(seed=seed), leak.recipe, leak.inject(Stages()))}
    wanted = {claim.name for claim in leak.caught_by}
    if found != wanted:
        yield f"caught by {sorted(found) or 'nothing'} instead of {sorted(wanted)}"


@dataclass(frozen=True)
class _Judged:
    """Alarms on the first market of a seed that can be trained, and how many before it could not."""

    alarms: tuple[str, ...]
    n_refused: int


def _judged(seed: int, n_refused: int = 0) -> _Judged:
    market = odd_market(seed + n_refused * _APART, ("logistic", "logistic", "logistic", "boosting"))
    try:
        found = alarms(market.bars, market.recipe)
    except (InsufficientHistoryError, DataValidationError):  # too few rows between gaps, or all outcomes alike
        return _judged(seed, n_refused + 1)
    return _Judged(tuple(f"{market.what}: {f.claim.name}: {f.describe()}" for f in found), n_refused)
