"""Stage by stage, whether what was made again equals what was recorded, from bars to report.

Pure comparisons: whoever calls them reads the record and makes everything again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd

from algo_pipeline.common.storage import json_hash
from algo_pipeline.research.lineage import BarChanges

_SHOWN = 5
_PREDICTION_COLUMNS = ("probability", "outcome", "base_rate", "fold")


class Likeness(Enum):
    """What the comparison of one stage found."""

    EQUAL = "equal"
    DIFFERENT = "different"
    UNKNOWN = "not recorded"


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage's comparison.

    Attributes
    ----------
    name : str
        ``bars``, ``dataset``, ``parameters``, ``predictions``, ``scores`` or ``report``.
    likeness : Likeness
        The finding.
    recorded, found : str
        Content hashes; empty where there is none.
    detail : str
        What differs, or why nothing can be said.
    n_different : int
        Rows, hours, columns or figures that differ, as far as they can be told apart.
    max_difference : float
        The largest absolute difference between numbers; NaN where there is none to tell.
    """

    name: str
    likeness: Likeness
    recorded: str = ""
    found: str = ""
    detail: str = ""
    n_different: int = 0
    max_difference: float = math.nan

    def to_document(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "likeness": self.likeness.value}


@dataclass(frozen=True, slots=True)
class Reproduction:
    """Every stage's comparison, in order, and what differs of the machine and its packages."""

    stages: tuple[Stage, ...]
    environment_changes: tuple[str, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Whether nothing that was recorded differs, and something was recorded."""
        found = {stage.likeness for stage in self.stages}
        return Likeness.EQUAL in found and Likeness.DIFFERENT not in found

    @property
    def first_difference(self) -> Stage | None:
        """The first stage that differs: those after it follow from it."""
        return next((stage for stage in self.stages if stage.likeness is Likeness.DIFFERENT), None)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The stages that were not recorded."""
        return tuple(stage.name for stage in self.stages if stage.likeness is Likeness.UNKNOWN)


def compare_bars(recorded: str, found: str, changes: BarChanges | None) -> Stage:
    """Bars by their hash; with ``changes``, which hours a difference is about."""
    if not recorded or recorded == found:
        return _by_hash("bars", recorded, found, "")
    if changes is None:
        return Stage("bars", Likeness.DIFFERENT, recorded, found, "the stored bars are not those of the training")
    kinds = (("changed", changes.changed), ("gone", changes.missing), ("new", changes.added))
    parts = [f"{len(hours):,} {word} ({hours_text(hours)})" for word, hours in kinds if len(hours)]
    detail = f"hours of the stored bars: {'; '.join(parts)}" if parts else "the same hours, otherwise stored"
    return Stage("bars", Likeness.DIFFERENT, recorded, found, detail, changes.n_hours)


def compare_dataset(
    recorded: str, found: str, recorded_columns: Mapping[str, str], columns: Mapping[str, str]
) -> Stage:
    """The dataset by its hash, and which of its columns differ."""
    names = [name for name in recorded_columns if recorded_columns[name] != columns.get(name)]
    detail = ""
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        detail = f"columns {', '.join(names[:_SHOWN])}{more}"
        if len(names) == len(columns):
            detail = f"all {len(names)} columns, as where rows were added or lost"
    return _by_hash("dataset", recorded, found, detail, len(names))


def compare_parameters(recorded: str, found: str, recorded_values: Any = None, values: Any = None) -> Stage:
    """Coefficients or trees of the production model, and its calibrator, by their hash.

    Of a linear model, whose numbers are given too, it is told how many differ, and by how much.
    """
    stage = _by_hash("parameters", recorded, found, "the production model has other coefficients, trees or calibrator")
    if stage.likeness is not Likeness.DIFFERENT or recorded_values is None or values is None:
        return stage
    differences = tuple(document_differences(recorded_values, values))
    detail = f"{len(differences)} numbers of the production model, first {differences[0].path}" if differences else ""
    return Stage("parameters", stage.likeness, recorded, found, detail, len(differences), _largest(differences))


def compare_predictions(
    recorded_hash: str, found_hash: str, recorded: pd.DataFrame | None, found: pd.DataFrame
) -> Stage:
    """Out-of-sample frames, to the bit: by hash and, where the recorded rows are there, row by row."""
    if recorded is None:
        return _by_hash("predictions", recorded_hash, found_hash, "the recorded rows are not there to compare")
    n_rows, largest, where = _row_differences(recorded, found)
    if n_rows:
        detail = f"{n_rows:,} of {max(len(recorded), len(found)):,} rows, first at {where}"
        return Stage("predictions", Likeness.DIFFERENT, recorded_hash, found_hash, detail, n_rows, largest)
    if recorded_hash and recorded_hash != found_hash:
        detail = "its rows equal those made again, but not the hash that was recorded: the file was changed"
        return Stage("predictions", Likeness.DIFFERENT, recorded_hash, found_hash, detail)
    return Stage("predictions", Likeness.EQUAL, recorded_hash or found_hash, found_hash)


def compare_figures(name: str, recorded: Any, found: Any) -> Stage:
    """Two plain documents of figures, each figure by its path; all of them count, to the bit."""
    recorded_hash, found_hash = json_hash(recorded), json_hash(found)
    differences = tuple(document_differences(recorded, found))
    if not differences:
        return Stage(name, Likeness.EQUAL, recorded_hash, found_hash)
    shown = "; ".join(each.describe() for each in differences[:_SHOWN])
    more = f"; and {len(differences) - _SHOWN} more" if len(differences) > _SHOWN else ""
    detail, n_different = shown + more, len(differences)
    return Stage(name, Likeness.DIFFERENT, recorded_hash, found_hash, detail, n_different, _largest(differences))


@dataclass(frozen=True, slots=True)
class FigureDifference:
    """One value of a document that is not as it was."""

    path: str
    recorded: Any
    found: Any

    @property
    def distance(self) -> float:
        """Absolute difference of two numbers; NaN if one is none."""
        if not _are_numbers(self.recorded, self.found):
            return math.nan
        return abs(float(self.recorded) - float(self.found))

    def describe(self) -> str:
        """``metrics.strategy.sharpe: 0.31 then, 0.29 now``."""
        return f"{self.path}: {_short(self.recorded)} then, {_short(self.found)} now"


def document_differences(recorded: Any, found: Any, path: str = "") -> Iterator[FigureDifference]:
    """Every value that differs between two plain documents, by its dotted path."""
    if isinstance(recorded, Mapping) and isinstance(found, Mapping):
        for key in [*recorded, *(key for key in found if key not in recorded)]:
            yield from document_differences(recorded.get(key), found.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(recorded, list) and isinstance(found, list) and len(recorded) == len(found):
        for place, (old, new) in enumerate(zip(recorded, found, strict=True)):
            yield from document_differences(old, new, f"{path}[{place}]")
    elif (type(recorded) is not type(found) and not _are_numbers(recorded, found)) or recorded != found:
        yield FigureDifference(path, recorded, found)


def hours_text(hours: pd.DatetimeIndex) -> str:
    """``2024-01-01 05:00, 2024-01-02 07:00 … 2024-03-01 00:00``."""
    texts = [f"{hour:%Y-%m-%d %H:%M}" for hour in (hours if len(hours) <= _SHOWN else [*hours[:2], hours[-1]])]
    return ", ".join(texts) if len(hours) <= _SHOWN else f"{texts[0]}, {texts[1]} … {texts[2]}"


def _by_hash(name: str, recorded: str, found: str, detail: str, n_different: int = 0) -> Stage:
    if not recorded:
        return Stage(name, Likeness.UNKNOWN, "", found, "the run did not record its hash")
    if recorded == found:
        return Stage(name, Likeness.EQUAL, recorded, found)
    return Stage(name, Likeness.DIFFERENT, recorded, found, detail, n_different)


def _largest(differences: tuple[FigureDifference, ...]) -> float:
    """NaN if one of them is no difference between numbers."""
    gaps = [each.distance for each in differences]
    return max(gaps) if gaps and not any(math.isnan(gap) for gap in gaps) else math.nan


def _row_differences(recorded: pd.DataFrame, found: pd.DataFrame) -> tuple[int, float, str]:
    """How many rows differ, by how much at most, and the first of them."""
    both = recorded.index.union(found.index)
    old, new = (frame.reindex(both)[list(_PREDICTION_COLUMNS)].to_numpy(np.float64) for frame in (recorded, found))
    differs = ((old != new) & ~(np.isnan(old) & np.isnan(new))).any(axis=1)
    if not differs.any():
        return 0, math.nan, ""
    gaps = np.abs(old[:, 0] - new[:, 0])
    largest = float(np.nanmax(gaps)) if np.isfinite(gaps).any() else math.nan
    return int(differs.sum()), largest, f"{both[int(np.argmax(differs))]:%Y-%m-%d %H:%M}"


def _are_numbers(*values: Any) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
