"""Research from the shell as processes: over a venue's wire, killed and run again, two at once."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from algo_pipeline.common.storage import read_checked_json, read_frame
from algo_pipeline.common.types import Symbol
from algo_pipeline.definitions import build_definitions
from algo_pipeline.defs.instance import open_instance
from algo_pipeline.registry.bundle import BundleStore
from algo_pipeline.registry.ledger import PromotionLedger
from algo_pipeline_tests.market import random_bars
from algo_pipeline_tests.wire.server import WireServer, running
from algo_pipeline_tests.workshop import UNTIL, Workshop, fingerprints, workshop

_START = pd.Timestamp("2024-01-01", tz="UTC")
_HOUR = pd.Timedelta(hours=1)
_BTC = Symbol("BTC", "USD")


@pytest.fixture
def shop(tmp_path: Path, mlflow_template: Path) -> Workshop:
    return workshop(tmp_path / "work", mlflow_template)


@pytest.fixture
def venue() -> Iterator[WireServer]:
    bars = random_bars(6_100, seed=7, start="2024-01-01")
    now = _START + 6_000 * _HOUR + pd.Timedelta(minutes=30)
    with running(WireServer({"BTCUSDT": bars, "coingecko:bitcoin": bars}, now)) as server:
        yield server


def test_binance_is_read_page_by_page_and_later_only_for_what_is_new(
    tmp_path: Path, mlflow_template: Path, venue: WireServer
) -> None:
    shop = workshop(
        tmp_path / "work",
        mlflow_template,
        ALGO_TRADER_DATA_SOURCE="binance",
        ALGO_TRADER_HISTORY_START="2024-01-01",
        ALGO_TRADER_BINANCE_URL=venue.url,
        ALGO_TRADER_COINGECKO_URL=venue.url,
    )
    # One symbol is unknown to the venue: the other is finished all the same, and the whole is a failure.
    first = shop.run("research", "--json", "--symbol", "NOPE/USD", "--symbol", "BTC/USD")
    assert first.returncode == 1, first.stderr
    document = json.loads(first.stdout)
    unknown, done = document["symbols"]
    assert unknown["error"]["code"] == document["error"]["code"] == "unknown_symbol"
    assert done["backtest"]["symbol"] == "BTC/USD"
    assert "Traceback" not in first.stderr
    bars = read_frame(shop.artifacts / "data" / "binance" / "BTC-USD" / "bars.parquet")
    pd.testing.assert_frame_equal(bars, venue.bars["BTCUSDT"].iloc[:6_000], check_freq=False)
    bundle = BundleStore(shop.artifacts).load(_BTC)
    assert bundle is not None
    assert (bundle.source, bundle.venue_symbol) == ("binance", "BTCUSDT")

    venue.requests.clear()
    venue.now += 50 * _HOUR
    with shop.active() as settings, open_instance(settings) as instance:
        second = (
            build_definitions()
            .resolve_job_def("ingest")
            .execute_in_process(
                run_config={"resources": {"pipeline": {"config": {}}}}, instance=instance, partition_key="BTC-USD"
            )
        )
    assert second.success
    asked = [int(request.query["startTime"]) for request in venue.requests if request.path == "/api/v3/klines"]
    # What is stored is not asked for again; this venue's clock is years behind ours, which pages of nothing follow.
    assert asked[0] == (_START + 6_000 * _HOUR).value // 1_000_000
    assert all(start > (_START + 6_050 * _HOUR).value // 1_000_000 for start in asked[1:])
    assert len(read_frame(shop.artifacts / "data" / "binance" / "BTC-USD" / "bars.parquet")) == 6_050


def _kill_after(shop: Workshop, sign: str) -> None:
    """Start a run and kill it, with no chance to clean up, when a progress line holds ``sign``."""
    with shop.start("research", "--until", UNTIL) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if sign in line:
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL


def _assert_every_file_is_whole(shop: Workshop) -> None:
    for path in shop.artifacts.rglob("*.parquet"):
        read_frame(path)
    for path in (shop.artifacts / "research").rglob("*.json"):
        read_checked_json(path)
    BundleStore(shop.artifacts).load(_BTC)
    PromotionLedger(shop.artifacts).lines()


def test_runs_killed_at_several_moments_are_finished_by_the_next_beside_another_symbols(shop: Workshop) -> None:
    for sign in ("raw_ohlcv", "  splits ", "  backtest_report "):
        _kill_after(shop, sign)
        _assert_every_file_is_whole(shop)
    runs = [shop.start("research", "--until", UNTIL, "--json", "--symbol", name) for name in ("BTC/USD", "ETH/USD")]
    for out, err, code in [(*run.communicate(timeout=250), run.returncode) for run in runs]:
        assert code == 0, out + err
        assert json.loads(out)["symbols"][0]["gate"]["to_version"] is not None
    _assert_every_file_is_whole(shop)
    lines = PromotionLedger(shop.artifacts).lines()
    assert {line["symbol"] for line in lines} == {"BTC/USD", "ETH/USD"}
    for symbol in (_BTC, Symbol("ETH", "USD")):
        assert BundleStore(shop.artifacts).load(symbol) is not None


def test_a_damaged_store_is_named_and_left_as_it_is(materialized: Workshop, tmp_path: Path) -> None:
    shop = materialized.copy(tmp_path / "work")
    bars = shop.artifacts / "data" / "simulated" / "BTC-USD" / "bars.parquet"
    data = bytearray(bars.read_bytes())
    data[len(data) // 2] ^= 0xFF
    bars.write_bytes(data)
    before = fingerprints(shop.artifacts / "research")
    done = shop.run("research", "--until", UNTIL, "--json")
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "corrupt_file"
    assert str(bars) in error["message"] + error["remedy"]
    assert bars.read_bytes() == data
    assert fingerprints(shop.artifacts / "research") == before
