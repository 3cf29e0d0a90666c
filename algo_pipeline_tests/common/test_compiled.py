from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_CALLEE = "from algo_pipeline.common.compiled import compiled\n@compiled\ndef rate(x):\n    return x * {factor}\n"
_CALLER = (
    "from algo_pipeline.common.compiled import compiled\n"
    "from rates_for_test import rate\n"
    "@compiled\ndef twice(x):\n    return 2.0 * rate(x)\n"
)


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    _forget()


def _forget() -> None:
    for name in ("rates_for_test", "caller_for_test"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()


def _run(folder: Path, factor: float) -> tuple[float, int]:
    _forget()
    (folder / "rates_for_test.py").write_text(_CALLEE.format(factor=factor))
    (folder / "caller_for_test.py").write_text(_CALLER)
    twice = importlib.import_module("caller_for_test").twice
    return twice(1.0), sum(twice.stats.cache_hits.values())


def test_cached_code_is_reused_until_a_function_it_calls_changes_in_another_file(modules: Path) -> None:
    assert _run(modules, 3.0) == (6.0, 0)
    assert _run(modules, 3.0) == (6.0, 1)
    assert _run(modules, 5.0) == (10.0, 0)
