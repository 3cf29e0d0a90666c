"""A short form of `make prove`: parity and exactly-once on simulated bars, in well under a minute."""

from __future__ import annotations

import pytest
from loguru import logger

from algo_pipeline_tests.proofs.cases import CASES, outages, run_case
from algo_pipeline_tests.proofs.kills import kill_processes, race_processes
from algo_pipeline_tests.proofs.schedules import run_schedules

N_SCHEDULES, EVERY, N_BATCHES, N_KILLS = 60, 6, 4, 3


@pytest.fixture(autouse=True)
def _quiet():
    logger.disable("algo_pipeline")
    yield
    logger.enable("algo_pipeline")


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
