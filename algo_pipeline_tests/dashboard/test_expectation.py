"""What a backtest leads one to expect, on backtests whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.dashboard.expectation import (
    FEWEST_BACKTEST_HOURS,
    HOURS_THAT_SAY_SOMETHING,
    Standing,
    account_returns,
    expected_band,
    standing_of,
    standing_words,
)

NOISE = np.random.default_rng(3).normal(0.0, 1e-3, 8000)


def curve(returns: list[float], start: str = "2024-01-01") -> pd.Series:
    index = pd.date_range(start, periods=len(returns) + 1, freq="h", tz="UTC")
    return pd.Series(100.0 * np.cumprod([1.0, *(1.0 + each for each in returns)]), index=index)


class TestAccountReturns:
    def test_returns_of_symbols_in_the_same_hour_add_up(self) -> None:
        found = account_returns([curve([0.01, -0.02]), curve([0.03, 0.01])])
        assert found == pytest.approx([0.04, -0.01])

    def test_only_hours_that_all_have_count(self) -> None:
        late = curve([0.05, 0.06], start="2024-01-01 01:00")
        assert account_returns([curve([0.01, 0.02]), late]) == pytest.approx([0.07])

    def test_without_a_backtest_there_are_none(self) -> None:
        assert account_returns([]).shape == (0,)


class TestBand:
    def test_a_steady_gain_is_expected_to_the_digit(self) -> None:
        band = expected_band(np.full(1000, 0.001), 500)
        assert band is not None
        expected = 1.001**band.hours - 1.0
        for each in (band.lower, band.median, band.upper):
            assert each == pytest.approx(expected)
        assert (band.hours[0], band.hours[-1]) == (0, 500)

    def test_it_starts_at_nothing_and_holds_its_median(self) -> None:
        band = expected_band(NOISE, 1000)
        assert band is not None
        assert band.lower[0] == band.median[0] == band.upper[0] == 0.0
        assert (band.lower <= band.median).all()
        assert (band.median <= band.upper).all()
        assert (np.diff(band.hours) > 0).all()
        assert len(band.hours) <= 121

    @pytest.mark.parametrize("n_hours", [24, 1000])
    def test_of_independent_hours_it_is_as_wide_as_the_square_root_says(self, n_hours: int) -> None:
        band = expected_band(NOISE, n_hours)
        assert band is not None
        width = (band.upper[-1] - band.lower[-1]) / 2.0
        assert width == pytest.approx(1.96 * 1e-3 * math.sqrt(n_hours), rel=0.12)

    def test_it_leaves_out_as_many_stretches_below_as_above(self) -> None:
        band = expected_band(NOISE, 50)
        assert band is not None
        found = (band.share_below(band.lower[-1]), band.share_below(band.median[-1]), band.share_below(band.upper[-1]))
        assert found == pytest.approx((0.025, 0.5, 0.975), abs=0.001)

    def test_hours_that_go_together_stay_together(self) -> None:
        together = np.repeat(np.random.default_rng(1).normal(0.0, 1e-3, 400), 20)
        alone, blocks = expected_band(NOISE, 20), expected_band(together, 20)
        assert alone is not None
        assert blocks is not None
        assert blocks.upper[-1] > 2.5 * alone.upper[-1]

    def test_it_is_the_same_every_time(self) -> None:
        first, second = expected_band(NOISE, 300), expected_band(NOISE, 300)
        assert first is not None
        assert second is not None
        assert (first.endings == second.endings).all()

    def test_a_session_longer_than_the_backtest_has_one(self) -> None:
        band = expected_band(NOISE[:FEWEST_BACKTEST_HOURS], 5 * FEWEST_BACKTEST_HOURS)
        assert band is not None
        assert np.isfinite(band.endings).all()

    def test_a_short_backtest_or_no_hour_expects_nothing(self) -> None:
        assert expected_band(NOISE[: FEWEST_BACKTEST_HOURS - 1], 10) is None
        assert expected_band(NOISE, 0) is None


class TestStanding:
    @pytest.mark.parametrize(
        ("total", "standing", "word"),
        [(-0.5, Standing.BELOW, "below"), (0.0, Standing.INSIDE, "inside"), (0.5, Standing.ABOVE, "above")],
    )
    def test_it_is_below_inside_or_above(self, total: float, standing: Standing, word: str) -> None:
        band = expected_band(NOISE, HOURS_THAT_SAY_SOMETHING)
        assert standing_of(band, total, HOURS_THAT_SAY_SOMETHING) is standing
        assert f"It is {word}" in standing_words(band, total, HOURS_THAT_SAY_SOMETHING)

    @pytest.mark.parametrize("total", [-0.5, 0.0, 0.5])
    def test_a_few_hours_say_nothing_however_they_went(self, total: float) -> None:
        n_hours = HOURS_THAT_SAY_SOMETHING - 1
        band = expected_band(NOISE, n_hours)
        assert standing_of(band, total, n_hours) is Standing.TOO_EARLY
        assert "say nothing yet" in standing_words(band, total, n_hours)

    def test_without_a_backtest_it_is_not_known(self) -> None:
        assert standing_of(None, 0.5, 1000) is Standing.UNKNOWN
        assert "nothing to compare" in standing_words(None, 0.5, 1000)

    def test_a_share_of_stretches_ended_lower(self) -> None:
        band = expected_band(NOISE, 24)
        assert band is not None
        assert band.share_below(band.endings[0]) == 0.0
        assert band.share_below(math.inf) == 1.0
        assert band.share_below(float(np.median(band.endings))) == pytest.approx(0.5, abs=0.01)
