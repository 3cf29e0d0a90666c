from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.backtest.engine import BacktestConfig, BacktestResult, run_backtest
from algo_pipeline.backtest.kernel_rules import KernelRules
from algo_pipeline.backtest.timing import SignalMarket, Signals, timing_of, timings_of_shuffles
from algo_pipeline.common.types import Signal
from algo_pipeline_tests.market import random_bars, without_rows

FREE = BacktestConfig(fee_bps=0.0, slippage_bps=0.0, max_drawdown=1.0)
HOLD, LONG, FLAT = (int(signal) for signal in Signal)


def market_of(bars: pd.DataFrame, places: np.ndarray | None = None, edges: tuple[int, ...] = ()) -> SignalMarket:
    places = np.arange(len(bars)) if places is None else places
    all_edges = np.array([0, *edges, len(places)], dtype=np.int64)
    return SignalMarket.of(bars["open"].to_numpy(), bars["close"].to_numpy(), places.astype(np.int64), all_edges)


def signals_of(values: np.ndarray, fraction: float = 0.2) -> Signals:
    return Signals(np.asarray(values, dtype=np.int64), np.full(len(values), fraction))


def backtest_of(bars: pd.DataFrame, places: np.ndarray, values: np.ndarray, config: BacktestConfig) -> BacktestResult:
    """The reference: signals as probabilities that say LONG, FLAT and HOLD beyond doubt."""
    probability = pd.Series(np.nan, index=bars.index)
    probability.iloc[places] = np.array([np.nan, 1.0, 0.0])[values]
    return run_backtest(bars, probability, replace(config, enter_threshold=1.0, exit_threshold=0.0))


def excess_returns(result: BacktestResult, bars: pd.DataFrame, bar_edges: np.ndarray) -> np.ndarray:
    """Return of each bar, marked at opens after their fills, less mean exposure times the market's return."""
    opens = bars["open"].to_numpy()
    cash, held = result.curve["cash"].to_numpy(), result.curve["quantity"].to_numpy()
    equity = cash + held * opens
    exposure, market, gain = np.zeros((3, len(bars)))
    exposure[1:] = held[:-1] * opens[:-1] / equity[:-1]
    market[1:] = opens[1:] / opens[:-1] - 1
    gain[1:] = equity[1:] / equity[:-1] - 1
    circle = np.searchsorted(bar_edges, np.arange(len(bars)), side="right") - 1
    mean_exposure = pd.Series(exposure).groupby(circle).transform("mean").to_numpy()
    excess: np.ndarray = gain - mean_exposure * market
    return excess


