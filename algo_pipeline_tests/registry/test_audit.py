"""What was exported is verified, and a change to any part of it is caught by name, the manifest forged or not."""

from __future__ import annotations

import base64
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pandas as pd
import pytest

from algo_pipeline.common.audit_archive import AuditArchive, read_archive, write_archive
from algo_pipeline.common.errors import CorruptFileError, StorageError
from algo_pipeline.common.machine import environment
from algo_pipeline.data.simulation import simulate_bars
from algo_pipeline.live.hour_story import hour_story
from algo_pipeline.live.journal import Journal
from algo_pipeline.registry.audit_export import (
    bars_csv,
    bars_from_csv,
    hour_files,
    hour_subject,
    require_no_secrets,
    run_files,
)
from algo_pipeline.registry.audit_verify import Verification, verify
from algo_pipeline.registry.explain import explain, recompute
from algo_pipeline.registry.trials import Forecast, Trial, TrialKind, TrialLedger
from algo_pipeline_tests.live.lines import BTC, decision, hour, intent, mark, result, started
from algo_pipeline_tests.registry.logged import logged_training, some_bars
from algo_pipeline_tests.registry.samples import sample_bundle

Change = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def run_parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("artifacts")
    ledger = TrialLedger(folder)
    for n in range(3):
        ledger.record([Trial(Forecast("BTC/USD", "direction_1h", "simulated", "r"), f"s{n}", TrialKind.SWEEP, 0.1, 90)])
    bars = some_bars()
    return run_files(logged_training(bars), bars, folder)


@pytest.fixture(scope="module")
def hour_parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    bars = simulate_bars(BTC, hour(-699), hour(2), seed=3, signal_strength=0.3)
    bundle = replace(
        sample_bundle(),
        source="simulated",
        history_start=bars.index[0].isoformat(),
        enter_threshold=0.0,
        exit_threshold=0.0,
    )
    made = decision(1)
    details = {**made.details, "bundle": bundle.sha256, "close": float(bars["close"].iloc[-1])}
    made = replace(made, prob=recompute(bundle, bars).probability, order_id="a", details=details)
    journal = Journal(tmp_path_factory.mktemp("live"))
    journal.append([started(0), mark(0), mark(1), made, intent(1), result(1), mark(2), mark(3)], hour(4))
    found = explain(hour_story(journal.lines(), hour(1), BTC), bundle, bars)
    assert found.is_confirmed
    assert hour_subject(found) == SUBJECT
    return hour_files(found, journal, bars)


SUBJECT = {"symbol": "BTC/USD", "hour": hour(1).isoformat()}


def verified(path: Path, kind: str, files: Mapping[str, bytes]) -> Verification:
    """Written with a manifest that fits, as a forger would, and checked."""
    write_archive(path, kind, SUBJECT if kind == "hour" else {"run_id": "run-1"}, environment(), files)
    return verify(read_archive(path))


def edited(old: str, new: str) -> Change:
    def change(data: bytes) -> bytes:
        assert old in data.decode()
        return data.decode().replace(old, new, 1).encode()

    return change


def number_changed(line: int, column: int = 1) -> Change:
    """A slightly other number in one line of a table."""

    def change(data: bytes) -> bytes:
        lines = data.decode().splitlines(keepends=True)
        cells = lines[line].split(",")
        cells[column] = repr(float(cells[column]) * (1 + 2e-5))
        lines[line] = ",".join(cells)
        return "".join(lines).encode()

    return change


def figure_changed(*path: str) -> Change:
    def change(data: bytes) -> bytes:
        document = json.loads(data)
        place = document
        for name in path[:-1]:
            place = place[name]
        value = place[path[-1]]
        if isinstance(value, list):
            place[path[-1]] = [value[0] + 0.001, *value[1:]]
        else:
            place[path[-1]] = value + 0.001 if isinstance(value, float) else f"{value}x"
        return json.dumps(document).encode()

    return change


def test_an_exported_run_is_verified_in_every_part(run_parts, tmp_path):
    found = verified(tmp_path / "a.zip", "run", run_parts)
    assert found.is_sound
    names = [check.name for check in found.checks]
    assert names[:2] == ["manifest", "ledger/trials.jsonl"]
    assert names[2:8] == ["bars", "dataset", "parameters", "predictions", "scores", "report"]
    assert all(check.passed for check in found.checks)


FORGED_RUN = [
    ("bars.csv", number_changed(900), "bars"),
    ("run/tables/oos_probabilities.csv", number_changed(10), "predictions"),
    ("run/lineage/parameters.json", figure_changed("weights"), "parameters"),
    ("run/backtest/report.json", figure_changed("metrics", "strategy", "total_return"), "report"),
    ("run/metrics.json", figure_changed("oos", "log_loss"), "scores"),
    ("run/lineage/lineage.json", figure_changed("bars_hash"), "run"),
    ("run/config.json", figure_changed("calibrator"), "run"),
    ("run.json", figure_changed("parameters", "recipe_hash"), "run"),
    ("ledger/trials.jsonl", edited("0.1", "0.2"), "ledger/trials.jsonl"),
    ("ledger/trials.jsonl", lambda data: b"\n".join(data.split(b"\n")[1:]), "ledger/trials.jsonl"),
]


