"""docs/architecture.md says what is: homes, layers, doors, and the asset graph."""

from __future__ import annotations

import re
import tomllib
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "algo_pipeline"
PAGE = (ROOT / "docs" / "architecture.md").read_text("utf-8")
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]


def section(title: str) -> str:
    """The text under a heading, up to the next one of any level."""
    return re.split(r"^#+ ", PAGE.split(f" {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def table(title: str) -> list[list[str]]:
    """The cells of the body of the one table under a heading."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def exists(home: str) -> bool:
    return (PACKAGE / home).is_dir() or (PACKAGE / f"{home}.py").is_file()


HOMES = table("Homes of the original design")
PRESENT = [home for row in HOMES for home in quoted(row[1])]


class TestHomes:
    @pytest.mark.parametrize("home", PRESENT)
    def test_a_home_named_as_present_exists(self, home):
        assert exists(home)

    def test_every_part_has_a_home_or_is_said_to_be_gone(self):
        assert len(HOMES) > 20
        assert all(row[1] for row in HOMES)


class TestImports:
    def test_layers_are_those_that_are_enforced(self):
        block = re.search(r"```text\n(.*?)```", section("Imports point down only"), re.DOTALL)
        assert block is not None
        assert block[1].split("\n")[:-1] == next(c["layers"] for c in CONTRACTS if c["type"] == "layers")

    def test_every_layer_exists(self):
        contract = next(c for c in CONTRACTS if c["type"] == "layers")
        layers = {name.strip() for line in contract["layers"] for name in line.split("|")}
        assert not [name for name in layers if not exists(name)]

    def test_doors_are_those_that_are_enforced(self):
        documented = {row[0]: set(quoted(row[1])) for row in table("One door per package")}
        enforced = {
            c["forbidden_modules"][0]: _importers(c["ignore_imports"]) for c in CONTRACTS if "one door" in c["name"]
        }
        assert documented == enforced


def _importers(ignored: list[str]) -> set[str]:
    """``algo_pipeline.defs.** -> dagster`` as ``defs``."""
    return {rule.split(" -> ")[0].removeprefix("algo_pipeline.").rstrip(".*") for rule in ignored}


@pytest.fixture(scope="module")
def graph():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Dagster's own are the matter of other tests
        from algo_pipeline.definitions import build_definitions

        return build_definitions().resolve_asset_graph()


class TestAssetGraph:
    def test_the_table_lists_every_asset_with_its_group(self, graph):
        documented = {quoted(row[0])[0]: row[1] for row in table("The asset graph")}
        assert documented == {key.to_user_string(): graph.get(key).group_name for key in graph.get_all_asset_keys()}

    def test_the_table_lists_every_check_and_whether_it_blocks(self, graph):
        documented = {
            (quoted(row[0])[0], name): f"`{name}` (blocks)" in row[4]
            for row in table("The asset graph")
            for name in quoted(row[4])
        }
        assert documented == {
            (key.asset_key.to_user_string(), key.name): graph.get_check_spec(key).blocking
            for key in graph.asset_check_keys
        }

    def test_the_picture_shows_every_asset(self, graph):
        picture = (ROOT / "docs" / "images" / "pipeline.svg").read_text("utf-8")
        shown = re.findall(r'class="name"[^>]*>([^<]+)<', picture)
        assert sorted(shown) == sorted(key.to_user_string() for key in graph.get_all_asset_keys())

    def test_the_picture_marks_as_many_assets_as_have_a_blocking_check(self, graph):
        picture = (ROOT / "docs" / "images" / "pipeline.svg").read_text("utf-8")
        blocking = {key.asset_key for key in graph.asset_check_keys if graph.get_check_spec(key).blocking}
        assert picture.count("<circle") == len(blocking) + 1  # one more in the legend
