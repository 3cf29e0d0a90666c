from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.data.causality import Build, poison_violations, sample_positions, truncation_violations
from algo_pipeline.data.features import build_features
from algo_pipeline_tests.market import random_bars, without_rows

_BARS = random_bars(400, seed=1)
_HOLES = _BARS["close"].where(np.arange(len(_BARS)) % 7 != 0)

# Each looks ahead in a way that has been found in real feature code.
_LEAKS: dict[str, Build] = {
    "next_close": lambda bars: bars["close"].shift(-1).to_frame(),
    "next_return": lambda bars: (bars["open"].shift(-1) / bars["close"] - 1.0).to_frame(),
    "centred_mean": lambda bars: bars["close"].rolling(9, center=True, min_periods=1).mean().to_frame(),
    "full_sample_zscore": lambda bars: ((bars["close"] - bars["close"].mean()) / bars["close"].std()).to_frame(),
    "full_sample_range": lambda bars: (
        (bars["close"] - bars["close"].min()) / (bars["close"].max() - bars["close"].min())
    ).to_frame(),
    "full_sample_rank": lambda bars: bars["volume"].rank(pct=True).to_frame(),
    "backfilled": lambda bars: _HOLES.reindex(bars.index).bfill().to_frame(),
    "interpolated": lambda bars: _HOLES.reindex(bars.index).interpolate(limit_direction="both").to_frame(),
    "reversed_ema": lambda bars: bars["close"][::-1].ewm(span=12).mean()[::-1].to_frame(),
    "day_high": lambda bars: bars["high"].groupby(bars.index.floor("D")).transform("max").to_frame(),
    "scaled_by_length": lambda bars: (np.arange(len(bars)) / len(bars) + bars["close"] * 0).to_frame(),
}
_HONEST: dict[str, Build] = {
    "close": lambda bars: bars["close"].to_frame(),
    "past_return": lambda bars: bars["close"].pct_change(3).to_frame(),
    "trailing_mean": lambda bars: bars["close"].rolling(24).mean().to_frame(),
    "expanding_zscore": lambda bars: (
        (bars["close"] - bars["close"].expanding().mean()) / bars["close"].expanding().std()
    ).to_frame(),
    "ema": lambda bars: bars["close"].ewm(span=12, adjust=False).mean().to_frame(),
}


def _named(name: str, build: Build) -> Build:
    return lambda bars: build(bars).set_axis([name], axis=1)


def _beside_honest(name: str, build: Build) -> Build:
    """The leak as the second of three columns."""

    def both(bars: pd.DataFrame) -> pd.DataFrame:
        honest = _HONEST["trailing_mean"](bars).iloc[:, 0]
        return pd.DataFrame({"before": honest, name: build(bars).iloc[:, 0], "after": honest})

    return both


@pytest.mark.parametrize("name", _LEAKS)
def test_a_leak_is_named_and_its_honest_neighbours_are_not(name: str) -> None:
    build = _beside_honest(name, _LEAKS[name])
    positions = sample_positions(len(_BARS), 20)
    truncated = truncation_violations(build, _BARS, build(_BARS), positions)
    poisoned = poison_violations(build, _BARS, build(_BARS), 200)
    assert truncated or poisoned
    assert all(sentence.startswith(f"{name} at 20") for sentence in (*truncated, *poisoned))


@pytest.mark.parametrize("name", set(_LEAKS) - {"scaled_by_length", "interpolated", "backfilled"})
def test_a_leak_of_prices_fails_both_experiments(name: str) -> None:
    build = _named(name, _LEAKS[name])
    assert truncation_violations(build, _BARS, build(_BARS), sample_positions(len(_BARS), 20))
    assert poison_violations(build, _BARS, build(_BARS), 200)


@pytest.mark.parametrize("name", ["scaled_by_length", "interpolated", "backfilled"])
def test_a_leak_of_what_poison_leaves_alone_fails_the_truncation(name: str) -> None:
    build = _named(name, _LEAKS[name])
    every_row = range(200, 230)
    assert truncation_violations(build, _BARS, build(_BARS), every_row)


