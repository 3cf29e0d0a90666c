from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.schemas import validate_bars
from algo_pipeline.common.types import FloatArray, Symbol
from algo_pipeline.data.ingest import find_gaps
from algo_pipeline.data.simulation import GENESIS, planted_probability, planted_skill, simulate_bars

BTC = Symbol("BTC", "USD")
HOUR = pd.Timedelta(hours=1)
START, END = pd.Timestamp("2020-01-01", tz="UTC"), pd.Timestamp("2024-01-01", tz="UTC")
SEEDS = range(40)


def market(seed: int, signal_strength: float = 0.0, symbol: Symbol = BTC) -> pd.DataFrame:
    return simulate_bars(symbol, START, END, seed=seed, signal_strength=signal_strength)


def z_score(values: FloatArray) -> float:
    """Mean over its standard error: standard normal if the true mean is 0 and values are uncorrelated."""
    return float(values.mean() / (values.std(ddof=1) / np.sqrt(len(values))))


def correlation_z(left: FloatArray, right: FloatArray) -> float:
    """Correlation times root n: standard normal under independence."""
    return float(np.corrcoef(left, right)[0, 1] * np.sqrt(len(left)))


def assert_standard_normal(z_scores: list[float]) -> None:
    """One statistic per seed: mean 0 and spread 1, each within four standard errors (seeds are fixed)."""
    n = len(z_scores)
    assert abs(np.mean(z_scores)) < 4 / np.sqrt(n)
    assert abs(np.std(z_scores) - 1) < 4 / np.sqrt(2 * n)


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 2**32), strength=st.sampled_from([0.0, 0.3, 1.0]), base=st.sampled_from(["BTC", "X"]))
def test_every_market_is_valid_and_unbroken(seed: int, strength: float, base: str) -> None:
    bars = simulate_bars(Symbol(base, "USD"), GENESIS, GENESIS + 5_000 * HOUR, seed=seed, signal_strength=strength)
    validate_bars(bars)
    assert len(bars) == 5_000
    assert find_gaps(bars) == ()
    assert (bars["volume"] > 0).all()


@pytest.mark.parametrize("strength", [0.0, 0.4])
def test_an_hour_has_the_same_bar_whatever_window_is_asked_for(strength: float) -> None:
    whole = market(5, strength)
    part = simulate_bars(BTC, START + 100 * HOUR, START + 900 * HOUR, seed=5, signal_strength=strength)
    pd.testing.assert_frame_equal(part, whole.iloc[100:900], check_exact=True, check_freq=False)


def test_seeds_and_symbols_make_different_markets() -> None:
    one, other_seed, other_symbol = market(1), market(2), market(1, symbol=Symbol("ETH", "USD"))
    returns = [np.diff(np.log(bars["close"])) for bars in (one, other_seed, other_symbol)]
    assert abs(np.corrcoef(returns[0], returns[1])[0, 1]) < 0.03
    assert abs(np.corrcoef(returns[0], returns[2])[0, 1]) < 0.03


@pytest.mark.parametrize("end", [GENESIS, GENESIS - 5 * HOUR])
def test_there_is_nothing_before_the_first_bar(end: pd.Timestamp) -> None:
    assert simulate_bars(BTC, GENESIS - 9 * HOUR, end, seed=0).empty
    assert list(simulate_bars(BTC, GENESIS - 9 * HOUR, GENESIS + 1.5 * HOUR, seed=0).index) == [GENESIS]


@pytest.mark.parametrize(("seed", "strength"), [(-1, 0.0), (0, -0.1), (0, 1.1), (0, float("nan"))])
def test_parameters_outside_their_domain_are_refused(seed: int, strength: float) -> None:
    with pytest.raises(ConfigValueError):
        simulate_bars(BTC, START, END, seed=seed, signal_strength=strength)


def test_without_a_signal_log_returns_have_zero_drift_and_fair_signs() -> None:
    opens = [np.diff(np.log(market(seed)["open"].to_numpy())) for seed in SEEDS]
    assert_standard_normal([z_score(returns) for returns in opens])
    assert_standard_normal([z_score(np.sign(returns)) for returns in opens])


@pytest.mark.parametrize("lag", [1, 2, 24])
def test_without_a_signal_neither_signs_nor_returns_repeat_themselves(lag: int) -> None:
    signs = [np.sign(np.diff(np.log(market(seed)["close"].to_numpy()))) for seed in SEEDS]
    assert_standard_normal([correlation_z(sign[lag:], sign[:-lag]) for sign in signs])


def test_without_a_signal_no_past_column_tells_the_next_sign() -> None:
    scores: dict[str, list[float]] = {}
    for seed in SEEDS:
        bars = market(seed)
        up = np.sign(np.diff(np.log(bars["open"].to_numpy())))[2:]
        span = bars["high"] - bars["low"]
        known = {
            "size of the last body": np.log(bars["close"] / bars["open"]).abs().rank(),
            "range": (span / bars["open"]).rank(),
            "volume": bars["volume"].rank(),
            "upper wick": ((bars["high"] - bars[["open", "close"]].max(axis=1)) / span).rank(),
            "gap at the open": (bars["open"] / bars["close"].shift()).rank().fillna(0),
            "momentum": bars["close"].pct_change(6).rank().fillna(0),
            "hour": bars.index.to_series().dt.hour,
        }
        for name, column in known.items():
            scores.setdefault(name, []).append(correlation_z(column.to_numpy(dtype=float)[1 : len(up) + 1], up))
    for z_scores in scores.values():
        assert_standard_normal(z_scores)


