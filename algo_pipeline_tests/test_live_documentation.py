"""docs/live.md says what is: every alert, every event, every outcome."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from algo_pipeline.live.events import DETAIL_KEYS, Outcome
from algo_pipeline.live.watch_records import AlarmKind

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "live.md").read_text("utf-8")
RAISED_BY = {"alert", "Alert", "_raise"}


def table(title: str) -> list[list[str]]:
    """The cells of the body of the one table under a heading."""
    section = re.split(r"^#+ ", PAGE.split(f" {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


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


def test_every_alert_is_explained_and_no_other() -> None:
    outcomes = {f"order_{outcome.value}" for outcome in Outcome if outcome is not Outcome.OPEN}
    alarms = {f"{kind.value}_drift" for kind in AlarmKind}
    expected = (raised_codes() - {"order_<…>", "run_<…>", "<…>_drift"}) | outcomes | alarms | {"run_<code>"}
    assert {quoted(row[0])[0] for row in table("Alerts")} == expected


def test_alerts_are_found_in_the_code() -> None:
    assert {"kill_switch", "lock_busy", "order_<…>", "run_<…>", "alert_channel_failed"} <= raised_codes()


@pytest.mark.parametrize("row", table("Alerts"), ids=lambda row: row[0].strip("`"))
def test_every_alert_says_what_to_do(row: list[str]) -> None:
    assert len(row) == 3
    assert all(row)


def test_every_event_is_listed_with_its_details() -> None:
    documented = {quoted(row[0])[0]: tuple(quoted(row[1])) for row in table("The journal")}
    assert documented == {event.value: keys for event, keys in DETAIL_KEYS.items()}


def test_every_outcome_is_listed() -> None:
    assert {quoted(row[0])[0] for row in table("What becomes of an order")} == {outcome.value for outcome in Outcome}
