"""``algo-pipeline sandbox`` as a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pytest
import requests
from click.testing import CliRunner

from algo_pipeline.cli.main import cli
from algo_pipeline.cli.sandbox import environment
from algo_pipeline.common.config import PREFIX, Settings, load_settings
from algo_pipeline.common.paper import require_alpaca_data_url, require_paper_url
from algo_pipeline.sandbox.bars import default_start, sandbox_bars
from algo_pipeline.sandbox.client import SandboxControl
from algo_pipeline_tests.sandbox.rig import BTC, KEYS, steady

NOW = pd.Timestamp("2026-05-06T07:12:34Z")
URL = "http://127.0.0.1:8900"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty working folder without any setting."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def bars_file(folder) -> Path:
    path = folder / "bars.csv"
    steady(60 * 24).reset_index().to_csv(path, index=False)
    return path


@contextmanager
def process(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, object]]]:
    """The command, running, with what its one line of JSON says."""
    command = [sys.executable, "-c", "from algo_pipeline.cli.main import main; main()", "sandbox", "--json", *arguments]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            yield child, json.loads(child.stdout.readline())
        finally:
            child.kill()


def buy(url: str, order_id: str) -> int:
    body = {"symbol": "BTC/USD", "side": "buy", "type": "market", "time_in_force": "ioc", "qty": "1"}
    body["client_order_id"] = order_id
    return requests.post(f"{url}/v2/orders", json=body, headers=KEYS, timeout=10).status_code


def test_orders_survive_kill_9_and_ctrl_c_ends_it(folder, bars_file):
    arguments = ("--source", "file", "--path", str(bars_file), "--symbol", "BTC/USD", "--port", "0")
    arguments += ("--state", "state.json", "--mode", "parity", "--speed", "0", "--start", "2024-04-02T03:00Z")
    with process(folder, *arguments) as (child, told):
        assert [buy(told["url"], str(n)) for n in range(3)] == [200] * 3
        os.kill(child.pid, signal.SIGKILL)
    with process(folder, *arguments) as (child, told):
        control = SandboxControl(told["url"])
        assert [order["client_order_id"] for order in control.ledger()["orders"]] == ["0", "1", "2"]
        assert control.now() == pd.Timestamp("2024-04-02T03:00Z")
        child.send_signal(signal.SIGINT)
        assert child.wait(20) == 1


class TestEnvironment:
    def test_every_line_is_a_setting_that_the_pipeline_accepts(self, folder, monkeypatch):
        values = environment(URL, load_settings(data_source="simulated"))
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        settings = load_settings()
        roots = (settings.alpaca_trading_url, settings.alpaca_data_url, settings.binance_url, settings.coingecko_url)
        assert roots == (URL,) * 4
        assert (
            require_paper_url(settings.alpaca_trading_url) == require_alpaca_data_url(settings.alpaca_data_url) == URL
        )
        assert settings.artifacts_dir != Settings.model_fields["artifacts_dir"].default

    def test_recorded_bars_are_asked_of_the_sandbox_and_simulated_ones_called_so(self, folder, bars_file):
        recorded = load_settings(data_source="file", data_path=bars_file)
        assert environment(URL, recorded)["ALGO_TRADER_DATA_SOURCE"] == "binance"
        assert environment(URL, load_settings(data_source="simulated"))["ALGO_TRADER_DATA_SOURCE"] == "simulated"


class TestBars:
    def test_simulated_ones_reach_beyond_the_present_and_the_clock_starts_now(self, folder):
        settings = load_settings(data_source="simulated", history_start="2026-05-01")
        bars = sandbox_bars(settings, [BTC], NOW)
        assert bars[BTC].index[0] == pd.Timestamp("2026-05-01", tz="UTC")
        assert bars[BTC].index[-1] > NOW + pd.Timedelta(days=390)
        assert default_start(settings, bars, NOW) == NOW

    def test_on_recorded_ones_it_starts_thirty_days_before_the_end_at_this_minute(self, folder, bars_file):
        settings = load_settings(data_source="file", data_path=bars_file)
        bars = sandbox_bars(settings, [BTC], NOW)
        start = default_start(settings, bars, NOW)
        assert start == bars[BTC].index[-1] - pd.Timedelta(days=30) + pd.Timedelta(minutes=12, seconds=34)

    def test_on_few_bars_it_starts_with_the_first(self, folder):
        settings = load_settings(data_source="simulated").model_copy(update={"data_source": "file"})
        assert default_start(settings, {BTC: steady(5)}, NOW.floor("h")) == steady(5).index[0]


class TestMisuse:
    def refused(self, *arguments: str) -> str:
        result = CliRunner().invoke(cli, ["sandbox", *arguments])
        assert result.exit_code == 2, result.output
        return result.output

    def test_a_file_belongs_to_its_source(self, folder):
        assert "--path" in self.refused("--source", "file")
        assert "--source file" in self.refused("--path", "x.csv")

    @pytest.mark.parametrize(
        "arguments",
        [("--symbol", "BTC"), ("--start", "soon"), ("--speed", "-1"), ("--mode", "live"), ("--port", "99999")],
    )
    def test_an_argument_out_of_its_domain_is_misuse(self, folder, arguments):
        self.refused(*arguments)

    def test_a_store_without_bars_says_what_to_run(self, folder):
        result = CliRunner().invoke(cli, ["sandbox", "--source", "binance", "--port", "0"])
        assert result.exit_code == 1
        assert "algo-pipeline research --source binance" in str(result.exception)
