"""What the watch has come to, for people: evidence, drift and alarms, and challengers beside champions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from algo_pipeline.common.types import Symbol
from algo_pipeline.live.events import Event
from algo_pipeline.live.lines import JournalLine, utc
from algo_pipeline.live.watch_records import SymbolWatch

_SMALLEST = 1e-15


@dataclass(frozen=True, slots=True)
class ShadowScore:
    """A challenger beside the champion on the hours whose label is known.

    Parameters
    ----------
    model_version : str
        Of the challenger, as journalled last; other versions' hours are not counted.
    hours : int
        Hours on which both have a probability.
    champion_log_loss, challenger_log_loss : float
        Mean over these hours, in nats.
    difference, standard_error : float, float or None
        The challenger's loss less the champion's, and its error as if hours were independent; None for one hour.
    """

    symbol: Symbol
    model_version: str
    hours: int
    champion_log_loss: float
    challenger_log_loss: float
    difference: float
    standard_error: float | None


class ShadowTally:
    """Champions' and challengers' probabilities and what became of them, taken in line by line."""

    def __init__(self) -> None:
        self._issued: dict[tuple[Symbol, pd.Timestamp], float] = {}
        self._shadows: dict[Symbol, dict[pd.Timestamp, tuple[float, str]]] = {}
        self._outcomes: dict[Symbol, dict[pd.Timestamp, int]] = {}
        self._made: tuple[ShadowScore, ...] | None = None

    def take(self, line: JournalLine) -> None:
        """Count the journal's next line."""
        self._made = None
        if line.symbol is None or line.prob is None:
            return
        if line.event is Event.SHADOW:
            version = str(line.details["model_version"])
            self._shadows.setdefault(line.symbol, {})[line.timestamp] = (line.prob, version)
        elif line.event is Event.DECISION:
            self._issued[line.symbol, line.timestamp] = line.prob
            self._outcomes.setdefault(line.symbol, {}).update(_known(line))

    def scores(self) -> tuple[ShadowScore, ...]:
        """A score per symbol whose challenger has a known hour."""
        if self._made is None:
            known = (
                _score(symbol, said, self._issued, self._outcomes.get(symbol, {}))
                for symbol, said in self._shadows.items()
            )
            self._made = tuple(score for score in known if score is not None)
        return self._made


def shadow_scores(lines: Iterable[JournalLine]) -> tuple[ShadowScore, ...]:
    """A score per symbol whose challenger has a known hour."""
    tally = ShadowTally()
    for line in lines:
        tally.take(line)
    return tally.scores()


def watch_words(watch: SymbolWatch) -> str:
    """One sentence: how sure the test is, and the feature nearest its limit."""
    monitor, drift = watch.calibration, watch.drift
    if monitor is None:
        calibration = "no outcome is known yet"
    else:
        calibration = (
            f"{monitor.n_bets} outcomes, evidence {monitor.present_evidence:.2g} : 1 against its probabilities "
            f"(at most {monitor.evidence:.2g}, alarm at {monitor.threshold():.0f})"
        )
    if drift is None:
        return f"{calibration}; features not compared yet"
    return f"{calibration}; {drift.feature} is nearest its limit, {drift.index / drift.limit:.0%} of it"


def _known(line: JournalLine) -> dict[pd.Timestamp, int]:
    """Outcomes that a decision's line tells."""
    watch: Mapping[str, list[list[object]]] = line.details.get("watch", {})
    return {utc(bar): int(str(outcome)) for bar, outcome in watch.get("outcomes", []) if outcome is not None}


def _score(
    symbol: Symbol,
    said: Mapping[pd.Timestamp, tuple[float, str]],
    issued: Mapping[tuple[Symbol, pd.Timestamp], float],
    outcomes: Mapping[pd.Timestamp, int],
) -> ShadowScore | None:
    _, version = said[max(said)]
    pairs = [
        (_loss(issued[symbol, bar], outcomes[bar]), _loss(probability, outcomes[bar]))
        for bar, (probability, its) in said.items()
        if its == version and bar in outcomes and (symbol, bar) in issued
    ]
    if not pairs:
        return None
    n = len(pairs)
    champion, challenger = (math.fsum(pair[place] for pair in pairs) / n for place in (0, 1))
    difference = challenger - champion
    squares = math.fsum((theirs - ours - difference) ** 2 for ours, theirs in pairs)
    error = math.sqrt(squares / (n - 1) / n) if n > 1 else None
    return ShadowScore(symbol, version, n, champion, challenger, difference, error)


def _loss(probability: float, outcome: int) -> float:
    likelihood = probability if outcome else 1.0 - probability
    return -math.log(max(likelihood, _SMALLEST))
