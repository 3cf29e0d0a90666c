"""Markets for leaks to hide in, and odd ones on which a clean pipeline must not raise an alarm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from algo_pipeline.common.schemas import PRICE_COLUMNS
from algo_pipeline.common.time import BAR
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.simulation import GENESIS, simulate_bars
from algo_pipeline.models.catalog import CALIBRATOR_KINDS
from algo_pipeline.research.recipe import Recipe
from algo_pipeline.research.splits import SplitRule

_LABELS = ("direction_1h", "direction_4h", "direction_24h", "triple_barrier_24h")
_SIMULATED = Symbol("SIM", "USD")


@dataclass(frozen=True)
class OddMarket:
    """Bars and a recipe for them; ``what`` says in which way they are odd."""

    what: str
    bars: pd.DataFrame
    recipe: Recipe


def planted_market(n_bars: int = 4_000, seed: int = 1) -> pd.DataFrame:
    """A simulated market with something to learn, and three gaps."""
    bars = simulate_bars(_SIMULATED, GENESIS, GENESIS + n_bars * BAR, seed=seed, signal_strength=0.6)
    gaps = [*range(n_bars // 2, n_bars // 2 + 5), n_bars - 900, *range(n_bars - 300, n_bars - 270)]
    return bars.drop(bars.index[gaps])


def odd_market(seed: int, model_kinds: tuple[str, ...] = ("logistic",)) -> OddMarket:
    """A market and a recipe drawn from a seed: gaps, scales, lengths, stillness, labels, folds and calibrators vary."""
    rng = np.random.default_rng([seed, 20_240_101])
    n_bars, strength = int(rng.integers(3_200, 8_000)), float(rng.choice([0.0, 0.0, 0.3, 0.6]))
    bars = simulate_bars(_SIMULATED, GENESIS, GENESIS + n_bars * BAR, seed=seed, signal_strength=strength)
    bars = _rescaled(_with_still_hours(bars, rng), rng)
    bars, n_gaps = _with_gaps(bars, rng)
    recipe = _recipe(rng, model_kinds)
    price = float(bars["close"].iloc[0])
    what = f"seed {seed}: {len(bars):,} bars, {n_gaps} gaps, price {price:.1e}, {recipe.describe()}, {recipe.label}"
    return OddMarket(what, bars, recipe)


def _with_still_hours(bars: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """In every other market, hours without a trade: volume 0 and one price."""
    still = rng.random(len(bars)) < rng.choice([0.0, 0.02])
    changed = bars.copy()
    changed.loc[still, ["high", "low", "close"]] = changed.loc[still, ["open"]].to_numpy()
    changed.loc[still, "volume"] = 0.0
    return changed


def _rescaled(bars: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    changed = bars.copy()
    changed[list(PRICE_COLUMNS)] *= 10.0 ** rng.uniform(-10, 4)
    changed["volume"] *= 10.0 ** rng.uniform(-6, 6)
    return changed


def _with_gaps(bars: pd.DataFrame, rng: np.random.Generator) -> tuple[pd.DataFrame, int]:
    """Up to five gaps of an hour to ten days, never the first or the last bar."""
    missing, n_gaps = np.zeros(len(bars), dtype=np.bool_), int(rng.integers(0, 6))
    for _ in range(n_gaps):
        start, length = int(rng.integers(1, len(bars) - 250)), int(rng.choice([1, 2, 24, 100, 240]))
        missing[start : start + length] = True
    return bars[~missing], n_gaps


def _recipe(rng: np.random.Generator, model_kinds: tuple[str, ...]) -> Recipe:
    window = int(rng.integers(900, 1_500)) if rng.random() < 0.3 else None
    rule = SplitRule(int(rng.integers(1, 5)), float(rng.uniform(0.15, 0.3)), window, float(rng.uniform(0.18, 0.25)))
    kind, calibrator = str(rng.choice(model_kinds)), str(rng.choice(CALIBRATOR_KINDS))
    return Recipe(kind, calibrator, str(rng.choice(_LABELS)), rule)
