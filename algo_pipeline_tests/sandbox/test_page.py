"""docs/sandbox.md says what is: every endpoint, kind, field, action and option, and every example works."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from pathlib import Path

import pytest

from algo_pipeline.cli.sandbox import sandbox
from algo_pipeline.sandbox.app import build_app
from algo_pipeline.sandbox.control import ACTIONS
from algo_pipeline.sandbox.faults import BAR_KINDS, Fault, FaultKind
from algo_pipeline.sandbox.server import SandboxConfig, make_sandbox
from algo_pipeline_tests.sandbox.rig import BTC, steady

PAGE = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text("utf-8")
EXAMPLES = [shlex.split(line)[1:] for line in PAGE.splitlines() if line.startswith("curl ")]


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose head starts with a word."""
    body = PAGE.split(f"\n| {heading} |", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in body.splitlines()[2:]]


def names(heading: str) -> list[str]:
    return [name for row in rows(heading) for name in re.findall(r"`([^`]+)`", row[0])]


@pytest.mark.parametrize("arguments", EXAMPLES, ids=lambda arguments: arguments[-1])
def test_every_example_works(rig, arguments):
    method = arguments[arguments.index("-X") + 1] if "-X" in arguments else "GET"
    body = arguments[arguments.index("-d") + 1] if "-d" in arguments else None
    url = next(argument for argument in arguments if argument.startswith("http://"))
    answer = rig.http.request(method, url.replace("http://127.0.0.1:8900", rig.url), data=body, timeout=5)
    assert answer.status_code == 200, answer.text
    assert json.loads(answer.text) is not None


def test_kinds_of_fault_and_whether_they_take_effect():
    effects = {re.findall(r"`(\w+)`", row[0])[0]: row[2] for row in rows("kind")}
    expected = {
        kind.value: "–" if kind in BAR_KINDS else "yes" if Fault(kind).takes_effect else "no" for kind in FaultKind
    }
    assert effects == expected


def test_fields_of_a_fault():
    assert sorted(names("field")) == sorted(field.name for field in dataclasses.fields(Fault) if field.name != "kind")


def test_actions_of_an_account():
    assert sorted(names("action")) == sorted(ACTIONS)


def test_options_of_the_command():
    options = {option for parameter in sandbox.params for option in parameter.opts if option.startswith("--")}
    assert set(names("option")) == options - {"--json", "--path"}
    assert {"--json", "--path"} <= set(re.findall(r"--[a-z]+", PAGE))


def test_every_endpoint_is_named():
    routes = build_app(*make_sandbox(SandboxConfig({BTC: steady(3)}))).routes
    served = {route.path.replace(":path}", "}") for route in routes} - {"/{rest}"}
    prose = re.sub(r"^```.*?^```", "", PAGE, flags=re.DOTALL | re.MULTILINE)
    paths = {path for code in re.findall(r"`([^`\n]+)`", prose) for path in re.findall(r"/\S+", code)}
    assert served <= paths
