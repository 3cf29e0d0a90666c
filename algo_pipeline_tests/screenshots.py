"""Pictures of the README and the documentation, taken from the demo: ``python -m algo_pipeline_tests.screenshots``."""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from algo_pipeline.common.config import PREFIX, load_settings
from algo_pipeline_tests.web_uis import WebUis, web_uis
from algo_pipeline_tests.workshop import Workshop

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

IMAGES = Path(__file__).parents[1] / "docs" / "images"
MOST_BYTES = 250_000
_COLOURS = 128
_GROUPS = ["market_data", "features", "dataset", "training", "backtesting", "promotion", "comparison", "live"]
_SLUG = "BTC-USD"
_KEY_METRIC, _NEAR_THE_SCORES_PX, _ABOVE_THE_KEY_PX = "oos_log_loss_skill", 45 * 55, 45 * 3
_TOP_WITHIN = """(place, list) =>
    list.scrollTop + place.getBoundingClientRect().top - list.getBoundingClientRect().top"""
_SCROLL = "(list, top) => { list.scrollTop = top; }"
_PATIENCE_MS = 120_000
_SETTLED_MS = 10_000


@dataclass(frozen=True)
class Scene:
    """What there is to see."""

    uis: WebUis
    artifacts: Path

    @property
    def report(self) -> str:
        """Address of the backtest report."""
        return (self.artifacts / "backtest" / _SLUG / "report.html").as_uri()


@dataclass(frozen=True)
class Picture:
    """A page, brought into the state in which it is taken.

    Parameters
    ----------
    name : str
        Of the file, without its ending.
    show : callable
        Goes there and waits until everything is drawn.
    width, height : int
        Of the window, in CSS pixels.
    """

    name: str
    show: Callable[[Page, Scene], object]
    width: int = 1440
    height: int = 900


def show_report(page: Page, scene: Scene) -> None:
    """From the verdict to the equity curve."""
    page.goto(scene.report)
    page.locator("[data-chart=equity] svg").first.wait_for()


def show_graph(page: Page, scene: Scene) -> None:
    """The graph of research with every group open."""
    address = f"{scene.uis.dagster}/asset-groups?expanded={','.join(f'global@global:{name}' for name in _GROUPS)}"
    page.goto(address)
    page.get_by_role("button", name="Hide navigation").click()
    page.goto(address)  # only a graph that is opened so is fitted into the window
    page.locator("[style*='--minimal-border: var(--color-accent-green)']").nth(len(_GROUPS)).wait_for()
    page.locator("button:has([aria-label=panel_show_right])").first.click()
    page.set_viewport_size({"width": 1180, "height": 1000})  # the room that the list of groups has left
    _settle(page)


def show_asset(page: Page, scene: Scene) -> None:
    """The asset of the backtest: its picture and figures."""
    page.goto(f"{scene.uis.dagster}/assets/backtest_report?partition={_SLUG}&view=overview")
    _to_the_top(page.get_by_text("Metadata", exact=True).first)
    _settle(page)


def show_run(page: Page, scene: Scene) -> None:
    """The first hour of the rehearsal that sent an order."""
    page.goto(f"{scene.uis.dagster}/runs/{_run_of_an_order(scene)}")
    page.get_by_text("RUN_SUCCESS").first.wait_for()
    page.get_by_placeholder("Filter…").fill("in short")
    _settle(page)


def show_comparison(page: Page, scene: Scene) -> None:
    """Champion and challenger side by side: what differs, and their scores."""
    _open_mlflow(page, scene)
    experiment, runs = _last_two_runs(scene)
    page.goto(f"{scene.uis.mlflow}/#/compare-runs?runs={json.dumps(runs)}&experiments={json.dumps([experiment])}")
    page.get_by_role("switch").first.click()
    names, figures = page.get_by_role("grid").first, page.get_by_role("grid").last
    names.get_by_role("link").first.wait_for()
    names.evaluate(_SCROLL, _NEAR_THE_SCORES_PX)
    key = names.get_by_text(_KEY_METRIC, exact=True)  # there only once the list is scrolled to near it
    top = key.evaluate(_TOP_WITHIN, names.element_handle())
    for side in (figures, names):  # two lists, which scroll together under a wheel alone, and then not quite
        side.evaluate(_SCROLL, top - _ABOVE_THE_KEY_PX)
    page.get_by_text("Artifacts", exact=True).first.evaluate("place => place.scrollIntoView({block: 'end'})")
    _settle(page)


def show_model(page: Page, scene: Scene) -> None:
    """The page of the registered champion: its card."""
    _open_mlflow(page, scene)
    page.goto(f"{scene.uis.mlflow}/#/models")
    page.get_by_role("button", name="Try it now").click()
    page.get_by_role("link", name=f"algo-pipeline-{_SLUG}").first.click()
    page.get_by_role("row").filter(has_text="@ champion").get_by_role("link").first.click()
    page.get_by_text("Registered At").first.wait_for()
    _settle(page)


