"""The 37 features as a linear model can use them: in units of volatility, bounded, some times the market's state.

numpy only, and only operations that IEEE 754 rounds exactly (no exponential, no logarithm): a row gives the same bits
alone or among others, which the scorer shared by research and live trading rests on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.types import FloatArray

INPUTS = (
    *("log_return_1", "log_return_3", "log_return_6", "log_return_12", "log_return_24", "log_return_72"),
    *("realized_vol_6", "realized_vol_24", "realized_vol_72", "realized_vol_168", "parkinson_vol_24"),
    *("sma_ratio_24", "sma_ratio_168", "ema_ratio_12", "ema_ratio_48", "macd_ratio", "macd_hist_ratio", "adx_14"),
    *("rsi_7", "rsi_14", "stoch_k_14", "stoch_d_14", "cci_20"),
    *("bb_percent_b_20", "bb_width_20", "atr_ratio_14", "range_position_72"),
    *("body_ratio", "upper_wick_ratio", "lower_wick_ratio", "volume_zscore_168", "mfi_14", "obv_slope_24"),
    *("hour_sin", "hour_cos", "weekday_sin", "weekday_cos"),
)
"""The columns a basis expects, by name; a test holds them equal to the registry of features."""


def _columns(*names: str) -> list[int]:
    return [INPUTS.index(name) for name in names]


_RETURNS = _columns(*(name for name in INPUTS if name.startswith("log_return")))
_RETURN_BARS = (1, 3, 6, 12, 24, 72)
_TRENDS = _columns("sma_ratio_24", "sma_ratio_168", "ema_ratio_12", "ema_ratio_48", "macd_ratio", "macd_hist_ratio")
_VOL_6, _VOL_24, _VOL_72, _VOL_168 = _columns(*(f"realized_vol_{bars}" for bars in (6, 24, 72, 168)))
_RETURN_UNITS = [_VOL_24, _VOL_24, _VOL_24, _VOL_24, _VOL_24, _VOL_72]
_TREND_UNITS = [_VOL_24, _VOL_168, _VOL_24, _VOL_72, _VOL_24, _VOL_24]
_LEVELS = [_VOL_6, _VOL_24, _VOL_72, _VOL_168, *_columns("parkinson_vol_24", "bb_width_20", "atr_ratio_14")]
_CALENDAR = _columns("hour_sin", "hour_cos", "weekday_sin", "weekday_cos")
_STATE = _columns("realized_vol_24", "volume_zscore_168", "hour_sin", "hour_cos")
_INTERACTING = _columns("log_return_1", "log_return_6", "log_return_24")
_TINY = 1e-12  # a volatility; below it a price has not moved

_RATIO_NAMES = ("realized_vol_6 to 24", "realized_vol_24 to 168")
TERM_NAMES = (
    *INPUTS,
    *_RATIO_NAMES,
    *(
        f"{INPUTS[move]} × {state}"
        for move in _INTERACTING
        for state in (*(INPUTS[column] for column in _STATE), *_RATIO_NAMES)
    ),
)
"""What each term of a basis is made of; a product names both."""
N_TERMS = len(TERM_NAMES)


@dataclass(frozen=True, slots=True)
class PriceActionBasis:
    """From 37 features to 57 terms of a linear model, and from each feature behind them to one more term.

    Attributes
    ----------
    level : tuple of float
        Mean of each measure of volatility.
    mean, scale : tuple of float
        Mean and deviation of each column after returns, trends and volatilities were put in their units.

    Notes
    -----
    1. A return over k hours becomes a multiple of ``volatility·√k``, a distance from an average a multiple of
       volatility; a volatility v becomes ``v / (v + mean)``, a bounded function of its logarithm.
    2. Each column is standardized and bounded by ``z / √(1 + z²)``: a crash is one observation, not fifty. Sine and
       cosine of the calendar stay.
    3. Two ratios of short to longer volatility are added.
    4. Returns over 1, 6 and 24 hours are multiplied by the state they happen in: volatility, volume, time of day, and
       the two ratios. What follows a move depends on them.
    5. Further features, which this basis knows nothing of, are standardized and bounded like the rest.
    """

    level: tuple[float, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]

    def __post_init__(self) -> None:
        found = (len(self.level), len(self.mean), len(self.scale))
        if found[0] != len(_LEVELS) or found[1] != found[2] or found[1] < len(INPUTS):
            raise ConfigValueError(
                f"A basis has {len(_LEVELS)} levels and {len(INPUTS)} means and scales, or more; found {found}."
            )

    @property
    def n_terms(self) -> int:
        """How many terms it makes."""
        return N_TERMS + len(self.mean) - len(INPUTS)

    @classmethod
    def fit(cls, X: FloatArray) -> PriceActionBasis:
        """Take levels, means and deviations of training rows of shape (n, 37 or more)."""
        return cls._of(_as_columns(X))[0]

    @classmethod
    def fit_terms(cls, X: FloatArray) -> tuple[PriceActionBasis, FloatArray]:
        """The fitted basis, and its terms of the same rows: both in less time than one after the other."""
        columns = _as_columns(X)
        basis, units = cls._of(columns)
        return basis, _terms(basis, columns, units)

    def terms(self, X: FloatArray) -> FloatArray:
        """The terms of rows of shape (n, 37), shape (n, 57), in column order; a NaN makes the terms it enters NaN.

        Further columns, of which there must be as many as it was fitted on, make as many terms, behind the others.
        """
        columns = _as_columns(X)
        if len(columns) != len(self.mean):
            raise ConfigValueError(f"X must have shape (n, {len(self.mean)}); it was {X.shape}.")
        return _terms(self, columns, _in_units(columns, np.array(self.level)))

    @classmethod
    def _of(cls, columns: FloatArray) -> tuple[PriceActionBasis, FloatArray]:
        """The basis, and what it is fitted on: the columns in units of volatility."""
        level = columns[_LEVELS].mean(axis=1)
        units = _in_units(columns, level)
        deviation, size = units.std(axis=1), np.maximum(units.max(axis=1), -units.min(axis=1))
        # A constant column has nothing to say, whatever rounding leaves of its deviation.
        scale = np.where(deviation > 1e-12 * size, deviation, 1.0)
        return cls(_floats(level), _floats(units.mean(axis=1)), _floats(scale)), units

    def to_document(self) -> dict[str, Any]:
        """Plain JSON; floats survive a round trip exactly."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> PriceActionBasis:
        """Read what :meth:`to_document` wrote."""
        return cls(_floats(document["level"]), _floats(document["mean"]), _floats(document["scale"]))


