"""What every source of bars must keep, whatever it reads from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from algo_pipeline.common.errors import UnknownSymbolError
from algo_pipeline.common.schemas import validate_bars
from algo_pipeline.common.types import Symbol
from algo_pipeline.interfaces.market_data import MarketDataSource
from algo_pipeline.sources.alpaca_bars import AlpacaBarsSource
from algo_pipeline.sources.binance import BinanceSource
from algo_pipeline.sources.files import FileSource
from algo_pipeline.sources.simulated import SimulatedSource
from algo_pipeline.sources.store import BarStore
from algo_pipeline.sources.update import update_bars
from algo_pipeline_tests.sources.conftest import BTC, N_BARS, NOW, START, Waits
from algo_pipeline_tests.wire.server import WireServer

HOUR = pd.Timedelta(hours=1)
LISTED_UNTIL = START + N_BARS * HOUR


@dataclass(frozen=True)
class Case:
    """A source with bars from START on, and when its last whole bar closes by its own clock."""

    source: MarketDataSource
    closed_until: pd.Timestamp


def _simulated(venue: WireServer, folder: Path) -> Case:
    return Case(SimulatedSource(seed=3, first=START, last=LISTED_UNTIL), LISTED_UNTIL)


def _file(venue: WireServer, folder: Path) -> Case:
    frame = venue.bars["BTCUSDT"].reset_index().assign(symbol="BTCUSD")
    frame.to_csv(folder / "bars.csv", index=False)
    return Case(FileSource(folder / "bars.csv"), LISTED_UNTIL)


def _binance(venue: WireServer, folder: Path) -> Case:
    return Case(BinanceSource(base_url=venue.url, sleep=Waits()), NOW.floor("h"))


def _alpaca(venue: WireServer, folder: Path) -> Case:
    return Case(AlpacaBarsSource(base_url=venue.url, sleep=Waits()), NOW.floor("h"))


MAKERS: tuple[Callable[[WireServer, Path], Case], ...] = (_simulated, _file, _binance, _alpaca)
LISTS_ITS_SYMBOLS = MAKERS[1:]
"""The simulated market has every symbol."""


@pytest.fixture(params=MAKERS, ids=lambda maker: maker.__name__.strip("_"))
def case(request: pytest.FixtureRequest, venue: WireServer, tmp_path: Path) -> Case:
    made: Case = request.param(venue, tmp_path)
    return made


def test_all_bars_are_valid_ascending_unique_and_closed(case: Case) -> None:
    bars = case.source.fetch_bars(BTC, START - 100 * HOUR, LISTED_UNTIL + 100 * HOUR)
    validate_bars(bars)
    assert bars.index.name == "timestamp"
    assert bars.index.unit == "ns"  # type: ignore[attr-defined]
    assert bars.index[0] == START
    assert bars.index[-1] + HOUR == case.closed_until


@pytest.mark.parametrize(
    ("after_start", "after_end", "first", "n"),
    [
        (0 * HOUR, 5 * HOUR, 0, 5),
        (pd.Timedelta(minutes=1), 5 * HOUR, 1, 4),
        (3 * HOUR, 5 * HOUR - pd.Timedelta(seconds=1), 3, 1),
        (-9 * HOUR, 2 * HOUR, 0, 2),
    ],
)
def test_bounds_are_kept_to_the_second(
    case: Case, after_start: pd.Timedelta, after_end: pd.Timedelta, first: int, n: int
) -> None:
    bars = case.source.fetch_bars(BTC, START + after_start, START + after_end)
    assert list(bars.index) == [START + (first + i) * HOUR for i in range(n)]


@pytest.mark.parametrize(("first", "end"), [(5, 5), (5, 3), (-50, -10), (N_BARS + 10, N_BARS + 20)])
def test_a_span_without_bars_gives_an_empty_valid_frame(case: Case, first: int, end: int) -> None:
    bars = case.source.fetch_bars(BTC, START + first * HOUR, START + end * HOUR)
    assert bars.empty
    validate_bars(bars)


def test_the_same_question_has_the_same_answer_and_parts_make_the_whole(case: Case) -> None:
    whole = case.source.fetch_bars(BTC, START, START + 40 * HOUR)
    pd.testing.assert_frame_equal(case.source.fetch_bars(BTC, START, START + 40 * HOUR), whole)
    parts = [case.source.fetch_bars(BTC, START + i * HOUR, START + (i + 10) * HOUR) for i in range(0, 40, 10)]
    pd.testing.assert_frame_equal(pd.concat(parts), whole, check_freq=False)


@pytest.mark.parametrize("make", LISTS_ITS_SYMBOLS, ids=lambda maker: maker.__name__.strip("_"))
def test_an_unknown_symbol_is_an_error_and_not_an_empty_answer(
    make: Callable[[WireServer, Path], Case], venue: WireServer, tmp_path: Path
) -> None:
    source = make(venue, tmp_path).source
    with pytest.raises(UnknownSymbolError, match="NOPE/USD"):
        source.fetch_bars(Symbol("NOPE", "USD"), START, START + 10 * HOUR)


def test_ingest_is_idempotent_and_ends_where_the_source_does(case: Case, tmp_path: Path) -> None:
    store = BarStore(tmp_path / "data")
    first = update_bars(case.source, store, BTC, START, LISTED_UNTIL)
    path = store.folder(case.source.name, BTC) / "bars.parquet"
    written = path.stat().st_mtime_ns
    again = update_bars(case.source, store, BTC, START, LISTED_UNTIL)
    assert first.n_new == len(first.bars) == int((case.closed_until - START) / HOUR)
    assert again.n_new == 0
    assert path.stat().st_mtime_ns == written
    pd.testing.assert_frame_equal(again.bars, first.bars)