def show_dashboard(page: Page, scene: Scene) -> None:
    """The live dashboard."""
    page.goto(f"{scene.uis.dashboard}/?refresh=off")
    page.get_by_role("heading", level=1).wait_for()


PICTURES = (
    Picture("report", show_report, 1280, 2640),
    Picture("dagster-graph", show_graph, 1400, 1000),
    Picture("dagster-asset", show_asset),
    Picture("dagster-run", show_run),
    Picture("mlflow-compare", show_comparison, 1440, 760),
    Picture("mlflow-model", show_model),
    Picture("dashboard", show_dashboard, 1280, 1500),
    Picture("dashboard-phone", show_dashboard, 390, 844),
)


def take(folder: Path, wanted: Collection[str]) -> Iterator[Path]:
    """Take the wanted pictures from the artifacts that the settings name; yields each file."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("chromium is not installed. On Debian and Ubuntu: apt-get install chromium")
    environment = {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}
    artifacts = load_settings().artifacts_dir.absolute()
    with web_uis(Workshop(Path.cwd(), environment)) as uis, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for picture in (each for each in PICTURES if each.name in wanted):
            yield _take(browser, picture, Scene(uis, artifacts), folder)
        browser.close()


def _take(browser: Browser, picture: Picture, scene: Scene, folder: Path) -> Path:
    with browser.new_context(viewport={"width": picture.width, "height": picture.height}) as context:
        context.set_default_timeout(_PATIENCE_MS)
        page = context.new_page()
        picture.show(page, scene)
        return _save(page.screenshot(animations="disabled"), folder / f"{picture.name}.png")


def _save(picture: bytes, path: Path) -> Path:
    """Write a picture in few colours, which is all that a web page has."""
    from PIL import Image

    small = Image.open(io.BytesIO(picture)).convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
    size = path.stat().st_size
    assert size < MOST_BYTES, f"{path.name} has {size} bytes; {MOST_BYTES} are allowed: make its window smaller"
    return path


def _to_the_top(place: Locator) -> None:
    """Scroll until a place is the first that is seen."""
    place.wait_for()
    place.evaluate("place => place.scrollIntoView({block: 'start'})")


def _settle(page: Page) -> None:
    """Wait until a page has what it asks for, or asks without end."""
    from playwright.sync_api import TimeoutError as StillAsking

    with suppress(StillAsking):
        page.wait_for_load_state("networkidle", timeout=_SETTLED_MS)


def _open_mlflow(page: Page, scene: Scene) -> None:
    """Leave the view of language models, in which MLflow opens, and close its assistant."""
    page.goto(scene.uis.mlflow)
    page.get_by_text("Model training", exact=True).click()
    page.get_by_role("button", name="Close", exact=True).last.click()


def _last_two_runs(scene: Scene) -> tuple[str, list[str]]:
    """The experiment of the symbol, and its newest two runs: the champion's and the challenger's."""
    root = f"{scene.uis.mlflow}/api/2.0/mlflow"
    found = _post(f"{root}/experiments/search", {"max_results": 100})["experiments"]
    experiment = next(each["experiment_id"] for each in found if each["name"] == f"algo-pipeline/{_SLUG}")
    runs = _post(f"{root}/runs/search", {"experiment_ids": [experiment], "max_results": 2})["runs"]
    return experiment, [run["info"]["run_id"] for run in runs]


def _run_of_an_order(scene: Scene) -> str:
    """Dagster's run of the first hour whose journal holds an order."""
    lines = map(json.loads, (scene.artifacts / "live" / "decisions.jsonl").read_text("utf-8").splitlines())
    bar = next(line["timestamp"] for line in lines if line["order_id"])
    partition = f"{bar[:10]}-{bar[11:16]}"
    query = "query($f: RunsFilter) {runsOrError(filter: $f) {... on Runs {results {runId}}}}"
    tags = [{"key": "dagster/partition", "value": partition}]
    answer = _post(f"{scene.uis.dagster}/graphql", {"query": query, "variables": {"f": {"tags": tags}}})
    return str(answer["data"]["runsOrError"]["results"][0]["runId"])


def _post(url: str, document: object) -> Any:
    answer = requests.post(url, json=document, timeout=_PATIENCE_MS / 1_000)
    answer.raise_for_status()
    return answer.json()


def main() -> None:
    """Take them all, or those that are named."""
    names = [picture.name for picture in PICTURES]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names)}; all if none is given")
    parser.add_argument("--to", type=Path, default=IMAGES, metavar="FOLDER")
    arguments = parser.parse_args()
    arguments.to.mkdir(parents=True, exist_ok=True)
    for path in take(arguments.to, arguments.names or names):
        print(f"{path.stat().st_size / 1_000:6.0f} kB  {path}")  # noqa: T201


if __name__ == "__main__":
    main()
