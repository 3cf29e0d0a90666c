"""Registry tests run on one thread, as research does."""

from __future__ import annotations

from algo_pipeline_tests.models.conftest import _one_thread  # noqa: F401
