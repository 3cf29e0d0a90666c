"""docs/runbook.md knows every alert that can be raised and every error that can be met, and none that is gone."""

from __future__ import annotations

import ast
import pkgutil
from collections.abc import Iterator
from importlib import import_module

import pytest

import algo_pipeline
from algo_pipeline.common.errors import AlgoPipelineError
from algo_pipeline.live.alerts import Severity
from algo_pipeline.live.events import Outcome
from algo_pipeline.live.watch_records import AlarmKind
from algo_pipeline_tests.pages import DOCS, ROOT, quoted, rows, section

PAGE = (DOCS / "runbook.md").read_text("utf-8")
ALERTS = rows(section(PAGE, "Alerts"))
ERRORS = rows(section(PAGE, "Errors"))
LINES = rows(section(PAGE, "What doctor looks at"))
RAISED_BY = {"alert", "Alert", "_raise"}
_ERROR_HOMES = ("common", "live", "sandbox", "cli", "dashboard", "registry", "sources", "broker")


def raised_codes() -> set[str]:
    """The codes of all alerts in the code; ``<…>`` for what is only known when it runs."""
    return {code for path in (ROOT / "algo_pipeline").rglob("*.py") for code in _codes(ast.parse(path.read_text()))}


def _codes(module: ast.Module) -> Iterator[str]:
    constants = {
        target.id: node.value.value
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and _name(node.func) in RAISED_BY and len(node.args) >= 4:
            code = node.args[1]
            if isinstance(code, ast.Constant):
                yield str(code.value)
            elif isinstance(code, ast.Name) and code.id in constants:
                yield str(constants[code.id])
            elif isinstance(code, ast.JoinedStr):
                yield "".join(part.value if isinstance(part, ast.Constant) else "<…>" for part in code.values)
            elif not isinstance(code, ast.Subscript):  # one is read back from alerts.log, and raises nothing
                assert isinstance(code, ast.Name), ast.unparse(node)
                assert code.id == "code", ast.unparse(node)  # handed through by a helper


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def error_codes() -> set[str]:
    """The codes of all errors that people can meet."""
    for package in _ERROR_HOMES:
        home = import_module(f"algo_pipeline.{package}")
        for module in pkgutil.iter_modules(home.__path__, f"{home.__name__}."):
            import_module(module.name)
    return {kind.code for kind in _kinds(AlgoPipelineError)} - {AlgoPipelineError.code}


def _kinds(kind: type[AlgoPipelineError]) -> Iterator[type[AlgoPipelineError]]:
    for below in kind.__subclasses__():
        if below.__module__.startswith(algo_pipeline.__name__):
            yield below
        yield from _kinds(below)


def doctor_lines() -> set[str]:
    """The names of all lines of ``doctor``; ``<symbol>`` for one that each symbol has."""
    modules = [ast.parse((ROOT / "algo_pipeline" / "cli" / name).read_text()) for name in ("diagnosis.py", "doctor.py")]
    calls = [node for module in modules for node in ast.walk(module) if isinstance(node, ast.Call)]
    return {_line(node.args[0]) for node in calls if _name(node.func) == "checked"} - {""}


def _line(name: ast.expr) -> str:
    if isinstance(name, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "<symbol>" for part in name.values)
    return str(name.value) if isinstance(name, ast.Constant) else ""


def test_every_alert_is_explained_and_no_other() -> None:
    outcomes = {f"order_{outcome.value}" for outcome in Outcome if outcome is not Outcome.OPEN}
    alarms = {f"{kind.value}_drift" for kind in AlarmKind}
    expected = (raised_codes() - {"order_<…>", "run_<…>", "<…>_drift"}) | outcomes | alarms | {"run_<code>"}
    assert sorted(quoted(row[0])[0] for row in ALERTS) == sorted(expected)


def test_alerts_are_found_in_the_code() -> None:
    assert {"kill_switch", "lock_busy", "order_<…>", "run_<…>", "alert_channel_failed"} <= raised_codes()


@pytest.mark.parametrize("row", ALERTS, ids=lambda row: row[0].strip("`"))
def test_every_alert_says_how_urgent_it_is_and_what_to_do(row: list[str]) -> None:
    assert len(row) == 4
    assert row[1].split(";")[0] in {severity.value for severity in Severity}
    assert all(row)


def test_every_error_is_explained_and_no_other() -> None:
    assert sorted(quoted(row[0])[0] for row in ERRORS) == sorted(error_codes())


@pytest.mark.parametrize("row", ERRORS, ids=lambda row: row[0].strip("`"))
def test_every_error_says_what_to_do(row: list[str]) -> None:
    assert len(row) == 3
    assert all(row)


def test_every_line_of_doctor_is_explained_and_no_other() -> None:
    assert sorted(name for row in LINES for name in quoted(row[0])) == sorted(doctor_lines())


@pytest.mark.parametrize("row", LINES, ids=lambda row: row[0].strip("`"))
def test_every_line_of_doctor_has_a_remedy(row: list[str]) -> None:
    assert len(row) == 3
    assert all(row)
