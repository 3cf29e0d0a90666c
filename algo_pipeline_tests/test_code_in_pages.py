"""Every Python block of every page runs as it stands there, and prints what is shown below it."""

from __future__ import annotations

import contextlib
import io
import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from algo_pipeline_tests.pages import PAGES, Fence, fences, name_of

_BLOCKS = {page: [fence for fence in fences(page.read_text("utf-8")) if fence.language == "python"] for page in PAGES}
_WITH_CODE = [page for page, blocks in _BLOCKS.items() if blocks]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder in which a reader works, without settings; what pages import from it is forgotten after."""
    for name in [name for name in os.environ if name.startswith("ALGO_TRADER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name, module in sys.modules.items() if _is_in(module, tmp_path)]:
        del sys.modules[name]


@pytest.mark.parametrize("page", _WITH_CODE, ids=name_of)
def test_python_of_a_page_runs_from_top_to_bottom(page: Path, folder: Path) -> None:
    reader = types.ModuleType("reader")
    for number, block in enumerate(_BLOCKS[page], start=1):
        if block.title:
            (folder / block.title).write_text(block.text, "utf-8")
        else:
            _run(block, reader, f"{name_of(page)}, Python block {number}")


def test_there_is_code_in_pages() -> None:
    assert len(_WITH_CODE) >= 5


def _is_in(module: types.ModuleType, folder: Path) -> bool:
    return str(getattr(module, "__file__", None) or "").startswith(str(folder))


def _run(block: Fence, reader: types.ModuleType, name: str) -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block.text, name, "exec"), vars(reader))  # noqa: S102 - the pages are ours
    if block.output is not None:
        assert printed.getvalue().rstrip() == block.output.rstrip(), name
