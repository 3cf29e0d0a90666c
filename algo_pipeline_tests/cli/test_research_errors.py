"""What goes wrong in front of a person: one message with a remedy, the right exit code, nothing existing damaged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from algo_pipeline_tests.cli.ended import Command, Ended, assert_says
from algo_pipeline_tests.live_shop import exit_code
from algo_pipeline_tests.market import random_bars
from algo_pipeline_tests.wire.server import Fault, WireServer, running
from algo_pipeline_tests.workshop import Workshop, fingerprints, workshop

_NOW = pd.Timestamp("2020-03-01T00:30Z")
_CSV = random_bars(400, seed=5, start="2020-01-01").reset_index()


@pytest.fixture
def shop(tmp_path: Path, mlflow_template: Path) -> Workshop:
    return workshop(tmp_path / "work", mlflow_template)


@pytest.fixture
def command(shop: Workshop, capfd: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """The command in this process, in a workshop of its own."""
    # Its own, undone before the workshop is left: a fixture's would be undone after, to what the workshop had set.
    with shop.active(), pytest.MonkeyPatch.context() as monkeypatch:

        def run(*arguments: str, **settings: str) -> Ended:
            return Ended(exit_code(monkeypatch, *arguments, **settings), *capfd.readouterr())

        yield run


@pytest.mark.parametrize("arguments", [(), ("research",), ("ui",)])
def test_help_teaches(command: Command, arguments: tuple[str, ...]) -> None:
    ended = command(*arguments, "--help")
    assert ended.code == 0
    assert "Usage: algo-pipeline" in ended.out
    assert len(ended.out.splitlines()) > 5
    assert ended.err == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("reserch",), ("reserch",)),
        (("research", "--sorce", "file"), ("--sorce", "--source")),
        (("research", "--source", "kraken"), ("kraken", "binance")),
        (("research", "--source", "simulated", "--path", "x.csv"), ("--path", "simulated")),
        (("research", "--until", "tomorrow-ish"), ("tomorrow-ish", "ISO 8601")),
        (("research", "--symbol", "bitcoin"), ("bitcoin", "BTC/USD")),
        (("research", "--symbol", "BTC/USD", "--symbol", "BTC-USD"), ("BTC/USD",)),
        (("research", "--source", "file"), ("--path",)),
    ],
    ids=lambda value: " ".join(value) if value and isinstance(value, tuple) else None,
)
def test_misuse_ends_with_exit_code_2(
    command: Command, shop: Workshop, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    assert_says(command(*arguments), 2, *words)
    assert not shop.artifacts.exists()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ALGO_TRADER_SYMBOL", "BTC/USD", ("ALGO_TRADER_SYMBOL ", "ALGO_TRADER_SYMBOLS")),
        ("ALGO_TRADER_FEE_BPS", "cheap", ("ALGO_TRADER_FEE_BPS", "cheap")),
        ("ALGO_TRADER_ENTER_THRESHOLD", "1.5", ("enter_threshold",)),
        ("ALGO_TRADER_N_FOLDS", "1", ("ALGO_TRADER_N_FOLDS",)),
        ("ALGO_TRADER_SYMBOLS", "BTC", ("ALGO_TRADER_SYMBOLS", "BTC")),
        ("ALGO_TRADER_HISTORY_START", "long ago", ("long ago",)),
    ],
)
def test_a_bad_setting_is_named_with_exit_code_1(
    command: Command, shop: Workshop, name: str, value: str, words: tuple[str, ...]
) -> None:
    assert_says(command("research", **{name: value}), 1, *words)
    assert not shop.artifacts.exists()


@pytest.mark.parametrize(
    ("arguments", "code", "kind"),
    [(("--until", "soon"), 2, "misuse"), (("--path", "/no/such/file.csv"), 1, "storage")],
)
def test_an_error_is_one_json_document_on_request(
    command: Command, arguments: tuple[str, ...], code: int, kind: str
) -> None:
    ended = command("research", *arguments, "--json")
    assert ended.code == code
    error = json.loads(ended.out)["error"]
    assert set(error) == {"code", "message", "remedy"}
    assert error["code"] == kind
    assert error["remedy"]
    assert ended.err == ""


def _mixed_zones() -> str:
    table = _CSV.copy()
    stamps = table["timestamp"].dt.strftime("%Y-%m-%dT%H:%M:%S")
    table["timestamp"] = stamps + (["+00:00", "+05:00"] * len(table))[: len(table)]  # type: ignore[operator]
    return table.to_csv(index=False)


_HEADER, *_LINES = _CSV.to_csv(index=False).splitlines()
_FILES: dict[str, tuple[str, tuple[str, ...]]] = {
    "empty": ("", ("empty",)),
    "text": ("Dear Sir or Madam,\nplease find\n", ("no table",)),
    "nan": ("\n".join([_HEADER, *_LINES[:50], _LINES[50].rsplit(",", 2)[0] + ",,", *_LINES[51:]]), ("51",)),
    "negative": (
        _CSV.assign(low=_CSV["low"].where(_CSV.index != 7, -1.0)).to_csv(index=False),
        ("2020-01-01", "low"),
    ),
    "mixed_zones": (_mixed_zones(), ("time",)),
    "truncated_row": ("\n".join([_HEADER, *_LINES[:100], _LINES[100][:30]]), ("bars.csv",)),
    "shuffled": ("\n".join([_HEADER, *_LINES[200:], *_LINES[:100], *_LINES[150:200], *_LINES[100:150]]), ()),
    "too_short": ("\n".join([_HEADER, *_LINES[:60]]), ("longer history",)),
}


@pytest.mark.parametrize("name", _FILES)
def test_a_bad_file_is_named_with_what_is_wrong_and_nothing_stored_changes(
    command: Command, shop: Workshop, name: str
) -> None:
    content, words = _FILES[name]
    path = shop.root / "bars.csv"
    path.write_text(content)
    assert_says(command("research", "--path", str(path)), 1, *words)
    assert path.read_text() == content
    assert not (shop.artifacts / "backtest").exists()
    assert not (shop.artifacts / "live").exists()


def test_a_truncated_parquet_file_is_refused(command: Command, shop: Workshop) -> None:
    path = shop.root / "bars.parquet"
    _CSV.to_parquet(path)
    path.write_bytes(path.read_bytes()[:-500])
    assert_says(command("research", "--path", str(path)), 1, "bars.parquet")


def test_a_missing_file_is_named(command: Command, shop: Workshop) -> None:
    assert_says(command("research", "--path", str(shop.root / "nowhere.csv")), 1, "nowhere.csv")


@pytest.mark.parametrize("place", ["artifacts", "artifacts/dagster", "artifacts/data", "artifacts/research"])
def test_a_file_in_the_way_of_a_folder_is_named(command: Command, shop: Workshop, place: str) -> None:
    way = shop.root / place
    way.parent.mkdir(parents=True, exist_ok=True)
    way.write_text("a file")
    path = shop.root / "bars.csv"
    path.write_text("\n".join([_HEADER, *_LINES]))
    ended = command("research", "--path", str(path))
    assert_says(ended, 1, str(way))
    assert way.read_text() == "a file"


@pytest.fixture
def venue() -> Iterator[WireServer]:
    bars = random_bars(1_440, seed=7, start="2020-01-01")
    with running(WireServer({"BTCUSDT": bars, "ETHUSDT": bars}, _NOW)) as server:
        yield server


def _binance(venue_url: str) -> dict[str, str]:
    return {"ALGO_TRADER_DATA_SOURCE": "binance", "ALGO_TRADER_BINANCE_URL": venue_url}


def test_an_unknown_symbol_is_named_with_its_neighbours(command: Command, venue: WireServer) -> None:
    assert_says(command("research", "--symbol", "BTX/USD", **_binance(venue.url)), 1, "BTX/USD", "BTC/USDT")


@pytest.mark.parametrize("status", [451, 403, 418])
def test_a_venue_that_blocks_is_not_asked_again(command: Command, venue: WireServer, status: int) -> None:
    venue.fail(Fault("/api/v3/klines", status, json.dumps({"code": 0, "msg": "restricted location"})), times=9)
    assert_says(command("research", "--symbol", "BTC/USD", **_binance(venue.url)), 1, "Binance")
    assert len(venue.requests) == 1


def test_an_unreachable_venue_is_named_and_what_is_stored_stays(
    materialized: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    shop = materialized.copy(tmp_path / "copy")
    before = fingerprints(shop.artifacts)
    shop = Workshop(shop.root, {**shop.environment, "ALGO_TRADER_BINANCE_URL": "http://127.0.0.1:1"})
    with shop.active():
        assert exit_code(monkeypatch, "research", "--source", "binance", "--json") == 1
    after = fingerprints(shop.artifacts)
    kept = [name for name in before if not name.startswith(("dagster/", "logs/"))]
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert not [name for name in after if name not in before and not name.startswith(("dagster/", "logs/"))]
