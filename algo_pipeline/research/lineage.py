"""What a training was made from, and the hashes of what it made: enough to make it again and to say what differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import CorruptFileError
from algo_pipeline.common.schemas import bar_values
from algo_pipeline.common.storage import frame_hash
from algo_pipeline.common.time import bar_numbers
from algo_pipeline.common.types import IntArray
from algo_pipeline.research.dataset import Dataset

FORMAT_VERSION = 1
_PRIME = np.uint64(0x100000001B3)
_BASIS = np.uint64(0xCBF29CE484222325)
_SHIFT = np.uint64(32)


@dataclass(frozen=True, slots=True)
class Lineage:
    """The inputs of one training and the identities of its results.

    Attributes
    ----------
    symbol, label, source, venue_symbol : str
        What was learnt, and from whose bars.
    first_bar, last_bar : str
        ISO open times of the first and the last bar.
    n_bars : int
        How many there were.
    bars_hash, dataset_hash, parameters_hash, predictions_hash : str
        SHA-256 of the bars, of the dataset, of the production model's coefficients or trees with its calibrator, and
        of the stitched out-of-sample frame.
    dataset_columns : mapping of str to str
        SHA-256 of each feature and of the label, to name the one that differs.
    recipe : mapping
        The recipe's document.
    config, strategy : mapping
        Trading rules and the strategy's document.
    environment : mapping of str to str
        Versions of packages, and the processor's features.
    """

    symbol: str
    label: str
    source: str
    venue_symbol: str
    first_bar: str
    last_bar: str
    n_bars: int
    bars_hash: str
    dataset_hash: str
    parameters_hash: str
    predictions_hash: str
    dataset_columns: Mapping[str, str]
    recipe: Mapping[str, Any]
    config: Mapping[str, Any]
    strategy: Mapping[str, Any]
    environment: Mapping[str, str]

    def to_document(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"format_version": FORMAT_VERSION, **asdict(self)}

    @classmethod
    def from_document(cls, document: Any) -> Lineage:
        """Inverse of :meth:`to_document`; CorruptFileError for anything else."""
        values = dict(document) if isinstance(document, Mapping) else {}
        version = values.pop("format_version", None)
        if version != FORMAT_VERSION or set(values) != {field.name for field in fields(cls)}:
            raise CorruptFileError(
                f"A lineage of format {FORMAT_VERSION} is expected; found format {version!r} or other fields.",
                "Use the version of the program that logged the run.",
            )
        return cls(**values)


def column_hashes(dataset: Dataset) -> dict[str, str]:
    """SHA-256 of each feature and of the label, with the rows' times."""
    frame = dataset.to_frame()
    return {name: frame_hash(frame[[name]]) for name in frame.columns}


@dataclass(frozen=True, slots=True)
class BarChanges:
    """Hours that are not as they were: other values, gone, or new."""

    changed: pd.DatetimeIndex
    missing: pd.DatetimeIndex
    added: pd.DatetimeIndex

    @property
    def n_hours(self) -> int:
        """How many."""
        return len(self.changed) + len(self.missing) + len(self.added)


def bar_fingerprints(bars: pd.DataFrame) -> IntArray:
    """Four bytes for each hour from the first bar to the last, 0 where there is no bar.

    Returns
    -------
    ndarray of int64
        Of 32 bits. Two bars that differ have equal ones in one case of four billion: they only find *which* bars a
        changed hash is about.
    """
    values = np.ascontiguousarray(bar_values(bars), dtype=np.float64).view(np.uint64)
    mixed = np.full(len(values), _BASIS, dtype=np.uint64)
    for column in values.T:
        mixed = (mixed ^ column) * _PRIME
        mixed ^= mixed >> _SHIFT
    numbers = bar_numbers(pd.DatetimeIndex(bars.index))
    out = np.zeros(int(numbers[-1] - numbers[0]) + 1, dtype=np.int64)
    out[numbers - numbers[0]] = np.maximum(mixed & np.uint64(0xFFFFFFFF), np.uint64(1)).astype(np.int64)
    return out


def bar_changes(recorded: IntArray, first_bar: pd.Timestamp, bars: pd.DataFrame) -> BarChanges:
    """Which hours differ from recorded fingerprints.

    Parameters
    ----------
    recorded : ndarray of int64
        As :func:`bar_fingerprints` made them.
    first_bar : pd.Timestamp
        Open time of the first one.
    bars : pd.DataFrame
        The bars of the same span as they are now; not empty.
    """
    hours = pd.date_range(first_bar, periods=len(recorded), freq="h", tz="UTC")
    before = pd.Series(recorded, index=hours)
    found = pd.Series(bar_fingerprints(bars), index=pd.date_range(bars.index[0], bars.index[-1], freq="h"))
    both = before.index.union(found.index)
    old, new = before.reindex(both, fill_value=0), found.reindex(both, fill_value=0)
    return BarChanges(
        changed=pd.DatetimeIndex(both[(old != new) & (old != 0) & (new != 0)]),
        missing=pd.DatetimeIndex(both[(old != 0) & (new == 0)]),
        added=pd.DatetimeIndex(both[(old == 0) & (new != 0)]),
    )
