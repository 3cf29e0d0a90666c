"""Markets of the comparison: hourly bars and a probability with a planted edge, never the same twice."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

N_REAL_BARS = 37_660
_REAL_BARS_FILE = "BTCUSDT_1h.parquet"
_DEFAULT_BARS_DIR = Path(__file__).parents[2] / "shared" / "data"
_AHEAD_BARS = 8
_EDGE = 0.14
_STEEPNESS = 0.3


@dataclass(frozen=True)
class Market:
    """One symbol's bars, valid by the project's schema, and the probability that each bar decides by."""

    bars: pd.DataFrame
    probability: pd.Series[float]


@dataclass(frozen=True)
class BarSource:
    """Bars from which markets are made, and in words where they come from."""

    bars: pd.DataFrame
    origin: str

    def market(self, n_bars: int, seed: int) -> Market:
        """A market of ``n_bars`` with a probability of its own.

        The source's bars themselves at their own length, bars bootstrapped from its hourly steps at any other.
        """
        bars = self.bars if n_bars == len(self.bars) else bootstrapped_bars(self.bars, n_bars, seed)
        return Market(bars, planted_probability(bars, seed))

    def bootstrap(self, n_bars: int, seed: int) -> pd.DataFrame:
        """Bars that no other seed gives, at any length."""
        return bootstrapped_bars(self.bars, n_bars, seed)


def real_bars_dir() -> Path:
    """The folder ``TEST_BARS_DIR``, by default the one beside the repository; it need not exist."""
    return Path(os.environ.get("TEST_BARS_DIR", _DEFAULT_BARS_DIR))


def read_bars(path: Path) -> pd.DataFrame:
    """Bars of a Parquet file with a ``timestamp`` column, by open time; OSError if there is no such file."""
    bars = pd.read_parquet(path).set_index("timestamp")
    bars.index = pd.DatetimeIndex(bars.index).as_unit("ns")
    return bars


def bar_source() -> BarSource:
    """Real hourly BTC bars of the folder ``TEST_BARS_DIR``, or simulated ones where there are none."""
    path = real_bars_dir() / _REAL_BARS_FILE
    if not path.exists():
        return BarSource(simulated_bars(N_REAL_BARS), f"simulated (no {_REAL_BARS_FILE} in TEST_BARS_DIR)")
    return BarSource(read_bars(path), f"real, {_REAL_BARS_FILE}")


def simulated_market(n_bars: int, seed: int = 1) -> Market:
    """A market that needs no file."""
    bars = simulated_bars(n_bars, seed)
    return Market(bars, planted_probability(bars, seed))


def simulated_bars(n_bars: int, seed: int = 1) -> pd.DataFrame:
    """A heavy-tailed random walk of valid hourly bars with small gaps, which ends where it starts."""
    rng = np.random.default_rng(seed)
    steps = rng.standard_t(4, n_bars) * 0.004
    close = 30_000.0 * np.exp(np.cumsum(steps - steps.mean()))
    open_ = np.concatenate([[30_000.0], close[:-1]]) * np.exp(rng.normal(0.0, 0.0003, n_bars))
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(0.0, 0.002, n_bars)))
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(0.0, 0.002, n_bars)))
    return _frame(open_, high, low, close, rng.lognormal(3.0, 1.0, n_bars))


def bootstrapped_bars(source: pd.DataFrame, n_bars: int, seed: int) -> pd.DataFrame:
    """Bars whose hourly log steps are drawn from those of ``source``, without its drift."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(1, len(source), n_bars)
    prices = np.log(source[["open", "high", "low", "close"]].to_numpy())
    steps = prices[rows] - prices[rows - 1, 3:]
    drift = steps[:, 3].mean()
    close = prices[0, 3] + np.cumsum(steps[:, 3] - drift)
    before = np.concatenate([[prices[0, 3]], close[:-1]])
    open_ = before + steps[:, 0]
    high = np.maximum(before + steps[:, 1], np.maximum(open_, close))
    low = np.minimum(before + steps[:, 2], np.minimum(open_, close))
    return _frame(*np.exp([open_, high, low, close]), source["volume"].to_numpy()[rows])


def planted_probability(bars: pd.DataFrame, seed: int) -> pd.Series[float]:
    """A restless probability that knows a little of the next hours, so that fees do not ruin the account.

    It crosses the thresholds 0.55 and 0.45 about once in ten to twenty bars. What it earns says nothing about any
    strategy. The first bar HOLDs, since not every rival can decide there.
    """
    rng = np.random.default_rng(seed)
    noise = np.convolve(rng.normal(size=len(bars) + 2), np.full(3, 3.0**-0.5), "valid")
    ahead = np.zeros(len(bars))
    opens = np.log(bars["open"].to_numpy())
    ahead[: -_AHEAD_BARS - 1] = opens[_AHEAD_BARS + 1 :] - opens[1:-_AHEAD_BARS]
    probability = 1.0 / (1.0 + np.exp(-_STEEPNESS * (noise + _EDGE * ahead / ahead.std())))
    probability[0] = 0.5
    return pd.Series(probability, index=bars.index, name="probability")


def _frame(*columns: np.ndarray) -> pd.DataFrame:
    """Bars of five columns in the schema's order, an hour apart."""
    index = pd.date_range("1900-01-01", periods=len(columns[0]), freq="h", tz="UTC", name="timestamp", unit="ns")
    return pd.DataFrame(dict(zip(("open", "high", "low", "close", "volume"), columns, strict=True)), index=index)
