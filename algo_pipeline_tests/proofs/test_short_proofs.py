"""A short form of `make prove`: parity and exactly-once on simulated bars, in well under a minute."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from loguru import logger

from algo_pipeline.backtest.conditions import market_conditions
from algo_pipeline.common.time import BAR
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.features import build_features
from algo_pipeline.data.simulation import simulate_bars
from algo_pipeline.interfaces.strategy import Outlooks
from algo_pipeline.live.events import Event
from algo_pipeline.live.journal import Journal
from algo_pipeline.registry.bundle import BundleStore
from algo_pipeline.registry.deployment import bundle_estimator
from algo_pipeline.strategy.cost_aware import CostAwareStrategy
from algo_pipeline_tests.live_shop import bundle
from algo_pipeline_tests.proofs import parity
from algo_pipeline_tests.proofs.cases import CASES, outages, run_case
from algo_pipeline_tests.proofs.kills import kill_processes, race_processes
from algo_pipeline_tests.proofs.sandbox_process import read_bars
from algo_pipeline_tests.proofs.schedules import run_schedules
from algo_pipeline_tests.proofs.trading_floor import FIRST, SHORT_HISTORY

SYMBOLS = tuple(Symbol(base, "USD") for base in ("BTC", "ETH", "SOL"))
PARITY_HOURS = 150
N_SCHEDULES, EVERY, N_BATCHES, N_KILLS = 60, 6, 4, 3


@pytest.fixture(autouse=True)
def _quiet():
    logger.disable("algo_pipeline")
    yield
    logger.enable("algo_pipeline")


@dataclass(frozen=True)
class Floor:
    """Simulated bars by symbol, a folder with a bundle of each, and thresholds at which they trade often."""

    files: dict[Symbol, Path]
    trained: Path
    enter_threshold: float
    exit_threshold: float


@pytest.fixture(scope="module")
def floor(tmp_path_factory) -> Floor:
    root, scorer = tmp_path_factory.mktemp("parity"), bundle_estimator(bundle())
    files, probabilities = {}, []
    for symbol in SYMBOLS:
        bars = simulate_bars(symbol, SHORT_HISTORY, FIRST + (PARITY_HOURS + 3) * BAR, seed=5, signal_strength=0.3)
        files[symbol] = root / f"{symbol.slug}.parquet"
        bars.reset_index().to_parquet(files[symbol])
        probabilities.append(scorer.probability(build_features(bars))[bars.index >= FIRST])
    exit_threshold, enter_threshold = np.nanquantile(np.concatenate(probabilities), [0.45, 0.55])
    for symbol in SYMBOLS:
        made = bundle(float(enter_threshold), symbol=str(symbol), exit_threshold=float(exit_threshold))
        BundleStore(root).deploy(made)
    return Floor(files, root, float(enter_threshold), float(exit_threshold))


def _fraction_that_bets_the_cap(floor: Floor, rules: BacktestConfig) -> float:
    """The part of the growth-optimal bet at which half of the entries are bets below the cap."""
    limits = []
    for symbol in SYMBOLS[:2]:
        bars, deployed = read_bars(floor.files[symbol]), BundleStore(floor.trained).load(symbol)
        oos = bundle_estimator(deployed).probability(build_features(bars))
        known = market_conditions(bars, deployed.base_rate)[bars.index >= FIRST]
        outlooks = Outlooks(oos[bars.index >= FIRST], known["base_rate"].to_numpy(), known["volatility"].to_numpy())
        limits.append(CostAwareStrategy(1, kelly_fraction=1.0).assess_bars(outlooks, rules.round_trip_cost).size_limits)
    bets = np.concatenate(limits)
    return min(1.0, rules.target_fraction / float(np.median(bets[bets > 0.0])))


class TestParity:
    @pytest.mark.parametrize(("n_symbols", "least_fills"), [(1, 10), (3, 30)])
    def test_hours_through_the_live_path_are_those_of_the_account_backtest(
        self, tmp_path, floor, n_symbols, least_fills
    ):
        rules = replace(
            parity.LIVE,
            enter_threshold=floor.enter_threshold,
            exit_threshold=floor.exit_threshold,
            max_drawdown=1.0,
            position_fraction=0.6,
            max_position_fraction=0.6,
        )
        scenario = parity.Scenario("short", SYMBOLS[:n_symbols], rules, least_fills)
        verdict = parity.prove(scenario, floor.files, floor.trained, PARITY_HOURS, tmp_path)
        assert verdict.holds, parity.summary([verdict])

    def test_a_strategy_that_counts_costs_trades_live_as_in_the_backtest(self, tmp_path, floor):
        rules = replace(parity.LIVE, fee_bps=1.0, slippage_bps=0.5, max_drawdown=1.0)
        strategy = CostAwareStrategy(horizon_bars=1, kelly_fraction=_fraction_that_bets_the_cap(floor, rules))
        scenario = parity.Scenario("cost-aware", SYMBOLS[:2], rules, 20, strategy)
        verdict = parity.prove(scenario, floor.files, floor.trained, PARITY_HOURS, tmp_path)
        assert verdict.holds, parity.summary([verdict])
        decided = [line for line in Journal(tmp_path / "live").read() if line.event is Event.DECISION]
        told = {name for line in decided for name in line.details.get("strategy", {})}
        assert {"expected_move_bps", "edge_bps", "round_trip_cost_bps"} <= told
        entered = {line.details["strategy"]["size_limit"] < 0.2 for line in decided if line.action == "enter"}
        assert entered == {True, False}  # bets below the cap, and caps below the bet


class TestExactlyOnce:
    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
    def test_a_lost_answer_costs_no_order_and_makes_no_second_one(self, tmp_path, case):
        assert run_case(case, tmp_path) == []

    def test_three_hours_without_venue_or_machine_are_accounted_for(self, tmp_path):
        assert [problem for found in outages(tmp_path).values() for problem in found] == []

    @pytest.mark.parametrize("batch", range(N_BATCHES))
    def test_crashes_at_boundaries_of_faulty_hours_break_no_promise(self, batch):
        tally = run_schedules(range(batch, N_SCHEDULES, N_BATCHES), processes=1, every=EVERY)
        assert tally.problems == ()
        assert tally.crashes > 30
        assert {"request POST /v2/orders", "append decisions.jsonl", "sync decisions.jsonl"} <= tally.steps

    def test_processes_killed_at_random_moments_leave_one_order_each(self, tmp_path):
        done = kill_processes(tmp_path, seed=1, kills=N_KILLS)
        assert (done.problems, done.kills) == ([], N_KILLS)
        assert done.orders == 2 * done.hours

    def test_two_processes_that_race_for_an_hour_trade_it_once(self, tmp_path):
        done = race_processes(tmp_path, seed=1, hours=2)
        assert done.problems == []
        assert done.orders == 2 * done.hours