def _as_columns(X: FloatArray) -> FloatArray:
    """Shape (37 or more, n), C-contiguous: every feature is then one run of memory."""
    if X.ndim != 2 or X.shape[1] < len(INPUTS):
        raise ConfigValueError(f"X must have shape (n, {len(INPUTS)}) or more columns; it was {X.shape}.")
    return np.ascontiguousarray(X.T, dtype=np.float64)


def _terms(basis: PriceActionBasis, columns: FloatArray, standard: FloatArray) -> FloatArray:
    """The terms, from columns and the same in units of volatility; these are overwritten."""
    n_rows = columns.shape[1]
    out = np.empty((basis.n_terms, n_rows))
    bounded, ratios = out[: len(INPUTS)], out[len(INPUTS) : len(INPUTS) + 2]
    standard -= np.array(basis.mean)[:, np.newaxis]
    standard /= np.array(basis.scale)[:, np.newaxis]
    _bound(standard[: len(INPUTS)], bounded)
    _bound(standard[len(INPUTS) :], out[N_TERMS:])
    bounded[_CALENDAR] = columns[_CALENDAR]
    ratios[0] = _share(columns[_VOL_6], columns[_VOL_24])
    ratios[1] = _share(columns[_VOL_24], columns[_VOL_168])
    state = np.concatenate([bounded[_STATE], ratios])
    products = out[len(INPUTS) + 2 : N_TERMS].reshape(len(_INTERACTING), len(state), n_rows)
    np.multiply(bounded[_INTERACTING][:, np.newaxis, :], state, out=products)
    return out.T


def _bound(standard: FloatArray, out: FloatArray) -> None:
    """``z / √(1 + z²)``."""
    np.multiply(standard, standard, out=out)
    np.sqrt(np.add(out, 1.0, out=out), out=out)
    np.divide(standard, out, out=out)


def _in_units(columns: FloatArray, level: FloatArray) -> FloatArray:
    """Returns and trends as multiples of volatility, volatilities as shares of themselves plus their mean."""
    out = columns.copy()
    for column, unit, bars in zip(_RETURNS, _RETURN_UNITS, _RETURN_BARS, strict=True):
        out[column] /= np.maximum(columns[unit], _TINY) * math.sqrt(bars)
    for column, unit in zip(_TRENDS, _TREND_UNITS, strict=True):
        out[column] /= np.maximum(columns[unit], _TINY)
    for column, usual in zip(_LEVELS, level, strict=True):
        out[column] = _share(columns[column], usual)
    return out


def _share(part: FloatArray, other: FloatArray | float) -> FloatArray:
    """``part / (part + other) − ½``, 0 where both are 0."""
    total = part + other
    return np.asarray(part / np.maximum(total, _TINY) - 0.5 * (total > _TINY))


def _floats(values: Any) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
