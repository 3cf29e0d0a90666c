"""One look for every picture, drawn through ``Figure`` objects: no pyplot, hence no global state and no leaks."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from algo_pipeline.common.time import epoch_ns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, LINE, PAGE = "#1c2126", "#59626c", "#e3e5e4", "#ffffff"
STRATEGY, DEPLOYED, HOLD, PRICE = "#1d5fc4", "#a85b00", "#868e97", "#47505a"
GAIN, LOSS = "#0b7465", "#ad3f2c"
WIDTH_PX, HEIGHT_PX = 640, 360
MAX_POINTS = 4_000
_DPI = 100
_TOP_PX, _TITLE_PX, _BOTTOM_PX = 36, 20, 34
_FONT_SIZE = 8.5


def new_figure(
    title: str, rows: tuple[float, ...] = (1.0,), left: float = 0.1, right: float = 0.975, height_px: int = HEIGHT_PX
) -> tuple[Figure, list[Axes]]:
    """A figure 640 px wide with one styled panel per entry of ``rows`` (their relative heights).

    Parameters
    ----------
    title : str
        Shown above, left-aligned.
    rows : tuple of float
        Relative heights of panels that share their x axis.
    left, right : float
        Where the panels begin and end, as fractions of the width; further in where labels are words.
    height_px : int
        Height of the whole figure.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_PX / _DPI, height_px / _DPI), dpi=_DPI, facecolor=PAGE)
    top, bottom = 1.0 - _TOP_PX / height_px, _BOTTOM_PX / height_px
    grid = figure.add_gridspec(
        len(rows), 1, height_ratios=rows, left=left, right=right, top=top, bottom=bottom, hspace=0.12
    )
    figure.text(0.016, 1.0 - _TITLE_PX / height_px, title, fontsize=10, fontweight="bold", color=INK)
    axes: list[Axes] = []
    for row in range(len(rows)):
        axes.append(figure.add_subplot(grid[row, 0], sharex=axes[0] if axes else None))
        _style(axes[-1])
    for upper in axes[:-1]:
        upper.tick_params(labelbottom=False)
    return figure, axes


def to_png(figure: Figure) -> bytes:
    """The figure as PNG bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor=PAGE)
    return buffer.getvalue()


def legend(axis: Axes) -> None:
    """A legend of what is labelled, in one row above the panel, where it hides nothing."""
    axis.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        borderaxespad=0.2,
        ncols=4,
        frameon=False,
        fontsize=_FONT_SIZE,
        labelcolor=INK,
        handlelength=1.6,
    )


def percent_axis(axis: Axes, which: str = "y", digits: int | None = None) -> None:
    """Show fractions as percentages on the ``x`` or ``y`` axis."""
    from matplotlib.ticker import PercentFormatter

    getattr(axis, f"{which}axis").set_major_formatter(PercentFormatter(1.0, decimals=digits))


def thousands_axis(axis: Axes) -> None:
    """Show the y axis with thousands separators."""
    from matplotlib.ticker import FuncFormatter

    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def time_axis(axis: Axes) -> None:
    """Few, short dates on the x axis."""
    from matplotlib.dates import MONTHLY, AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(maxticks=9)  # type: ignore[no-untyped-call]
    locator.intervald[MONTHLY] = [1, 2, 3, 4, 6, 12]
    axis.margins(x=0.01)
    axis.xaxis.set_major_locator(locator)
    formatter = ConciseDateFormatter(locator, show_offset=False)  # type: ignore[no-untyped-call]
    axis.xaxis.set_major_formatter(formatter)


def plot_times(index: pd.Index) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    """UTC times as naive ``datetime64``, which matplotlib converts fastest."""
    return epoch_ns(pd.DatetimeIndex(index)).astype("datetime64[ns]")


def _style(axis: Axes) -> None:
    axis.set_axisbelow(True)
    axis.grid(axis="y", color=LINE, linewidth=0.8)
    axis.tick_params(length=0, labelsize=_FONT_SIZE, labelcolor=MUTED, pad=5)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)
    axis.spines["bottom"].set_color(LINE)
    axis.xaxis.label.set_color(MUTED)
    axis.yaxis.label.set_color(MUTED)
    axis.xaxis.label.set_fontsize(_FONT_SIZE)
    axis.yaxis.label.set_fontsize(_FONT_SIZE)