@pytest.mark.parametrize(("name", "change", "caught"), FORGED_RUN, ids=[f"{n}-{c}" for n, _, c in FORGED_RUN])
def test_a_forged_part_of_a_run_is_caught_by_name_though_the_manifest_was_forged_too(
    run_parts, tmp_path, name, change, caught
):
    found = verified(tmp_path / "a.zip", "run", {**run_parts, name: change(run_parts[name])})
    assert not found.is_sound
    assert caught in found.failed
    assert "manifest" not in found.failed


def test_a_file_that_no_longer_fits_the_manifest_is_named(hour_parts):
    for name in hour_parts:
        found = verify(AuditArchive("hour", SUBJECT, {}, hour_parts, {name: "does not match its hash"}))
        assert found.failed == ("manifest",)
        assert found.checks[0].detail == f"{name} does not match its hash"


def test_an_exported_hour_is_verified_in_every_part(hour_parts, tmp_path):
    found = verified(tmp_path / "a.zip", "hour", hour_parts)
    assert [check.name for check in found.checks] == [
        *("manifest", "journal", "order", "bundle", "probability", "signal"),
    ]
    assert found.is_sound
    assert b'"started"' not in hour_parts["journal.jsonl"]  # the section begins with the mark before
    assert hour_parts["journal.jsonl"].count(b"\n") == 6


def test_a_forged_line_of_a_ledger_is_told_by_its_name_in_the_file(run_parts, tmp_path):
    forged = edited("0.1", "0.2")(run_parts["ledger/trials.jsonl"])
    found = verified(tmp_path / "a.zip", "run", {**run_parts, "ledger/trials.jsonl": forged})
    assert found.checks[1].detail == "Line 1 of ledger/trials.jsonl is damaged or was changed."


FORGED_HOUR = [
    ("journal.jsonl", edited('"prob": 0.', '"prob": 0.9'), "journal"),
    ("journal.jsonl", edited('"broker-a"', '"broker-b"'), "journal"),
    ("journal.jsonl", lambda data: data.replace(data.split(b"\n")[2] + b"\n", b""), "journal"),
    ("journal.jsonl", lambda data: data[:-5], "journal"),
    ("journal.jsonl", lambda data: b"", "journal"),
    ("bundle.json", figure_changed("enter_threshold"), "bundle"),
    ("bundle.json", lambda data: b"{", "bundle"),
    ("bars.csv", number_changed(701, column=4), "probability"),
    ("bars.csv", lambda data: b"timestamp,open\n1,2\n", "probability"),
]


@pytest.mark.parametrize(("name", "change", "caught"), FORGED_HOUR, ids=[f"{n}-{c}" for n, _, c in FORGED_HOUR])
def test_a_forged_part_of_an_hour_is_caught_by_name_though_the_manifest_was_forged_too(
    hour_parts, tmp_path, name, change, caught
):
    found = verified(tmp_path / "a.zip", "hour", {**hour_parts, name: change(hour_parts[name])})
    assert not found.is_sound
    assert caught in found.failed


def test_what_is_not_in_the_file_is_said_to_be_unchecked(hour_parts, tmp_path):
    found = verified(tmp_path / "a.zip", "hour", {"journal.jsonl": hour_parts["journal.jsonl"]})
    assert found.is_sound
    assert {check.name: check.passed for check in found.checks}["bundle"] is None


def test_a_model_that_would_swell_when_it_is_read_is_refused(hour_parts, tmp_path):
    bomb = BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", bytes(1 << 28))
        archive.writestr("more", b"x")
    document = json.loads(hour_parts["bundle.json"])
    document |= {"scorer": None, "estimator_skops": base64.b64encode(bomb.getvalue()).decode()}
    found = verified(tmp_path / "a.zip", "hour", {**hour_parts, "bundle.json": json.dumps(document).encode()})
    assert {"bundle", "probability"} <= set(found.failed)
    assert any("would take" in check.detail for check in found.checks)


@pytest.mark.parametrize(
    ("name", "content"),
    [("run/config.json", b"[]"), ("run/backtest/report.json", b"[1]"), ("run/metrics.json", b"7"), ("bars.csv", b"")],
)
def test_content_of_another_shape_fails_by_name_and_raises_nothing(run_parts, tmp_path, name, content):
    found = verified(tmp_path / "a.zip", "run", {**run_parts, name: content})
    assert found.failed


def test_bars_keep_their_bits_as_text():
    bars = some_bars(100)
    pd.testing.assert_frame_equal(bars_from_csv(bars_csv(bars)), bars, check_freq=False)
    with pytest.raises(CorruptFileError, match="no valid bars"):
        bars_from_csv(b"a,b\n1,2\n")


def test_a_secret_stops_the_export_and_is_not_told(run_parts):
    with pytest.raises(StorageError, match=r"run\.json holds a secret") as caught:
        require_no_secrets({**run_parts, "run.json": b'{"x": "MARKERkey"}'}, ["", "MARKERkey"])
    assert "MARKERkey" not in str(caught.value)
    require_no_secrets(run_parts, ["MARKERkey"])


def test_a_subject_that_is_none_fails_by_name(hour_parts):
    for subject in ({}, {"symbol": "BTC/USD", "hour": "yesterday"}, {"symbol": "?", "hour": SUBJECT["hour"]}):
        archive = AuditArchive("hour", subject, {}, hour_parts, {})
        assert verify(archive).failed == ("journal",)


def test_a_file_without_a_run_fails_by_name(tmp_path):
    found = verified(tmp_path / "a.zip", "run", {"run.json": b"[]"})
    assert found.failed == ("run",)
