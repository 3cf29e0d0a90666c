"""The leaderboard as a table and as a picture."""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from algo_pipeline.common.formatting import MISSING, count, markdown_table, number, percent
from algo_pipeline.common.plotting import (
    DEPLOYED,
    GAIN,
    HOLD,
    INK,
    LOSS,
    STRATEGY,
    legend,
    new_figure,
    percent_axis,
    to_png,
)
from algo_pipeline.research.leaderboard import Standing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from algo_pipeline.research.comparisons import CorrectedComparison
    from algo_pipeline.research.leaderboard import Leaderboard, LeaderboardRow

HEADER = (
    *("candidate", "label", "log-loss skill", "95 % interval", "AUC", "ECE", "shuffle p"),
    *("loss − baseline, millinats", "corrected interval", "corrected p", "standing", "seconds"),
)
SHORT_HEADER = ("candidate", "skill", "95 % interval", "p", "standing")
_COLOURS = {Standing.BETTER: GAIN, Standing.BASELINE: STRATEGY, Standing.OPEN: HOLD, Standing.WORSE: LOSS}
_ROW_PX, _MARGIN_PX = 17, 74


def leaderboard_markdown(board: Leaderboard) -> str:
    """What was compared and how, then a table with a row per candidate."""
    table = markdown_table(HEADER, [row_cells(row) for row in board.rows])
    return f"{leaderboard_summary(board)}\n\n{table}"


def leaderboard_summary(board: Leaderboard) -> str:
    """In a few sentences: how many rows and comparisons, and what came of them."""
    labels = [(label, next(rows).n_rows) for label, rows in groupby(board.rows, key=lambda row: row.label)]
    hours = ", ".join(f"{label} {count(n)}" for label, n in labels)
    n, better, worse = (board.n_comparisons, *(_n_standing(board, each) for each in (Standing.BETTER, Standing.WORSE)))
    return (
        f"{board.split}, {board.first_bar[:10]} to {board.last_bar[:10]}; hours compared: {hours}. "
        f"{count(n)} paired comparisons with the label's baseline, corrected by Holm's procedure at 5 %: "
        f"{count(better)} better, {count(worse)} worse, {count(n - better - worse)} not told apart."
    )


def row_cells(row: LeaderboardRow) -> tuple[str, ...]:
    """One candidate in the order of :data:`HEADER`, as text."""
    skill = row.skill_interval
    return (
        row.recipe,
        row.label,
        percent(row.log_loss_skill, 2),
        f"{percent(skill.lower, 2)} to {percent(skill.upper, 2)}",
        number(row.auc, 4),
        number(row.ece, 4),
        _p_text(row.shuffle_p_value),
        *_comparison_cells(row.against_baseline),
        row.standing.value,
        number(row.seconds, 1),
    )


def short_cells(row: LeaderboardRow) -> tuple[str, ...]:
    """One candidate in the order of :data:`SHORT_HEADER`, as text: what fits a terminal."""
    recipe, _, skill, interval, *_, corrected, standing, _ = row_cells(row)
    return recipe, skill, interval, corrected, standing


def leaderboard_document(board: Leaderboard) -> dict[str, Any]:
    """Everything as plain JSON values, the standing of each candidate too."""
    head = {"split": board.split, "first_bar": board.first_bar, "last_bar": board.last_bar}
    rows = [{**asdict(row), "standing": row.standing.value} for row in board.rows]
    return {**head, "n_comparisons": board.n_comparisons, "summary": leaderboard_summary(board), "rows": rows}


def leaderboard_picture(board: Leaderboard, title: str = "Log-loss skill, 95 %") -> bytes:
    """Skill of every candidate with its own interval, coloured by standing; a block per label."""
    rows = board.rows
    figure, (axis,) = new_figure(title, left=0.3, height_px=_MARGIN_PX + _ROW_PX * _lines(rows))
    ticks: list[tuple[float, str]] = []
    line = 0
    for label, of_label in groupby(rows, key=lambda row: row.label):
        _draw_heading(axis, line, label)
        line += 1
        for row in of_label:
            _draw_row(axis, line, row)
            ticks.append((line, row.recipe if len(row.recipe) <= 30 else f"{row.recipe[:29]}…"))
            line += 1
    axis.axvline(0.0, color=DEPLOYED, linewidth=1.0)
    axis.set_yticks([at for at, _ in ticks], [name for _, name in ticks])
    axis.set_ylim(line - 0.4, -0.8)
    axis.grid(visible=False, axis="y")
    axis.locator_params(axis="x", nbins=7)
    percent_axis(axis, "x")
    _legend(axis, [row.standing for row in rows])
    return to_png(figure)


def _lines(rows: tuple[LeaderboardRow, ...]) -> int:
    return len(rows) + len({row.label for row in rows})


def _n_standing(board: Leaderboard, standing: Standing) -> int:
    return sum(row.standing is standing for row in board.rows)


def _draw_heading(axis: Axes, line: int, label: str) -> None:
    place = axis.get_yaxis_transform()
    axis.text(-0.42, line, label, transform=place, fontsize=8.5, fontweight="bold", color=INK, va="center")


def _draw_row(axis: Axes, line: int, row: LeaderboardRow) -> None:
    bounds = np.array(
        [[row.log_loss_skill - row.skill_interval.lower], [row.skill_interval.upper - row.log_loss_skill]]
    )
    errors = np.clip(np.nan_to_num(bounds), 0.0, None)
    colour = _COLOURS[row.standing]
    axis.errorbar([row.log_loss_skill], [line], xerr=errors, fmt="o", markersize=4.5, color=colour, linewidth=1.4)


def _legend(axis: Axes, present: list[Standing]) -> None:
    for standing, colour in _COLOURS.items():
        if standing in present:
            axis.plot([], [], "o", markersize=4.5, color=colour, label=standing.value)
    legend(axis)


def _comparison_cells(against: CorrectedComparison | None) -> tuple[str, str, str]:
    if against is None:
        return MISSING, MISSING, MISSING
    paired = against.paired
    bounds = (number(1000 * bound, 2, signed=True) for bound in (paired.interval.lower, paired.interval.upper))
    return (
        number(1000 * paired.mean_difference, 2, signed=True),
        " to ".join(bounds),
        _p_text(against.adjusted_p_value),
    )


def _p_text(p_value: float) -> str:
    return "<0.001" if p_value < 0.001 else number(p_value, 3)
