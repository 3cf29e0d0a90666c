"""A logger for runs started from the shell: a line per asset and one on its checks, not Dagster's event stream."""

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import click
import dagster as dg

from algo_pipeline.common.formatting import count, number, percent
from algo_pipeline.common.progress import tell

NOT_ASKED = "Not asked"
"""How the description of a check begins that does not apply to a run."""

_NAME_WIDTH = 24
_CLOCK_WIDTH = 8


def check_words(check_name: str) -> str:
    """The name of a check as the sentence that it is: ``splits_end_early`` → ``splits end early``."""
    return check_name.replace("_", " ")


@dataclass(slots=True)
class _Step:
    """What a running step has told so far."""

    asset: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Passed:
    """A check that did not fail, and the step that made it."""

    step: str
    was_asked: bool


class ProgressHandler(logging.Handler):
    """Writes to stderr a line per asset, one on the checks between two assets, and one per failure and message."""

    def __init__(self, title: str) -> None:
        super().__init__(logging.DEBUG)
        self._title = title
        self._steps: dict[str, _Step] = {}
        self._passed: list[_Passed] = []
        self._failed: set[str] = set()
        self._check_seconds = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Render the event that a log record carries, if it is one worth a line."""
        meta = getattr(record, "dagster_meta", {}) or {}
        event = meta.get("dagster_event")
        if event is not None:
            self._emit_event(event)
        elif record.levelno >= logging.INFO:
            self._write_untimed(str(meta.get("orig_message") or record.getMessage()))

    def _emit_event(self, event: dg.DagsterEvent) -> None:
        step, kind = event.step_key or "", event.event_type_value
        if kind == "STEP_START":
            tell(f"{self._title} {self._named(step)}")
        elif kind == "ASSET_MATERIALIZATION":
            made = event.step_materialization_data.materialization
            name = made.asset_key.to_user_string()
            self._steps[step] = _Step(name, _note(name, made.metadata))
        elif kind == "ASSET_CHECK_EVALUATION":
            self._take_check(event.asset_check_evaluation_data, step)
        elif kind == "STEP_SUCCESS":
            self._finish(step, event.step_success_data.duration_ms / 1000)
        elif kind == "STEP_FAILURE":
            self._write_passed(self._passed)
            if step not in self._failed:
                self._write(self._named(step), click.style("failed", fg="red"))
        elif kind in ("PIPELINE_SUCCESS", "PIPELINE_FAILURE"):
            self._write_passed(self._passed)

    def _take_check(self, check: Any, step: str) -> None:
        if check.passed:
            self._passed.append(_Passed(step, not (check.description or "").startswith(NOT_ASKED)))
            return
        self._write_passed(self._passed)
        self._failed.add(step)
        words = f"{check_words(check.check_name)}: {check.description or 'no reason is given'}"
        warns = check.severity is dg.AssetCheckSeverity.WARN
        told = click.style("warning", fg="yellow") if warns else click.style("FAILED", fg="red", bold=True)
        self._write_untimed(f"{told}  {words}")

    def _finish(self, step: str, seconds: float) -> None:
        done = self._steps.get(step)
        if done is None:
            self._check_seconds += seconds
            return
        # Checks that an asset makes itself are told before it has ended, and belong after it.
        self._write_passed([check for check in self._passed if check.step != step])
        self._write(done.asset, f"{seconds:6.2f} s  {done.note}")

    def _write_passed(self, checks: list[_Passed]) -> None:
        if not checks:
            return
        hold = sum(check.was_asked for check in checks)
        words = (f"{hold} {'holds' if hold == 1 else 'hold'}" if hold else "", _not_asked(len(checks) - hold))
        self._write("  checks", f"{self._check_seconds:6.2f} s  {', '.join(filter(None, words))}")
        self._passed = [check for check in self._passed if check not in checks]
        self._check_seconds = 0.0

    def _named(self, step: str) -> str:
        """The asset's name; a check, whose step is named after its asset, in words."""
        owners = [each.asset for each in self._steps.values() if step.startswith(f"{each.asset}_")]
        return f"check: {check_words(step.removeprefix(f'{max(owners, key=len)}_'))}" if owners else step

    def _write(self, name: str, text: str) -> None:
        now = datetime.now().astimezone().strftime("%H:%M:%S")
        _show(f"{now} {self._title}  {name:<{_NAME_WIDTH}} {text}".rstrip())

    def _write_untimed(self, text: str) -> None:
        _show(f"{'':{_CLOCK_WIDTH}} {self._title}  {text}")


def _show(line: str) -> None:
    # With err=True click writes past a stream that stands in for stderr, such as the one that keeps lines above a bar.
    click.echo(line, file=sys.stderr)


def _not_asked(n_checks: int) -> str:
    return f"{n_checks} not asked" if n_checks else ""


def _note(asset: str, metadata: Mapping[str, Any]) -> str:
    """What a person wants to know of an asset at a glance; nothing where it does not tell."""
    facts = {name: getattr(value, "value", None) for name, value in metadata.items()}
    rows, skill = facts.get("dagster/row_count"), facts.get("log_loss_skill")
    if isinstance(skill, float):
        return f"AUC {number(facts.get('auc'), 4)}, skill {percent(skill, 2)}"
    if rows is not None:
        return f"{count(rows)} rows"
    words = {"model": ("models", "{} models"), "calibrator": ("calibrators", "{} calibrators")}
    words |= {"registered_model": ("model_version", "version {}"), "promotion": ("trading", "trading {}")}
    name, text = words.get(asset, ("", ""))
    return text.format(facts[name]) if facts.get(name) is not None else ""


@dg.logger(
    config_schema={"title": str, "quiet": dg.Field(bool, default_value=False)},
    description="A line per asset and its checks, for people at a shell.",
)
def progress_logger(context: dg.InitLoggerContext) -> logging.Logger:
    """Logger definition that writes through :class:`ProgressHandler`."""
    title = str(context.logger_config["title"])
    # Not from the registry of loggers: each run has its own, and none is left behind.
    progress = logging.Logger(f"progress {title}", logging.DEBUG)  # noqa: LOG001
    if context.logger_config["quiet"]:
        progress.addHandler(logging.NullHandler())
    else:
        progress.addHandler(_handler_of(context.run_id, title))
    return progress


@lru_cache(maxsize=1)
def _handler_of(run_id: str | None, title: str) -> ProgressHandler:
    """One for the whole run: Dagster makes its logger once for the steps and once for how the run ends."""
    return ProgressHandler(title)
