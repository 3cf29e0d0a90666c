"""Fitted models for tests of calibration and scoring."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from algo_pipeline.data.features import FEATURE_NAMES
from algo_pipeline.models.calibration import CalibratedClassifier
from algo_pipeline.models.catalog import make_calibrator, make_model
from algo_pipeline.models.threads import single_threaded

_POSITIVE = tuple(name for name in FEATURE_NAMES if "vol_" in name or name in ("bb_width_20", "atr_ratio_14"))


def planted_rows(n: int, seed: int = 0, strength: float = 0.5) -> tuple[pd.DataFrame, np.ndarray]:
    """Features on unlike scales and outcomes whose log-odds follow the first two of them."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, len(FEATURE_NAMES)))
    chance = 1.0 / (1.0 + np.exp(-strength * (values[:, 0] - values[:, 1])))
    outcomes = (rng.random(n) < chance).astype(np.int64)
    scales = np.logspace(-4, 3, len(FEATURE_NAMES))
    frame = pd.DataFrame(values * scales + scales, columns=list(FEATURE_NAMES))
    frame[list(_POSITIVE)] = 0.01 * np.exp(0.3 * values[:, [FEATURE_NAMES.index(name) for name in _POSITIVE]])
    return frame, outcomes


def fitted(model_kind: str, calibrator: str, seed: int = 0, strength: float = 0.5) -> CalibratedClassifier:
    """A model fitted on 1500 rows and calibrated on 800 others."""
    base, base_outcomes = planted_rows(1500, seed, strength)
    tail, tail_outcomes = planted_rows(800, seed + 1, strength)
    with single_threaded():
        model: Any = make_model(model_kind).make_estimator().fit(base.to_numpy(), base_outcomes)
        return CalibratedClassifier(model, make_calibrator(calibrator)).fit(tail, tail_outcomes)
