"""Model tests run on one thread, as research does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from algo_pipeline.models.threads import single_threaded


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with single_threaded():
        yield
