"""Does a user's own label look as far ahead as it says? No second implementation tells: its bars are changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from algo_pipeline.common.time import bar_numbers
from algo_pipeline.common.types import BoolArray, FloatArray
from algo_pipeline.data.causality import differs, poisoned_bars, sample_positions, spread_positions
from algo_pipeline.data.own_label import OwnLabel

_SPREAD_CUTS = 12
_LATE_CUTS = 4
_POISONINGS = 3


def own_label_violations(own: OwnLabel, stored: FloatArray, bars: pd.DataFrame) -> tuple[str, ...]:
    """What is wrong with a user's label, a sentence for each kind of fault.

    Parameters
    ----------
    own : OwnLabel
        The code.
    stored : ndarray of shape (n_bars,)
        What it gave for all bars.
    bars : DataFrame of shape (n_bars, 5)
        All bars.

    Notes
    -----
    With h its horizon: computed again it is the same to the bit; it is missing where a bar from t to t + h is; with
    the bars cut after bar c, no row after c − h is known and every row up to c − h − 1 is as it was; with the bars
    after p replaced by noise, every row up to p − h − 1 is as it was.
    """
    found: dict[str, str] = {}
    for fault in _violations(own, stored, bars):
        found.setdefault(fault.problem, fault.sentence)
    return tuple(found.values())


def n_experiments(n_bars: int) -> int:
    """How many cuts and poisonings the judgement of ``n_bars`` bars rests on."""
    return len(_cuts(n_bars)) + (_POISONINGS if n_bars > 1 else 0)


def _violations(own: OwnLabel, stored: FloatArray, bars: pd.DataFrame) -> Iterator[_Fault]:
    say = _Sentences(own.spec.name, pd.DatetimeIndex(bars.index), own.spec.horizon_bars)
    yield from say.about(differs(own.build(bars), stored), "is not what the bars give")
    yield from say.about(np.isfinite(stored) & ~_whole_span(bars, say.horizon), "is known although {span} misses a bar")
    yield from _cut_violations(own, stored, bars, say)
    yield from _poison_violations(own, stored, bars, say)


def _cut_violations(own: OwnLabel, stored: FloatArray, bars: pd.DataFrame, say: _Sentences) -> Iterator[_Fault]:
    for cut in _cuts(len(bars)):
        found = own.build(bars.iloc[: cut + 1])
        early = np.zeros(len(bars), dtype=np.bool_)
        first_open = max(0, cut + 1 - say.horizon)
        early[first_open : cut + 1] = np.isfinite(found[first_open:])
        yield from say.about(early, "is known before {span} has closed")
        yield from say.about(_changed(found, stored, cut - say.horizon), "changes when bars after {span} are cut off")


def _poison_violations(own: OwnLabel, stored: FloatArray, bars: pd.DataFrame, say: _Sentences) -> Iterator[_Fault]:
    for seed in range(_POISONINGS if len(bars) > 1 else 0):
        position = (len(bars) - 1) * (seed + 1) // (_POISONINGS + 1)
        found = own.build(poisoned_bars(bars, position, seed))
        yield from say.about(_changed(found, stored, position - say.horizon), "changes with bars after {span}")


def _changed(found: FloatArray, stored: FloatArray, stop: int) -> BoolArray:
    """Rows before ``stop`` that differ, shape of ``stored``."""
    changed = np.zeros(len(stored), dtype=np.bool_)
    rows = slice(0, max(0, stop))
    changed[rows] = differs(found[rows], stored[rows])
    return changed


def _cuts(n_bars: int) -> tuple[int, ...]:
    return tuple(sorted({*spread_positions(n_bars, _SPREAD_CUTS), *sample_positions(n_bars, _LATE_CUTS)}))


def _whole_span(bars: pd.DataFrame, horizon: int) -> BoolArray:
    """Rows whose bar and the ``horizon`` hours after it all exist."""
    numbers = bar_numbers(pd.DatetimeIndex(bars.index))
    whole = np.zeros(len(numbers), dtype=np.bool_)
    if len(numbers) > horizon:
        whole[:-horizon] = numbers[horizon:] - numbers[:-horizon] == horizon
    return whole


class _Fault(NamedTuple):
    problem: str
    sentence: str


class _Sentences:
    """A sentence about the first of the rows where something is wrong."""

    def __init__(self, name: str, times: pd.DatetimeIndex, horizon: int) -> None:
        self.horizon = horizon
        self._name, self._times, self._span = name, times, f"its horizon of {horizon} h"

    def about(self, wrong: BoolArray, problem: str) -> Iterator[_Fault]:
        """At most one."""
        rows = np.flatnonzero(wrong)
        if rows.size:
            words = problem.format(span=self._span)
            sentence = f"{self._name} at {self._times[int(rows[0])]} {words} ({rows.size:,} such rows)"
            yield _Fault(problem, sentence)
