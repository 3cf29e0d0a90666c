"""Nothing looks ahead: every seeded leak is caught by name, and a clean pipeline raises no alarm on many markets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from algo_pipeline.research.claims import CLAIMS
from algo_pipeline_tests.proofs.table import Row
from algo_pipeline_tests.research.leaks.catalogue import LEAKS, Leak
from algo_pipeline_tests.research.leaks.markets import odd_market, planted_market
from algo_pipeline_tests.research.leaks.stages import Stages, alarms

_PROCESSES = 2
_SEEDS_OF_PLANTED_MARKETS = 3


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
    problems: list[str] = []
    with ProcessPoolExecutor(_PROCESSES, mp_context=get_context("spawn")) as pool:
        for number, found in enumerate(pool.map(_alarms_of, seeds), start=1):
            say(f"market {number} of {len(seeds)}")
            problems += found
    figures = f"{len(problems)} alarms of {len(CLAIMS)} checks on {len(seeds)} clean markets"
    return Row("leakage", "false alarms", figures, tuple(problems))


def _misjudged(leak: Leak, seed: int) -> Iterator[str]:
    found = {finding.claim.name for finding in alarms(planted_market(seed=seed), leak.recipe, leak.inject(Stages()))}
    wanted = {claim.name for claim in leak.caught_by}
    if found != wanted:
        yield f"caught by {sorted(found) or 'nothing'} instead of {sorted(wanted)}"


def _alarms_of(seed: int) -> list[str]:
    market = odd_market(seed, ("logistic", "logistic", "logistic", "boosting"))
    return [f"{market.what}: {f.claim.name}: {f.describe()}" for f in alarms(market.bars, market.recipe)]
