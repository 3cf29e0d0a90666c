"""Indicators: equal to TA-Lib where TA-Lib can be trusted, better where it can't."""

from __future__ import annotations

import numpy as np
import pytest
import talib

from algo_pipeline.data import indicators
from algo_pipeline_tests.market import random_bars

N = 3000
SETTLED = 600  # rows after which recursive averages have forgotten how they were seeded


@pytest.fixture(scope="module")
def market():
    bars = random_bars(N, seed=11)
    return {name: bars[name].to_numpy() for name in bars.columns}


@pytest.fixture(scope="module")
def ohlc(market):
    return market["high"], market["low"], market["close"]


def typical_price(market):
    return (market["high"] + market["low"] + market["close"]) / 3


class TestEqualToTaLibOnOrdinaryData:
    def test_rsi(self, market):
        np.testing.assert_array_equal(indicators.rsi(market["close"], 14), talib.RSI(market["close"], 14))

    def test_adx(self, ohlc):
        ours, theirs = indicators.adx(ohlc[0], ohlc[1], 14), talib.ADX(*ohlc, 14)
        np.testing.assert_allclose(ours[SETTLED:], theirs[SETTLED:], rtol=1e-9)

    def test_stochastic(self, ohlc):
        k, d = indicators.stochastic(*ohlc, 14, 3)
        slow_k, slow_d = talib.STOCH(*ohlc, 14, 3, 0, 3, 0)
        np.testing.assert_allclose(k[17:], slow_k[17:], atol=1e-9)
        np.testing.assert_allclose(d, slow_d, atol=1e-9)

    def test_cci(self, market, ohlc):
        np.testing.assert_allclose(indicators.cci(typical_price(market), 20), talib.CCI(*ohlc, 20), atol=1e-8)

    def test_money_flow_index(self, market, ohlc):
        ours = indicators.money_flow_index(typical_price(market), market["volume"], 14)
        np.testing.assert_allclose(ours, talib.MFI(*ohlc, market["volume"], 14), atol=1e-9)

    def test_obv_slope(self, market):
        obv = talib.OBV(market["close"], market["volume"])
        total = talib.SUM(market["volume"], 24)
        ours = indicators.obv_slope(market["close"], market["volume"], 24)
        np.testing.assert_allclose(ours[24:], (obv[24:] - obv[:-24]) / total[24:], atol=1e-9)

    def test_realized_volatility(self, market):
        returns = indicators.log_return(market["close"], 1)
        ours = indicators.realized_volatility(returns, (24,))[0]
        np.testing.assert_allclose(ours, talib.STDDEV(returns, 24) * np.sqrt(24 / 23), atol=1e-10)

    def test_range_position(self, ohlc):
        fast_k, _ = talib.STOCHF(*ohlc, 72, 1, 0)
        np.testing.assert_allclose(100 * indicators.range_position(*ohlc, 72), fast_k, atol=1e-9)


def test_rsi_of_a_worked_example():
    # changes +1, +1, −1: averages start at (2/3, 1/3); then a change of +2 makes them (10/9, 2/9)
    close = np.array([1.0, 2.0, 3.0, 2.0, 4.0])
    np.testing.assert_allclose(indicators.rsi(close, 3), [np.nan, np.nan, np.nan, 200 / 3, 250 / 3])


def test_cci_of_a_worked_example():
    # window 1, 2, 6: mean 3, mean deviation 2, so (6 − 3) / (0.015 · 2)
    assert indicators.cci(np.array([1.0, 2.0, 6.0]), 3)[-1] == pytest.approx(100.0)


def test_money_flow_index_of_a_worked_example():
    # rises with money 2·10, falls with 1·5, stays with 1·7: 20 of 25
    price, volume = np.array([1.0, 2.0, 1.0, 1.0]), np.array([1.0, 10.0, 5.0, 7.0])
    assert indicators.money_flow_index(price, volume, 3)[-1] == pytest.approx(80.0)


def test_obv_slope_of_a_worked_example():
    # +10 − 5 + 0 over 10 + 5 + 7
    close, volume = np.array([1.0, 2.0, 1.0, 1.0]), np.array([1.0, 10.0, 5.0, 7.0])
    assert indicators.obv_slope(close, volume, 3)[-1] == pytest.approx(5 / 22)


