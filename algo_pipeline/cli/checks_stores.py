"""What ``doctor`` looks at of stores: MLflow's, Dagster's with its schedule, and what keeps them from being written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from algo_pipeline.cli.checks import Check, fail, ok, warn
from algo_pipeline.cli.next_steps import ui_command
from algo_pipeline.common.config import Settings
from algo_pipeline.common.locks import lock_holder
from algo_pipeline.common.processes import lock_holders, process_words
from algo_pipeline.common.sqlite import is_locked

_DAGSTER_FILES = ("history/runs/index.db", "history/runs.db", "schedules/schedules.db")
_SIDES = ("", "-wal", "-shm")


def mlflow_store(settings: Settings) -> Check:
    """Whether the registry answers; live trading does not need it."""
    file = settings.mlflow_file()
    if file is not None and not file.exists():
        return ok("mlflow store", f"{file} will be made by the first research run")
    if file is not None and is_locked(file):
        return _locked("mlflow store", file)
    from algo_pipeline.data.label_name import label_name
    from algo_pipeline.registry.mlflow_registry import CHAMPION, MlflowRegistry
    from algo_pipeline.registry.records import registered_model_name

    symbol = settings.parsed_symbols()[0]
    name = registered_model_name(symbol, label_name(settings.label))
    version = MlflowRegistry.configured(settings).alias_version(name, CHAMPION)
    champion = "no champion" if version is None else f"champion version {version}"
    return ok("mlflow store", f"it answers: {champion} of {symbol}")


def dagster_store(home: Path) -> Check:
    """Whether the files of Dagster's SQLite store can be written; another store tells for itself when it is opened."""
    from algo_pipeline.defs.instance import names_a_store

    if names_a_store(home):
        return ok("dagster store", f"a database, as {home / 'dagster.yaml'} says")
    files = [home / name for name in _DAGSTER_FILES if (home / name).exists()]
    locked = next((file for file in files if is_locked(file)), None)
    if locked is not None:
        return _locked("dagster store", locked)
    return ok("dagster store", f"{home} can be written" if files else "none yet: the first run makes it")


def schedule(settings: Settings) -> Check:
    """Whether the hours are decided without a person."""
    from algo_pipeline.defs.schedule_state import schedule_state

    state = schedule_state(settings)
    start = f"Run `{ui_command(settings)}`, and leave it running: its daemon decides every hour."
    if not state.has_home:
        return warn("schedule", f"There is no Dagster home at {state.home} yet: nothing runs by itself.", start)
    if not state.has_settings:
        return warn("schedule", f"{state.home} has no dagster.yaml: runs are not retried or monitored.", start)
    if not state.is_on:
        remedy = "Turn hourly_decision on under Automation in the Dagster web UI."
        return warn("schedule", "The schedule hourly_decision is turned off: no hour is decided by itself.", remedy)
    if not state.is_daemon_alive:
        return warn("schedule", "hourly_decision is on, but no Dagster daemon is running: it does not tick.", start)
    return ok("schedule", "hourly_decision is on and the daemon is running")


def research_locks(settings: Settings) -> Iterator[Check]:
    """Runs and promotions that are at work on a symbol; a file that nobody holds is no lock."""
    folder = settings.artifacts_dir
    for path in (*folder.glob("research/*/.*.lock"), *folder.glob("registry/.*.lock"), *folder.glob("live/*/.*.lock")):
        holder = lock_holder(path)
        if holder is not None:
            words = f"{path} is held by {holder}: a run or a promotion is at work."
            yield warn("locks", words, "Wait for it; it ends with that process, and never outlives it.")


def _locked(name: str, file: Path) -> Check:
    pids = lock_holders(file.with_name(file.name + side) for side in _SIDES)
    who = " and ".join(map(process_words, pids)) or "another process"
    return fail(
        name,
        f"{file} is locked for writing by {who}.",
        f"Wait for it to end its work; if it hangs, end it{f' (kill {pids[0]})' if len(pids) == 1 else ''}.",
        "locked",
    )
