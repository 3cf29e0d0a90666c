"""Charts are drawn within their frame, whatever the numbers are, and say in words what they show."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.dashboard.charts import equity_chart, probability_chart, slippage_chart
from algo_pipeline.dashboard.drawing import SIZES, Frame, padded, round_ticks
from algo_pipeline.dashboard.expectation import Standing, expected_band
from algo_pipeline.dashboard.view import ChampionView, EquityView
from algo_pipeline.live.costs import FillCost

_CHAMPION = ChampionView("BTC/USD", trading="on", enter_threshold=0.55, exit_threshold=0.45)
_START = pd.Timestamp("2024-01-01", tz="UTC")
_returns = st.lists(st.floats(-0.9, 5.0), min_size=1, max_size=60)


def pictures(drawn: str) -> list[ET.Element]:
    """The pictures as XML: whatever is not well-formed fails here."""
    return list(ET.fromstring(f"<all>{drawn}</all>"))  # noqa: S314 - our own


def assert_within(picture: ET.Element) -> None:
    """Every point lies in the picture."""
    width, height = (float(each) for each in picture.attrib["viewBox"].split()[2:])
    for element in picture:
        for x, y in re.findall(r"(-?[0-9.]+),(-?[0-9.]+)", element.get("points", "")):
            assert -12 <= float(x) <= width + 12
            assert -12 <= float(y) <= height + 12
        for name, limit in (("cx", width), ("cy", height)):
            assert 0 <= float(element.get(name, 0)) <= limit


def equity(returns: list[float], *, with_band: bool) -> EquityView:
    times = pd.date_range(_START, periods=len(returns), freq="h")
    hourly = np.random.default_rng(2).normal(0, 1e-3, 1000)
    band = expected_band(hourly, len(returns) - 1) if with_band else None
    return EquityView(times, np.array(returns), len(returns) - 1, band, Standing.INSIDE, 'words & "quotes"')


@given(_returns, st.booleans())
@settings(max_examples=40, deadline=None)
def test_any_session_can_be_drawn(returns: list[float], with_band: bool) -> None:
    drawn = pictures(equity_chart(equity(returns, with_band=with_band)))
    assert [picture.get("class") for picture in drawn] == [name for name, _, _ in SIZES]
    for picture in drawn:
        assert_within(picture)
        assert picture.get("role") == "img"
        assert 'words & "quotes"' in picture.attrib["aria-label"]


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), min_size=1, max_size=40))
@settings(max_examples=40, deadline=None)
def test_any_probabilities_can_be_drawn(values: list[float | None]) -> None:
    actions = ("enter", "none", "exit")
    rows = [
        {"bar": _START + n * pd.Timedelta(hours=1), "prob": value, "action": actions[n % 3]}
        for n, value in enumerate(values)
    ]
    for picture in pictures(probability_chart(rows, _CHAMPION)):
        assert_within(picture)
        assert f"over {len(values)} hours" in picture.attrib["aria-label"]
        assert len([each for each in picture if each.get("class") == "threshold"]) == 2


@given(st.lists(st.floats(-500, 500), min_size=1, max_size=30))
@settings(max_examples=30, deadline=None)
def test_any_slippage_can_be_drawn(values: list[float]) -> None:
    fills = [FillCost(_START, "BTC/USD", "buy", 1.0, 100.0, 100.0, 100.0, value) for value in values]
    fills.append(FillCost(_START, "BTC/USD", "buy", 1.0, 100.0, 100.0, None, None))
    for picture in pictures(slippage_chart(fills, 5.0)):
        assert_within(picture)
        assert len([each for each in picture if each.tag == "circle"]) == len(values)


@given(st.floats(-1e3, 1e3), st.floats(1e-6, 1e6), st.integers(2, 8))
@settings(max_examples=100, deadline=None)
def test_ticks_are_round_few_and_within(place: float, width: float, n: int) -> None:
    low = place * width
    ticks = round_ticks(low, low + width, n)
    assert len(ticks) <= n + 1
    assert all(low - width * 1e-6 <= tick <= low + width * (1 + 1e-6) for tick in ticks)
    steps = np.diff(ticks)
    if len(steps):
        assert float(f"{steps[0]:.3e}"[:5]) in (1.0, 2.0, 5.0)


def test_round_ticks_by_hand() -> None:
    assert round_ticks(0.0, 1.0, 5) == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert round_ticks(-3.0, 12.0, 5) == pytest.approx([0.0, 5.0, 10.0])


def test_a_range_has_some_width_and_knows_no_nan() -> None:
    assert padded([1.0, math.nan, 3.0], 0.5) == (0.0, 4.0)
    low, high = padded([2.0], smallest=1.0)
    assert (low, high) == (1.5, 2.5)
    assert padded([])[0] < padded([])[1]


def test_a_frame_maps_its_corners() -> None:
    frame = Frame(200, 100, 20, (0.0, 10.0), (-1.0, 1.0))
    assert (frame.x(0.0), frame.x(10.0)) == (20.0, 194.0)
    assert frame.y(1.0) < frame.y(0.0) < frame.y(-1.0)
