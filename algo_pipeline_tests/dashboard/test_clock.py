"""Whose time the page goes by."""

from __future__ import annotations

import socket

import pandas as pd
import pytest

from algo_pipeline.dashboard.clock import is_of_a_sandbox, page_time, sandbox_clock
from algo_pipeline.dashboard.view import TimeSource
from algo_pipeline.sandbox.server import SandboxConfig, running_sandbox
from algo_pipeline_tests.live_shop import BTC, FIRST, market

WALL = pd.Timestamp("2026-01-01T12:34", tz="UTC")
NEWEST = pd.Timestamp("2024-03-01T10:01", tz="UTC")
PAPER = "https://paper-api.alpaca.markets"
RANDOM = "1f0a2a64-1c5b-4f0e-9d8e-0e7a3c6f4b11"


@pytest.fixture
def silent() -> str:
    """A loopback address that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_paper_trading_goes_by_this_machine() -> None:
    found = page_time(PAPER, RANDOM, NEWEST, WALL)
    assert (found.now, found.source, found.wall) == (WALL, TimeSource.MACHINE, WALL)


def test_a_running_sandbox_is_asked_and_its_account_is_known_as_such() -> None:
    with running_sandbox(SandboxConfig({BTC: market()}, start=FIRST)) as url:
        found = page_time(url, None, NEWEST, WALL)
        slashed = sandbox_clock(f"{url}/v2/")
        account = _account_id(url)
    assert (found.now, found.source) == (FIRST, TimeSource.SANDBOX)
    assert slashed == FIRST
    assert is_of_a_sandbox(account)
    assert page_time(PAPER, account, NEWEST, WALL).source is TimeSource.JOURNAL


def test_a_sandbox_that_does_not_answer_leaves_the_newest_line(silent: str) -> None:
    found = page_time(silent, RANDOM, NEWEST, WALL)
    assert (found.now, found.source, found.wall) == (NEWEST, TimeSource.JOURNAL, WALL)
    assert found.words == "The journal's newest line was written at 2024-03-01 10:01 UTC."


def test_without_a_line_the_machine_is_all_there_is(silent: str) -> None:
    assert page_time(silent, None, None, WALL).source is TimeSource.MACHINE


@pytest.mark.parametrize("account", [None, "", "paper-1", RANDOM])
def test_no_other_account_is_a_sandboxs(account: str | None) -> None:
    assert not is_of_a_sandbox(account)


@pytest.mark.parametrize("url", ["https://127.0.0.1.evil.example", "https://api.alpaca.markets", "ftp://localhost", ""])
def test_nobody_but_this_machine_is_asked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "create_connection", never)
    monkeypatch.setattr(socket, "getaddrinfo", never)
    assert page_time(url, None, NEWEST, WALL).source is TimeSource.MACHINE


def _account_id(url: str) -> str:
    from algo_pipeline.sandbox.client import SandboxControl

    control = SandboxControl(url)
    try:
        return str(control.state()["account_id"])
    finally:
        control.close()
