"""What a user's features were of the last bar that a model learnt from: live code has to give them again.

The digest of a class says that its file is unchanged, not that what it imports is. A value that was recorded says
both, and that the bars are still those of the training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from algo_pipeline.common.time import to_utc

_STRETCH = 1e-9  # what more history may change, as certified by the warm-ups


@dataclass(frozen=True, slots=True)
class FeatureCheck:
    """The user's features of one bar, as the training had them.

    Parameters
    ----------
    bar : pd.Timestamp
        Its open time.
    values : mapping of str to float
        By feature; finite.
    """

    bar: pd.Timestamp
    values: Mapping[str, float]

    @classmethod
    def of(cls, features: pd.DataFrame, names: tuple[str, ...]) -> FeatureCheck:
        """That of the last row."""
        last = features.iloc[-1]
        return cls(pd.Timestamp(features.index[-1]), {name: float(last[name]) for name in names})

    def difference(self, features: pd.DataFrame) -> str | None:
        """What is other than it was, in words; None if nothing is, or the bar is not among these rows.

        Parameters
        ----------
        features : pd.DataFrame
            Computed now, from bars of the training's source.
        """
        if self.bar not in features.index:
            return None
        row = features.loc[self.bar]
        for name, then in self.values.items():
            now = float(row[name])
            if not abs(now - then) <= _STRETCH * (1.0 + abs(then)):
                when = f"{self.bar:%Y-%m-%d %H:%M} UTC"
                return f"{name} of {when} is {now:.9g}, and was {then:.9g} when the model learnt it"
        return None

    def to_document(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"bar": self.bar.isoformat(), "values": dict(self.values)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> FeatureCheck:
        """Inverse of :meth:`to_document`; KeyError, TypeError or ValueError if it describes none."""
        values = {str(name): float(value) for name, value in document["values"].items()}
        return cls(to_utc(document["bar"]), values)