def test_without_a_signal_a_volatile_hour_is_as_likely_up_as_down() -> None:
    z_scores = []
    for seed in SEEDS:
        returns = np.diff(np.log(market(seed)["open"].to_numpy()))
        z_scores.append(correlation_z(np.abs(returns), np.sign(returns)))
    assert_standard_normal(z_scores)


def test_highs_reach_as_far_as_lows() -> None:
    z_scores = []
    for seed in SEEDS:
        bars = np.log(market(seed))
        z_scores.append(z_score((bars["high"] + bars["low"] - bars["open"] - bars["close"]).to_numpy()))
    assert_standard_normal(z_scores)


def test_volatility_clusters_and_tails_are_heavy() -> None:
    for seed in range(5):
        returns = np.diff(np.log(market(seed)["close"].to_numpy()))
        sizes = np.abs(returns)
        assert np.corrcoef(sizes[1:], sizes[:-1])[0, 1] > 0.1
        assert np.corrcoef(sizes[24:], sizes[:-24])[0, 1] > 0.05
        assert np.mean((returns - returns.mean()) ** 4) / returns.var() ** 2 > 5
        assert 0.003 < returns.std() < 0.015


def test_volatility_has_calm_and_turbulent_regimes() -> None:
    log_daily = np.log(np.log(market(3)["close"]).diff().pow(2).resample("7D").mean().to_numpy()) / 2
    assert np.quantile(log_daily, 0.95) - np.quantile(log_daily, 0.25) > np.log(1.8)


def test_volume_has_a_daily_season_and_goes_with_the_size_of_moves() -> None:
    bars = market(4)
    by_hour = np.log(bars["volume"]).groupby(bars.index.to_series().dt.hour).mean()
    assert abs(int(by_hour.idxmax()) - 15) <= 1
    assert by_hour.max() - by_hour.min() > 0.8
    assert np.corrcoef(np.log(bars["volume"]), np.log(bars["close"] / bars["open"]).abs())[0, 1] > 0.2


def test_the_gap_at_the_open_is_small_and_never_changes_the_sign_of_an_open_to_open_return() -> None:
    bars = market(6)
    gap = np.log(bars["open"].to_numpy()[1:] / bars["close"].to_numpy()[:-1])
    body = np.log(bars["close"] / bars["open"]).to_numpy()[:-1]
    assert (np.abs(gap) <= 0.5 * np.abs(body) + 1e-12).all()
    assert (np.sign(np.diff(bars["open"].to_numpy())) == np.sign(body)).all()
    assert 0 < np.median(np.abs(gap)) < 0.1 * np.median(np.abs(body))


def test_the_planted_probability_is_the_rate_at_which_the_next_hour_rises() -> None:
    strength = 0.4
    forecast, outcome = [], []
    for seed in range(10):
        bars = market(seed, strength)
        probability = planted_probability(bars, strength).to_numpy()[30:-2]
        opens = bars["open"].to_numpy()
        forecast.append(probability)
        outcome.append(opens[32:] > opens[31:-1])
    p, up = np.concatenate(forecast), np.concatenate(outcome).astype(float)
    assert np.isfinite(p).all()
    bins = np.digitize(p, np.quantile(p, np.linspace(0.1, 0.9, 9)))
    for b in range(10):
        chosen = bins == b
        expected, spread = p[chosen].mean(), np.sqrt((p[chosen] * (1 - p[chosen])).sum()) / chosen.sum()
        assert abs(up[chosen].mean() - expected) < 4 * spread


def test_the_planted_probability_uses_no_later_bar() -> None:
    bars = market(2, 0.3).iloc[:500]
    whole = planted_probability(bars, 0.3)
    for n in (50, 133, 499):
        pd.testing.assert_series_equal(planted_probability(bars.iloc[:n], 0.3), whole.iloc[:n], check_freq=False)


def test_the_best_skill_grows_with_the_signal_from_none() -> None:
    none, weak, strong = (planted_skill(strength, n_bars=40_000) for strength in (0.0, 0.1, 0.3))
    assert none.auc == pytest.approx(0.5)
    assert none.log_loss_skill == pytest.approx(0.0, abs=1e-3)
    assert 0.52 < weak.auc < 0.55
    assert weak.auc + 0.04 < strong.auc < 0.65
    assert 0 < weak.log_loss_skill < strong.log_loss_skill


def test_four_years_take_a_fraction_of_a_second() -> None:
    market(0)
    fastest = min(_seconds(seed) for seed in range(5))
    assert fastest < 0.3


def _seconds(seed: int) -> float:
    began = time.perf_counter()
    market(seed)
    return time.perf_counter() - began
