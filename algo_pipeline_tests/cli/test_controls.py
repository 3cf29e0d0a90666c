"""halt and resume at the shell: what they change, and that a person can always halt."""

from __future__ import annotations

import pandas as pd
import pytest

from algo_pipeline.live.reconciliation import plain
from algo_pipeline.sandbox.faults import Fault, FaultKind
from algo_pipeline_tests.cli.ended import Command
from algo_pipeline_tests.live_shop import BTC, LiveShop, hour


@pytest.fixture
def holding(live: LiveShop, command: Command) -> LiveShop:
    """A shop that has bought on the first bar."""
    live.deploy()
    assert command("decide").code == 0
    return live


def test_a_halt_stops_entries_until_a_person_resumes(live: LiveShop, command: Command) -> None:
    live.deploy()
    document = command("halt", "--reason", "waiting for news", "--json").json()
    assert (document["halt"], document["orders"]) == (1, [])
    (decision,) = command("decide", "--json").json()["decisions"]
    assert (decision["action"], "waiting for news" in decision["reason"]) == ("none", True)
    assert command("resume", "--reason", "read them").code == 0
    live.tick(hour(1))
    (decision,) = command("decide", "--json").json()["decisions"]
    assert decision["action"] == "enter"


def test_a_flattening_halt_sells_everything_once(holding: LiveShop, command: Command) -> None:
    (order,) = command("halt", "--flatten", "--reason", "enough", "--json").json()["orders"]
    assert (order["side"], order["outcome"]) == ("sell", "filled")
    assert order["order_id"].endswith("-h1")
    assert command("halt", "--flatten", "--reason", "really", "--json").json()["orders"] == []
    assert holding.orders() == 2
    assert holding.state.n_halts == 2


def test_a_halt_for_people_shows_what_was_sold(holding: LiveShop, command: Command) -> None:
    ended = command("halt", "--flatten", "--reason", "enough")
    assert ended.code == 0
    assert "what is held is sold" in ended.out
    assert "filled" in ended.out


def test_resume_starts_the_peak_again(holding: LiveShop, command: Command) -> None:
    command("halt", "--flatten", "--reason", "enough")
    document = command("resume", "--reason", "calm again", "--json").json()
    assert document["peak"] == pytest.approx(float(document["cash"]))
    assert holding.state.halted is None
    assert holding.lines[-1].details["reason"] == "calm again"


def test_resume_adopts_what_a_person_traded(holding: LiveShop, command: Command) -> None:
    holding.sandbox.account("trade", symbol="BTC/USD", side="sell", qty="1")
    holding.tick(hour(1))
    assert "trading is stopped" in command("decide", "--json").json()["skipped"]
    document = command("status", "--json").json()
    assert "BTC/USD" in document["stopped"]
    assert "--adopt" in document["way_out"]
    assert command("resume", "--adopt", "--reason", "sold one by hand").code == 0
    assert holding.state.stopped is None
    assert plain(holding.state.holdings[BTC]) == command("status", "--json").json()["positions"][0]["quantity"]


def test_nothing_to_resume_is_said(live: LiveShop, command: Command) -> None:
    ended = command("resume", "--reason", "x", "--json")
    assert (ended.code, ended.error["code"]) == (1, "bad_value")
    assert "nothing to resume" in ended.error["remedy"]
    assert live.lines == ()


@pytest.mark.parametrize("name", ["halt", "resume"])
@pytest.mark.parametrize("reason", [(), ("--reason", "  ")])
def test_a_reason_is_needed(live: LiveShop, command: Command, name: str, reason: tuple[str, ...]) -> None:
    ended = command(name, *reason)
    assert ended.code == 2
    assert "reason" in ended.err
    assert not live.folder.exists()


def test_a_halt_that_the_broker_does_not_answer_is_in_force_all_the_same(
    holding: LiveShop, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("algo_pipeline.live.session._ASK_FOR", pd.Timedelta(0))
    holding.sandbox.add_fault(Fault(FaultKind.STATUS, path="/v2/account", status=503, count=None))
    ended = command("halt", "--flatten", "--reason", "enough", "--json")
    assert (ended.code, ended.error["code"]) == (1, "broker_ambiguous")
    assert "halt is journalled" in ended.error["message"]
    assert "next hourly run" in ended.error["remedy"]
    holding.sandbox.clear_faults()
    holding.tick(hour(1))
    (order,) = command("decide", "--json").json()["orders"]
    assert (order["side"], order["outcome"]) == ("sell", "filled")
