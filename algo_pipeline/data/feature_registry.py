"""What each of the 37 features is: formula, source, nominal window and certified warm-up."""

from __future__ import annotations

import math

from algo_pipeline.interfaces.features import FeatureSpec

__all__ = ["FEATURES", "FEATURE_NAMES", "MAX_WARMUP_BARS", "FeatureSpec"]

_EMA_RESIDUE = 1e-11  # of the price: 1e-9 with room for prices a hundred times apart
_RATIO_RESIDUE = 1e-14  # of an average move: 1e-9 with room for moves a hundred thousand times apart


def _exact(name: str, formula: str, source: str, window_bars: int) -> FeatureSpec:
    return FeatureSpec(name, formula, source, window_bars, window_bars)


def _ema_warmup(length: int, residue: float) -> int:
    """Bars until the weight of all before the seed, ``(1 - 2 / (length + 1))**bars``, is at most ``residue``."""
    return length + math.ceil(math.log(residue) / math.log1p(-2.0 / (length + 1)))


def _wilder_warmup(length: int, residue: float) -> int:
    return _ema_warmup(2 * length - 1, residue)


def _log_return(bars: int) -> FeatureSpec:
    return _exact(f"log_return_{bars}", f"ln(close[0] / close[-{bars}])", "definition", bars + 1)


def _realized_vol(returns: int) -> FeatureSpec:
    formula = f"sample deviation (ddof 1) of the last {returns} 1 h log returns, per bar"
    return _exact(f"realized_vol_{returns}", formula, "definition", returns + 1)


def _sma_ratio(bars: int) -> FeatureSpec:
    source = "definition (TA-Lib SMA keeps a running sum, which drifts)"
    return _exact(f"sma_ratio_{bars}", f"close / SMA({bars}) − 1", source, bars)


def _ema_ratio(bars: int) -> FeatureSpec:
    formula = f"close / EMA({bars}) − 1, alpha 2/({bars} + 1)"
    return FeatureSpec(f"ema_ratio_{bars}", formula, "TA-Lib EMA", bars, _ema_warmup(bars, _EMA_RESIDUE))


def _rsi(bars: int) -> FeatureSpec:
    formula = f"RSI({bars}); 50 while the close has not moved for {bars} changes"
    return FeatureSpec(f"rsi_{bars}", formula, "TA-Lib RSI", bars, _wilder_warmup(bars, _RATIO_RESIDUE))


_MACD_WARMUP = _ema_warmup(26, _EMA_RESIDUE) + 9
_ADX_WARMUP = 27 + _wilder_warmup(14, _RATIO_RESIDUE / 40)  # m bars of two averages in series leave 1 + m/14 times more
_WILDER = "Wilder (1978)"
_BOLLINGER = "Bollinger (2002); TA-Lib BBANDS takes E[x²] − E[x]² of running sums, which loses low prices and drifts"
_STOCH = "Lane (1984) over TA-Lib MAX and MIN; TA-Lib STOCH takes an empty range as 0 and keeps running sums"

FEATURES: tuple[FeatureSpec, ...] = (
    *(_log_return(bars) for bars in (1, 3, 6, 12, 24, 72)),
    *(_realized_vol(returns) for returns in (6, 24, 72, 168)),
    _exact("parkinson_vol_24", "sqrt(mean over 24 bars of ln(high/low)² / (4 ln 2)), per bar", "Parkinson (1980)", 24),
    _sma_ratio(24),
    _sma_ratio(168),
    _ema_ratio(12),
    _ema_ratio(48),
    FeatureSpec("macd_ratio", "(EMA(12) − EMA(26)) / close", "TA-Lib MACD", 26, _MACD_WARMUP),
    FeatureSpec("macd_hist_ratio", "(MACD − EMA(9) of MACD) / close", "TA-Lib MACD", 34, _MACD_WARMUP),
    FeatureSpec(
        "adx_14",
        "Wilder average of 100·|DM⁺ − DM⁻| / (DM⁺ + DM⁻), each DM a Wilder average; a bar counts 0 while nothing moves",
        f"{_WILDER} over TA-Lib EMA(27); TA-Lib ADX lets rounding decide between equal movements",
        27,
        _ADX_WARMUP,
    ),
    _rsi(7),
    _rsi(14),
    _exact("stoch_k_14", "SMA(3) of 100·(close − min low) / (max high − min low) over 14 bars", _STOCH, 16),
    _exact("stoch_d_14", "SMA(3) of stoch_k_14", _STOCH, 18),
    _exact(
        "cci_20",
        "(TP − SMA(20) of TP) / (0.015 · mean |TP − SMA|), TP = (high + low + close) / 3",
        "Lambert (1980); TA-Lib CCI divides rounding errors in a flat window",
        20,
    ),
    _exact("bb_percent_b_20", "(close − lower) / (upper − lower), bands SMA(20) ± 2σ, population σ", _BOLLINGER, 20),
    _exact("bb_width_20", "(upper − lower) / SMA(20), bands SMA(20) ± 2σ, population σ", _BOLLINGER, 20),
    FeatureSpec("atr_ratio_14", "ATR(14) / close", "TA-Lib ATR", 14, _wilder_warmup(14, _EMA_RESIDUE)),
    _exact("range_position_72", "(close − min low) / (max high − min low) over 72 bars", "TA-Lib MAX, MIN", 72),
    _exact("body_ratio", "(close − open) / (high − low)", "definition", 1),
    _exact("upper_wick_ratio", "(high − max(open, close)) / (high − low)", "definition", 1),
    _exact("lower_wick_ratio", "(min(open, close) − low) / (high − low)", "definition", 1),
    _exact("volume_zscore_168", "(volume − mean) / sample deviation (ddof 1) over 168 bars", "definition", 168),
    _exact(
        "mfi_14",
        "100 · inflow / (inflow + outflow) over 14 bars; money TP·volume flows in or out as TP rises or falls",
        "Quong and Soudack (1989); TA-Lib MFI gives 0 for flows under 1.0 and keeps running sums",
        15,
    ),
    _exact(
        "obv_slope_24",
        "OBV[0] − OBV[-24], over the volume of the last 24 bars",
        "Granville (1963); TA-Lib OBV is a sum since the start of history",
        25,
    ),
    _exact("hour_sin", "sin(2π · hour / 24), UTC hour of the bar's open", "definition", 1),
    _exact("hour_cos", "cos(2π · hour / 24), UTC hour of the bar's open", "definition", 1),
    _exact("weekday_sin", "sin(2π · weekday / 7), Monday 0, UTC day of the bar's open", "definition", 1),
    _exact("weekday_cos", "cos(2π · weekday / 7), Monday 0, UTC day of the bar's open", "definition", 1),
)
FEATURE_NAMES: tuple[str, ...] = tuple(spec.name for spec in FEATURES)
MAX_WARMUP_BARS: int = max(spec.warmup_bars for spec in FEATURES)
