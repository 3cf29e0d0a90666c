"""Accounts for the dashboard to show."""

from __future__ import annotations

from pathlib import Path

import pytest

from algo_pipeline_tests.dashboard.account import DiskAccount, account_in, traded_account


@pytest.fixture
def empty(tmp_path: Path) -> DiskAccount:
    return account_in(tmp_path / "empty")


@pytest.fixture
def account(tmp_path: Path) -> DiskAccount:
    return traded_account(tmp_path / "traded")
