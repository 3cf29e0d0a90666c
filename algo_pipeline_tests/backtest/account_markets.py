"""Random accounts for tests: bars with gaps, probabilities and rules, all made from one seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from algo_pipeline.backtest.realism import ExecutionOptions
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Symbol
from algo_pipeline_tests.market import random_bars

SYMBOLS = (Symbol("BTC", "USD"), Symbol("ETH", "USD"), Symbol("SOL", "USD"))

# Values of every option of ExecutionOptions that switch it on.
OPTION_VALUES = {
    "limit_timeout_bars": (1, 2, 5),
    "latency_bars": (1, 3),
    "max_volume_share": (0.01, 0.1, 1.0),
    "volatility_slippage": (0.5, 3.0, 40.0),
    "stop_loss_bps": (50.0, 300.0, 1500.0),
    "take_profit_bps": (50.0, 300.0, 1500.0),
    "trailing_stop_bps": (50.0, 300.0, 1500.0),
}


@dataclass(frozen=True)
class AccountMarket:
    bars: dict[Symbol, pd.DataFrame]
    probability: dict[Symbol, pd.Series]
    config: BacktestConfig
    execution: ExecutionOptions


def random_account_market(seed: int, n_symbols: int, longest: int = 60) -> AccountMarket:
    """Wild hourly bars (drawdowns, gaps, late listings), restless probabilities, and every rule now and then."""
    rng = np.random.default_rng(seed)
    bars, probability = {}, {}
    for symbol in SYMBOLS[:n_symbols]:
        full = random_bars(
            int(rng.integers(2, longest)),
            seed=int(rng.integers(2**31)),
            start=f"2024-01-01T{rng.integers(0, 6):02d}",
            price=float(rng.choice([0.003, 1.0, 87.0, 41_000.0])),
            volatility=float(rng.choice([0.002, 0.03, 0.15])),
        )
        kept = full[rng.random(len(full)) >= rng.choice([0.0, 0.2])]
        bars[symbol] = kept if len(kept) else full
        probability[symbol] = _random_probability(rng, bars[symbol].index)
    config = random_config(rng)
    bars = {symbol: _with_wild_volume(rng, frame, config.initial_cash) for symbol, frame in bars.items()}
    return AccountMarket(bars, probability, config, random_options(rng))


def random_config(rng: np.random.Generator) -> BacktestConfig:
    """Rules with each option switched on about half of the time."""
    exit_threshold, enter_threshold = sorted(rng.choice([0.0, 0.3, 0.45, 0.5, 0.55, 0.7], 2))
    cash = float(rng.choice([50.0, 100_000.0, 98_765.43]))
    return BacktestConfig(
        initial_cash=cash,
        enter_threshold=float(enter_threshold),
        exit_threshold=float(exit_threshold),
        position_fraction=float(rng.choice([0.0, 0.2, 0.5, 1.0, 3.0])),
        max_position_fraction=float(rng.choice([0.2, 0.5, 1.0])),
        max_drawdown=float(rng.choice([0.02, 0.1, 1.0])),
        cooldown_bars=int(rng.choice([0, 1, 2, 7])),
        fee_bps=float(rng.choice([0.0, 10.0, 25.0, 333.3])),
        slippage_bps=float(rng.choice([0.0, 5.0, 250.0])),
        fee_in_base=bool(rng.integers(2)),
        quantity_step=float(rng.choice([1.0, 1e-2, 1e-4, 1e-6])),
        min_notional=float(rng.choice([0.0, 10.0, 0.15 * cash])),
        cash_buffer_bps=[None, 0.0, 50.0][rng.integers(3)],
    )


def random_options(rng: np.random.Generator, only: str | None = None) -> ExecutionOptions:
    """Order realism with each option switched on about half of the time, or ``only`` the named one."""
    values = {name: rng.choice(choices).item() for name, choices in OPTION_VALUES.items()}
    switched_on = [name for name in values if rng.random() < 0.5] if only is None else [only]
    window = int(rng.choice([2, 5, 24]))
    return ExecutionOptions(volatility_window_bars=window, **{name: values[name] for name in switched_on})


def _with_wild_volume(rng: np.random.Generator, bars: pd.DataFrame, cash: float) -> pd.DataFrame:
    """Volumes around what the account could buy, from far above it to nothing at all."""
    volume = cash / bars["close"].to_numpy() * 10.0 ** rng.uniform(-2.0, 2.0, len(bars))
    volume[rng.random(len(bars)) < 0.1] = 0.0
    volume[rng.random(len(bars)) < 0.1] *= 1e-5
    return bars.assign(volume=volume)


def _random_probability(rng: np.random.Generator, index: pd.DatetimeIndex) -> pd.Series:
    values = rng.random(len(index))
    values[rng.random(len(index)) < 0.1] = np.nan
    exact = rng.random(len(index)) < 0.2
    values[exact] = rng.choice([0.0, 0.3, 0.45, 0.5, 0.55, 0.7, 1.0], exact.sum())
    return pd.Series(values, index=index)
