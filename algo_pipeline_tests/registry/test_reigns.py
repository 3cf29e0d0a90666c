from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.registry.reigns import champion_at, reigns
from algo_pipeline_tests.registry.samples import entry

BTC = "BTC/USD"


def line(day: int, to_version: str | None, from_version: str | None = None, **changes: object) -> Mapping[str, Any]:
    """A line of that day of January 2024."""
    return asdict(entry(to_version, from_version, f"2024-01-{day:02}T00:00:00+00:00", **changes))


def refusal(day: int, champion: str | None) -> Mapping[str, Any]:
    return line(day, champion, champion, candidate_version="9", trading="unchanged", passed=False)


def recovery(day: int, to_version: str | None, from_version: str, interrupted: bool = True) -> Mapping[str, Any]:
    trading = "unchanged" if to_version is None else "on"
    figures = {"interrupted": interrupted}
    return line(day, to_version, from_version, who="recovery", trading=trading, figures=figures)


def at(text: str) -> pd.Timestamp:
    return pd.Timestamp(f"2024-01-{text}", tz="UTC")


def version_at(lines: list[Mapping[str, Any]], text: str) -> str | None:
    found = champion_at(lines, BTC, at(text))
    return None if found is None else str(found.line["to_version"])


def spans(lines: list[Mapping[str, Any]]) -> list[tuple[str, int, int | None]]:
    found = reigns(lines, BTC)
    return [(each.line["to_version"], each.since.day, each.until.day if each.until else None) for each in found]


def test_without_a_line_there_is_no_champion() -> None:
    assert reigns([], BTC) == ()
    assert champion_at([], BTC, at("01")) is None


def test_the_champion_of_a_past_time_is_the_one_then_deployed() -> None:
    lines = [line(1, "1"), refusal(8, "1"), line(9, "7", symbol="ETH/USD"), line(15, "3", "1")]
    assert version_at(lines, "01") == "1"
    assert version_at(lines, "14T23:59:59") == "1"
    assert version_at(lines, "15") == version_at(lines, "31") == "3"
    assert champion_at(lines, BTC, at("01") - pd.Timedelta("1ns")) is None
    assert spans(lines) == [("1", 1, 15), ("3", 15, None)]


def test_the_answer_holds_why_and_by_whom() -> None:
    found = champion_at([line(1, "1", reason="better", who="anna")], BTC, at("05"))
    assert found is not None
    assert (found.line["reason"], found.line["who"], found.since, found.until) == ("better", "anna", at("01"), None)


def test_the_same_version_deployed_anew_is_a_reign_of_its_own() -> None:
    lines = [line(1, "1", trading="on"), line(5, "1", "1", trading="flat", policy="by_hand")]
    assert spans(lines) == [("1", 1, 5), ("1", 5, None)]
    found = champion_at(lines, BTC, at("06"))
    assert found is not None
    assert found.line["trading"] == "flat"


def test_a_model_of_another_label_with_the_same_number_is_another_champion() -> None:
    lines = [line(1, "1"), line(5, "1", "1", label="direction_4h")]
    found = champion_at(lines, BTC, at("06"))
    assert found is not None
    assert found.line["label"] == "direction_4h"


def test_a_deployment_that_a_crash_prevented_never_was() -> None:
    lines = [line(1, "1"), line(5, "2", "1"), recovery(6, "1", "2"), line(9, "3", "1")]
    assert spans(lines) == [("1", 1, 9), ("3", 9, None)]
    assert version_at(lines, "05T12:00") == "1"


def test_a_first_deployment_that_a_crash_prevented_never_was() -> None:
    lines = [line(1, "1"), recovery(2, None, "1"), line(5, "2")]
    assert spans(lines) == [("2", 5, None)]


def test_a_champion_that_was_taken_away_reigned_until_that_was_found() -> None:
    lines = [line(1, "1"), recovery(6, None, "1", interrupted=False), line(9, "3"), recovery(10, None, "3")]
    assert spans(lines) == [("1", 1, 6)]
    assert version_at(lines, "05") == "1"
    assert version_at(lines, "07") is None


def test_a_champion_that_was_put_back_by_hand_on_the_disk_reigns_from_when_it_was_found() -> None:
    lines = [line(1, "1"), line(3, "2", "1"), recovery(6, "1", "2", interrupted=False)]
    assert spans(lines) == [("1", 1, 3), ("2", 3, 6), ("1", 6, None)]


def test_a_champion_that_was_replaced_by_hand_on_the_disk_is_told_from_when_it_was_found() -> None:
    lines = [line(1, "1"), line(3, "2", "1"), recovery(6, "7", "2")]
    assert spans(lines) == [("1", 1, 3), ("2", 3, 6), ("7", 6, None)]


def test_a_person_whose_name_is_recovery_undoes_nothing() -> None:
    lines = [line(1, "1"), line(3, "2", "1"), line(6, "1", "2", who="recovery", policy="by_hand")]
    assert spans(lines) == [("1", 1, 3), ("2", 3, 6), ("1", 6, None)]


def test_what_was_found_in_mlflow_changes_no_champion() -> None:
    told = line(4, "1", "1", who="mlflow", candidate_version="2", trading="unchanged")
    assert spans([line(1, "1"), told]) == [("1", 1, None)]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(["deploy", "refuse", "crash", "remove"]), max_size=12))
def test_spans_follow_one_another_and_tell_what_truly_was_in_place(events: list[str]) -> None:
    lines: list[Mapping[str, Any]] = []
    truth: dict[int, str | None] = {}
    champion, n = None, 0
    for event in events:
        n += 2
        if event == "refuse":
            lines.append(refusal(n, champion))
        elif event == "deploy":
            lines.append(line(n, str(n), champion))
            champion = str(n)
        elif event == "crash":
            lines += [line(n, str(n), champion), recovery(n + 1, champion, str(n))]
        elif champion is not None:
            lines.append(recovery(n, None, champion, interrupted=False))
            champion = None
        truth[n] = champion
    for day, expected in truth.items():
        assert version_at(lines, f"{day:02}T12:00") == expected
    found = reigns(lines, BTC)
    for before, after in pairwise(found):
        assert before.until is not None
        assert before.since < before.until <= after.since