class TestOneRun:
    def test_a_worked_example_without_costs(self):
        # Decided at bars 0 and 2, filled at the opens of 1 and 3: half of the equity earns 120 / 100 and 90 / 120.
        opens = [100.0, 100.0, 120.0, 90.0, 90.0]
        bars = random_bars(5).assign(open=opens, close=[100.0, 120.0, 90.0, 90.0, 90.0])
        config = replace(FREE, position_fraction=0.5, max_position_fraction=0.5)
        signals = signals_of(np.array([LONG, LONG, FLAT, FLAT, FLAT]), fraction=0.5)
        timing = timing_of(market_of(bars), signals, KernelRules.from_config(config))
        gains = np.array([0.0, 0.0, 0.5 * 0.2, 0.6 / 1.1 * -0.25, 0.0])
        market = np.array([0.0, 0.0, 0.2, -0.25, 0.0])
        excess = gains - (0.5 + 0.6 / 1.1) / 5 * market
        assert timing.n_entries == 1
        assert timing.mean_excess == pytest.approx(excess.mean(), rel=1e-12)
        assert timing.t_value == pytest.approx(excess.sum() / np.sqrt((excess**2).sum()), rel=1e-12)

    @settings(max_examples=120, deadline=None)
    @given(
        seed=st.integers(0, 10_000),
        n=st.integers(3, 120),
        changes=st.fixed_dictionaries(
            {},
            optional={
                "fee_bps": st.sampled_from([0.0, 25.0]),
                "slippage_bps": st.sampled_from([0.0, 5.0, 200.0]),
                "cooldown_bars": st.integers(0, 5),
                "fee_in_base": st.booleans(),
                "cash_buffer_bps": st.sampled_from([None, 50.0]),
                "position_fraction": st.sampled_from([0.2, 1.0]),
                "min_notional": st.sampled_from([0.0, 10.0, 19_000.0]),
                "quantity_step": st.sampled_from([1e-6, 1.0]),
            },
        ),
        n_missing=st.integers(0, 3),
        n_circles=st.integers(1, 3),
    )
    def test_it_trades_as_the_backtest_does(self, seed, n, changes, n_missing, n_circles):
        rng = np.random.default_rng(seed)
        bars = without_rows(random_bars(n + n_missing, seed=seed, volatility=0.03), *range(1, 1 + n_missing))
        places = np.sort(rng.choice(n, size=max(n_circles, n * 4 // 5), replace=False))
        places[0] = 0
        values = rng.choice([HOLD, LONG, FLAT], size=len(places), p=[0.4, 0.3, 0.3])
        config = replace(FREE, max_position_fraction=1.0, **changes)
        edges = tuple(np.arange(1, n_circles) * len(places) // n_circles)
        market = market_of(bars, places, edges)
        timing = timing_of(market, signals_of(values, config.target_fraction), KernelRules.from_config(config))
        result = backtest_of(bars, places, values, config)
        excess = excess_returns(result, bars, market.bar_edges)
        assert timing.n_entries == (result.fills["side"] == "buy").sum()
        assert timing.mean_excess == pytest.approx(excess.mean(), rel=1e-9, abs=1e-14)
        root = np.sqrt((excess**2).sum())
        if root > 1e-10:
            assert timing.t_value == pytest.approx(excess.sum() / root, rel=1e-6, abs=1e-9)

    def test_without_an_entry_nothing_is_earned(self):
        bars = random_bars(50)
        signals = signals_of(np.full(50, FLAT))
        assert timing_of(market_of(bars), signals, KernelRules.from_config(FREE)) == (0.0, 0.0, 0)

    def test_each_row_has_its_own_fraction(self):
        bars = random_bars(60, seed=4)
        values = np.tile([LONG, LONG, FLAT], 20)
        fractions = np.linspace(0.1, 0.9, 60)
        rules = KernelRules.from_config(FREE)
        own = timing_of(market_of(bars), Signals(values.astype(np.int64), fractions), rules)
        third = timing_of(market_of(bars), signals_of(values, 0.3), rules)
        assert own.n_entries == third.n_entries
        assert own.mean_excess != third.mean_excess

    def test_a_drawdown_does_not_stop_the_account(self):
        bars = random_bars(400, seed=1, volatility=0.05)
        values = np.tile([LONG, LONG, FLAT, FLAT], 100)
        stopped = timing_of(market_of(bars), signals_of(values, 1.0), KernelRules.from_config(FREE))
        careful = KernelRules.from_config(replace(FREE, max_drawdown=0.01))
        assert timing_of(market_of(bars), signals_of(values, 1.0), careful) == stopped


class TestShuffles:
    def test_a_shuffle_trades_the_rolled_signals_of_each_circle(self):
        rng = np.random.default_rng(3)
        bars, edges = random_bars(300, seed=3), (100, 180)
        market = market_of(bars, edges=edges)
        signals = Signals(rng.choice([HOLD, LONG, FLAT], 300).astype(np.int64), rng.uniform(0.1, 1.0, 300))
        rules = KernelRules.from_config(replace(FREE, fee_bps=10.0, cooldown_bars=2))
        shifts = np.array([[0, 0, 0], [1, 2, 3], [99, 79, 119], [50, 0, 7]])
        found = timings_of_shuffles(market, signals, rules, shifts)
        for row, shift in zip(found, shifts, strict=True):
            rolled = [
                np.concatenate([np.roll(part, -k) for part, k in zip(np.split(values, edges), shift, strict=True)])
                for values in signals
            ]
            timing = timing_of(market, Signals(*rolled), rules)
            assert (row[0], row[1]) == (timing.mean_excess, timing.t_value)

    def test_signals_that_know_the_next_return_earn_more_than_all_their_shuffles(self):
        bars = random_bars(2000, seed=9)
        opens = bars["open"].to_numpy()
        rises = np.concatenate([opens[2:] > opens[1:-1], [False, False]])
        signals = signals_of(np.where(rises, LONG, FLAT))
        rules, market = KernelRules.from_config(FREE), market_of(bars)
        shuffled = timings_of_shuffles(market, signals, rules, np.arange(200, 1800)[:, None])
        own = timing_of(market, signals, rules)
        assert own.mean_excess > shuffled[:, 0].max()
        assert own.t_value > shuffled[:, 1].max()
