from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from algo_pipeline.common.errors import (
    ConfigValueError,
    DataValidationError,
    InsufficientHistoryError,
    StorageError,
    TransientSourceError,
)
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.ingest import Gap, closed_within
from algo_pipeline.interfaces.market_data import MarketDataSource
from algo_pipeline.sources.binance import BinanceSource
from algo_pipeline.sources.simulated import SimulatedSource
from algo_pipeline.sources.store import BarStore
from algo_pipeline.sources.update import IngestProgress, IngestResult, update_bars
from algo_pipeline_tests.market import random_bars, without_rows
from algo_pipeline_tests.sources.conftest import BTC, NOW, START, Waits
from algo_pipeline_tests.wire.server import WireServer

HOUR = pd.Timedelta(hours=1)
MARKET = random_bars(1_000, seed=11)


def at(hour: int) -> pd.Timestamp:
    return START + hour * HOUR


class FakeSource(MarketDataSource):
    """A venue over a frame of bars that records what was asked and may fail after some answers."""

    def __init__(self, bars: pd.DataFrame, *, local: bool = False, spelling: str = "BTCUSDT") -> None:
        self.bars = bars
        self.asked: list[tuple[int, int]] = []
        self.answers_left = 10**9
        self._local, self._spelling = local, spelling

    @property
    def name(self) -> str:
        return "fake"

    @property
    def is_local(self) -> bool:
        return self._local

    def venue_symbol(self, symbol: Symbol) -> str:
        return self._spelling

    def fetch_bars(self, symbol: Symbol, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        if self.answers_left == 0:
            raise TransientSourceError("The venue is gone.")
        self.answers_left -= 1
        self.asked.append((int((start - START) / HOUR), int((end - START) / HOUR)))
        return closed_within(self.bars, start, end)

    def asked_lately(self) -> list[tuple[int, int]]:
        asked, self.asked = self.asked, []
        return asked


@pytest.fixture
def store(tmp_path: Path) -> BarStore:
    return BarStore(tmp_path / "data")


def update(source: MarketDataSource, store: BarStore, start: int, end: int, **options: object) -> IngestResult:
    return update_bars(source, store, BTC, at(start), at(end), **options)  # type: ignore[arg-type]


def files_of(store: BarStore) -> dict[str, tuple[bytes, int]]:
    folder = store.folder("fake", BTC)
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def assert_bars(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(found, expected, check_freq=False)


def test_the_first_run_stores_all_and_the_second_asks_for_nothing(store: BarStore) -> None:
    source = FakeSource(MARKET)
    first = update(source, store, 0, 100)
    assert_bars(first.bars, MARKET.iloc[:100])
    assert (first.n_new, first.n_refetched, first.n_conflicts, first.gaps) == (100, 0, 0, ())
    assert (first.source, first.symbol, first.venue_symbol) == ("fake", BTC, "BTCUSDT")
    assert source.asked_lately() == [(0, 100)]

    before = files_of(store)
    again = update(source, store, 0, 100)
    assert_bars(again.bars, first.bars)
    assert again.n_new == 0
    assert source.asked_lately() == []
    assert files_of(store) == before


def test_a_later_run_asks_from_the_last_stored_close_on(store: BarStore) -> None:
    source = FakeSource(MARKET)
    update(source, store, 0, 100)
    source.asked_lately()
    result = update(source, store, 0, 130)
    assert source.asked_lately() == [(100, 130)]
    assert result.n_new == 30
    assert_bars(result.bars, MARKET.iloc[:130])


def test_an_hour_that_has_begun_is_left_out(store: BarStore) -> None:
    source = FakeSource(MARKET)
    result = update_bars(source, store, BTC, at(0), at(10) + pd.Timedelta(minutes=59))
    assert result.bars.index[-1] == at(9)
    assert source.asked_lately() == [(0, 10)]


def test_an_earlier_start_asks_for_the_head_once(store: BarStore) -> None:
    source = FakeSource(MARKET.iloc[50:])
    update(source, store, 60, 100)
    source.asked_lately()
    assert len(update(source, store, 0, 100).bars) == 50
    assert source.asked_lately() == [(0, 60)]
    update(source, store, 0, 100)
    update(source, store, 20, 100)
    assert source.asked_lately() == []


def test_the_history_returned_is_the_one_asked_for_whatever_is_stored(store: BarStore) -> None:
    source = FakeSource(without_rows(MARKET, 5, 50))
    update(source, store, 0, 900)
    result = update(source, store, 10, 60)
    assert (result.bars.index[0], result.bars.index[-1]) == (at(10), at(59))
    assert result.gaps == (Gap(at(50), at(50)),)


def test_a_span_after_a_hole_in_what_was_asked_fills_the_hole(store: BarStore) -> None:
    source = FakeSource(MARKET)
    update(source, store, 0, 10)
    update(source, store, 50, 60)
    assert_bars(update(source, store, 0, 60).bars, MARKET.iloc[:60])


def test_a_gap_is_asked_for_once_more_and_then_listed(store: BarStore) -> None:
    source = FakeSource(without_rows(MARKET, 5, 6, 7))
    result = update(source, store, 0, 500)
    assert source.asked_lately() == [(0, 500), (5, 8)]
    assert (result.n_new, result.n_refetched, result.n_repaired) == (497, 1, 0)
    assert result.gaps == (Gap(at(5), at(7)),)
    assert update(source, store, 0, 500).gaps == result.gaps
    assert source.asked_lately() == []


def test_a_gap_younger_than_a_week_is_asked_for_in_every_run_until_its_bar_comes(store: BarStore) -> None:
    source = FakeSource(without_rows(MARKET, 490))
    update(source, store, 0, 500)
    source.asked_lately()
    assert update(source, store, 0, 501).n_refetched == 1
    assert source.asked_lately() == [(490, 491), (500, 501)]
    source.bars = MARKET
    result = update(source, store, 0, 502)
    assert (result.n_new, result.n_repaired, result.gaps) == (2, 1, ())
    assert_bars(result.bars, MARKET.iloc[:502])


def test_a_bar_that_was_lost_in_the_first_answer_only_is_repaired_in_the_same_run(store: BarStore) -> None:
    class Forgetful(FakeSource):
        def fetch_bars(self, symbol: Symbol, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
            bars = super().fetch_bars(symbol, start, end)
            return without_rows(bars, 20) if len(bars) == 100 else bars

    result = update(Forgetful(MARKET), store, 0, 100)
    assert (result.n_refetched, result.n_repaired, result.gaps) == (1, 1, ())
    assert_bars(result.bars, MARKET.iloc[:100])


def test_stored_bars_stay_when_the_venue_changes_them_and_the_changes_are_counted(store: BarStore) -> None:
    class Generous(FakeSource):
        """Answers the whole history whatever is asked."""

        def fetch_bars(self, symbol: Symbol, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
            return self.bars

    update(Generous(MARKET), store, 0, 100)
    result = update(Generous(MARKET * 1.5), store, 0, 110)
    assert_bars(result.bars.iloc[:100], MARKET.iloc[:100])
    assert_bars(result.bars.iloc[100:], MARKET.iloc[100:110] * 1.5)
    assert (result.n_new, result.n_conflicts) == (10, 100)


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("close", float("nan"), "finite"),
        ("open", float("inf"), "finite"),
        ("low", -1.0, "positive"),
        ("high", 1e-9, "low <= open"),
        ("volume", -1.0, "volume"),
    ],
)
def test_one_invalid_bar_refuses_the_answer_by_name_and_what_was_stored_stays(
    store: BarStore, column: str, value: float, rule: str
) -> None:
    update(FakeSource(MARKET), store, 0, 100)
    before = files_of(store)
    broken = MARKET.copy()
    broken.loc[at(103), column] = value
    with pytest.raises(DataValidationError, match=rule) as caught:
        update(FakeSource(broken), store, 0, 110)
    assert "2024-01-05T07:00Z" in str(caught.value)
    assert files_of(store) == before


@pytest.mark.parametrize(
    "spoil",
    [
        lambda bars: bars.iloc[::-1],
        lambda bars: pd.concat([bars, bars.iloc[-1:]]),
        lambda bars: bars.set_index(bars.index + pd.Timedelta(minutes=1)),
    ],
    ids=["descending", "duplicated", "off the grid"],
)
def test_answers_out_of_order_repeated_or_off_the_grid_are_refused(store: BarStore, spoil: object) -> None:
    with pytest.raises(DataValidationError):
        update(FakeSource(spoil(MARKET)), store, 0, 2_000)  # type: ignore[operator]
    assert store.load("fake", BTC) is None


def test_a_killed_download_goes_on_where_it_was_saved(store: BarStore) -> None:
    source = FakeSource(MARKET)
    source.answers_left = 3
    with pytest.raises(TransientSourceError):
        update(source, store, 0, 1_000, checkpoint_bars=100)
    saved = store.load("fake", BTC)
    assert saved is not None
    assert_bars(saved.bars, MARKET.iloc[:300])

    source.answers_left = 99
    source.asked_lately()
    result = update(source, store, 0, 1_000, checkpoint_bars=100)
    assert source.asked_lately()[0] == (300, 400)
    assert result.n_new == 700
    assert_bars(result.bars, MARKET)


def test_a_run_killed_between_its_two_files_costs_no_bar(store: BarStore) -> None:
    source = FakeSource(without_rows(MARKET, 5))
    update(source, store, 0, 300)
    (store.folder("fake", BTC) / "_gaps.json").unlink()
    result = update(source, store, 0, 300)
    assert result.n_new == 0
    assert result.gaps == (Gap(at(5), at(5)),)
    assert (store.folder("fake", BTC) / "_gaps.json").exists()


def test_progress_counts_the_hours_asked_for(store: BarStore) -> None:
    seen: list[IngestProgress] = []
    update(FakeSource(MARKET), store, 0, 250, checkpoint_bars=100, on_progress=seen.append)
    assert [(step.done_bars, step.total_bars, step.at) for step in seen] == [
        (100, 250, at(100)),
        (200, 250, at(200)),
        (250, 250, at(250)),
    ]


def test_no_bar_at_all_is_an_error(store: BarStore) -> None:
    with pytest.raises(InsufficientHistoryError, match="no closed bar of BTC/USD"):
        update(FakeSource(MARKET), store, -50, 0)
    assert store.load("fake", BTC) is None


@pytest.mark.parametrize("end", [0, -1])
def test_an_empty_span_is_refused(store: BarStore, end: int) -> None:
    with pytest.raises(ConfigValueError, match="start must lie before end"):
        update(FakeSource(MARKET), store, 0, end)


def test_another_market_under_the_same_name_is_refused(store: BarStore) -> None:
    update(FakeSource(MARKET), store, 0, 10)
    before = files_of(store)
    with pytest.raises(StorageError, match="BTCUSDT; the source now offers BTCUSDC"):
        update(FakeSource(MARKET, spelling="BTCUSDC"), store, 0, 20)
    assert files_of(store) == before


def test_a_local_source_is_read_whole_and_new_rows_are_added(store: BarStore) -> None:
    source = FakeSource(without_rows(MARKET.iloc[:100], 50), local=True)
    first = update(source, store, 0, 2_000)
    assert (first.n_new, first.gaps) == (99, (Gap(at(50), at(50)),))
    source.bars = MARKET.iloc[:120]
    result = update(source, store, 10, 2_000)
    assert source.asked_lately() == [(0, 2_000), (0, 2_000)]
    assert (result.n_new, result.gaps) == (21, ())
    before = files_of(store)
    assert update(source, store, 0, 2_000).n_new == 0
    assert_bars(update(source, store, 0, 2_000).bars, MARKET.iloc[:120])
    assert files_of(store) == before


def test_a_local_source_that_contradicts_the_store_is_refused_with_the_way_out(store: BarStore) -> None:
    update(FakeSource(MARKET, local=True), store, 0, 100)
    before = files_of(store)
    changed = MARKET.copy()
    changed.loc[at(42), "volume"] += 1
    with pytest.raises(DataValidationError, match="1 row, first 2024-01-02T18:00Z") as caught:
        update(FakeSource(changed, local=True), store, 0, 200)
    assert str(store.folder("fake", BTC)) in caught.value.remedy
    assert files_of(store) == before


@pytest.mark.parametrize(
    ("bars", "said"),
    [
        (MARKET.iloc[100:300], "100 rows, first 2024-01-01T00:00Z"),
        (without_rows(MARKET.iloc[:300], 30, 31), "2 rows, first 2024-01-02T06:00Z"),
        (MARKET.iloc[:90], "10 rows, first 2024-01-04T18:00Z"),
        (MARKET.iloc[:0], "100 rows, first 2024-01-01T00:00Z"),
    ],
    ids=["another span", "rows taken out", "the end taken off", "no bar any more"],
)
def test_a_local_source_that_lacks_stored_bars_is_refused_with_the_way_out(
    store: BarStore, bars: pd.DataFrame, said: str
) -> None:
    update(FakeSource(MARKET, local=True), store, 0, 100)
    before = files_of(store)
    with pytest.raises(DataValidationError, match=said) as caught:
        update(FakeSource(bars, local=True), store, 0, 2_000)
    assert str(store.folder("fake", BTC)) in caught.value.remedy
    assert files_of(store) == before


def test_a_local_source_of_later_hours_only_is_refused_even_if_only_those_are_asked_for(store: BarStore) -> None:
    update(FakeSource(MARKET.iloc[:100], local=True), store, 0, 2_000)
    with pytest.raises(DataValidationError, match="100 rows, first 2024-01-01T00:00Z"):
        update(FakeSource(MARKET.iloc[200:], local=True), store, 200, 2_000)


def test_a_local_source_may_have_older_and_newer_bars_than_stored(store: BarStore) -> None:
    update(FakeSource(MARKET.iloc[100:200], local=True), store, 0, 2_000)
    result = update(FakeSource(MARKET.iloc[:300], local=True), store, 0, 2_000)
    assert result.n_new == 200
    assert_bars(result.bars, MARKET.iloc[:300])


def test_bars_stored_after_the_end_asked_for_stay_and_are_left_out(store: BarStore) -> None:
    source = FakeSource(MARKET, local=True)
    update(source, store, 0, 300)
    assert_bars(update(source, store, 0, 100).bars, MARKET.iloc[:100])
    assert update(source, store, 0, 300).n_new == 0


def test_a_simulated_market_may_live_longer_end_earlier_or_begin_later_than_stored(store: BarStore) -> None:
    def run(first: int, last: int, until: int) -> IngestResult:
        source = SimulatedSource(first=at(first), last=at(last))
        return update_bars(source, store, BTC, at(first), at(until))

    assert run(0, 500, 400).n_new == 400
    assert run(0, 500, 450).n_new == 50
    assert len(run(0, 800, 300).bars) == 300
    assert run(0, 800, 900).n_new == 350
    assert len(run(100, 900, 900).bars) == 800
    assert len(run(0, 900, 900).bars) == 900


def test_an_unwritable_folder_is_one_clear_error(tmp_path: Path) -> None:
    blocked = tmp_path / "data"
    blocked.write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="could not be written"):
        update(FakeSource(MARKET), BarStore(blocked), 0, 10)


def test_over_the_wire_a_second_run_fetches_only_what_is_new(venue: WireServer, store: BarStore) -> None:
    source = BinanceSource(base_url=venue.url, sleep=Waits())
    venue.now = NOW - 24 * HOUR
    update_bars(source, store, BTC, START, venue.now)
    venue.requests.clear()
    venue.now = NOW
    result = update_bars(source, store, BTC, START, NOW)
    klines = [request.query for request in venue.requests if request.path.endswith("klines")]
    assert len(klines) == 1
    assert result.n_new == 24
    assert_bars(result.bars, venue.bars["BTCUSDT"].iloc[:-1])
