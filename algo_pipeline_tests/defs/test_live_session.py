"""The live account as the settings put it together: whose bars, whose bundle, whose secrets, whose journal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from algo_pipeline.common.config import load_settings
from algo_pipeline.common.errors import CorruptFileError, LiveStateError, LongWaitError
from algo_pipeline.common.paper import PAPER_TRADING_URL
from algo_pipeline.common.types import Symbol
from algo_pipeline.definitions import build_definitions
from algo_pipeline.defs.instance import open_instance
from algo_pipeline.defs.live_account import open_account
from algo_pipeline.defs.live_session import _sources, open_session
from algo_pipeline.defs.rehearsal import _make_room
from algo_pipeline.defs.trading import hourly_job, partition_key
from algo_pipeline.live.controls import halt
from algo_pipeline.registry.bundle import BundleStore
from algo_pipeline.sandbox.faults import Fault, FaultKind
from algo_pipeline.sources.live_feed import LiveFeed
from algo_pipeline_tests.live_shop import BTC, LiveShop, hour, live_shop

_KEY, _ALERTS = "PKQ7V2M4X9SECRETKEY1", "tgram://8123456789:AAsecretTokenOfTheBot/1"


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveShop]:
    with live_shop(tmp_path) as shop:
        yield shop


@pytest.mark.parametrize("setting", ["LIVE_BARS_SOURCE", "DATA_SOURCE"])
def test_simulated_bars_are_never_traded_on_outside_of_a_sandbox(
    live: LiveShop, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    if setting == "LIVE_BARS_SOURCE":
        live.deploy(source="binance", venue_symbol="BTCUSDT")
    monkeypatch.setenv(f"ALGO_TRADER_{setting}", "simulated")
    monkeypatch.setenv("ALGO_TRADER_ALPACA_TRADING_URL", PAPER_TRADING_URL)
    monkeypatch.setenv("ALGO_TRADER_ALPACA_API_KEY", "PKTEST")
    monkeypatch.setenv("ALGO_TRADER_ALPACA_SECRET_KEY", "secret")
    with pytest.raises(LiveStateError, match="in a sandbox only"), open_session(load_settings()):
        pass
    assert not (live.folder / "decisions.jsonl").exists()


def test_symbols_of_one_venue_share_its_client() -> None:
    symbols = (BTC, Symbol("ETH", "USD"))
    sources = _sources(load_settings(None, data_source="binance"), symbols, {})
    assert sources[symbols[0]] is sources[symbols[1]]


def test_a_bundle_in_another_symbols_folder_is_refused(live: LiveShop) -> None:
    path, eth = live.deploy(), Symbol("ETH", "USD")
    store = BundleStore(live.shop.artifacts)
    store.path(eth).parent.mkdir(parents=True)
    store.path(eth).write_bytes(path.read_bytes())
    with pytest.raises(CorruptFileError, match="is that of BTC/USD"):
        store.load(eth)


@pytest.mark.parametrize(("seed", "same"), [("7", True), ("8", False)])
def test_bars_of_another_simulated_market_are_not_called_the_trainings(
    live: LiveShop, monkeypatch: pytest.MonkeyPatch, seed: str, same: bool
) -> None:
    live.deploy()
    monkeypatch.setenv("ALGO_TRADER_SIMULATED_SIGNAL_STRENGTH", "0.3")
    monkeypatch.setenv("ALGO_TRADER_SIMULATED_SEED", seed)
    with open_session(load_settings()) as session:
        session.feed.bars(BTC, hour(0))
        features = session.feed.features(BTC, hour(0))
    assert features.exact == same
    assert (features.reason is None) == same


def test_an_hour_has_no_time_for_the_wait_that_a_venue_asks_for(
    live: LiveShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALGO_TRADER_LIVE_BARS_SOURCE", "binance")
    live.sandbox.add_fault(Fault(FaultKind.STATUS, "/api/v3/*", count=None, status=429, retry_after_s=100.0))
    with open_session(load_settings()) as session, pytest.raises(LongWaitError, match="100 s"):
        session.feed.bars(BTC, hour(0))


def test_a_halt_before_the_first_hour_outlives_a_rehearsal(live: LiveShop) -> None:
    with open_account(live.settings) as account:
        account.broker.get_account = _unreachable  # type: ignore[method-assign]
        with pytest.raises(ConnectionError):
            halt(account, "not before Monday", flatten=False)
    before = (live.folder / "decisions.jsonl").read_bytes()
    with pytest.raises(LiveStateError, match="another account"):
        _make_room(live.folder, "sandbox")
    assert (live.folder / "decisions.jsonl").read_bytes() == before


@pytest.mark.parametrize("leaking", ["bars", "features"])
def test_no_secret_gets_out_of_a_run_of_the_daemon(
    live: LiveShop, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], leaking: str
) -> None:
    """Whatever fails in a process that no command has set up: console, log file, journal and events."""
    from loguru import logger

    def leaks(self: LiveFeed, symbol: Symbol, bar: object) -> object:
        logger.warning("asked with {}", _KEY)
        raise RuntimeError(f"GET https://api.example.com/?key={_KEY}&to={_ALERTS}")

    live.deploy()
    monkeypatch.setenv("ALGO_TRADER_ALPACA_API_KEY", _KEY)
    monkeypatch.setenv("ALGO_TRADER_ALERT_URLS", _ALERTS)
    monkeypatch.setattr(LiveFeed, leaking, leaks)
    monkeypatch.setattr("algo_pipeline.live.alert_channels.AppriseChannel.send", lambda self, alert: None)
    logger.remove()
    logger.add(sys.stdout.write, diagnose=True)  # as loguru starts
    job = build_definitions().resolve_job_def(str(hourly_job.name))
    with open_instance(live.settings) as instance:
        job.execute_in_process(instance=instance, partition_key=partition_key(hour(0)), raise_on_error=False)
    shown = capfd.readouterr()
    files = {path: path.read_bytes() for path in live.shop.artifacts.rglob("*") if path.is_file()}
    for secret in (_KEY, _ALERTS):
        assert secret not in shown.out + shown.err
        assert [str(path) for path, data in files.items() if secret.encode() in data] == []


def _unreachable() -> object:
    raise ConnectionError
