"""Whether live trading runs by itself: the hourly schedule's switch, and the daemon's heartbeat."""

from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from algo_pipeline.common.config import Settings
from algo_pipeline.defs.instance import dagster_home, open_instance
from algo_pipeline.defs.live_automation import hourly_decision

_SCHEDULER = "SCHEDULER"


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """What the Dagster instance says.

    Parameters
    ----------
    home : Path
        Dagster's home.
    has_home : bool
        Whether it exists; the rest is False if not.
    has_settings : bool
        Whether ``dagster.yaml`` is there, with retries, monitoring and the limit of one live run.
    is_on : bool
        Whether the hourly schedule is switched on: it is unless a person turned it off.
    is_daemon_alive : bool
        Whether the daemon that ticks has given sign of life lately.
    """

    home: Path
    has_home: bool
    has_settings: bool = False
    is_on: bool = False
    is_daemon_alive: bool = False


def schedule_state(settings: Settings) -> ScheduleState:
    """Look at the instance; makes nothing.

    Raises
    ------
    StorageError
        If its store can't be opened.
    """
    home = dagster_home(settings)
    if not home.is_dir():
        return ScheduleState(home, has_home=False)
    with open_instance(settings) as instance:
        return ScheduleState(
            home,
            has_home=True,
            has_settings=(home / "dagster.yaml").exists(),
            is_on=_is_on(instance),
            is_daemon_alive=bool(instance.get_daemon_statuses()[_SCHEDULER].healthy),
        )


def _is_on(instance: dg.DagsterInstance) -> bool:
    """Only a switch that somebody has used is stored."""
    stored = [state for state in instance.all_instigator_state() if state.instigator_name == hourly_decision.name]
    return all(state.is_running for state in stored)
