"""Bars and features of hourly decisions: nothing later than the bar decided on, nothing asked for twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.common.errors import DataValidationError
from algo_pipeline.common.time import BAR
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.feature_registry import MAX_WARMUP_BARS
from algo_pipeline.data.features import build_features
from algo_pipeline.data.ingest import closed_within
from algo_pipeline.data.labels import build_labels, label_spec
from algo_pipeline.interfaces.market_data import MarketDataSource
from algo_pipeline.sources.live_bars import LiveBars
from algo_pipeline.sources.live_feed import LiveFeed
from algo_pipeline.sources.store import BarStore, StoredBars
from algo_pipeline_tests.market import random_bars, without_rows

BTC = Symbol("BTC", "USD")


class RecordedSource(MarketDataSource):
    """Hands over given bars and remembers what it was asked for."""

    name = "recorded"

    def __init__(self, bars: pd.DataFrame, late: bool = False) -> None:
        self.bars, self.asked, self.tells_more = bars, [], late

    def venue_symbol(self, symbol: Symbol) -> str:
        return f"{symbol.base}{symbol.quote}"

    def fetch_bars(self, symbol: Symbol, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        self.asked.append((start, end))
        return self.bars if self.tells_more else closed_within(self.bars, start, end)


@pytest.fixture
def bars() -> pd.DataFrame:
    return random_bars(300, seed=3)


def stored(folder: Path, bars: pd.DataFrame, venue_symbol: str = "BTCUSD") -> BarStore:
    store = BarStore(folder)
    store.save("recorded", BTC, StoredBars(bars, venue_symbol))
    return store


def test_stored_bars_later_than_the_one_decided_on_are_not_seen(tmp_path: Path, bars: pd.DataFrame) -> None:
    history = LiveBars(RecordedSource(bars), BTC, bars.index[0], stored(tmp_path, bars))
    history.update(bars.index[120])
    pd.testing.assert_frame_equal(history.frame(), bars.iloc[:121], check_freq=False)


def test_bars_that_a_source_gives_beyond_what_was_asked_are_not_seen(bars: pd.DataFrame) -> None:
    history = LiveBars(RecordedSource(bars, late=True), BTC, bars.index[20])
    history.update(bars.index[120])
    pd.testing.assert_frame_equal(history.frame(), bars.iloc[20:121], check_freq=False)


def test_only_what_the_store_lacks_is_asked_for_and_later_only_the_new_bar(tmp_path: Path, bars: pd.DataFrame) -> None:
    source, times = RecordedSource(bars), bars.index
    history = LiveBars(source, BTC, times[0], stored(tmp_path, bars.iloc[:100]))
    for bar in times[110:113]:
        history.update(bar)
    history.update(times[112])
    assert source.asked == [
        (times[100], times[110] + BAR),
        (times[111], times[111] + BAR),
        (times[112], times[112] + BAR),
    ]
    pd.testing.assert_frame_equal(history.frame(), bars.iloc[:113], check_freq=False)


def test_the_store_is_never_written(tmp_path: Path, bars: pd.DataFrame) -> None:
    store = stored(tmp_path, bars.iloc[:100])
    LiveBars(RecordedSource(bars), BTC, bars.index[0], store).update(bars.index[200])
    found = store.load("recorded", BTC)
    assert found is not None
    assert len(found.bars) == 100


def test_stored_bars_of_another_market_are_not_used(tmp_path: Path, bars: pd.DataFrame) -> None:
    store = stored(tmp_path, random_bars(100, seed=9), venue_symbol="ANOTHER")
    history = LiveBars(RecordedSource(bars), BTC, bars.index[0], store)
    history.update(bars.index[50])
    pd.testing.assert_frame_equal(history.frame(), bars.iloc[:51], check_freq=False)


def test_an_invalid_bar_is_refused_and_nothing_of_its_answer_is_kept(bars: pd.DataFrame) -> None:
    broken = bars.copy()
    broken.iloc[60, broken.columns.get_loc("low")] = broken["high"].iloc[60] * 2
    history = LiveBars(RecordedSource(broken), BTC, bars.index[0])
    history.update(bars.index[50])
    with pytest.raises(DataValidationError, match="recorded source gave invalid bars of BTC/USD"):
        history.update(bars.index[70])
    assert history.n_bars == 51


@pytest.mark.parametrize(("first", "same"), [(0, True), (1, False)])
def test_it_says_whether_it_starts_where_training_did(bars: pd.DataFrame, first: int, same: bool) -> None:
    history = LiveBars(RecordedSource(bars.iloc[first:]), BTC, bars.index[0])
    history.update(bars.index[100])
    assert history.starts_at_training is same


class TestFeed:
    BARS = random_bars(MAX_WARMUP_BARS + 60, seed=5)

    def feed(self, bars: pd.DataFrame, exact: bool = True) -> LiveFeed:
        return LiveFeed({BTC: LiveBars(RecordedSource(bars), BTC, self.BARS.index[0])}, {BTC: exact})

    def test_hour_by_hour_it_gives_the_rows_of_build_features_to_the_bit(self) -> None:
        feed, whole = self.feed(self.BARS), build_features(self.BARS)
        for bar in self.BARS.index[MAX_WARMUP_BARS:]:
            view = feed.bars(BTC, bar)
            assert view is not None
            assert (view.last_at, view.close) == (bar, self.BARS.loc[bar, "close"])
            features = feed.features(BTC, bar)
            assert features.exact
            assert np.array_equal(features.row, whole.loc[bar].to_numpy())

    def test_too_little_history_has_no_row_and_says_so(self) -> None:
        feed, bar = self.feed(self.BARS), self.BARS.index[99]
        feed.bars(BTC, bar)
        features = feed.features(BTC, bar)
        assert features.row is None
        assert features.reason == f"too little warm-up: 100 of {MAX_WARMUP_BARS} bars"

    def test_a_gap_within_a_window_has_no_row_and_names_features(self) -> None:
        bars = without_rows(self.BARS, MAX_WARMUP_BARS + 40)
        feed, bar = self.feed(bars), self.BARS.index[-1]
        feed.bars(BTC, bar)
        features = feed.features(BTC, bar)
        assert features.row is None
        assert "unknown after a gap: log_return_" in str(features.reason)

    @pytest.mark.parametrize(
        ("exact", "first", "why"), [(False, 0, "another source"), (True, 1, "a later start than the training's")]
    )
    def test_what_is_not_the_trainings_history_is_not_called_exact(self, exact: bool, first: int, why: str) -> None:
        feed, bar = self.feed(self.BARS.iloc[first:], exact), self.BARS.index[-1]
        feed.bars(BTC, bar)
        features = feed.features(BTC, bar)
        assert features.row is not None
        assert not features.exact
        assert why in str(features.reason)

    def test_no_bar_at_all_is_none(self) -> None:
        assert self.feed(self.BARS.iloc[:0]).bars(BTC, self.BARS.index[3]) is None


class TestOutcomes:
    BARS = without_rows(random_bars(120, seed=6), 70)

    @pytest.mark.parametrize("name", ["direction_1h", "direction_24h", "triple_barrier_24h"])
    def test_the_outcome_of_an_earlier_bar_is_its_label_as_soon_as_that_is_known(self, name: str) -> None:
        spec, labels = label_spec(name), build_labels(self.BARS)[name]
        feed = LiveFeed({BTC: LiveBars(RecordedSource(self.BARS), BTC, self.BARS.index[0])}, {BTC: True})
        feed.bars(BTC, self.BARS.index[100])
        for place, bar in enumerate(self.BARS.index[:101]):
            found = feed.outcome(BTC, spec, bar)
            is_known = bar + spec.last_bar_read * BAR <= self.BARS.index[100]
            np.testing.assert_equal(found, labels.iloc[place] if is_known else np.nan)
