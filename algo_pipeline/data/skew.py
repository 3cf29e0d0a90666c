"""How far the features of two sources' bars are apart, in units in which a model feels it. Pure comparison."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import InsufficientHistoryError
from algo_pipeline.data.feature_sets import STANDARD_SETS, FeatureSets

COMPARED_HOURS = 2_000


@dataclass(frozen=True, slots=True)
class FeatureSkew:
    """The distance between two sources' features on the hours that both have.

    Parameters
    ----------
    n_hours : int
        Hours compared.
    first, last : pd.Timestamp
        Open times of the first and the last of them.
    table : pd.DataFrame
        A row per feature, worst median first; columns ``median`` and ``max``: absolute difference over the sample
        deviation of the reference's feature on the same hours. Infinite where the reference does not move and the
        other differs.
    """

    n_hours: int
    first: pd.Timestamp
    last: pd.Timestamp
    table: pd.DataFrame

    @property
    def worst(self) -> str:
        """The feature with the largest median."""
        return str(self.table.index[0])


def hours_to_fetch(sets: FeatureSets = STANDARD_SETS) -> int:
    """Bars of each source that a comparison needs."""
    return COMPARED_HOURS + sets.warmup_bars


def feature_skew(
    reference: pd.DataFrame,
    other: pd.DataFrame,
    n_hours: int = COMPARED_HOURS,
    sets: FeatureSets = STANDARD_SETS,
) -> FeatureSkew:
    """Compare the features of two bar histories on the last hours on which both have every feature.

    Parameters
    ----------
    reference, other : pd.DataFrame
        Valid bars: of the source that a model learnt from, and of the one that it is to decide on. Each needs
        ``sets.warmup_bars`` more than are to be compared.
    n_hours : int
        Hours to compare, at most.
    sets : FeatureSets
        Of which features.

    Raises
    ------
    DataValidationError
        If bars break their schema.
    InsufficientHistoryError
        If fewer than two hours can be compared.
    """
    ours, theirs = sets.build(reference).dropna(), sets.build(other).dropna()
    hours = ours.index.intersection(theirs.index)[-n_hours:]
    if len(hours) < 2:
        raise InsufficientHistoryError(
            f"The two sources have {len(hours)} hours with all features in common; at least 2 are needed.",
            f"Each needs more than {sets.warmup_bars} bars of the same time.",
        )
    ours, theirs = ours.loc[hours], theirs.loc[hours]
    apart, deviation = (theirs - ours).abs().to_numpy(), ours.std(ddof=1).to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        units = np.where(apart == 0.0, 0.0, apart / deviation)
    table = pd.DataFrame({"median": np.median(units, axis=0), "max": units.max(axis=0)}, index=list(ours.columns))
    table.index.name = "feature"
    ranked = table.sort_values(["median", "max"], ascending=False, kind="stable")
    return FeatureSkew(len(hours), hours[0], hours[-1], ranked)
