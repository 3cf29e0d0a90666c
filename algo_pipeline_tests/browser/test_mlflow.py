"""MLflow's web UI compares two models of the pipeline."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from algo_pipeline_tests.browser.conftest import Camera
from algo_pipeline_tests.browser.world import World

KEY_METRICS = ("oos_auc", "oos_log_loss_skill", "oos_ece")
FIGURES = """
metric => {
  // Names and figures are two lists that scroll together and hold only the rows in sight.
  const lists = [...document.querySelectorAll('[role=grid]')], figures = lists.at(-1);
  const cells = lists.flatMap(list => [...list.querySelectorAll('[role=rowgroup] > div')]);
  const name = cells.find(cell => cell.textContent.trim() === metric);
  const row = name ? cells.filter(cell => cell !== name && cell.style.top === name.style.top) : [];
  if (row.length) return row.map(cell => cell.textContent);
  const end = figures && figures.scrollTop + figures.clientHeight >= figures.scrollHeight;
  if (figures) figures.scrollTop = end ? 0 : figures.scrollTop + figures.clientHeight / 2;
  return null;
}
"""


@pytest.fixture
def runs(world: World, page: Page) -> Page:
    """The list of runs; MLflow opens in its view of language models until told otherwise."""
    page.goto(world.uis.mlflow)
    page.get_by_text("Model training", exact=True).click()
    page.get_by_role("link", name="Experiments").first.click()
    page.get_by_role("link", name="algo-pipeline/BTC-USD").first.click()
    return page


def test_two_runs_are_compared_side_by_side(runs: Page, camera: Camera) -> None:
    rows = runs.get_by_role("checkbox", name="Press Space to toggle row selection")
    expect(rows.nth(1)).to_be_visible()
    rows.nth(0).click()
    rows.nth(1).click()
    camera("mlflow 1 runs")
    runs.get_by_role("button", name="Compare").click()
    expect(runs.get_by_text("Comparing 2 Runs from 1 Experiment")).to_be_visible()
    for metric in KEY_METRICS:
        champion, challenger = runs.wait_for_function(FIGURES, arg=metric).json_value()
        assert champion != challenger
        assert 0 < float(champion) < 1
        assert 0 < float(challenger) < 1
    runs.get_by_role("grid").first.scroll_into_view_if_needed()
    camera("mlflow 2 comparison")
