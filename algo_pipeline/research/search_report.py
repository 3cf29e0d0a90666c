"""A search as a table of its best trials and as a picture of its progress."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from algo_pipeline.common.formatting import markdown_table, percent, significant
from algo_pipeline.common.plotting import DEPLOYED, HOLD, STRATEGY, legend, new_figure, percent_axis, to_png

if TYPE_CHECKING:
    from algo_pipeline.models.parameters import ParameterValue
    from algo_pipeline.research.search import SearchOutcome, SearchTrial

_MOST_ROWS = 10


def best_trials(outcome: SearchOutcome, most: int = _MOST_ROWS) -> list[SearchTrial]:
    """The completed trials with the highest skill on the inner folds, the best first."""
    completed = [trial for trial in outcome.trials if not trial.pruned]
    return sorted(completed, key=lambda trial: -trial.log_loss_skill)[:most]


def trials_markdown(outcome: SearchOutcome) -> str:
    """The best trials with their parameters."""
    trials = best_trials(outcome)
    names = list(trials[0].parameters) if trials else []
    rows = [
        (str(trial.number), percent(trial.log_loss_skill, 3), *(_text(trial.parameters[name]) for name in names))
        for trial in trials
    ]
    return markdown_table(("trial", "skill on the inner folds", *names), rows)


def settings_markdown(outcome: SearchOutcome) -> str:
    """The winner's settings to copy, and whether there is a reason to."""
    lines = "\n".join(outcome.settings)
    return f"{outcome.advice()}\n\n```\n{lines}\n```"


def search_document(outcome: SearchOutcome) -> dict[str, Any]:
    """Everything as plain JSON values, and what came of it as a text."""
    return {**asdict(outcome), "finding": outcome.describe()}


def search_picture(outcome: SearchOutcome, title: str = "Skill on the inner folds") -> bytes:
    """Each completed trial, the best so far, and where the pruned ones were given up."""
    figure, (axis,) = new_figure(title, left=0.115)
    done, pruned = ([trial for trial in outcome.trials if trial.pruned is given_up] for given_up in (False, True))
    axis.plot(_numbers(pruned), _skills(pruned), "x", color=HOLD, markersize=5, label="pruned")
    axis.plot(_numbers(done), _skills(done), "o", color=STRATEGY, markersize=4, label="completed")
    best = np.maximum.accumulate(_skills(done)) if done else np.empty(0)
    axis.step(_numbers(done), best, where="post", color=DEPLOYED, linewidth=1.4, label="best so far")
    percent_axis(axis)
    axis.set_xlabel("trial")
    legend(axis)
    return to_png(figure)


def _numbers(trials: list[SearchTrial]) -> list[int]:
    return [trial.number for trial in trials]


def _skills(trials: list[SearchTrial]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.array([trial.log_loss_skill for trial in trials], dtype=np.float64)


def _text(value: ParameterValue) -> str:
    return significant(value, 3) if isinstance(value, float) else str(value)
