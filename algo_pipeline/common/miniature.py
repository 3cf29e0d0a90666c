"""Pictures small enough to stand in a line of text: an SVG inside a Markdown image, in under a thousand characters.

Dagster's pages show short Markdown at once and hide longer one behind a click, so that a picture that is to be seen
without one has to be this small. Colours are of middling lightness: they read on white and on black.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from algo_pipeline.common.types import FloatArray

BLUE, GREY, ORANGE, GREEN, RED, PALE = "#38f", "#888", "#d80", "#2a8", "#d54", "#8884"
WIDTH_PX, HEIGHT_PX = 340, 84
MAX_CHARACTERS = 999
"""Of the whole Markdown."""
_HEAD = (
    f"xmlns='http://www.w3.org/2000/svg' width='{WIDTH_PX}' height='{HEIGHT_PX}' fill='none' stroke-width='1.4' "
    "font-size='10' font-family='Arial'"
)
_MARGIN_PX = 4
_MOST_POINTS, _FEWEST_POINTS = 120, 8
_LONGEST_NOTE = 60
_ENCODED = {"%": "%25", "<": "%3C", ">": "%3E", "#": "%23", "&": "%26", "\n": " "}


@dataclass(frozen=True, slots=True)
class Line:
    """Values from left to right; NaN breaks the line.

    Parameters
    ----------
    values : sequence of float
        At equal distances.
    colour : str
        Of the stroke.
    """

    values: Sequence[float] | FloatArray
    colour: str = BLUE


@dataclass(frozen=True, slots=True)
class Dots:
    """Points at fractions of the width; all of them are drawn.

    Parameters
    ----------
    positions, values : sequence of float
        Where, from 0 to 1, and how high.
    colour : str
        Of the dots.
    """

    positions: Sequence[float]
    values: Sequence[float]
    colour: str = BLUE


@dataclass(frozen=True, slots=True)
class Blocks:
    """Rectangles of one colour behind everything else, each as fractions: left, right, top, bottom."""

    corners: Sequence[tuple[float, float, float, float]]
    colour: str = PALE


@dataclass(frozen=True, slots=True)
class Note:
    """A few words at a corner: fractions of width and height, the words, and whether they end there."""

    x: float
    y: float
    text: str
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Miniature:
    """A small picture.

    Parameters
    ----------
    title : str
        What a screen reader says.
    lines, dots, blocks, notes
        What is drawn.
    low, high : float or None
        The values at the lower and upper edge; None fits them to what is drawn.
    """

    title: str
    lines: Sequence[Line] = ()
    dots: Sequence[Dots] = ()
    blocks: Sequence[Blocks] = ()
    notes: Sequence[Note] = ()
    low: float | None = None
    high: float | None = None

    def markdown(self) -> str:
        """The picture as a Markdown image of at most ``MAX_CHARACTERS``, its lines thinned out until it is.

        With too many dots or blocks it is longer, and hidden behind a click like a plot.
        """
        n_points = _MOST_POINTS
        while len(text := self._markdown(n_points)) > MAX_CHARACTERS and n_points > _FEWEST_POINTS:
            n_points = n_points * 9 // 10
        return text

    def _markdown(self, n_points: int) -> str:
        low, high = self._range()
        parts = [
            *(_blocks(each) for each in self.blocks),
            *(_line(each, low, high, n_points) for each in self.lines),
            *(_dots(each, low, high) for each in self.dots),
            *(_note(each) for each in self.notes),
        ]
        svg = f"<svg {_HEAD}>{''.join(parts)}</svg>"
        title = self.title.replace("[", "(").replace("]", ")")
        return f"![{title}](<data:image/svg+xml,{''.join(_ENCODED.get(letter, letter) for letter in svg)}>)"

    def _range(self) -> tuple[float, float]:
        values = [*(line.values for line in self.lines), *(dots.values for dots in self.dots)]
        drawn = [np.asarray(each, dtype=np.float64) for each in values]
        known = np.concatenate([each[np.isfinite(each)] for each in drawn]) if drawn else np.empty(0)
        low = self.low if self.low is not None else float(known.min()) if len(known) else 0.0
        high = self.high if self.high is not None else float(known.max()) if len(known) else 1.0
        return low, high


def _line(line: Line, low: float, high: float, n_points: int) -> str:
    values = np.asarray(line.values, dtype=np.float64)
    if len(values) > n_points:
        values = values[np.linspace(0, len(values) - 1, n_points).round().astype(int)]
    step = (WIDTH_PX - 2 * _MARGIN_PX) / max(len(values) - 1, 1)
    path, pen = "", None
    for place, value in enumerate(values):
        if not math.isfinite(value):
            pen = None
            continue
        x, y = round(_MARGIN_PX + step * place), _height(value, low, high)
        path += f"M{x},{y}l0,0" if pen is None else _pair(x - pen[0], y - pen[1])
        pen = x, y
    return f"<path stroke='{line.colour}' d='{path}'/>"


def _pair(right: int, down: int) -> str:
    return f",{right}{down}" if down < 0 else f",{right},{down}"


def _dots(dots: Dots, low: float, high: float) -> str:
    pairs = zip(dots.positions, dots.values, strict=True)
    known = [(x, y) for x, y in pairs if math.isfinite(x) and math.isfinite(y)]
    path = "".join(f"M{_across(x)},{_height(y, low, high)}h0" for x, y in known)
    return f"<path stroke='{dots.colour}' stroke-width='6' stroke-linecap='round' d='{path}'/>"


def _blocks(blocks: Blocks) -> str:
    path = ""
    for left, right, top, bottom in blocks.corners:
        width = max(_across(right) - _across(left), 1)
        y, height = round(top * HEIGHT_PX), round((bottom - top) * HEIGHT_PX)
        path += f"M{_across(left)},{y}h{width}v{height}h-{width}"
    return f"<path fill='{blocks.colour}' d='{path}'/>" if path else ""


def _note(note: Note) -> str:
    anchor = " text-anchor='end'" if note.ends else ""
    y = round(note.y * HEIGHT_PX)
    words = escape(note.text[:_LONGEST_NOTE], quote=False)
    return f"<text x='{_across(note.x)}' y='{y}' fill='{GREY}'{anchor}>{words}</text>"


def _across(fraction: float) -> int:
    return round(_MARGIN_PX + fraction * (WIDTH_PX - 2 * _MARGIN_PX))


def _height(value: float, low: float, high: float) -> int:
    inner = HEIGHT_PX - 2 * _MARGIN_PX
    share = min(max((value - low) / (high - low), 0.0), 1.0) if high > low else 0.5
    return round(_MARGIN_PX + (1.0 - share) * inner)
