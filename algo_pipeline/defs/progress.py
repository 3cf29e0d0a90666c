"""A logger for runs started from the shell: a line per asset and check instead of Dagster's event stream."""

import logging
import sys
from datetime import datetime

import dagster as dg

_INDENT = " " * 9


NOT_ASKED = "Not asked"
"""How the description of a check begins that does not apply to a run."""


class ProgressHandler(logging.Handler):
    """Writes one line per finished step and per warning to stderr."""

    def __init__(self, title: str) -> None:
        super().__init__(logging.DEBUG)
        self._title = title
        self._notes: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Render the event that a log record carries, if it is one worth a line."""
        meta = getattr(record, "dagster_meta", {}) or {}
        event = meta.get("dagster_event")
        if event is not None:
            self._emit_event(event)
        elif record.levelno >= logging.INFO:
            message = meta.get("orig_message") or record.getMessage()
            self._write(f"{_INDENT}{self._title}  {message}")

    def _emit_event(self, event: dg.DagsterEvent) -> None:
        if event.event_type_value == "ASSET_MATERIALIZATION":
            materialization = event.step_materialization_data.materialization
            rows = materialization.metadata.get("dagster/row_count")
            if event.step_key:
                self._names[event.step_key] = materialization.asset_key.to_user_string()
            if rows is not None and event.step_key:
                self._notes[event.step_key] = f"{rows.value:,} rows"
        elif event.event_type_value == "ASSET_CHECK_EVALUATION":
            check = event.asset_check_evaluation_data
            if event.step_key:
                self._notes[event.step_key] = _result_of(check.passed, check.description or "")
                self._names.setdefault(event.step_key, f"  {check.check_name.replace('_', ' ')}")
        elif event.event_type_value == "STEP_SUCCESS":
            seconds = event.step_success_data.duration_ms / 1000
            self._write_step(event, f"{seconds:7.2f} s  {self._notes.get(event.step_key or '', '')}")
        elif event.event_type_value == "STEP_FAILURE":
            self._write_step(event, " failed")

    def _write_step(self, event: dg.DagsterEvent, text: str) -> None:
        step = event.step_key or ""
        now = datetime.now().astimezone().strftime("%H:%M:%S")
        self._write(f"{now} {self._title}  {self._names.get(step, step):<52} {text}".rstrip())

    def _write(self, line: str) -> None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def _result_of(passed: bool, description: str) -> str:
    if not passed:
        return f"FAILED: {description}"
    return "not asked" if description.startswith(NOT_ASKED) else "holds"


@dg.logger(
    config_schema={"title": str, "quiet": dg.Field(bool, default_value=False)},
    description="A line per asset and check, for people at a shell.",
)
def progress_logger(context: dg.InitLoggerContext) -> logging.Logger:
    """Logger definition that writes through :class:`ProgressHandler`."""
    title = str(context.logger_config["title"])
    # Not from the registry of loggers: each run has its own, and none is left behind.
    progress = logging.Logger(f"progress {title}", logging.DEBUG)  # noqa: LOG001
    if context.logger_config["quiet"]:
        progress.addHandler(logging.NullHandler())
    else:
        progress.addHandler(ProgressHandler(title))
    return progress
