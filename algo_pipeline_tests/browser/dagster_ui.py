"""Ways through Dagster's web UI that more than one test takes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

LOCATION = "/locations/algo_pipeline"
SECONDS = 1_000
_ENDED = re.compile(r"\[(SUCCESS|FAILURE|CANCELED)\]")


def await_end_of_run(page: Page, within_s: int) -> str:
    """On a run's page: wait until the run has ended; returns how."""
    from playwright.sync_api import expect

    expect(page).to_have_title(_ENDED, timeout=within_s * SECONDS)
    ended = _ENDED.search(page.title())
    assert ended is not None
    return ended[1]