def test_parkinson_volatility_of_a_constant_range():
    high, low = np.full(5, np.e), np.ones(5)
    assert indicators.parkinson_volatility(high, low, 3)[-1] == pytest.approx(1 / np.sqrt(4 * np.log(2)))


def test_z_score_of_a_worked_example():
    # 1, 2, 6: mean 3, sample deviation √7
    assert indicators.z_score(np.array([1.0, 2.0, 6.0]), 3)[-1] == pytest.approx(3 / np.sqrt(7))


def test_equal_directional_movements_cancel_whatever_their_rounding():
    # up 20.70 − 20.30 and down 19.90 − 19.50 are both 0.40: TA-Lib says 0 or 100, depending on the unit of the price
    high, low = np.tile([20.3, 20.7], 300), np.tile([19.9, 19.5], 300)
    units = (1.0, 3.7)
    assert [talib.ADX(high * unit, low * unit, low * unit, 14)[-1] for unit in units] == [0.0, 100.0]
    assert [set(indicators.adx(high * unit, low * unit, 14)[60:]) for unit in units] == [{0.0}, {0.0}]


def test_equal_typical_prices_move_no_money_whatever_their_rounding():
    high, low, close = np.tile([0.3, 0.5], 20), np.tile([0.1, 0.2], 20), np.tile([0.3, 0.0], 20)
    price = (high + low + close) / 3
    price[1::2] = np.nextafter(price[0], 2.0)
    assert set(indicators.money_flow_index(price, np.ones(40), 14)[14:]) == {50.0}


@pytest.mark.parametrize("price", [1e-8, 0.1, 7189.43])
def test_a_market_that_stands_still_is_neutral(price):
    flat, volume = np.full(400, price), np.ones(400)
    assert set(indicators.rsi(flat, 14)[14:]) == {50.0}
    assert set(indicators.adx(flat, flat, 14)[60:]) == {0.0}
    assert set(indicators.cci(flat, 20)[19:]) == {0.0}
    assert set(indicators.money_flow_index(flat, volume, 14)[14:]) == {50.0}
    assert set(indicators.obv_slope(flat, volume, 24)[24:]) == {0.0}
    assert set(indicators.range_position(flat, flat, flat, 72)[71:]) == {0.5}
    assert set(indicators.stochastic(flat, flat, flat, 14, 3)[0][15:]) == {50.0}
    assert set(indicators.z_score(flat, 168)[167:]) == {0.0}


def test_a_trend_is_forgotten_when_the_market_stands_still():
    moving = np.linspace(100.0, 200.0, 300)
    price = np.concatenate([moving, np.full(600, 200.0)])
    rsi, adx = indicators.rsi(price, 14), indicators.adx(price, price, 14)
    assert rsi[299] == 100.0
    assert set(rsi[313:]) == {50.0}
    assert adx[299] > 99.0
    assert adx[-1] < 1e-9


def test_directional_movement_after_a_long_standstill_is_known_again():
    rng = np.random.default_rng(5)
    close = np.concatenate([np.full(40, 100.0), 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 1000)))])
    assert np.isfinite(indicators.adx(close * 1.001, close * 0.999, 14)[53:]).all()


@pytest.mark.parametrize("first", [1e-280, 1e-8, 0.7, 1e5, 1e300])
def test_canonical_scale_is_a_power_of_two_near_2_to_the_50(first):
    scale = indicators.canonical_scale(np.array([0.0, first, 5.0]))
    assert np.frexp(scale)[0] == 0.5
    assert 2.0**49 <= first * scale < 2.0**50


def test_canonical_scale_of_nothing_is_one():
    assert indicators.canonical_scale(np.zeros(3)) == 1.0
    assert indicators.canonical_scale(np.empty(0)) == 1.0


@pytest.mark.parametrize("n", [0, 1, 2, 14, 30])
def test_histories_too_short_for_an_indicator_give_nan(n):
    x = np.linspace(1.0, 2.0, n)
    for values in (
        indicators.ema(x, 48),
        *indicators.macd(x),
        indicators.atr(x, x, x, 30),
        indicators.rsi(x, 30),
        indicators.adx(x, x, 30),
        *indicators.stochastic(x, x, x, 31, 3),
        indicators.cci(x, 31),
        indicators.z_score(x, 168),
    ):
        assert values.shape == (n,)
        assert np.isnan(values).all()
