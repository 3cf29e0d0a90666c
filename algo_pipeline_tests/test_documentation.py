"""The pages say what is: commands, links, settings, generated tables, the worked example of folds."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from algo_pipeline.common.config import PREFIX, Settings
from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.data.labels import label_spec
from algo_pipeline.research.splits import SplitRule, rows_needed, walk_forward
from algo_pipeline_tests.command_reference import command_of
from algo_pipeline_tests.generate_docs import ALLOWED, SETTING_GROUPS, filled, tables
from algo_pipeline_tests.pages import PAGES, ROOT, name_of

MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
MAKE_VARIABLES = set(re.findall(r"\$\((?:if \$\()?([A-Z_]+)", MAKEFILE))


pages = pytest.mark.parametrize("page", PAGES, ids=name_of)


def code_of(page: Path) -> list[str]:
    """Every line of a fenced block and every inline code of a page; what a program prints is fenced as ``text``."""
    text = page.read_text("utf-8")
    fenced = re.findall(r"^```(?!text)\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE))
    return [line.strip() for block in fenced for line in block.splitlines()] + inline


def commands(page: Path, program: str) -> list[list[str]]:
    """The arguments of every call of a program in a page's code."""
    lines = [line.removeprefix(".venv/bin/") for line in code_of(page)]
    return [shlex.split(line)[1:] for line in lines if line == program or line.startswith(f"{program} ")]


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings get, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pages
def test_make_commands_name_existing_targets_and_variables(page):
    for arguments in commands(page, "make"):
        targets = [argument for argument in arguments if "=" not in argument]
        variables = [argument.partition("=")[0] for argument in arguments if "=" in argument]
        assert set(targets) <= TARGETS
        assert set(variables) <= MAKE_VARIABLES


@pages
def test_calls_of_the_command_are_understood(page):
    for arguments in commands(page, "algo-pipeline"):
        _require_understood(arguments)


def _require_understood(arguments: list[str]) -> None:
    """Options exist and have their values, and there is no argument too many; what a value must be is not asked."""
    if not arguments or arguments[0].startswith("-"):
        return
    command = command_of(arguments[0])
    _, left, _ = command.make_parser(click.Context(command)).parse_args(arguments[1:])
    assert not left


@pages
def test_relative_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{target} leads nowhere"
        assert not anchor or anchor in anchors(linked), f"{target} names no heading"


@pytest.mark.parametrize("path", [*PAGES, ROOT / ".env.example", ROOT / "Makefile"], ids=name_of)
def test_settings_that_are_named_exist(path):
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", path.read_text("utf-8"))) <= known


@pytest.mark.parametrize("name", tables())
def test_generated_tables_follow_from_the_code(name):
    text = (ROOT / "docs" / name).read_text("utf-8")
    assert text == filled(text, tables()[name]), "run `make docs`"


def test_a_missing_marker_is_an_error():
    with pytest.raises(ValueError, match="markers"):
        filled("no marker here", {"features": "| table |"})


def test_every_setting_has_one_group():
    listed = [name for group in SETTING_GROUPS.values() for name in group]
    assert sorted(listed) == sorted(Settings.model_fields)


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("initial_cash", 0.0),
        ("enter_threshold", 0.4),
        ("enter_threshold", 1.1),
        ("exit_threshold", -0.1),
        ("exit_threshold", 0.6),
        ("position_fraction", -0.1),
        ("max_position_fraction", 0.0),
        ("max_position_fraction", 1.1),
        ("max_drawdown", 0.0),
        ("cooldown_bars", -1),
        ("cooldown_bars", 1.5),
        ("fee_bps", -1.0),
        ("fee_bps", 10_000.0),
        ("slippage_bps", -1.0),
        ("slippage_bps", 10_000.0),
        ("quantity_step", 0.5),
        ("quantity_step", 1e-13),
        ("min_notional", -1.0),
        ("cash_buffer_bps", -1.0),
    ],
)
def test_what_the_page_does_not_allow_is_refused(rule, value):
    assert rule in ALLOWED
    with pytest.raises(ConfigValueError):
        BacktestConfig(**{rule: value})


class TestWorkedExampleOfFolds:
    PAGE = (ROOT / "docs" / "research.md").read_text("utf-8")

    def test_its_rows_are_what_walk_forward_gives(self):
        rows = re.findall(r"^\| (\w+) \| (\d+)–(\d+) \| (\d+)–(\d+) \| (?:(\d+)–(\d+)|the future) \|$", self.PAGE, re.M)
        plan = walk_forward(10_000, label_spec("direction_1h"), SplitRule())
        expected = []
        for name, fold in zip([*map(str, range(8)), "production"], plan.all_folds, strict=True):
            ends = [str(row) for part in (fold.base, fold.calibration) for row in (part.start, part.stop - 1)]
            test = [str(fold.test.start), str(fold.test.stop - 1)] if fold in plan.folds else ["", ""]
            expected.append((name, *ends, *test))
        assert rows == expected

    def test_the_first_fold_of_a_longer_label(self):
        fold = walk_forward(10_000, label_spec("direction_24h"), SplitRule()).folds[0]
        text = ", ".join(f"{part.start}–{part.stop - 1}" for part in (fold.base, fold.calibration, fold.test))
        assert f"the first fold would be {text}" in self.PAGE

    def test_the_rows_needed(self):
        needed = [rows_needed(label_spec(name), SplitRule()) for name in ("direction_1h", "direction_24h")]
        assert "{:,} complete rows for\n`direction_1h` and {:,} for a label of 24 hours".format(*needed) in self.PAGE
