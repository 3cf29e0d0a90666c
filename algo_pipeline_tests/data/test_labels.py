"""The 7 labels: exact list, worked examples, slow twin, what they may and may not depend on."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.common.errors import ConfigValueError, DataValidationError
from algo_pipeline.common.schemas import empty_bars
from algo_pipeline.common.time import bar_numbers
from algo_pipeline.data.features import build_features
from algo_pipeline.data.labels import LABEL_NAMES, LABELS, LabelKind, LabelSpec, build_labels, label_spec, newest_label
from algo_pipeline_tests.market import random_bars, without_rows

HOUR = pd.Timedelta(hours=1)


def slow_labels(bars: pd.DataFrame) -> pd.DataFrame:
    """Each label from its definition, looked up by time."""
    rows = dict(zip(bars.index, bars.itertuples(), strict=True))
    sigma = build_features(bars)["realized_vol_24"]
    return pd.DataFrame(
        {spec.name: [_slow_label(spec, t, rows, sigma[t]) for t in bars.index] for spec in LABELS}, index=bars.index
    )


def _slow_label(spec: LabelSpec, t: pd.Timestamp, rows: dict, sigma: float) -> float:
    h = spec.horizon_bars
    if spec.kind is LabelKind.TRIPLE_BARRIER:
        path = [rows.get(t + k * HOUR) for k in range(1, h + 1)]
        return math.nan if None in path or math.isnan(sigma) else _slow_touch(path, sigma)
    if any(t + k * HOUR not in rows for k in range(1, h + 2)):
        return math.nan
    forward = rows[t + (h + 1) * HOUR].open / rows[t + HOUR].open - 1
    return forward if spec.kind is LabelKind.RETURN else float(forward > 0)


def _slow_touch(path: list, sigma: float) -> float:
    upper, lower = (path[0].open * (1 + sign * sigma * math.sqrt(24)) for sign in (1, -1))
    for bar in path:
        if bar.low <= lower:
            return 0.0
        if bar.high >= upper:
            return 1.0
    return 0.0


def ramp(opens: list[float]) -> pd.DataFrame:
    """Bars with these opens, each closing where it opened."""
    bars = random_bars(len(opens))
    for name in ("open", "high", "low", "close"):
        bars[name] = opens
    return bars


def calm_market(n: int = 60) -> pd.DataFrame:
    """Closes that alternate by 1 %: realized_vol_24 is about 1 %, the barriers stand about 5 % away."""
    bars = random_bars(n)
    bars["close"] = np.where(np.arange(n) % 2 == 0, 100.0, 101.0)
    bars["open"], bars["high"], bars["low"] = 100.0, 101.0, 100.0
    return bars


class TestRegistry:
    def test_names_order_and_count_are_those_of_the_design(self):
        assert LABEL_NAMES == (
            "fwd_return_1h", "fwd_return_4h", "fwd_return_24h",
            "direction_1h", "direction_4h", "direction_24h", "triple_barrier_24h",
        )  # fmt: skip
        assert list(build_labels(random_bars(5)).columns) == list(LABEL_NAMES)

    def test_horizons_and_kinds(self):
        assert [spec.horizon_bars for spec in LABELS] == [1, 4, 24, 1, 4, 24, 24]
        assert [spec.is_binary for spec in LABELS] == [False] * 3 + [True] * 4

    def test_a_label_is_found_by_name(self):
        assert label_spec("direction_4h") == LabelSpec("direction_4h", 4, LabelKind.DIRECTION)

    @pytest.mark.parametrize(
        ("typo", "meant"), [("direction_2h", "direction_"), ("tripple_barrier", "triple_barrier_24h")]
    )
    def test_a_misspelt_name_suggests_the_nearest(self, typo, meant):
        with pytest.raises(ConfigValueError, match=f"found '{typo}'. Did you mean {meant}"):
            label_spec(typo)


class TestValues:
    def test_forward_returns_of_a_worked_example(self):
        labels = build_labels(ramp([1.0, 2.0, 3.0, 3.0, 3.0, 4.0, 1.0]))
        nan = math.nan
        np.testing.assert_allclose(labels["fwd_return_1h"], [0.5, 0, 0, 1 / 3, -0.75, nan, nan])
        np.testing.assert_allclose(labels["fwd_return_4h"], [1.0, -2 / 3, nan, nan, nan, nan, nan])
        np.testing.assert_array_equal(labels["direction_1h"], [1, 0, 0, 1, 0, nan, nan])
        np.testing.assert_array_equal(labels["direction_4h"], [1, 0, nan, nan, nan, nan, nan])

    @pytest.mark.parametrize(
        ("touches", "expected"),
        [
            ({}, 0.0),
            ({35: "high"}, 1.0),
            ({35: "low"}, 0.0),
            ({33: "high", 40: "low"}, 1.0),
            ({33: "low", 40: "high"}, 0.0),
            ({35: "both"}, 0.0),
            ({31: "high"}, 1.0),
            ({54: "high"}, 1.0),
            ({55: "high"}, 0.0),
            ({30: "high"}, 0.0),
        ],
    )
    def test_the_first_barrier_touched_by_the_24_bars_after_decides(self, touches, expected):
        bars = calm_market()
        for row, side in touches.items():
            if side in ("high", "both"):
                bars.iloc[row, 1] = 120.0
            if side in ("low", "both"):
                bars.iloc[row, 2] = 80.0
        assert build_labels(bars)["triple_barrier_24h"].iloc[30] == expected

    def test_touching_a_barrier_exactly_counts(self):
        bars = calm_market()
        sigma = build_features(bars)["realized_vol_24"].iloc[30]
        bars.iloc[40, 1] = 100.0 * (1.0 + sigma * math.sqrt(24))
        assert build_labels(bars)["triple_barrier_24h"].iloc[30] == 1.0

    def test_without_volatility_the_lower_barrier_is_touched_at_once(self):
        assert set(build_labels(ramp([5.0] * 60))["triple_barrier_24h"].dropna()) == {0.0}

    @pytest.mark.parametrize("volatility", [0.002, 0.02])
    def test_simulated_bars_with_gaps_agree_with_the_slow_twin(self, volatility):
        bars = without_rows(random_bars(600, seed=1, volatility=volatility), 0, 60, 200, 201, 340, 575)
        pd.testing.assert_frame_equal(build_labels(bars), slow_labels(bars), rtol=1e-14, atol=0)

    def test_real_bars_agree_with_the_slow_twin(self, real_bars):
        bars = real_bars("BTCUSDT").iloc[5000:9000]
        labels = build_labels(bars)
        pd.testing.assert_frame_equal(labels, slow_labels(bars), rtol=1e-14, atol=0)
        assert labels["triple_barrier_24h"].mean() == pytest.approx(0.33, abs=0.15)


class TestKnowledge:
    def test_the_tail_that_is_not_yet_known_is_nan_and_nothing_else(self):
        labels = build_labels(random_bars(200))
        unknown = labels.isna()
        assert [int(unknown[name].iloc[100:].sum()) for name in LABEL_NAMES] == [2, 5, 25, 2, 5, 25, 24]
        assert [int(unknown[name].iloc[:100].sum()) for name in LABEL_NAMES] == [0, 0, 0, 0, 0, 0, 24]

    @given(seed=st.integers(0, 2**32 - 1), t=st.integers(30, 140), name=st.sampled_from(LABEL_NAMES))
    @settings(max_examples=60, deadline=None)
    def test_a_label_depends_only_on_the_bars_of_its_span(self, seed, t, name):
        spec = label_spec(name)
        bars, noise = random_bars(200, seed=2), random_bars(200, seed=seed, price=5.0, volatility=0.05)
        changed = noise.copy()
        first = t - 24 if spec.kind is LabelKind.TRIPLE_BARRIER else t + 1  # σ reads 24 returns up to t
        last = t + 24 if spec.kind is LabelKind.TRIPLE_BARRIER else t + 1 + spec.horizon_bars
        changed.iloc[first : last + 1] = bars.iloc[first : last + 1]
        assert build_labels(changed)[name].iloc[t] == build_labels(bars)[name].iloc[t]

    def test_cutting_the_future_off_only_makes_labels_unknown(self):
        bars = random_bars(300, seed=3)
        full = build_labels(bars)
        for end in (1, 2, 26, 100, 250):
            part = build_labels(bars.iloc[:end])
            pd.testing.assert_frame_equal(part, full.iloc[:end].where(part.notna()), check_exact=True)

    @pytest.mark.parametrize(("name", "cost"), [("fwd_return_1h", 2), ("direction_4h", 5), ("fwd_return_24h", 25)])
    def test_labels_whose_span_crosses_a_gap_are_nan(self, name, cost):
        labels = build_labels(without_rows(random_bars(200), 100))
        unknown = np.flatnonzero(labels[name].isna())
        assert unknown.tolist() == [*range(100 - cost, 100), *range(199 - cost, 199)]

    def test_a_triple_barrier_is_nan_across_a_gap_and_while_its_volatility_is_unknown(self):
        labels = build_labels(without_rows(random_bars(300), 150))
        unknown = np.flatnonzero(labels["triple_barrier_24h"].isna())
        assert unknown.tolist() == [*range(24), *range(150 - 24, 150 + 24), *range(299 - 24, 299)]

    @pytest.mark.parametrize("n", [0, 1, 2, 25, 26])
    def test_short_histories_give_nan_and_no_error(self, n):
        labels = build_labels(random_bars(n) if n else empty_bars())
        assert labels.shape == (n, 7)
        assert set(labels.dtypes) == {np.dtype("float64")}
        assert labels["fwd_return_24h"].notna().sum() == max(0, n - 25)
        assert labels["triple_barrier_24h"].isna().all()

    def test_input_is_not_changed_and_invalid_bars_are_refused(self):
        bars = random_bars(50)
        before = bars.copy(deep=True)
        assert build_labels(bars).index.equals(bars.index)
        pd.testing.assert_frame_equal(bars, before)
        with pytest.raises(DataValidationError, match="unique and ascending"):
            build_labels(bars.iloc[::-1])


class TestNewest:
    @pytest.mark.parametrize("name", [spec.name for spec in LABELS if spec.is_binary])
    def test_the_newest_label_is_that_of_the_whole_history_with_and_without_gaps(self, name):
        spec = label_spec(name)
        for bars in (random_bars(160, seed=4), without_rows(random_bars(160, seed=5), 60, 61, 110)):
            known = build_labels(bars)[name].to_numpy()
            prices, numbers = bars.to_numpy()[:, :4], bar_numbers(bars.index)
            for end in range(1, len(bars) + 1):
                place = end - 1 - spec.last_bar_read
                expected = known[place] if place >= 0 else math.nan
                found = newest_label(spec, prices[:end], numbers[:end])
                assert found == expected or (math.isnan(found) and math.isnan(expected))
