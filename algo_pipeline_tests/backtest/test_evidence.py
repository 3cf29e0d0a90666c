from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.backtest.evidence import MINIMUM_ENTRIES, Evidence, gather_evidence, threshold_signals
from algo_pipeline.backtest.timing import Signals
from algo_pipeline.common.errors import DataValidationError
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Signal, Symbol
from algo_pipeline.data.simulation import GENESIS, planted_probability, simulate_bars
from algo_pipeline.research.evaluate import evaluate
from algo_pipeline.research.statistics import Interval

N = 12_000
N_FOLDS = 6
FREQUENT = BacktestConfig(enter_threshold=0.52, exit_threshold=0.48)


def market(signal_strength: float, seed: int = 0) -> pd.DataFrame:
    hours = pd.Timedelta(hours=N + 100)
    return simulate_bars(Symbol("BTC", "USD"), GENESIS, GENESIS + hours, seed=seed, signal_strength=signal_strength)


def frame_of(bars: pd.DataFrame, probability: np.ndarray | pd.Series) -> pd.DataFrame:
    """An out-of-sample frame of ``direction_1h`` over the bars but the first 50 and the last two."""
    opens = bars["open"].to_numpy()
    outcome = pd.Series(np.append(opens[2:] > opens[1:-1], [False, False]), index=bars.index).astype(float)
    columns = {"probability": probability, "outcome": outcome, "base_rate": 0.5}
    rows = pd.DataFrame(columns, index=bars.index).iloc[50:-2]
    return rows.assign(fold=np.arange(len(rows)) * N_FOLDS // len(rows))


@pytest.fixture(scope="module")
def planted() -> tuple[pd.DataFrame, pd.DataFrame]:
    bars = market(0.3)
    return bars, frame_of(bars, planted_probability(bars, 0.3))


@pytest.fixture(scope="module")
def null() -> tuple[pd.DataFrame, pd.DataFrame]:
    bars = market(0.0)
    return bars, frame_of(bars, planted_probability(bars, 0.3))  # as sure of itself as on the planted market


def verdicts(evidence: Evidence) -> tuple[bool, bool, bool]:
    return evidence.has_skill, evidence.has_zero_cost_edge, evidence.has_after_cost_edge


class TestVerdicts:
    def test_a_planted_market_shows_skill_and_an_edge_at_zero_cost(self, planted):
        evidence = gather_evidence(*planted, FREQUENT, n_shuffles=199)
        assert verdicts(evidence)[:2] == (True, True)
        assert evidence.skill_p_value == evidence.zero_cost_edge_p_value == 1 / 200
        assert evidence.zero_cost_excess_return > 0.1

    def test_costs_can_eat_an_edge_that_is_there(self, planted):
        evidence = gather_evidence(*planted, replace(FREQUENT, fee_bps=60.0), n_shuffles=199)
        assert not evidence.has_after_cost_edge
        assert evidence.after_cost_excess_return < 0.0
        assert evidence.after_cost_edge_p_value > 0.9

    def test_an_edge_beyond_its_costs_is_found(self, planted):
        evidence = gather_evidence(*planted, replace(FREQUENT, fee_bps=1.0, slippage_bps=0.0), n_shuffles=199)
        assert evidence.has_after_cost_edge
        assert evidence.after_cost_excess_return > 0.0

    def test_higher_costs_are_never_better(self, planted):
        found = [
            gather_evidence(*planted, replace(FREQUENT, fee_bps=fee, slippage_bps=0.0), n_shuffles=99)
            for fee in (0.0, 2.0, 5.0, 10.0, 20.0)
        ]
        assert [e.after_cost_edge_p_value for e in found] == sorted(e.after_cost_edge_p_value for e in found)
        excess = [e.after_cost_excess_return for e in found]
        assert excess == sorted(excess, reverse=True)

    def test_a_null_market_shows_neither(self, null):
        evidence = gather_evidence(*null, FREQUENT, n_shuffles=199)
        assert verdicts(evidence) == (False, False, False)

    def test_holding_a_market_that_rose_is_no_edge(self):
        bars = market(0.0, seed=3)
        trend = np.exp(2e-3 * np.arange(len(bars)))
        rising = bars.assign(**{name: bars[name] * trend for name in ("open", "high", "low", "close")})
        evidence = gather_evidence(rising, frame_of(rising, np.full(len(rising), 0.6)), n_shuffles=99)
        assert evidence.n_entries == 1
        assert evidence.zero_cost_edge_p_value == evidence.after_cost_edge_p_value == 1.0
        assert verdicts(evidence) == (False, False, False)

    def test_a_few_long_holdings_are_no_evidence_of_an_edge(self, planted):
        bars, oos = planted
        held = np.where(np.arange(len(oos)) % 1000 < 500, int(Signal.LONG), int(Signal.FLAT))
        few = Signals(held.astype(np.int64), np.full(len(oos), 0.2))
        evidence = gather_evidence(bars, oos, n_shuffles=19, signals=few)
        assert 0 < evidence.n_entries < MINIMUM_ENTRIES
        assert evidence.after_cost_edge_p_value == 1.0
        assert evidence.after_cost_excess_return != 0.0

    def test_without_a_trade_there_is_no_edge(self, planted):
        never = BacktestConfig(enter_threshold=1.0, exit_threshold=0.0)
        evidence = gather_evidence(*planted, never, n_shuffles=99)
        assert (evidence.n_entries, evidence.after_cost_edge_p_value, evidence.after_cost_excess_return) == (
            0,
            1.0,
            0.0,
        )
        assert evidence.has_zero_cost_edge  # the base rate lets it trade


class TestGathering:
    def test_equal_seeds_give_equal_evidence(self, null):
        assert gather_evidence(*null, n_shuffles=99, seed=1) == gather_evidence(*null, n_shuffles=99, seed=1)
        assert gather_evidence(*null, n_shuffles=99, seed=1) != gather_evidence(*null, n_shuffles=99, seed=2)

    def test_an_evaluation_at_hand_is_used(self, null):
        evaluation = evaluate(null[1], n_resamples=50, seed=9)
        evidence = gather_evidence(*null, n_shuffles=19, evaluation=evaluation)
        assert evidence.log_loss_skill == evaluation.oos.log_loss_skill
        assert evidence.log_loss_skill_interval == evaluation.intervals["log_loss_skill"]

    def test_bars_before_and_after_the_rows_change_nothing(self, planted):
        bars, oos = planted
        inner = bars.loc[oos.index[0] : oos.index[-1]]
        assert gather_evidence(bars, oos, n_shuffles=49) == gather_evidence(inner, oos, n_shuffles=49)

    def test_signals_of_another_strategy_take_the_place_of_the_thresholds(self, planted):
        bars, oos = planted
        own = threshold_signals(oos, 0.52, 0.48, FREQUENT.target_fraction)
        assert gather_evidence(bars, oos, n_shuffles=49, signals=own) == gather_evidence(
            bars, oos, FREQUENT, n_shuffles=49
        )

    def test_a_row_without_a_bar_is_refused(self, planted):
        bars, oos = planted
        with pytest.raises(DataValidationError, match="belong to a bar"):
            gather_evidence(bars.drop(oos.index[100]), oos, n_shuffles=9)

    def test_thresholds_may_differ_by_row_and_long_wins_a_tie(self):
        oos = pd.DataFrame({"probability": [0.4, 0.5, 0.6, 0.5]})
        base = np.array([0.5, 0.5, 0.7, 0.4])
        found = threshold_signals(oos, base, base, 0.2)
        assert [Signal(value) for value in found.signals] == [Signal.FLAT, Signal.LONG, Signal.FLAT, Signal.LONG]
        held = threshold_signals(oos, 0.6, 0.4, 0.2)
        assert [Signal(value) for value in held.signals] == [Signal.FLAT, Signal.HOLD, Signal.LONG, Signal.HOLD]


class TestEvidence:
    CLEAR = Evidence(0.01, 0.002, Interval(0.001, 0.003), 0.05, 0.1, 0.05, 0.02, 999, 40)

    def test_the_level_is_five_percent(self):
        assert verdicts(self.CLEAR) == (True, True, True)
        beyond = replace(self.CLEAR, skill_p_value=0.051, zero_cost_edge_p_value=0.051, after_cost_edge_p_value=0.051)
        assert verdicts(beyond) == (False, False, False)

    def test_an_excess_that_is_not_positive_is_no_edge(self):
        assert not replace(self.CLEAR, zero_cost_excess_return=0.0).has_zero_cost_edge
        assert not replace(self.CLEAR, after_cost_excess_return=-0.001).has_after_cost_edge

    def test_skill_may_be_too_small_to_beat_the_base_rate(self):
        assert self.CLEAR.beats_base_rate
        noisy = replace(self.CLEAR, log_loss_skill=-0.001, log_loss_skill_interval=Interval(-0.002, 0.0))
        assert noisy.has_skill
        assert not noisy.beats_base_rate

    def test_it_survives_a_document(self):
        assert Evidence.from_document(self.CLEAR.to_document()) == self.CLEAR
