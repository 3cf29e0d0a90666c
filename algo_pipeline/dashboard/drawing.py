"""The parts that charts are drawn of: a frame with its scales, ticks and lines, as SVG text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from algo_pipeline.common.types import FloatArray

SIZES = (("narrow", 344, 240), ("medium", 700, 280), ("wide", 1000, 300))
"""Class, width and height in pixels: the page shows the one that fits, so that text keeps its size."""

_LABEL_PX, _EDGE_PX = 72, 24
_TOP, _BOTTOM, _RIGHT = 12, 24, 6


@dataclass(frozen=True, slots=True)
class Frame:
    """The plane of a chart.

    Parameters
    ----------
    width, height : int
        Of the whole picture, in pixels.
    left : int
        Room for the labels of the vertical axis.
    x_range, y_range : tuple of float
        What is shown; the second value above the first.
    """

    width: int
    height: int
    left: int
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def x(self, value: float) -> float:
        """Pixels from the left."""
        low, high = self.x_range
        return self.left + (value - low) / (high - low) * (self.width - self.left - _RIGHT)

    def y(self, value: float) -> float:
        """Pixels from the top."""
        low, high = self.y_range
        return self.height - _BOTTOM - (value - low) / (high - low) * (self.height - _TOP - _BOTTOM)

    def points(self, xs: FloatArray, ys: FloatArray) -> str:
        """A path's points; those that are not known are left out."""
        known = np.isfinite(xs) & np.isfinite(ys)
        return " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in zip(xs[known], ys[known], strict=True))

    def n_labels(self) -> int:
        """How many labels fit along the horizontal axis."""
        return max(2, (self.width - self.left) // _LABEL_PX)


def padded(values: Iterable[float], share: float = 0.06, smallest: float = 0.0) -> tuple[float, float]:
    """A range around all finite values, with some air, at least ``smallest`` wide."""
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(finite), max(finite)
    air = max((high - low) * share, (smallest - (high - low)) / 2, 1e-9)
    return low - air, high + air


def round_ticks(low: float, high: float, n: int = 5) -> list[float]:
    """About ``n`` round numbers between the two."""
    step = 10.0 ** math.floor(math.log10((high - low) / n))
    step *= next(each for each in (1.0, 2.0, 5.0, 10.0) if (high - low) / (step * each) <= n)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def line(frame: Frame, xs: FloatArray, ys: FloatArray, kind: str) -> Markup:
    """A curve."""
    return Markup('<polyline class="curve {}" points="{}"/>').format(kind, frame.points(xs, ys))


def area(frame: Frame, xs: FloatArray, lower: FloatArray, upper: FloatArray, kind: str) -> Markup:
    """The area between two curves."""
    points = f"{frame.points(xs, upper)} {frame.points(xs[::-1], lower[::-1])}"
    return Markup('<polygon class="{}" points="{}"/>').format(kind, points)


def level(frame: Frame, value: float, kind: str) -> Markup:
    """A line across."""
    y = f"{frame.y(value):.1f}"
    return Markup('<line class="{}" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
        kind, frame.left, frame.width - _RIGHT, y, y
    )


def dot(frame: Frame, x: float, y: float, kind: str, radius: float = 4.0) -> Markup:
    """A dot."""
    return Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="{}"/>').format(
        kind, frame.x(x), frame.y(y), radius
    )


def triangle(frame: Frame, x: float, y: float, kind: str, *, up: bool) -> Markup:
    """A triangle that points up or down."""
    at, tip = frame.x(x), frame.y(y)
    base = tip + (9 if up else -9)
    points = f"{at:.1f},{tip:.1f} {at - 5:.1f},{base:.1f} {at + 5:.1f},{base:.1f}"
    return Markup('<polygon class="dot {}" points="{}"/>').format(kind, points)


def y_axis(frame: Frame, text: Callable[[float], str]) -> Markup:
    """Lines across at round values, with their labels."""
    parts = []
    for value in round_ticks(*frame.y_range):
        parts.append(level(frame, value, "gridline"))
        label = Markup('<text x="{}" y="{:.1f}" text-anchor="end">{}</text>')
        parts.append(label.format(frame.left - 6, frame.y(value) + 4, text(value)))
    return Markup("").join(parts)


def x_axis(frame: Frame, labels: Sequence[tuple[float, str]]) -> Markup:
    """Labels along the bottom; those at the edges stay within the picture."""
    parts = []
    for value, text in labels:
        at = frame.x(value)
        anchor = "start" if at < frame.left + _EDGE_PX else "end" if at > frame.width - _EDGE_PX else "middle"
        label = Markup('<text x="{:.1f}" y="{}" text-anchor="{}">{}</text>')
        parts.append(label.format(at, frame.height - 6, anchor, text))
    return Markup("").join(parts)


def picture(size: str, width: int, height: int, title: str, parts: Iterable[Markup]) -> Markup:
    """The picture, with what it shows in words."""
    head = Markup('<svg class="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">')
    return head.format(size, width, height, title) + Markup("").join(parts) + Markup("</svg>")


def every_size(draw: Callable[[str, int, int], Markup]) -> Markup:
    """The chart in every size."""
    return Markup("").join(draw(*size) for size in SIZES)
