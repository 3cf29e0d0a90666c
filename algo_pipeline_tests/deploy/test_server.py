from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pytest

from algo_pipeline.common.time import BAR, floor_to_bar, utc_now
from algo_pipeline.common.types import Symbol
from algo_pipeline.live.journal import Journal
from algo_pipeline.registry.bundle import BundleStore
from algo_pipeline.sandbox.client import SandboxControl
from algo_pipeline.sandbox.faults import Fault, FaultKind
from algo_pipeline_tests.deploy.compose import read_compose
from algo_pipeline_tests.deploy.fleet import Fleet, fleet
from algo_pipeline_tests.deploy.graphql import DagsterWeb

pytestmark = pytest.mark.timeout(600)  # half a minute of it is waiting for processes to start

_SETTINGS = {
    "ALGO_TRADER_SYMBOLS": "BTC/USD",
    "ALGO_TRADER_DATA_SOURCE": "simulated",
    "ALGO_TRADER_SIMULATED_SIGNAL_STRENGTH": "0.3",
    "ALGO_TRADER_SIMULATED_YEARS": "20",
    "ALGO_TRADER_N_FOLDS": "2",
    "ALGO_TRADER_CHALLENGER": "false",
    "ALGO_TRADER_PROMOTION_POLICY": "always",
    "ALGO_TRADER_DRIFT_ABSTENTION": "false",
    # Every hour is LONG: what is tested is the way of an order, not the model.
    "ALGO_TRADER_ENTER_THRESHOLD": "0.02",
    "ALGO_TRADER_EXIT_THRESHOLD": "0.01",
}
_DAYS = 100
_BTC = Symbol("BTC", "USD")
_MODEL = "algo-pipeline-BTC-USD-direction_1h"
_RESEARCH_S, _HOUR_S = 180.0, 90.0
_POLL_S = 0.1
_OF_AN_ORDER = frozenset({"decision", "intent", "result"})
_ALWAYS = tuple(name for name, service in read_compose().items() if not service.profiles and service.is_ours)


@dataclass(frozen=True, slots=True)
class Server:
    """The running services, and the first of the hours that are traded."""

    fleet: Fleet
    web: DagsterWeb
    sandbox: SandboxControl
    first: pd.Timestamp

    def tick(self, n: int) -> str:
        """Let a minute have passed since the n-th bar's close, and launch what the schedule asks for; the run's id."""
        at = self.first + (n + 1) * BAR + pd.Timedelta(minutes=1)
        self.sandbox.set_clock(at)
        return self.launch(at)

    def launch(self, at: pd.Timestamp) -> str:
        """Launch what the schedule asks for at a time."""
        tags = self.web.tick("hourly_decision", at.timestamp())
        assert tags["dagster/partition"] == f"{floor_to_bar(at) - BAR:%Y-%m-%d-%H:%M}"
        return self.web.launch("hourly_decision", tags)

    def events(self, n: int) -> list[str]:
        """What the journal holds of the decision on the n-th bar and of its order."""
        lines = Journal(self.fleet.ground.root / "artifacts" / "live").read()
        told = [line.event.value for line in lines if line.timestamp == self.first + n * BAR]
        return [event for event in told if event in _OF_AN_ORDER]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    first = floor_to_bar(utc_now()) - 8 * BAR
    trading_url = "http://127.0.0.1:8900"
    settings = _SETTINGS | {
        "ALGO_TRADER_HISTORY_START": f"{first - pd.Timedelta(days=_DAYS):%Y-%m-%d}",
        **{
            f"ALGO_TRADER_{name}_URL": trading_url for name in ("ALPACA_TRADING", "ALPACA_DATA", "BINANCE", "COINGECKO")
        },
    }
    with fleet(tmp_path_factory.mktemp("server"), settings) as made:
        made.start(*_ALWAYS, "sandbox")
        sandbox = SandboxControl(made.ground.url("8900"))
        _turn_back(sandbox, first)
        yield Server(made, DagsterWeb(made.ground.url("3000")), sandbox, first)
        sandbox.close()


def _turn_back(sandbox: SandboxControl, at: pd.Timestamp) -> None:
    """Hours are partitions once they are over: the sandbox's clock starts some hours ago."""
    snapshot = sandbox.snapshot()
    snapshot["clock"] |= {"at_ns": at.value, "wall_ns": time.time_ns()}
    sandbox.restore(snapshot | {"opened_ns": at.value})


def test_research_hours_and_a_killed_container_on_the_server(server: Server) -> None:
    """One story, for each part needs what the one before has left: a champion, an account, a killed container."""
    _research_reaches_both_databases(server)
    _an_hour_is_decided_and_its_order_filled(server)
    _commands_in_the_container_see_all_of_it(server)
    _the_dashboard_shows_the_holding(server)
    _no_password_is_shown_by_any_process_or_file(server)
    _nothing_is_doubled_when_containers_are_killed_between_order_and_answer(server)


