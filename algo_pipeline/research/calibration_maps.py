"""What calibrators make of the probabilities of their models, on the rows that they learnt from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from algo_pipeline.common.types import FloatArray
from algo_pipeline.models.log_odds import chance
from algo_pipeline.models.threads import single_threaded
from algo_pipeline.research.dataset import Dataset
from algo_pipeline.research.splits import SplitPlan

if TYPE_CHECKING:
    from algo_pipeline.models.calibration import CalibratedClassifier


def calibration_maps_of(
    dataset: Dataset, plan: SplitPlan, calibrated: Sequence[CalibratedClassifier]
) -> tuple[tuple[FloatArray, FloatArray], ...]:
    """Per fold, the production one last: the model's own and the calibrated probability of each calibration row.

    Returns
    -------
    tuple of (ndarray of shape (n_rows,), ndarray of shape (n_rows,))
        By fold; ascending pairs once sorted, for a calibrator keeps the order.
    """
    maps = []
    with single_threaded():
        for fold, classifier in zip(plan.all_folds, calibrated, strict=True):
            log_odds = classifier.decision_function(dataset.features.iloc[fold.calibration])
            after = classifier.calibrator_.mapping().probability(log_odds)
            maps.append((chance(log_odds), after.clip(classifier.lowest_, classifier.highest_)))
    return tuple(maps)
