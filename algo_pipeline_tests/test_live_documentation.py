"""docs/live.md says what is: every event, every outcome."""

from __future__ import annotations

import re
from pathlib import Path

from algo_pipeline.live.events import DETAIL_KEYS, Outcome

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "live.md").read_text("utf-8")


def table(title: str) -> list[list[str]]:
    """The cells of the body of the one table under a heading."""
    section = re.split(r"^#+ ", PAGE.split(f" {title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_every_event_is_listed_with_its_details() -> None:
    documented = {quoted(row[0])[0]: tuple(quoted(row[1])) for row in table("The journal")}
    assert documented == {event.value: keys for event, keys in DETAIL_KEYS.items()}


def test_every_outcome_is_listed() -> None:
    assert {quoted(row[0])[0] for row in table("What becomes of an order")} == {outcome.value for outcome in Outcome}
