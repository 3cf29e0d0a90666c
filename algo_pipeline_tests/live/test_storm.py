"""Under seeded storms of faults and kills every promise holds; the seed is in the name of the test that fails."""

from __future__ import annotations

import pytest

from algo_pipeline_tests.live.storm import run_storm


@pytest.mark.parametrize("seed", range(24))
def test_a_storm_leaves_no_promise_broken(tmp_path, seed):
    assert run_storm(tmp_path, seed).problems == ()


def test_storms_do_what_they_are_for(tmp_path):
    storms = [run_storm(tmp_path / str(seed), seed) for seed in range(8)]
    assert sum(storm.crashes for storm in storms) > 20
    assert sum(storm.orders for storm in storms) > 20
    assert sum(storm.resent for storm in storms) > 0