@pytest.mark.parametrize("name", _HONEST)
def test_a_feature_of_the_past_passes_both_experiments(name: str) -> None:
    build = _named(name, _HONEST[name])
    assert truncation_violations(build, _BARS, build(_BARS), sample_positions(len(_BARS), 20)) == ()
    assert poison_violations(build, _BARS, build(_BARS), 200) == ()


def test_a_single_changed_bit_is_a_violation() -> None:
    def one_bit_off(bars: pd.DataFrame) -> pd.DataFrame:
        close = bars["close"].to_numpy().copy()
        if len(bars) == len(_BARS):
            close[300] = np.nextafter(close[300], np.inf)
        return pd.DataFrame({"almost_close": close}, index=bars.index)

    found = truncation_violations(one_bit_off, _BARS, one_bit_off(_BARS), [299, 300, 301])
    assert found == (f"almost_close at {_BARS.index[300]} changes when later bars are cut off",)


def test_a_value_that_becomes_nan_is_a_violation() -> None:
    def known_only_with_a_successor(bars: pd.DataFrame) -> pd.DataFrame:
        return bars[["close"]].where(bars["close"].shift(-1).notna())

    features = known_only_with_a_successor(_BARS)
    assert len(truncation_violations(known_only_with_a_successor, _BARS, features, [250, 251])) == 2


def test_the_first_bar_that_changed_is_named() -> None:
    build = _named("sum_of_next_2", lambda bars: (bars["close"].shift(-1) + bars["close"].shift(-2)).to_frame())
    (found,) = poison_violations(build, _BARS, build(_BARS), 200)
    assert found == f"sum_of_next_2 at {_BARS.index[199]} changes with bars after {_BARS.index[200]}"


def test_stored_features_that_differ_from_the_code_are_a_violation() -> None:
    build = _HONEST["trailing_mean"]
    shifted = build(_BARS).shift(-1)
    assert len(truncation_violations(build, _BARS, shifted, [300])) == 1
    assert len(poison_violations(build, _BARS, shifted, 300)) == 1


@pytest.mark.parametrize("gaps", [(), (700, 701, 950)])
def test_the_real_features_leave_no_trace_of_the_future(gaps: tuple[int, ...]) -> None:
    bars = without_rows(random_bars(1_600, seed=3), *gaps)
    features = build_features(bars)
    assert features.iloc[-1].notna().all()
    assert truncation_violations(build_features, bars, features, sample_positions(len(bars), 6)) == ()
    assert poison_violations(build_features, bars, features, 1_200) == ()


def test_a_leak_seeded_among_the_real_features_is_named() -> None:
    def leaking(bars: pd.DataFrame) -> pd.DataFrame:
        features = build_features(bars)
        return features.assign(rsi_14=features["rsi_14"].shift(-1))

    bars = random_bars(1_200, seed=4)
    features = leaking(bars)
    truncated = truncation_violations(leaking, bars, features, sample_positions(len(bars), 4))
    assert {sentence.split()[0] for sentence in truncated} == {"rsi_14"}
    assert [sentence.split()[0] for sentence in poison_violations(leaking, bars, features, 900)] == ["rsi_14"]


def test_positions_lie_in_the_later_half_and_include_the_last_but_one() -> None:
    positions = sample_positions(1_000, 10, seed=5)
    assert positions == tuple(sorted(set(positions)))
    assert positions[0] >= 500
    assert positions[-1] == 998
    assert positions == sample_positions(1_000, 10, seed=5) != sample_positions(1_000, 10, seed=6)


@pytest.mark.parametrize(("n_rows", "expected"), [(0, ()), (1, ()), (2, (0,)), (3, (1,))])
def test_few_rows_give_few_positions(n_rows: int, expected: tuple[int, ...]) -> None:
    assert sample_positions(n_rows, 1) == expected
