from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from algo_pipeline.common.errors import ConfigValueError, SettingsError
from algo_pipeline.common.types import Symbol
from algo_pipeline.sources import SOURCE_NAMES, SourceOptions, make_price_check, make_source


@pytest.mark.parametrize("name", SOURCE_NAMES)
def test_every_source_is_built_by_its_name(name: str) -> None:
    source = make_source(name, SourceOptions(path=Path("bars.csv")))
    assert source.name == name
    assert source.venue_symbol(Symbol("BTC", "USD"))


def test_the_sources_are_these() -> None:
    assert SOURCE_NAMES == ("binance", "alpaca", "file", "simulated")


def test_a_misspelt_source_names_the_nearest() -> None:
    with pytest.raises(ConfigValueError, match="Did you mean binance"):
        make_source("binnance")


def test_coingecko_is_explained_to_be_no_source_of_bars() -> None:
    with pytest.raises(ConfigValueError, match="only cross-checks"):
        make_source("coingecko")
    make_price_check(SourceOptions(coingecko_url="http://127.0.0.1:9"))


def test_a_file_source_without_a_path_is_refused() -> None:
    with pytest.raises(ConfigValueError, match="--path"):
        make_source("file")


def test_keys_never_show_and_never_go_to_another_host() -> None:
    options = SourceOptions(
        alpaca_api_key="the-key", alpaca_secret_key="the-secret", alpaca_data_url="https://evil.example"
    )
    assert "the-" not in repr(options)
    with pytest.raises(SettingsError):
        make_source("alpaca", options)


def test_a_password_in_the_root_of_an_open_venue_is_refused_and_not_echoed() -> None:
    root = "http://anna:hunter2@127.0.0.1:9"
    options = SourceOptions(binance_url=root, coingecko_url=root)
    with pytest.raises(SettingsError, match="ALGO_TRADER_BINANCE_URL") as caught:
        make_source("binance", options)
    assert "hunter2" not in str(caught.value)
    with pytest.raises(SettingsError, match="ALGO_TRADER_COINGECKO_URL") as caught:
        make_price_check(options)
    assert "hunter2" not in str(caught.value)


def test_building_sources_imports_no_heavy_client() -> None:
    code = (
        "import sys; from pathlib import Path; from algo_pipeline.sources import *\n"
        "for name in SOURCE_NAMES: make_source(name, SourceOptions(path=Path('x')))\n"
        "print([m for m in ('ccxt', 'alpaca', 'numba', 'requests') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
