"""The pages for people, and what is in them: fenced blocks and the tables under a heading."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(
    [*ROOT.glob("*.md"), *(page for folder in ("docs", "examples", "deploy") for page in (ROOT / folder).rglob("*.md"))]
)

_FENCE = re.compile(
    r"^```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Fence:
    """A fenced block, and the output that is shown directly below it."""

    language: str
    title: str
    text: str
    output: str | None


def name_of(path: Path) -> str:
    """A page's place in the repository."""
    return str(path.relative_to(ROOT))


def fences(text: str) -> list[Fence]:
    """The fenced blocks of a page; a ``text`` block that follows another at once is that one's output."""
    found = list(_FENCE.finditer(text))
    made = []
    for this, after in zip_longest(found, found[1:]):
        is_output = after is not None and after["language"] == "text" and not text[this.end() : after.start()].strip()
        output = after["text"] if after is not None and is_output and this["language"] != "text" else None
        made.append(Fence(this["language"], this["title"] or "", this["text"], output))
    return made


def section(text: str, title: str) -> str:
    """What stands under a heading, up to the next one of its level or above."""
    found = re.search(rf"^(#+) {re.escape(title)}\n", text, re.MULTILINE)
    if found is None:
        raise KeyError(title)
    return re.split(rf"^#{{1,{len(found[1])}}} ", text[found.end() :], maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The cells of the bodies of all tables in a text."""
    tables = re.findall(r"(?:^\|.*\n?)+", text, re.MULTILINE)
    lines = [line for table in tables for line in table.splitlines()[2:]]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))] for line in lines]


def quoted(cell: str) -> list[str]:
    """What a cell quotes as code."""
    return re.findall(r"`([^`]+)`", cell)
