"""Research runs started from the shell: one Dagster run per symbol, in process, in the instance that the UI shows."""

import resource
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
from dagster._core.errors import DagsterAssetCheckFailedError
from loguru import logger

from algo_pipeline.common.config import Settings
from algo_pipeline.common.errors import AlgoPipelineError, CheckFailedError, UnforeseenError, causes
from algo_pipeline.common.types import Symbol
from algo_pipeline.defs.automation import RESEARCH_TAG, research_job
from algo_pipeline.defs.instance import open_instance
from algo_pipeline.defs.partitions import add_symbols
from algo_pipeline.defs.progress import check_words
from algo_pipeline.defs.stage import SHELL_TAG


@dataclass(frozen=True, slots=True)
class Scope:
    """What a run works on, as given on the command line; None follows the settings."""

    source: str | None = None
    path: Path | None = None
    until: str | None = None

    def run_config(self, title: str, quiet: bool, work: "Work") -> dict[str, object]:
        """Dagster's run configuration for this scope."""
        given = {"source": self.source, "path": str(self.path) if self.path else None, "until": self.until}
        config = {name: value for name, value in given.items() if value}
        logger = {"progress": {"config": {"title": title, "quiet": quiet}}}
        ops = {work.asset: {"config": work.config}} if work.config else {}
        return {"resources": {"pipeline": {"config": config}}, "loggers": logger, "ops": ops}


@dataclass(frozen=True, slots=True)
class Work:
    """Which job a run does; for a job that can be configured, the configuration of its one asset."""

    job: str
    asset: str = ""
    config: Mapping[str, object] = field(default_factory=dict)


RESEARCH = Work(str(research_job.name))


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How the run of one symbol ended."""

    symbol: Symbol
    run_id: str
    seconds: float
    error: AlgoPipelineError | None


def run_research(
    definitions: dg.Definitions, settings: Settings, symbols: tuple[Symbol, ...], scope: Scope, quiet: bool
) -> tuple[RunOutcome, ...]:
    """Materialize the research graph for each symbol; see :func:`run_work`."""
    return run_work(definitions, settings, symbols, scope, RESEARCH, quiet)


def run_work(
    definitions: dg.Definitions, settings: Settings, symbols: tuple[Symbol, ...], scope: Scope, work: Work, quiet: bool
) -> tuple[RunOutcome, ...]:
    """Run a job for each symbol, one after another; one symbol's failure stops no other's.

    Raises
    ------
    AlgoPipelineError
        If the instance can't be opened.
    """
    with open_instance(settings) as instance:
        add_symbols(instance, symbols)
        job = definitions.resolve_job_def(work.job)
        return tuple(
            _run_symbol(job, instance, symbol, scope.run_config(str(symbol), quiet, work)) for symbol in symbols
        )


def peak_memory_mb() -> float:
    """Largest resident size of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _run_symbol(
    job: dg.JobDefinition, instance: dg.DagsterInstance, symbol: Symbol, run_config: dict[str, object]
) -> RunOutcome:
    start, run_id, error = time.perf_counter(), str(uuid.uuid4()), None
    try:
        job.execute_in_process(
            run_config=run_config,
            instance=instance,
            partition_key=symbol.slug,
            tags={**RESEARCH_TAG, SHELL_TAG: "true"},
            run_id=run_id,
        )
    except Exception as raised:
        error = _foreseeable(raised, instance, run_id) or _unforeseen(raised)
    return RunOutcome(symbol, run_id, time.perf_counter() - start, error)


def _unforeseen(raised: Exception) -> UnforeseenError:
    """A defect of ours: told in a line, with the traceback in the log, so that the other symbols still run."""
    logger.opt(exception=raised).debug("a run failed unexpectedly")
    return UnforeseenError(
        f"{type(raised).__name__}: {raised}",
        "This is a defect of the program; the details are in logs/algo_pipeline.log under the artifacts folder.",
    )


def _foreseeable(raised: BaseException, instance: dg.DagsterInstance, run_id: str) -> AlgoPipelineError | None:
    """The error of ours behind what Dagster raised, or a failed blocking check as one."""
    for cause in causes(raised):
        if isinstance(cause, AlgoPipelineError):
            return cause
        if isinstance(cause, DagsterAssetCheckFailedError):
            told = _failed_checks(instance, run_id) or str(cause)
            return CheckFailedError(told, "Open the run in the web UI: the failed check names the rows.")
    return None


def _failed_checks(instance: dg.DagsterInstance, run_id: str) -> str:
    """The blocking checks of a run that failed, as sentences; empty where its events don't tell."""
    events = (log.get_dagster_event() for log in instance.all_logs(run_id, dg.DagsterEventType.ASSET_CHECK_EVALUATION))
    found = (event.asset_check_evaluation_data for event in events)
    failed = [check for check in found if not check.passed and check.severity is dg.AssetCheckSeverity.ERROR]
    told = (f"{check_words(check.check_name)}: {check.description or 'no reason is given'}" for check in failed)
    return "; ".join(f"A check failed: {each}" for each in told)
