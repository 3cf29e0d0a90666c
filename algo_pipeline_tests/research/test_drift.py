from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.data.features import build_features
from algo_pipeline.research.drift import WINDOW_H, FeatureReference, reference_of


def frame(values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(values, columns=[f"f{place}" for place in range(values.shape[1])])


def white(n: int, n_features: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, n_features))


@pytest.fixture(scope="module")
def reference() -> FeatureReference:
    made = reference_of(frame(white(6000, 3, 1)))
    assert made is not None
    return made


def slow_index(reference: FeatureReference, values: np.ndarray) -> list[float]:
    """The index as the textbook writes it, one feature and one bin at a time."""
    found = []
    for place in range(values.shape[1]):
        counts = [0] * 12
        for value in values[:, place]:
            counts[sum(value > edge for edge in reference.edges[place])] += 1
        total = 0.0
        for count, share in zip(counts, reference.shares[place], strict=True):
            seen = (count + share) / (len(values) + 1)
            total += (seen - share) * np.log(seen / share)
        found.append(total)
    return found


class TestReference:
    def test_deciles_hold_a_tenth_each_and_what_was_never_seen_almost_nothing(self, reference):
        assert reference.shares[:, 1:-1] == pytest.approx(0.1, abs=0.001)
        assert (reference.shares[:, [0, -1]] < 0.001).all()
        assert reference.shares.sum(axis=1) == pytest.approx(1.0)

    def test_less_than_half_a_year_is_no_reference(self):
        assert reference_of(frame(white(4367, 1, 2))) is None
        assert reference_of(frame(white(4368, 1, 2))) is not None

    def test_a_trip_through_json_changes_nothing(self, reference):
        again = FeatureReference.from_document(json.loads(json.dumps(reference.to_document())))
        assert again.names == reference.names
        for name in ("edges", "shares", "limits"):
            assert np.array_equal(getattr(again, name), getattr(reference, name))

    def test_a_document_of_other_shapes_is_refused(self, reference):
        with pytest.raises(ValueError, match="of 2 features"):
            FeatureReference.from_document(reference.to_document() | {"names": ["a", "b"]})

    def test_a_slow_feature_has_a_higher_limit_than_a_fast_one_and_a_calendars_is_the_textbooks(self):
        slow = np.cumsum(white(20_000, 1, 3), axis=0)
        calendar = np.sin(np.arange(20_000) * 2 * np.pi / 168)[:, None]
        made = reference_of(frame(np.hstack([white(20_000, 1, 4), slow, calendar])))
        assert 0.25 < made.limits[0] < 0.5
        assert made.limits[1] > 8
        assert made.limits[2] == 0.25


class TestIndex:
    def test_a_bin_is_a_digit(self, reference):
        middle = (reference.edges[:, 4] + reference.edges[:, 5]) / 2
        assert reference.bins(middle) == "555"
        assert reference.bins(np.array([-99.0, reference.edges[1, 0], 99.0])) == "00b"
        assert reference.bins(np.nextafter(reference.edges[:, 9], np.inf)) == "aaa"

    @given(st.integers(0, 2**31), st.integers(1, 200), st.floats(-2, 2), st.floats(0.2, 3))
    @settings(max_examples=20, deadline=None)
    def test_it_equals_the_textbooks_sum(self, reference, seed, n, shift, scale):
        values = shift + scale * white(n, 3, seed)
        rows = [reference.bins(row) for row in values]
        assert reference.indices(rows) == pytest.approx(slow_index(reference, values))

    def test_by_hand_where_all_rows_lie_in_one_decile(self):
        even = FeatureReference(("f",), np.arange(11.0)[None], np.full((1, 12), 1 / 12), np.ones(1))
        # 168 rows in one bin of twelve even ones: shares (168 + 1/12)/169 and 11 times (1/12)/169.
        full, empty = (168 + 1 / 12) / 169, (1 / 12) / 169
        by_hand = (full - 1 / 12) * np.log(12 * full) + 11 * (empty - 1 / 12) * np.log(12 * empty)
        assert even.indices(["5"] * 168) == pytest.approx([by_hand])
        assert by_hand == pytest.approx(6.9340, abs=1e-4)

    def test_rows_like_those_of_training_are_far_below_the_limit_and_others_beyond(self, reference):
        same = [reference.bins(row) for row in white(WINDOW_H, 3, 11)]
        assert not reference.strangest(same).is_beyond
        values = white(WINDOW_H, 3, 12)
        values[:, 1] *= 2
        drift = reference.strangest([reference.bins(row) for row in values])
        assert (drift.feature, drift.is_beyond) == ("f1", True)

    def test_a_dead_feature_is_beyond_its_limit(self, reference):
        values = white(WINDOW_H, 3, 13)
        values[:, 2] = 0.0
        assert reference.strangest([reference.bins(row) for row in values]).feature == "f2"

    def test_a_week_that_lacks_more_than_eight_hours_says_nothing(self, reference):
        row = reference.bins(np.zeros(3))
        assert reference.strangest([row] * 159 + [""] * 9) is None
        assert reference.strangest([row] * 159 + [row + "5"]) is None
        assert reference.strangest([row] * 160 + [""] * 8).is_beyond


class TestRealBars:
    def test_a_week_that_fills_or_has_a_hole_is_within_its_limits_whatever_the_weekday(self, real_bars):
        features = build_features(real_bars("BTCUSDT").iloc[-8000:]).dropna()
        made = reference_of(features.iloc[:-700])
        rows = [made.bins(row) for row in features.to_numpy()[-700:]]
        for start in range(0, 500, 5):
            assert not made.strangest(rows[start : start + 160]).is_beyond
            holed = rows[start : start + 168]
            holed[40:48] = [""] * 8
            assert not made.strangest(holed).is_beyond

    def test_every_week_of_training_is_within_its_limits(self, real_bars):
        features = build_features(real_bars("BTCUSDT").iloc[-6000:]).dropna()
        made = reference_of(features)
        values = features.to_numpy()
        for start in range(0, len(values) - WINDOW_H, 24):
            rows = [made.bins(row) for row in values[start : start + WINDOW_H]]
            assert not made.strangest(rows).is_beyond
