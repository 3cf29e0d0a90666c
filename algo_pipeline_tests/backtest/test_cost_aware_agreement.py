"""The cost-aware strategy in the compiled engine against its slow twin in decimals, on random markets."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.backtest.engine import run_account_backtest, run_backtest
from algo_pipeline.backtest.realism import ExecutionOptions
from algo_pipeline.backtest.reference import reference_backtest
from algo_pipeline.common.types import Symbol
from algo_pipeline.strategy.catalog import strategy_document
from algo_pipeline.strategy.cost_aware import CostAwareStrategy
from algo_pipeline.strategy.signal_to_trade import ThresholdStrategy
from algo_pipeline_tests.backtest.account_markets import AccountMarket, random_account_market
from algo_pipeline_tests.backtest.test_reference_agreement import assert_agree, assert_same_trips

SEEDS = st.integers(0, 2**32 - 1)
PLAIN = ExecutionOptions()


@dataclass(frozen=True)
class StrategyMarket:
    market: AccountMarket
    strategy: CostAwareStrategy
    conditions: dict[Symbol, pd.DataFrame]


def random_strategy_market(seed: int, n_symbols: int) -> StrategyMarket:
    """A random account whose strategy meets hurdles and bets on both sides of its caps."""
    market = random_account_market(seed, n_symbols)
    rng = np.random.default_rng([seed, 1])
    strategy = CostAwareStrategy(
        horizon_bars=int(rng.choice([1, 4, 24])),
        edge_multiple=float(rng.choice([0.0, 0.3, 1.0, 2.0])),
        kelly_fraction=float(rng.choice([0.001, 0.05, 0.5, 1.0])),
    )
    return StrategyMarket(
        market, strategy, {symbol: _random_conditions(rng, bars.index) for symbol, bars in market.bars.items()}
    )


def _random_conditions(rng: np.random.Generator, index: pd.DatetimeIndex) -> pd.DataFrame:
    volatility = rng.choice([0.0, 0.001, 0.01, 0.05, 0.3], len(index)) * rng.uniform(0.5, 1.5, len(index))
    base_rate = rng.choice([0.3, 0.5, 0.55, 0.7], len(index))
    volatility[rng.random(len(index)) < 0.1] = np.nan
    base_rate[rng.random(len(index)) < 0.05] = np.nan
    return pd.DataFrame({"volatility": volatility, "base_rate": base_rate}, index=index)


@pytest.mark.parametrize(("n_symbols", "examples"), [(1, 250), (2, 80), (3, 50)])
@pytest.mark.parametrize("realistic", [False, True], ids=["plain", "realistic"])
def test_kernels_equal_the_decimal_reference(n_symbols: int, examples: int, *, realistic: bool) -> None:
    n_fills = 0

    @settings(max_examples=examples, deadline=None, derandomize=True, database=None)
    @given(SEEDS)
    def agree(seed: int) -> None:
        nonlocal n_fills
        made = random_strategy_market(seed, n_symbols)
        market = made.market if realistic else replace(made.market, execution=PLAIN)
        inputs = (market.bars, market.probability, market.config, market.execution)
        result = run_account_backtest(*inputs, strategy=made.strategy, conditions_by_symbol=made.conditions)
        reference = reference_backtest(
            *inputs, strategy=strategy_document(made.strategy), conditions_by_symbol=made.conditions
        )
        assert_agree(result, reference, market.config.initial_cash)
        assert_same_trips(result, reference)
        n_fills += len(result.fills)

    agree()
    assert n_fills > examples  # they do trade


def test_both_find_the_volatility_by_themselves() -> None:
    n_fills = 0
    for seed in range(60):
        market = random_account_market(seed, 2, longest=160)
        strategy = CostAwareStrategy(24, edge_multiple=0.5)
        inputs = (market.bars, market.probability, market.config)
        result = run_account_backtest(*inputs, strategy=strategy)
        reference = reference_backtest(*inputs, strategy=strategy_document(strategy))
        assert_agree(result, reference, market.config.initial_cash)
        n_fills += len(result.fills)
    assert n_fills > 60


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_one_symbol_in_an_account_trades_as_alone(seed: int) -> None:
    made = random_strategy_market(seed, 1)
    ((symbol, bars),) = made.market.bars.items()
    probability, conditions = made.market.probability[symbol], made.conditions[symbol]
    alone = run_backtest(bars, probability, made.market.config, strategy=made.strategy, conditions=conditions)
    account = run_account_backtest(
        made.market.bars,
        made.market.probability,
        made.market.config,
        strategy=made.strategy,
        conditions_by_symbol=made.conditions,
    )
    np.testing.assert_array_equal(alone.equity.to_numpy(), account.equity.to_numpy())
    assert alone.metrics == pytest.approx(account.metrics, nan_ok=True, abs=0, rel=0)


@settings(max_examples=60, deadline=None)
@given(SEEDS)
def test_thresholds_by_name_are_thresholds_by_default(seed: int) -> None:
    market = random_account_market(seed, 2)
    strategy = ThresholdStrategy(market.config.enter_threshold, market.config.exit_threshold)
    inputs = (market.bars, market.probability, market.config, market.execution)
    named, default = run_account_backtest(*inputs, strategy=strategy), run_account_backtest(*inputs)
    pd.testing.assert_frame_equal(named.curve, default.curve, check_exact=True)
    pd.testing.assert_frame_equal(named.fills, default.fills, check_exact=True)


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_no_entry_exceeds_the_cap_or_the_bet(seed: int) -> None:
    made = random_strategy_market(seed, 1)
    ((symbol, bars),) = made.market.bars.items()
    config = replace(made.market.config, max_drawdown=1.0)
    result = run_backtest(
        bars, made.market.probability[symbol], config, strategy=made.strategy, conditions=made.conditions[symbol]
    )
    buys = result.fills[result.fills["side"] == "buy"]
    decided = bars.index[bars.index.get_indexer(pd.DatetimeIndex(buys["timestamp"])) - 1]
    worth = buys["quantity"].to_numpy() * bars["close"].loc[decided].to_numpy()
    equity = result.equity.loc[decided].to_numpy()
    assert (worth <= config.target_fraction * equity * (1 + 1e-12)).all()
    row = made.conditions[symbol].loc[decided]
    gain = (
        2
        * (made.market.probability[symbol].loc[decided] - row["base_rate"].clip(lower=0.5))
        * row["volatility"]
        * np.sqrt(made.strategy.horizon_bars * 2 / np.pi)
    )
    surplus = gain - made.strategy.edge_multiple * config.round_trip_cost
    bet = made.strategy.kelly_fraction * surplus / (row["volatility"] ** 2 * made.strategy.horizon_bars)
    assert (worth <= bet.to_numpy() * equity * (1 + 1e-9) + 1e-9).all()
