"""The dashboard's charts, drawn on the server: inline SVG that follows the page's colours and needs no script."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from algo_pipeline.common.downsampling import extreme_positions
from algo_pipeline.common.formatting import number, percent
from algo_pipeline.common.time import BAR
from algo_pipeline.common.types import FloatArray
from algo_pipeline.dashboard import drawing
from algo_pipeline.dashboard.drawing import Frame, every_size, padded
from algo_pipeline.dashboard.view import ChampionView, EquityView
from algo_pipeline.live.costs import FillCost

_MAX_POINTS = 400
_DAY_H = 24
_FEWEST_BPS = 12.0


def equity_chart(equity: EquityView) -> Markup:
    """The session's return over the band that the backtest leads one to expect."""
    return every_size(partial(_equity, equity))


def probability_chart(decisions: Sequence[Mapping[str, Any]], champion: ChampionView) -> Markup:
    """A symbol's probabilities between its thresholds, with entries and exits; decisions oldest first."""
    return every_size(partial(_probability, decisions, champion))


def slippage_chart(fills: Sequence[FillCost], assumed_bps: float) -> Markup:
    """Every fill's slippage beside the assumed one, oldest first."""
    return every_size(partial(_slippage, [fill for fill in fills if fill.slippage_bps is not None], assumed_bps))


def _equity(equity: EquityView, size: str, width: int, height: int) -> Markup:
    hours = np.asarray((equity.times - equity.times[0]) / BAR, dtype=np.float64)
    kept = extreme_positions(equity.returns[:, None], _MAX_POINTS)
    band = equity.band
    shown = [equity.returns] if band is None else [equity.returns, band.lower, band.upper]
    frame = Frame(width, height, 58, (0.0, float(max(hours[-1], 1.0))), padded(np.concatenate(shown), smallest=0.002))
    parts = [drawing.y_axis(frame, _percent_label(frame)), drawing.x_axis(frame, _times(frame, equity.times[0]))]
    if band is not None:
        at = band.hours.astype(np.float64)
        parts.append(drawing.area(frame, at, band.lower, band.upper, "band"))
        parts.append(drawing.line(frame, at, band.median, "s-hold dashed"))
    parts.append(drawing.level(frame, 0.0, "zero"))
    parts.append(drawing.line(frame, hours[kept], equity.returns[kept], "s-strategy"))
    parts.append(drawing.dot(frame, float(hours[-1]), equity.total_return, "f-strategy"))
    return drawing.picture(size, width, height, f"Return since the start. {equity.words}", parts)


def _probability(
    decisions: Sequence[Mapping[str, Any]], champion: ChampionView, size: str, width: int, height: int
) -> Markup:
    height = height * 3 // 5
    start: pd.Timestamp = decisions[0]["bar"]
    hours = np.array([(each["bar"] - start) / BAR for each in decisions], dtype=np.float64)
    values = np.array([math.nan if each["prob"] is None else each["prob"] for each in decisions], dtype=np.float64)
    thresholds = [each for each in (champion.enter_threshold, champion.exit_threshold) if each is not None]
    x_range = (0.0, float(max(hours[-1], 1.0)))
    frame = Frame(width, height, 44, x_range, padded([*values, *thresholds], 0.12, smallest=0.1))
    parts = [drawing.y_axis(frame, lambda value: f"{value:.2f}"), drawing.x_axis(frame, _times(frame, start))]
    parts += [drawing.level(frame, each, "threshold") for each in thresholds]
    parts.append(drawing.line(frame, hours, values, "s-strategy"))
    for hour, value, each in zip(hours, values, decisions, strict=True):
        if each["action"] in ("enter", "exit") and math.isfinite(value):
            entered = each["action"] == "enter"
            parts.append(drawing.triangle(frame, hour, value, "f-gain" if entered else "f-loss", up=entered))
    return drawing.picture(size, width, height, _probability_words(champion.symbol, values, decisions), parts)


def _probability_words(symbol: str, values: FloatArray, decisions: Sequence[Mapping[str, Any]]) -> str:
    n_entered = sum(each["action"] == "enter" for each in decisions)
    n_left = sum(each["action"] == "exit" for each in decisions)
    finite = values[np.isfinite(values)]
    spread = "" if not len(finite) else f"between {finite.min():.2f} and {finite.max():.2f}, last {finite[-1]:.2f}; "
    return f"Probabilities of {symbol} over {len(decisions)} hours: {spread}{n_entered} entries, {n_left} exits."


def _slippage(fills: Sequence[FillCost], assumed_bps: float, size: str, width: int, height: int) -> Markup:
    height = height * 3 // 5
    values = np.array([fill.slippage_bps for fill in fills], dtype=np.float64)
    x_range = (0.0, len(fills) + 1.0)
    frame = Frame(width, height, 52, x_range, padded([*values, 0.0, assumed_bps], 0.1, smallest=_FEWEST_BPS))
    parts = [drawing.y_axis(frame, lambda value: number(value, 0)), drawing.level(frame, 0.0, "zero")]
    parts.append(drawing.level(frame, assumed_bps, "threshold"))
    kept = extreme_positions(values[:, None], _MAX_POINTS)
    radius = 4.0 if len(fills) < 100 else 2.0
    for place in kept:
        kind = "f-strategy" if fills[place].side == "buy" else "f-deployed"
        parts.append(drawing.dot(frame, place + 1.0, float(values[place]), kind, radius))
    labels = [(place, f"{fill.bar:%Y-%m-%d}") for place, fill in zip(x_range, (fills[0], fills[-1]), strict=True)]
    parts.append(drawing.x_axis(frame, labels if labels[0][1] != labels[1][1] else labels[:1]))
    words = f"Slippage of {len(fills)} fills in basis points; {number(assumed_bps, 1)} are assumed."
    return drawing.picture(size, width, height, words, parts)


def _percent_label(frame: Frame) -> Any:
    low, high = frame.y_range
    digits = 0 if high - low >= 0.05 else 1 if high - low >= 0.005 else 2
    return lambda value: percent(value, digits, signed=True)


def _times(frame: Frame, start: pd.Timestamp) -> list[tuple[float, str]]:
    """Labels at round hours: times of a day for two days, then dates."""
    low, high = frame.x_range
    n = max(1, frame.n_labels() - 1)
    steps = (
        (1, 2, 3, 6, 12, _DAY_H) if high <= 2 * _DAY_H else tuple(_DAY_H * n for n in (1, 2, 7, 14, 30, 61, 122, 365))
    )
    step = next((each for each in steps if high / each <= n), steps[-1])
    form = "%H:%M" if step < _DAY_H else "%b %d" if high < 300 * _DAY_H else "%Y-%m"
    return [(hour, f"{start + hour * BAR:{form}}") for hour in range(int(low), int(high) + 1, step)]
