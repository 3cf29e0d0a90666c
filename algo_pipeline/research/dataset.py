"""Features joined with one binary label, on the rows where both exist."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import ConfigValueError, DataValidationError, InsufficientHistoryError
from algo_pipeline.common.schemas import INDEX_NAME, require_columns
from algo_pipeline.common.storage import frame_hash, json_hash
from algo_pipeline.common.time import BAR
from algo_pipeline.common.types import FloatArray, IntArray
from algo_pipeline.data.feature_registry import FEATURE_NAMES, MAX_WARMUP_BARS

if TYPE_CHECKING:
    from algo_pipeline.data.labels import LabelSpec


@dataclass(frozen=True, eq=False)
class Dataset:
    """What a model is trained and tested on.

    Attributes
    ----------
    features : pd.DataFrame
        Shape (n, n_features), float64, finite, indexed by the bars' open times, ascending. Rows need not be consecutive
        hours: bars without a full feature row or without a label are left out.
    target : pd.Series
        Shape (n,), 0.0 or 1.0, same index.
    label : LabelSpec
        What the target is.
    """

    features: pd.DataFrame
    target: pd.Series[float]
    label: LabelSpec

    def __len__(self) -> int:
        return len(self.features)

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of rows, target and label; equal content has an equal hash on every machine."""
        return _content_hash(self.features, self.target, self.label)

    @property
    def timestamps(self) -> pd.DatetimeIndex:
        """Open times of the rows."""
        return pd.DatetimeIndex(self.features.index)

    @property
    def first_bar(self) -> pd.Timestamp:
        """Open time of the first row."""
        return pd.Timestamp(self.features.index[0])

    @property
    def last_bar(self) -> pd.Timestamp:
        """Open time of the last row."""
        return pd.Timestamp(self.features.index[-1])

    @property
    def training_end(self) -> pd.Timestamp:
        """Close of the last bar that any row's label reads.

        A return or direction at row t reads the open of bar t + 1 + h, a triple barrier the bars up to t + h.
        """
        return self.last_bar + (self.label.last_bar_read + 1) * BAR

    def matrix(self) -> FloatArray:
        """The features as one C-contiguous array, shape (n, n_features); a view of the frame if its layout allows."""
        return np.ascontiguousarray(self.features.to_numpy(dtype=np.float64))

    def outcomes(self) -> IntArray:
        """The target as integers, shape (n,)."""
        return self.target.to_numpy().astype(np.int64)

    def to_frame(self) -> pd.DataFrame:
        """Features and, as the last column under the label's name, the target."""
        return self.features.assign(**{self.label.name: self.target})

    @classmethod
    def from_frame(
        cls, frame: pd.DataFrame, label: LabelSpec, feature_names: tuple[str, ...] = FEATURE_NAMES
    ) -> Dataset:
        """Read what :meth:`to_frame` made (also after a trip through Parquet).

        Raises
        ------
        DataValidationError
            If columns, index or values are not those of a dataset.
        """
        require_columns(frame, (*feature_names, label.name), "A dataset")
        values = np.ascontiguousarray(frame[list(feature_names)].to_numpy(dtype=np.float64))
        target = frame[label.name].to_numpy(dtype=np.float64)
        return _make(values, target, pd.DatetimeIndex(frame.index), label, feature_names)

    def only(self, feature_names: tuple[str, ...]) -> Dataset:
        """The same rows with some of the features."""
        if feature_names == tuple(self.features.columns):
            return self
        return Dataset(self.features[list(feature_names)], self.target, self.label)


def build_dataset(
    features: pd.DataFrame,
    labels: pd.DataFrame,
    label: LabelSpec,
    feature_names: tuple[str, ...] = FEATURE_NAMES,
    warmup_bars: int = MAX_WARMUP_BARS,
) -> Dataset:
    """Join features with one label.

    Parameters
    ----------
    features : pd.DataFrame
        Shape (n, n_features) as :func:`~algo_pipeline.data.features.build_features` makes it; NaN before warm-up and
        at gaps.
    labels : pd.DataFrame
        As :func:`~algo_pipeline.data.labels.build_labels` makes it; NaN where not yet knowable.
    label : LabelSpec
        Which label; binary.
    feature_names : tuple of str
        The columns that are expected.
    warmup_bars : int
        Bars until they are all known, for the message where no row is left.

    Returns
    -------
    Dataset
        The rows where all features and the label exist.

    Raises
    ------
    ConfigValueError
        If the label is not binary.
    InsufficientHistoryError
        If no row is left.
    """
    _require_binary(label)
    require_columns(features, feature_names, "Features")
    target = labels[label.name].reindex(features.index).to_numpy(dtype=np.float64)
    values = features.to_numpy(dtype=np.float64)
    kept = np.isfinite(values).all(axis=1) & np.isfinite(target)
    if not kept.any():
        needed = warmup_bars + 2 + label.horizon_bars
        raise InsufficientHistoryError(
            f"No bar has all {len(feature_names)} features and {label.name}: {len(features)} bars were given, the first"
            f" such row needs {needed} without a gap.",
            "Provide a longer history.",
        )
    index = pd.DatetimeIndex(features.index[kept])
    return _make(np.ascontiguousarray(values[kept]), target[kept], index, label, feature_names)


def _make(
    values: FloatArray, target: FloatArray, index: pd.DatetimeIndex, label: LabelSpec, feature_names: tuple[str, ...]
) -> Dataset:
    _require_binary(label)
    _require_valid(values, target, index, label)
    index = index.rename(INDEX_NAME)
    features = pd.DataFrame(values, index=index, columns=list(feature_names), copy=False)
    series = pd.Series(target, index=index, name=label.name)
    return Dataset(features, series, label)


def _content_hash(features: pd.DataFrame, target: pd.Series[float], label: LabelSpec) -> str:
    spec = {"name": label.name, "horizon_bars": label.horizon_bars, "kind": label.kind.value}
    return json_hash({"features": frame_hash(features), "target": frame_hash(target.to_frame()), "label": spec})


def _require_binary(label: LabelSpec) -> None:
    if not label.is_binary:
        from algo_pipeline.data.labels import LABELS

        binary = ", ".join(spec.name for spec in LABELS if spec.is_binary)
        raise ConfigValueError(
            f"A classifier needs a label of zeros and ones; {label.name} is not binary.", f"Choose one of {binary}."
        )


def _require_valid(values: FloatArray, target: FloatArray, index: pd.DatetimeIndex, label: LabelSpec) -> None:
    problem = None
    if str(index.tz) != "UTC" or not index.is_monotonic_increasing or not index.is_unique:
        problem = "its index is not ascending, unique UTC open times"
    elif not np.isfinite(values).all():
        problem = "a feature is missing or infinite"
    elif not np.isin(target, (0.0, 1.0)).all():
        problem = f"{label.name} has values other than 0 and 1"
    if problem:
        raise DataValidationError(f"This is no dataset: {problem}.", "Build it with build_dataset.")
