"""Simulated hourly markets: a true null, or one with a planted and exactly known predictability.

The model, for bar t with open ``o``, close ``c`` and three kinds of independent randomness (volatility, size, sign):

- scale: ``log sigma_t`` is the sum of an AR(1) (volatility clustering, half-life about 1.4 days) and a two-state
  Markov regime (calm or turbulent; mean stays of 20 and 5 days);
- size: ``|x_t| = sigma_t |T_t|`` with ``T`` Student's t of 5 degrees of freedom, scaled to unit variance (heavy tails);
- sign: ``log(c_t / o_t) = s_t |x_t|``, where ``s_t`` is +1 with probability ``p_t``, else -1;
- gap: ``log(o_{t+1} / c_t)`` has a fair sign of its own and at most half the size of the body before it, so that the
  open-to-open return has the body's sign;
- high and low: the extremes of a Brownian bridge from open to close with deviation ``sigma_t`` [1]_;
- volume: log-normal, rising with ``sigma_t`` and ``|T_t|``, with a daily season and an AR(1); blind to signs.

With ``signal_strength = 0`` every ``p_t`` is 1/2: given the past, log returns are symmetric about zero, and no function
of past bars tells the sign of a later one. With ``signal_strength = k`` in (0, 1]

    p_{t+1} = (1 + k tanh(z_t)) / 2,    z_t = log(c_t / c_{t-6}) / (sqrt(6) sd_24(t)),

``sd_24(t)`` being the root mean square of the last 24 close-to-close log returns: momentum, known at the close of t.
``direction_1h`` at t is 1 exactly when ``s_{t+1} = +1``, so ``p_{t+1}`` is the best possible forecast of that label.

References
----------
.. [1] Karatzas & Shreve (1991), Brownian Motion and Stochastic Calculus, section 4.3: maximum of a Brownian bridge.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from algo_pipeline.common.compiled import compiled
from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.schemas import INDEX_NAME, empty_bars
from algo_pipeline.common.time import BAR, BAR_NS, BARS_PER_DAY, bar_numbers
from algo_pipeline.common.types import FloatArray, Symbol

GENESIS = pd.Timestamp("2017-01-01", tz="UTC")
"""Open of the first bar of every simulated market; a bar depends on seed, symbol and hour alone."""

_START_PRICES = (("BTC", 20_000.0), ("ETH", 1_000.0), ("SOL", 50.0))
_OTHER_START_PRICE = 100.0
_BASE_SIGMA = 0.0045
_SIGMA_PERSISTENCE, _SIGMA_SHOCK = 0.98, 0.09
_CALM, _TURBULENT = np.log(0.8), np.log(2.0)
_LEAVE_CALM, _LEAVE_TURBULENT = 1 / (20 * BARS_PER_DAY), 1 / (5 * BARS_PER_DAY)
_DEGREES_OF_FREEDOM = 5.0
_GAP_SCALE, _MAX_GAP_SHARE = 0.03, 0.5
_VOLUME_PERSISTENCE, _VOLUME_SHOCK = 0.85, 0.25
_VOLUME_SEASON, _BUSIEST_HOUR = 0.6, 15
_QUOTE_VOLUME_USD = 40e6
_MOMENTUM_BARS, _DEVIATION_BARS = 6, 24


@dataclass(frozen=True, slots=True)
class _Draws:
    """The randomness of a market, one stream per purpose, so that a longer history starts with the shorter one."""

    sigma_shock: FloatArray
    regime: FloatArray
    size: FloatArray
    sign: FloatArray
    gap: FloatArray
    high: FloatArray
    low: FloatArray
    volume: FloatArray


def simulate_bars(
    symbol: Symbol, start: pd.Timestamp, end: pd.Timestamp, *, seed: int, signal_strength: float = 0.0
) -> pd.DataFrame:
    """Simulate the bars with ``start <= open`` and ``close <= end``; none exists before ``GENESIS``.

    The same hour has the same bar whatever window is asked for. Symbols and seeds are independent of each other.

    Parameters
    ----------
    symbol : Symbol
        Any pair.
    start, end : pd.Timestamp
        tz-aware UTC.
    seed : int
        Not negative.
    signal_strength : float
        In [0, 1]; 0 is a true null.

    Raises
    ------
    ConfigValueError
        If ``seed`` or ``signal_strength`` is outside its domain.
    """
    _check(seed, signal_strength)
    n = max(int((end.floor("h") - GENESIS) // BAR), 0)
    if n == 0:
        return empty_bars()
    draws = _draw(symbol, seed, n)
    sigma = _BASE_SIGMA * np.exp(_log_scale(draws.sigma_shock, draws.regime))
    log_open, log_close = _walk(sigma * np.abs(draws.size), sigma, draws.sign, draws.gap, signal_strength)
    index = pd.to_datetime(GENESIS.value + BAR_NS * np.arange(n), utc=True).rename(INDEX_NAME)
    bars = _assemble(symbol, index, log_open, log_close, sigma, draws)
    return bars[bars.index >= start]


def planted_probability(bars: pd.DataFrame, signal_strength: float) -> pd.Series:
    """P(``direction_1h`` = 1 | bars up to t) in a simulated market: the best forecast there is.

    Parameters
    ----------
    bars : pd.DataFrame
        Simulated bars without gaps.
    signal_strength : float
        What they were simulated with.

    Returns
    -------
    pd.Series
        Shape (n,); 0.5 for the first 24 bars of a market, NaN for those of a later window.
    """
    close = np.log(bars["close"].to_numpy())
    returns = np.diff(close, prepend=np.nan)
    squares = pd.Series(returns**2).rolling(_DEVIATION_BARS).mean().to_numpy()
    momentum = np.full(len(close), np.nan)
    momentum[_MOMENTUM_BARS:] = close[_MOMENTUM_BARS:] - close[:-_MOMENTUM_BARS]
    z = momentum / np.sqrt(_MOMENTUM_BARS * squares)
    z[(bars.index < GENESIS + (_DEVIATION_BARS + 1) * BAR) & ~np.isfinite(z)] = 0.0
    return pd.Series((1 + signal_strength * np.tanh(z)) / 2, index=bars.index, name="probability")


@dataclass(frozen=True, slots=True)
class PlantedSkill:
    """What the best forecast of ``direction_1h`` reaches: area under the ROC curve; log-loss skill as a fraction."""

    auc: float
    log_loss_skill: float


def planted_skill(signal_strength: float, *, seed: int = 0, n_bars: int = 70_000) -> PlantedSkill:
    """Measure, on simulated bars, the skill that no model of ``direction_1h`` can beat in expectation."""
    symbol = Symbol("SIM", "USD")
    bars = simulate_bars(symbol, GENESIS, GENESIS + n_bars * BAR, seed=seed, signal_strength=signal_strength)
    probability = planted_probability(bars, signal_strength).to_numpy()[_DEVIATION_BARS:-2]
    opens = bars["open"].to_numpy()[_DEVIATION_BARS + 1 :]
    outcome = opens[1:] > opens[:-1]
    base = outcome.mean()
    log_loss = -np.log(np.where(outcome, probability, 1 - probability)).mean()
    base_loss = -(base * np.log(base) + (1 - base) * np.log(1 - base))
    ranks = pd.Series(probability).rank().to_numpy()
    n_up = int(outcome.sum())
    auc = (ranks[outcome].sum() - n_up * (n_up + 1) / 2) / (n_up * (len(outcome) - n_up))
    return PlantedSkill(auc=float(auc), log_loss_skill=float(1 - log_loss / base_loss))


def _check(seed: int, signal_strength: float) -> None:
    if seed < 0:
        raise ConfigValueError(f"The seed must be a whole number >= 0; it was {seed}.", "Choose another seed.")
    if not 0.0 <= signal_strength <= 1.0:
        raise ConfigValueError(
            f"signal_strength must lie in [0, 1]; it was {signal_strength}.", "Use 0 for a market without an edge."
        )


def _draw(symbol: Symbol, seed: int, n: int) -> _Draws:
    root = np.random.SeedSequence([seed, *str(symbol).encode()])
    streams = [np.random.Generator(np.random.PCG64(child)) for child in root.spawn(9)]
    normals, chi_squares = streams[2].standard_normal(n), streams[8].chisquare(_DEGREES_OF_FREEDOM, n)
    return _Draws(
        sigma_shock=streams[0].standard_normal(n),
        regime=streams[1].random(n),
        size=normals * np.sqrt((_DEGREES_OF_FREEDOM - 2) / chi_squares),
        sign=streams[3].random(n),
        gap=streams[4].standard_normal(n),
        high=streams[5].standard_exponential(n),
        low=streams[6].standard_exponential(n),
        volume=streams[7].standard_normal(n),
    )


@compiled
def _log_scale(shock: FloatArray, regime: FloatArray) -> FloatArray:
    out = np.empty(len(shock))
    level, turbulent = 0.0, False
    for t in range(len(shock)):
        level = _SIGMA_PERSISTENCE * level + _SIGMA_SHOCK * shock[t]
        if regime[t] < (_LEAVE_TURBULENT if turbulent else _LEAVE_CALM):
            turbulent = not turbulent
        out[t] = level + (_TURBULENT if turbulent else _CALM)
    return out


@compiled
def _walk(
    size: FloatArray, sigma: FloatArray, sign: FloatArray, gap: FloatArray, signal_strength: float
) -> tuple[FloatArray, FloatArray]:
    """Log opens and closes from zero; the sign of each body is drawn from closes up to the bar before."""
    n = len(size)
    log_open, log_close, squares = np.empty(n), np.empty(n), np.zeros(n)
    position, probability = 0.0, 0.5
    for t in range(n):
        log_open[t] = position
        log_close[t] = position + (size[t] if sign[t] < probability else -size[t])
        limit = _MAX_GAP_SHARE * size[t]
        position = log_close[t] + min(max(_GAP_SCALE * sigma[t] * gap[t], -limit), limit)
        if t > 0:
            squares[t] = (log_close[t] - log_close[t - 1]) ** 2
        if t >= _DEVIATION_BARS and signal_strength > 0:
            mean_square = squares[t + 1 - _DEVIATION_BARS : t + 1].mean()
            z = (log_close[t] - log_close[t - _MOMENTUM_BARS]) / np.sqrt(_MOMENTUM_BARS * mean_square)
            probability = (1 + signal_strength * np.tanh(z)) / 2
    return log_open, log_close


def _assemble(
    symbol: Symbol,
    index: pd.DatetimeIndex,
    log_open: FloatArray,
    log_close: FloatArray,
    sigma: FloatArray,
    draws: _Draws,
) -> pd.DataFrame:
    price = dict(_START_PRICES).get(symbol.base, _OTHER_START_PRICE)
    body = log_close - log_open
    reach_up = (body + np.sqrt(body**2 + 2 * sigma**2 * draws.high)) / 2
    reach_down = (body - np.sqrt(body**2 + 2 * sigma**2 * draws.low)) / 2
    open_, close = price * np.exp(log_open), price * np.exp(log_close)
    high = np.maximum(price * np.exp(log_open + reach_up), np.maximum(open_, close))
    low = np.minimum(price * np.exp(log_open + reach_down), np.minimum(open_, close))
    volume = _QUOTE_VOLUME_USD / price * np.exp(_log_volume(index, sigma, draws))
    return pd.DataFrame({"open": open_, "high": high, "low": low, "close": close, "volume": volume}, index=index)


def _log_volume(index: pd.DatetimeIndex, sigma: FloatArray, draws: _Draws) -> FloatArray:
    hour = bar_numbers(index) % BARS_PER_DAY
    season = _VOLUME_SEASON * np.cos(2 * np.pi * (hour - _BUSIEST_HOUR) / BARS_PER_DAY)
    activity = 0.6 * np.log(sigma / _BASE_SIGMA) + 0.4 * np.log1p(np.abs(draws.size))
    return np.asarray(season + activity + _autoregress(draws.volume))


@compiled
def _autoregress(shock: FloatArray) -> FloatArray:
    out = np.empty(len(shock))
    level = 0.0
    for t in range(len(shock)):
        level = _VOLUME_PERSISTENCE * level + _VOLUME_SHOCK * shock[t]
        out[t] = level
    return out
