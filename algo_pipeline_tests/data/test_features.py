"""The 37 features: exact list, reference twin, causality, scale, warm-up, gaps, neutral values, robustness."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.common.errors import DataValidationError
from algo_pipeline.common.schemas import BAR_COLUMNS, PRICE_COLUMNS, empty_bars
from algo_pipeline.data.features import FEATURE_NAMES, FEATURES, MAX_WARMUP_BARS, build_features
from algo_pipeline_tests.data.reference_features import reference_features
from algo_pipeline_tests.market import random_bars, without_rows

EXPECTED_NAMES = [
    "log_return_1", "log_return_3", "log_return_6", "log_return_12", "log_return_24", "log_return_72",
    "realized_vol_6", "realized_vol_24", "realized_vol_72", "realized_vol_168", "parkinson_vol_24",
    "sma_ratio_24", "sma_ratio_168", "ema_ratio_12", "ema_ratio_48", "macd_ratio", "macd_hist_ratio", "adx_14",
    "rsi_7", "rsi_14", "stoch_k_14", "stoch_d_14", "cci_20",
    "bb_percent_b_20", "bb_width_20", "atr_ratio_14", "range_position_72",
    "body_ratio", "upper_wick_ratio", "lower_wick_ratio",
    "volume_zscore_168", "mfi_14", "obv_slope_24",
    "hour_sin", "hour_cos", "weekday_sin", "weekday_cos",
]  # fmt: skip
RECURSIVE_WARMUPS = {
    "ema_ratio_12": 164,
    "ema_ratio_48": 656,
    "macd_ratio": 365,
    "macd_hist_ratio": 365,
    "adx_14": 539,
    "rsi_7": 223,
    "rsi_14": 462,
    "atr_ratio_14": 369,
}
NEUTRAL = dict.fromkeys(EXPECTED_NAMES[:33], 0.0) | {
    "rsi_7": 50.0,
    "rsi_14": 50.0,
    "stoch_k_14": 50.0,
    "stoch_d_14": 50.0,
    "mfi_14": 50.0,
    "bb_percent_b_20": 0.5,
    "range_position_72": 0.5,
}
WINDOWS = {spec.name: spec.window_bars for spec in FEATURES}
WARMUPS = {spec.name: spec.warmup_bars for spec in FEATURES}


def regime_bars(n: int, seed: int, calm: float, violent: float, block: int) -> pd.DataFrame:
    """Blocks of calm and violent bars in turn, heavy-tailed."""
    rng = np.random.default_rng(seed)
    volatility = np.where(np.arange(n) // block % 2 == 0, violent, calm)
    close = 100.0 * np.exp(np.cumsum(rng.standard_t(4, n) * volatility))
    open_ = np.concatenate([[100.0], close[:-1]])
    high = np.maximum(open_, close) * np.exp(np.abs(rng.normal(size=n)) * volatility / 3)
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.normal(size=n)) * volatility / 3)
    columns = (open_, high, low, close, rng.lognormal(3.0, 1.0, n))
    return pd.DataFrame(dict(zip(BAR_COLUMNS, columns, strict=True)), index=random_bars(n).index)


def with_standstill(bars: pd.DataFrame, start: int, length: int) -> pd.DataFrame:
    """The same bars, but nothing is traded and no price moves for ``length`` bars."""
    still = bars.copy()
    still.iloc[start : start + length, :4] = bars["close"].iloc[start - 1]
    still.iloc[start : start + length, 4] = 0.0
    return still


def assert_within_certificate(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    error = (found - expected).abs() / (1.0 + expected.abs())
    assert (error.max() <= 1e-9).all(), error.max().nlargest(3)


def known(features: pd.DataFrame) -> pd.DataFrame:
    """Whether a value must be finite, by warm-up alone (for bars without gaps)."""
    rows = np.arange(1, len(features) + 1)[:, None]
    return pd.DataFrame(rows >= np.array(list(WARMUPS.values())), features.index, features.columns)


class TestRegistry:
    def test_names_order_and_count_are_those_of_the_design(self):
        assert list(FEATURE_NAMES) == EXPECTED_NAMES
        assert len(FEATURES) == 37
        assert list(build_features(random_bars(10)).columns) == EXPECTED_NAMES

    def test_warm_up_is_the_window_unless_the_formula_is_recursive(self):
        assert {name: bars for name, bars in WARMUPS.items() if bars != WINDOWS[name]} == RECURSIVE_WARMUPS
        assert MAX_WARMUP_BARS == 656

    def test_no_window_makes_a_gap_cost_more_than_168_bars(self):
        assert max(WINDOWS.values()) - 1 == 168

    def test_every_feature_states_its_formula_and_source(self):
        assert all(spec.formula and spec.source for spec in FEATURES)


class TestValues:
    @pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT", "SOLUSDT"])
    def test_real_bars_agree_with_the_slow_reference(self, real_bars, symbol):
        bars = real_bars(symbol).iloc[-6000:]
        assert_within_certificate(
            build_features(bars).iloc[MAX_WARMUP_BARS:], reference_features(bars).iloc[MAX_WARMUP_BARS:]
        )

    def test_simulated_bars_agree_with_the_slow_reference_from_each_first_value_on(self):
        bars = random_bars(1500, seed=3)
        features, reference = build_features(bars), reference_features(bars)
        for name in FEATURE_NAMES:
            first = WARMUPS[name] - 1
            assert_within_certificate(features[[name]].iloc[first:], reference[[name]].iloc[first:])

    def test_candle_parts_of_a_worked_example(self):
        bars = random_bars(1)
        bars.iloc[0] = [10.0, 16.0, 8.0, 12.0, 1.0]
        row = build_features(bars).iloc[0]
        assert (row["body_ratio"], row["upper_wick_ratio"], row["lower_wick_ratio"]) == (0.25, 0.5, 0.25)

    def test_calendar_of_a_monday_at_six(self):
        row = build_features(random_bars(1, start="2024-01-01T06:00")).iloc[0]
        np.testing.assert_allclose(
            row[["hour_sin", "hour_cos", "weekday_sin", "weekday_cos"]], [1, 0, 0, 1], atol=1e-15
        )

    def test_values_stay_in_their_bounds(self, real_bars):
        features = build_features(real_bars("SOLUSDT"))
        for name in ("rsi_7", "rsi_14", "adx_14", "stoch_k_14", "stoch_d_14", "mfi_14"):
            assert features[name].dropna().between(0.0, 100.0 + 1e-9).all(), name
        assert features["range_position_72"].dropna().between(0.0, 1.0).all()
        assert features["obv_slope_24"].dropna().between(-1.0, 1.0).all()
        body = features[["upper_wick_ratio", "lower_wick_ratio"]].sum(axis=1) + features["body_ratio"].abs()
        np.testing.assert_allclose(body[body > 0], 1.0)

    def test_input_is_not_changed_and_the_index_is_kept(self):
        bars = random_bars(300)
        before = bars.copy(deep=True)
        features = build_features(bars)
        pd.testing.assert_frame_equal(bars, before)
        assert features.index.equals(bars.index)
        assert set(features.dtypes) == {np.dtype("float64")}


class TestCausality:
    @pytest.mark.parametrize("source", ["real", "gaps", "regimes"])
    def test_cutting_the_future_off_changes_no_bit(self, real_bars, source):
        bars = {
            "real": lambda: real_bars("BTCUSDT").iloc[9000:11000],
            "gaps": lambda: without_rows(random_bars(1500, seed=4), 40, 700, 701, 1100),
            "regimes": lambda: regime_bars(1500, 4, 1e-4, 5e-2, 300),
        }[source]()
        full = build_features(bars)
        for end in (1, 2, 30, 170, 512, 513, 700, 1023, 1300, len(bars) - 1):
            pd.testing.assert_frame_equal(build_features(bars.iloc[:end]), full.iloc[:end], check_exact=True)

    @given(seed=st.integers(0, 2**32 - 1), cut=st.integers(1, 1199))
    @settings(max_examples=25, deadline=None)
    def test_poisoning_the_future_changes_no_bit_of_the_past(self, seed, cut):
        bars = random_bars(1200, seed=5)
        rng = np.random.default_rng(seed)
        poisoned = bars.copy()
        rows = len(bars) - cut
        prices = np.sort(np.exp(rng.normal(0.0, 20.0, (rows, 4))), axis=1)
        poisoned.iloc[cut:, :4] = prices[:, [1, 3, 0, 2]]
        poisoned.iloc[cut:, 4] = np.exp(rng.normal(0.0, 20.0, rows)) * rng.integers(0, 2, rows)
        found, expected = build_features(poisoned), build_features(bars)
        pd.testing.assert_frame_equal(found.iloc[:cut], expected.iloc[:cut], check_exact=True)
        assert not found.iloc[cut:].equals(expected.iloc[cut:])


class TestScale:
    @pytest.mark.parametrize("exponent", [-400, -60, -1, 3, 37, 400])
    def test_powers_of_two_change_no_bit(self, real_bars, exponent):
        bars = real_bars("ETHUSDT").iloc[:2000]
        features = build_features(bars)
        for columns in (list(PRICE_COLUMNS), ["volume"]):
            scaled = bars.copy()
            scaled[columns] *= 2.0**exponent
            pd.testing.assert_frame_equal(build_features(scaled), features, check_exact=True)

    @pytest.mark.parametrize("factor", [1e-8, 1e-3, 0.1, 3.7, 7e11])
    @pytest.mark.parametrize("symbol", ["BTCUSDT", "SOLUSDT"])
    def test_any_other_factor_changes_at_most_rounding(self, real_bars, symbol, factor):
        bars = real_bars(symbol).iloc[:12000]
        features = build_features(bars)
        for columns in (list(PRICE_COLUMNS), ["volume"]):
            scaled = bars.copy()
            scaled[columns] *= factor
            assert_within_certificate(build_features(scaled), features)

    @given(factor=st.floats(1e-9, 1e9), unit=st.floats(1e-9, 1e9))
    @settings(max_examples=20, deadline=None)
    def test_prices_on_a_coarse_tick_grid_scale_too(self, factor, unit):
        bars = random_bars(900, seed=6, price=20.0).round(dict.fromkeys(PRICE_COLUMNS, 2))
        scaled = bars.copy()
        scaled[list(PRICE_COLUMNS)] *= factor
        scaled["volume"] *= unit
        assert_within_certificate(build_features(scaled), build_features(bars))


class TestWarmUp:
    @pytest.mark.parametrize("n", [700, 1500])
    def test_a_value_is_nan_before_its_warm_up_and_finite_from_then_on(self, n):
        features = build_features(random_bars(n, seed=7))
        pd.testing.assert_frame_equal(np.isfinite(features), known(features))

    @pytest.mark.parametrize(
        "market",
        [
            lambda: regime_bars(5000, 1, 1e-3, 5e-2, 300),
            lambda: regime_bars(5000, 2, 1e-4, 3e-2, 700),
            lambda: regime_bars(5000, 3, 1e-5, 1e-1, 300),
            lambda: regime_bars(5000, 4, 1e-5, 1e-1, 700),
            lambda: with_standstill(random_bars(3000, seed=8), 1000, 20),
            lambda: with_standstill(random_bars(3000, seed=8), 1000, 100),
            lambda: with_standstill(random_bars(3000, seed=8), 1000, 700),
        ],
    )
    def test_more_history_changes_nothing_beyond_the_certificate(self, market):
        bars = market()
        self.check_certificate(bars, starts=range(1, len(bars) - MAX_WARMUP_BARS - 200, 83))

    @pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT", "SOLUSDT"])
    def test_more_real_history_changes_nothing_beyond_the_certificate(self, real_bars, symbol):
        bars = real_bars(symbol)
        self.check_certificate(bars, starts=range(1, len(bars) - 2000, 1009))

    @staticmethod
    def check_certificate(bars, starts):
        full = build_features(bars)
        windowed = [spec.name for spec in FEATURES if spec.name not in RECURSIVE_WARMUPS]
        for start in starts:
            part = build_features(bars.iloc[start : start + 1500])
            expected = full.iloc[start : start + 1500].where(part.notna())
            assert part.notna().to_numpy().sum() == known(part).to_numpy().sum()
            assert_within_certificate(part, expected)
            pd.testing.assert_frame_equal(part[windowed], expected[windowed], check_exact=True)

    @pytest.mark.parametrize("n", [0, 1, 2, 26, 168])
    def test_short_histories_give_nan_columns_and_no_error(self, n):
        features = build_features(random_bars(n) if n else empty_bars())
        assert features.shape == (n, 37)
        assert list(features.columns) == EXPECTED_NAMES
        for name in FEATURE_NAMES:
            assert features[name].notna().sum() == max(0, n + 1 - WARMUPS[name])


class TestGaps:
    GAP_AT = 800

    def gapped(self, missing: int = 1) -> pd.DataFrame:
        rows = range(self.GAP_AT, self.GAP_AT + missing)
        return build_features(without_rows(random_bars(1300, seed=9), *rows))

    @pytest.mark.parametrize("missing", [1, 30])
    def test_exactly_the_windows_across_a_gap_are_nan(self, missing):
        features = self.gapped(missing)
        for name in FEATURE_NAMES:
            unknown = np.flatnonzero(features[name].isna().to_numpy()[MAX_WARMUP_BARS:]) + MAX_WARMUP_BARS
            assert unknown.tolist() == list(range(self.GAP_AT, self.GAP_AT + WINDOWS[name] - 1)), name

    def test_everything_is_known_again_at_the_169th_bar_after_a_gap(self):
        features = self.gapped()
        assert features.iloc[self.GAP_AT + 168 :].notna().all().all()
        assert features.iloc[self.GAP_AT + 167].isna().sum() == 1

    def test_after_a_gap_windowed_features_equal_those_of_a_history_that_starts_there(self):
        bars = without_rows(random_bars(1300, seed=9), self.GAP_AT)
        whole, after = build_features(bars).iloc[self.GAP_AT :], build_features(bars.iloc[self.GAP_AT :])
        for name in FEATURE_NAMES:
            if name not in RECURSIVE_WARMUPS:
                pd.testing.assert_series_equal(whole[name], after[name], check_exact=True)

    def test_a_gap_inside_the_warm_up_does_not_restart_it(self):
        features = build_features(without_rows(random_bars(1000, seed=9), 300))
        assert features["ema_ratio_48"].first_valid_index() == features.index[WARMUPS["ema_ratio_48"] - 1]

    def test_two_gaps_are_each_respected(self):
        features = build_features(without_rows(random_bars(1300, seed=9), 800, 810))
        unknown = np.flatnonzero(features["log_return_6"].isna().to_numpy()[10:]) + 10
        assert unknown.tolist() == [*range(800, 806), *range(809, 815)]


class TestNeutralValues:
    @pytest.mark.parametrize("price", [1e-8, 0.1, 7189.43, 3e11])
    @pytest.mark.parametrize("volume", [0.0, 0.1])
    def test_a_constant_market_gives_the_neutral_values_exactly(self, price, volume):
        bars = random_bars(900)
        bars[list(PRICE_COLUMNS)] = price
        bars["volume"] = volume
        settled = build_features(bars).iloc[MAX_WARMUP_BARS:]
        for name, neutral in NEUTRAL.items():
            assert set(settled[name]) == {neutral}, name

    def test_a_standstill_after_trading_becomes_neutral_with_its_windows(self):
        bars = with_standstill(random_bars(1200, seed=10), 800, 400)
        last = build_features(bars).iloc[-1]
        recursive = {"ema_ratio_12", "ema_ratio_48", "macd_ratio", "macd_hist_ratio", "adx_14", "atr_ratio_14"}
        for name, neutral in NEUTRAL.items():
            assert last[name] == pytest.approx(neutral, abs=1e-6 if name in recursive else 0.0), name

    def test_zero_volume_alone_leaves_prices_alone(self):
        bars = random_bars(900, seed=11)
        silent = bars.assign(volume=0.0)
        features, expected = build_features(silent).iloc[-1], build_features(bars).iloc[-1]
        assert (features["volume_zscore_168"], features["mfi_14"], features["obv_slope_24"]) == (0.0, 50.0, 0.0)
        rest = [n for n in FEATURE_NAMES if n not in ("volume_zscore_168", "mfi_14", "obv_slope_24")]
        pd.testing.assert_series_equal(features[rest], expected[rest], check_exact=True)


class TestRobustness:
    def test_a_bar_of_absurd_volume_is_forgotten_with_its_windows(self):
        bars = random_bars(1200, seed=12)
        spiked = bars.copy()
        spiked.iloc[900, 4] = 1e12
        found, expected = build_features(spiked), build_features(bars)
        pd.testing.assert_frame_equal(found.iloc[900 + 168 :], expected.iloc[900 + 168 :], check_exact=True)
        assert np.isfinite(found.iloc[900]).all()

    def test_a_wick_of_ten_times_the_price_is_forgotten_by_windowed_features(self):
        bars = random_bars(1200, seed=13)
        spiked = bars.copy()
        spiked.iloc[900, 1] *= 10.0
        found, expected = build_features(spiked), build_features(bars)
        windowed = [name for name in FEATURE_NAMES if name not in RECURSIVE_WARMUPS]
        pd.testing.assert_frame_equal(found.iloc[972:][windowed], expected.iloc[972:][windowed], check_exact=True)
        assert np.isfinite(found.iloc[900]).all()

    def test_a_collapse_by_ten_orders_of_magnitude_keeps_every_feature_alive(self):
        bars = random_bars(1600, seed=14)
        ruined = bars.copy()
        ruined.iloc[300:, :4] *= 1e-10
        found, expected = build_features(ruined), build_features(bars)
        windowed = [name for name in FEATURE_NAMES if name not in RECURSIVE_WARMUPS]
        assert_within_certificate(found.iloc[480:][windowed], expected.iloc[480:][windowed])
        assert np.isfinite(found.iloc[MAX_WARMUP_BARS:]).all().all()

    @pytest.mark.parametrize("column", BAR_COLUMNS)
    def test_invalid_bars_are_refused(self, column):
        bars = random_bars(10)
        bars.iloc[4, BAR_COLUMNS.index(column)] = np.nan
        with pytest.raises(DataValidationError, match="every value is finite"):
            build_features(bars)
