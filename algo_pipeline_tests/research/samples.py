"""Datasets and forecasts for tests: random, seeded, with a planted signal of known strength."""

from __future__ import annotations

import numpy as np
import pandas as pd

from algo_pipeline.data.features import FEATURE_NAMES
from algo_pipeline.data.labels import label_spec
from algo_pipeline.research.dataset import Dataset


def hourly_index(n: int, missing: tuple[int, ...] = (), start: str = "2022-01-01") -> pd.DatetimeIndex:
    """``n`` hours that skip the hours at these positions."""
    hours = pd.date_range(start, periods=n + len(missing), freq="h", tz="UTC", name="timestamp", unit="ns")
    return pd.DatetimeIndex(np.delete(hours, list(missing)), name="timestamp")


def planted_dataset(n: int, seed: int = 0, strength: float = 0.5, label: str = "direction_1h") -> Dataset:
    """Standard normal features; the log-odds of outcome 1 are ``strength`` times the first of them."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, len(FEATURE_NAMES)))
    chance = 1.0 / (1.0 + np.exp(-strength * values[:, 0]))
    frame = pd.DataFrame(values, index=hourly_index(n), columns=list(FEATURE_NAMES))
    frame[label] = (rng.random(n) < chance).astype(np.float64)
    return Dataset.from_frame(frame, label_spec(label))


def forecast_frame(
    probability: np.ndarray, outcome: np.ndarray, base_rate: float = 0.5, n_folds: int = 1
) -> pd.DataFrame:
    """An out-of-sample frame around given probabilities and outcomes."""
    n = len(probability)
    columns = {
        "probability": np.asarray(probability, dtype=np.float64),
        "outcome": np.asarray(outcome, dtype=np.float64),
        "base_rate": np.full(n, base_rate),
        "fold": np.arange(n, dtype=np.int64) * n_folds // n,
    }
    return pd.DataFrame(columns, index=hourly_index(n))


def calibrated_forecasts(n: int, seed: int = 0, spread: float = 0.3) -> pd.DataFrame:
    """Forecasts that are the true chances: log-odds normal with deviation ``spread``."""
    rng = np.random.default_rng(seed)
    probability = 1.0 / (1.0 + np.exp(-rng.normal(0.0, spread, n)))
    return forecast_frame(probability, rng.random(n) < probability)
