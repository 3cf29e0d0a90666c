"""Which features a recipe is made of, as data: their columns, and whose code makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from algo_pipeline.common.types import STANDARD_FEATURES, FloatArray
from algo_pipeline.common.user_classes import REFERENCE_KEY, SOURCE_KEY
from algo_pipeline.data.feature_registry import FEATURE_NAMES

VOLATILITY = "realized_vol_24"
"""What strategies are shown of a bar beside its probability."""


@dataclass(frozen=True, slots=True, order=True)
class SetIdentity:
    """Whose code makes a set: ``standard``, or a reference ``module:Class`` and the SHA-256 of its source."""

    reference: str = STANDARD_FEATURES
    source_sha256: str = ""

    @property
    def is_own(self) -> bool:
        """Whether it is a user's."""
        return self.reference != STANDARD_FEATURES

    def to_document(self) -> dict[str, str]:
        """Plain JSON."""
        return {REFERENCE_KEY: self.reference, **({SOURCE_KEY: self.source_sha256} if self.is_own else {})}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> SetIdentity:
        """Inverse of :meth:`to_document`."""
        return cls(str(document[REFERENCE_KEY]), str(document.get(SOURCE_KEY, "")))


@dataclass(frozen=True, slots=True)
class FeatureChoice:
    """Which features a recipe is made of: their columns, and whose code makes them. Data only; nothing is imported.

    Parameters
    ----------
    columns : tuple of str
        All of them, in order.
    sets : tuple of SetIdentity
        In the order of their columns.
    """

    columns: tuple[str, ...] = FEATURE_NAMES
    sets: tuple[SetIdentity, ...] = (SetIdentity(),)

    @property
    def is_standard(self) -> bool:
        """Whether these are the 37 and no more."""
        return self.sets == (SetIdentity(),)

    @property
    def has_standard(self) -> bool:
        """Whether the 37 are among these."""
        return SetIdentity() in self.sets

    def to_document(self) -> dict[str, Any]:
        """The columns and, unless they are the standard ones, the sets: what a recipe's hash covers."""
        own = {} if self.is_standard else {"feature_sets": [each.to_document() for each in self.sets]}
        return {"features": list(self.columns), **own}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> FeatureChoice:
        """Inverse of :meth:`to_document`, also within a larger document."""
        sets = document.get("feature_sets")
        columns = tuple(map(str, document["features"]))
        return cls(columns) if sets is None else cls(columns, tuple(map(SetIdentity.from_document, sets)))


STANDARD_CHOICE = FeatureChoice()


def volatility_of(columns: tuple[str, ...], row: FloatArray) -> float:
    """``realized_vol_24`` of a row that ``live_features.live_row`` made of these columns."""
    return float(row[columns.index(VOLATILITY) if VOLATILITY in columns else len(columns)])
