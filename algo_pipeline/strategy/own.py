"""What is asked of a strategy of the user's own where it is used: never a number that the rules can't take.

Ours are proved by tests and pass at once. A user's class fails with words that name it, before a backtest runs on what
it returned, and before an hour of live trading rests on it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from algo_pipeline.common.errors import AlgoPipelineError, ConfigValueError
from algo_pipeline.common.user_classes import user_class_reference
from algo_pipeline.common.user_modules import line_of
from algo_pipeline.interfaces.strategy import Assessment, Assessments, Band, Outlook, Outlooks, StrategyInterface
from algo_pipeline.strategy.catalog import is_built_in


def assess_bars(strategy: StrategyInterface, outlooks: Outlooks, round_trip_cost: float) -> Assessments:
    """``strategy.assess_bars``, with what a user's class returns looked through.

    Raises
    ------
    ConfigValueError
        If it fails, or returns other than float64 arrays of a value per bar; if a bar without a probability has a
        score, or one with a score has no size limit.
    """
    if is_built_in(strategy):
        return strategy.assess_bars(outlooks, round_trip_cost)
    with _naming(strategy):
        _required_band(strategy, round_trip_cost)
        found = Assessments(*strategy.assess_bars(outlooks, round_trip_cost))
        n_bars = len(outlooks.probability)
        _require_values(strategy, "scores", found.scores, (n_bars,))
        _require_values(strategy, "size_limits", found.size_limits, (n_bars,), (1,))
        known = ~np.isnan(found.scores)
        if np.any(known & np.isnan(outlooks.probability)):
            raise _failed(strategy, "a bar without a probability must have the score NaN", "found a number")
        if not np.all(np.broadcast_to(found.size_limits, n_bars)[known] >= 0.0):
            raise _failed(strategy, "a size limit must be 0 or more wherever there is a score", "found less, or NaN")
        return found


@dataclass(frozen=True, slots=True)
class Answered(StrategyInterface):
    """What a user's strategy has said of one outlook: a decision rests on that, and asks no code of the user's again.

    Parameters
    ----------
    answer : Assessment
        Of the outlook, a score and a size limit.
    limits : Band
        The scores between which it HOLDs.
    words : str
        Why.
    details : mapping of str to float
        What it computed.
    """

    answer: Assessment
    limits: Band
    words: str
    details: Mapping[str, float]

    def band(self, round_trip_cost: float) -> Band:
        """As answered."""
        return self.limits

    def assess(self, outlook: Outlook, round_trip_cost: float) -> Assessment:
        """As answered."""
        return self.answer

    def explain(self, outlook: Outlook, round_trip_cost: float) -> str:
        """As answered."""
        return self.words

    def figures(self, outlook: Outlook, round_trip_cost: float) -> Mapping[str, float]:
        """As answered."""
        return self.details

    def parameters(self) -> Mapping[str, float]:
        """None: it is an answer, and makes no strategy again."""
        return {}


def answered(strategy: StrategyInterface, outlook: Outlook, round_trip_cost: float) -> StrategyInterface:
    """Ask a user's strategy once for all that a live decision rests on; one of ours is returned as it is.

    A decision is made in several steps, with the kill switch and other symbols among them: none may meet a strategy
    that answers once, and breaks or says otherwise when it is asked again.

    Raises
    ------
    ConfigValueError
        If an answer can't be used.
    """
    if is_built_in(strategy):
        return strategy
    with _naming(strategy):
        band = _required_band(strategy, round_trip_cost)
        made = Assessment(*strategy.assess(outlook, round_trip_cost))
        if not _are_floats(made):
            raise _failed(strategy, "score and size limit must be of type float", f"found {made!r}")
        if not math.isnan(made.score) and not made.size_limit >= 0.0:
            raise _failed(strategy, "a size limit must be 0 or more", f"found {made.size_limit!r}")
        words: object = strategy.explain(outlook, round_trip_cost)
        if not isinstance(words, str):
            raise _failed(strategy, "explain must return words", f"found {words!r}")
        figures = dict(strategy.figures(outlook, round_trip_cost))
        if not all(_is_finite(value) for value in figures.values()):
            raise _failed(strategy, "figures must be finite numbers", f"found {figures!r}")
        return Answered(made, band, words, figures)


def scalar_differences(
    strategy: StrategyInterface, outlooks: Outlooks, assessed: Assessments, round_trip_cost: float
) -> tuple[int, ...]:
    """Bars whose assessment one at a time, as live makes it, is not that of many, as a backtest makes it.

    Parameters
    ----------
    strategy : StrategyInterface
        Whose.
    outlooks : Outlooks
        All that is known of the bars, each array of shape (n_bars,); bars without a probability are left out, for live
        does not ask about them.
    assessed : Assessments
        What ``assess_bars`` made of them.

    Returns
    -------
    tuple of int
        Positions; empty where all are equal to the bit, score and size limit.
    """
    limits = np.broadcast_to(assessed.size_limits, len(assessed.scores))
    with _naming(strategy):
        return tuple(
            at
            for at, row in enumerate(zip(*(values.tolist() for values in outlooks), strict=True))
            if not math.isnan(row[0])
            and not _same(strategy.assess(Outlook(*row), round_trip_cost), assessed.scores[at], limits[at])
        )


def _same(alone: Assessment, score: float, size_limit: float) -> bool:
    if math.isnan(alone.score) or math.isnan(score):
        return math.isnan(alone.score) and math.isnan(score)
    return alone.score == score and alone.size_limit == size_limit


def _required_band(strategy: StrategyInterface, round_trip_cost: float) -> Band:
    band = Band(*strategy.band(round_trip_cost))
    if not (_are_floats(band) and band.exit <= band.enter):
        raise _failed(strategy, "a band of two floats is expected, exit at or below enter", f"found {band!r}")
    return band


def _require_values(strategy: StrategyInterface, what: str, values: object, *shapes: tuple[int, ...]) -> None:
    if not isinstance(values, np.ndarray) or values.dtype != np.float64 or values.shape not in shapes:
        kind = f"{values.dtype} of shape {values.shape}" if isinstance(values, np.ndarray) else type(values).__name__
        raise _failed(strategy, f"{what} must be a float64 array of shape {shapes[0]}", f"found {kind}")


def _are_floats(values: Iterable[object]) -> bool:
    return all(isinstance(value, float) for value in values)


def _is_finite(value: object) -> bool:
    return isinstance(value, float | int) and math.isfinite(value)


@contextmanager
def _naming(strategy: StrategyInterface) -> Iterator[None]:
    """Say which class failed, and where, instead of a traceback."""
    try:
        yield
    except AlgoPipelineError:
        raise
    except Exception as error:
        found = f"{line_of(error)}{type(error).__name__}: {error}"
        raise _failed(strategy, "it must answer for every bar", found) from error


def _failed(strategy: StrategyInterface, expected: str, found: str) -> ConfigValueError:
    name = user_class_reference(type(strategy))
    return ConfigValueError(
        f"The strategy {name} can't be used: {expected}; {found}.", "Correct it; its inherited tests show the case."
    )