def _research_reaches_both_databases(server: Server) -> None:
    config = {"resources": {"pipeline": {"config": {"until": server.first.isoformat()}}}}
    tags = {"dagster/partition": "BTC-USD", "algo-pipeline/research": "true"}
    run_id = server.web.launch("research", tags, config)
    assert server.web.wait_for(run_id, _RESEARCH_S) == "SUCCESS", server.fleet.tail("code-server")
    query = server.fleet.postgres.query
    assert f"{run_id}|SUCCESS" in query("dagster", "SELECT run_id, status FROM runs")
    assert query("mlflow", "SELECT name, version FROM model_versions") == [f"{_MODEL}|1"]
    assert query("mlflow", "SELECT alias, version FROM registered_model_aliases") == ["champion|1"]
    assert all(uri.startswith("mlflow-artifacts:/") for uri in query("mlflow", "SELECT artifact_uri FROM runs"))
    assert list((server.fleet.ground.root / "mlflow").rglob("*.skops"))


def _an_hour_is_decided_and_its_order_filled(server: Server) -> None:
    assert server.web.wait_for(server.tick(0), _HOUR_S) == "SUCCESS", server.fleet.tail("code-server")
    assert server.events(0) == ["decision", "intent", "result"]
    assert _sides(server) == ["buy"]


def _commands_in_the_container_see_all_of_it(server: Server) -> None:
    diagnosis = json.loads(server.fleet.exec("code-server", "algo-pipeline", "doctor", "--json"))
    levels = {check["name"]: check["level"] for check in diagnosis["checks"]}
    assert "FAIL" not in levels.values(), diagnosis
    assert {levels[name] for name in ("mlflow store", "alias BTC/USD", "schedule", "ledger")} == {"OK"}


def _the_dashboard_shows_the_holding(server: Server) -> None:
    page = server.fleet.ground.url("8800") + "/metrics"
    with urllib.request.urlopen(page, timeout=_HOUR_S) as answer:  # noqa: S310 - a server of the test
        metrics = answer.read().decode()
    [quantity] = re.findall(r'^algo_pipeline_position_quantity\{symbol="BTC/USD"\} (\S+)$', metrics, re.MULTILINE)
    assert float(quantity) > 0


def _no_password_is_shown_by_any_process_or_file(server: Server) -> None:
    ground = server.fleet.ground
    passwords = [path.read_text().strip()[-48:].encode() for path in (ground.root / "secrets").iterdir()]
    places = [Path("/proc") / str(pid) / name for pid in server.fleet.pids() for name in ("cmdline", "environ")]
    for folder in ("artifacts", "mlflow", "logs", "dagster", "work"):
        places += [path for path in (ground.root / folder).rglob("*") if path.is_file()]
    assert len(places) > len(passwords)
    assert not [place for place in places if any(password in _content(place) for password in passwords)]


def _content(path: Path) -> bytes:
    """Empty for a process that has ended meanwhile."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def _nothing_is_doubled_when_containers_are_killed_between_order_and_answer(server: Server) -> None:
    _say_flat(server.fleet.ground.root / "artifacts")
    server.sandbox.add_fault(Fault(FaultKind.DELAY, "/v2/orders", "POST", after_effect=True, delay_s=_HOUR_S))
    victim = server.tick(1)
    _wait_until(lambda: _sides(server) == ["buy", "sell"], server)
    server.fleet.kill("code-server")
    server.fleet.kill("daemon")
    assert server.events(1) == ["decision", "intent"]

    server.fleet.start("code-server", "daemon")
    server.web.give_up(victim)
    again = server.launch(server.sandbox.now())
    assert server.web.wait_for(again, _HOUR_S) == "SUCCESS", server.fleet.tail("code-server")
    assert _sides(server) == ["buy", "sell"]
    assert server.events(1) == ["decision", "intent", "result"]


def _say_flat(artifacts: Path) -> None:
    """Let the champion be FLAT on every bar from now on: the next hour sells."""
    store = BundleStore(artifacts)
    bundle = store.load(_BTC)
    assert bundle is not None
    store.deploy(replace(bundle, enter_threshold=1.0, exit_threshold=1.0))


def _sides(server: Server) -> list[str]:
    """Of every order in the sandbox's books, oldest first."""
    return [order["side"] for order in server.sandbox.ledger()["orders"]]


def _wait_until(condition: Callable[[], bool], server: Server) -> None:
    deadline = time.monotonic() + _HOUR_S
    while not condition():
        assert time.monotonic() < deadline, server.fleet.tail("code-server")
        time.sleep(_POLL_S)
