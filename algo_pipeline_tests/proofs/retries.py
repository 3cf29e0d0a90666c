"""Dagster's own retry: the process of an hour's run is killed, and the daemon starts another one by itself."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import dagster as dg

from algo_pipeline_tests.proofs.daemon import daemon_and_code_server
from algo_pipeline_tests.proofs.kills import promises_broken
from algo_pipeline_tests.proofs.stamps import Stamp, read_stamps
from algo_pipeline_tests.proofs.trading_floor import BTC, trading_floor

_WITHIN_S = 200.0
_RETRIED = "dagster/parent_run_id"


def retry_after_crash(root: Path) -> list[str]:
    """Kill the run between journal and order; what is wrong after the daemon's retry (nothing, if it holds)."""
    with trading_floor(root, (BTC,), hours=6) as floor:
        floor.control.run_clock(1.0)
        floor.tick(0)
        with daemon_and_code_server(floor) as stamps:
            victim = _wait_for(stamps, "sent", None)
            if victim is None:
                return ["no run came to its order"]
            os.kill(victim.pid, signal.SIGKILL)
            if _wait_for(stamps, "closed", victim) is None:
                return ["no other run came through"]
            retries = _retries(root / "dagster")
        problems = promises_broken(floor, hours=1)
        return problems if retries else [*problems, "the daemon did not retry the run"]


def _wait_for(stamps: Path, name: str, after: Stamp | None) -> Stamp | None:
    until = time.monotonic() + _WITHIN_S
    while time.monotonic() < until:
        for stamp in read_stamps(stamps):
            if stamp.name == name and (after is None or stamp.pid != after.pid):
                return stamp
        time.sleep(0.001 if after is None else 0.25)
    return None


def _retries(home: Path) -> int:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        return sum(_RETRIED in run.tags for run in instance.get_runs())
