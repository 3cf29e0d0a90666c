"""How well the probabilities did, as documents: ``metrics.json`` and ``metrics.md``."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from algo_pipeline.common.formatting import count, fine_percent, markdown_table, number, percent
from algo_pipeline.common.storage import to_json
from algo_pipeline.common.types import Symbol

if TYPE_CHECKING:
    from algo_pipeline.research.evaluate import Evaluation, Interval, Score

SCORE_FIELDS = ("n", "auc", "log_loss", "log_loss_skill", "brier", "brier_skill", "ece")
SCORE_HEADER = ("rows", "AUC", "log loss", "log-loss skill", "Brier", "Brier skill", "ECE", "base rate")


def metrics_document(
    symbol: Symbol, label: str, source: str, model: str | None, evaluation: Evaluation
) -> dict[str, Any]:
    """The content of ``metrics.json``: plain JSON values, undefined ones null, skills as fractions.

    Parameters
    ----------
    symbol, label, source : Symbol, str, str
        What was predicted, on whose bars.
    model : str or None
        The registered model and version, None if nothing was registered.
    evaluation : Evaluation
        The scores.

    Returns
    -------
    dict
        ``{symbol, label, source, model, oos: {n, auc, log_loss, log_loss_skill, brier, brier_skill, ece},
        folds: [the same per fold], intervals: {score: {lower, upper, level}}}``.
    """
    head = {"symbol": str(symbol), "label": label, "source": source, "model": model}
    document: dict[str, Any] = json.loads(to_json({**head, **evaluation_document(evaluation)}))
    return document


def evaluation_document(evaluation: Evaluation) -> dict[str, Any]:
    """Scores and intervals as ``{oos, folds, intervals}``; undefined scores are still NaN."""
    return {
        "oos": score_document(evaluation.oos),
        "folds": [score_document(fold) for fold in evaluation.folds],
        "intervals": {name: asdict(interval) for name, interval in evaluation.intervals.items()},
    }


def score_document(score: Score) -> dict[str, float]:
    """One score as a mapping of :data:`SCORE_FIELDS`."""
    return {name: getattr(score, name) for name in SCORE_FIELDS}


def metrics_markdown(symbol: Symbol, label: str, source: str, model: str | None, evaluation: Evaluation) -> str:
    """The same as a page to read: overall scores with intervals, each fold, the reliability table."""
    title = f"# {symbol}: `{label}` out of sample"
    facts = f"Source: {source}. Model: {model or 'not registered'}. {count(evaluation.oos.n)} hours, walk-forward."
    scores = [overall_table(evaluation), "## Folds", fold_table(evaluation)]
    return "\n\n".join([title, facts, *scores, "## Reliability", reliability_table(evaluation), _HOW_TO_READ, ""])


def overall_table(evaluation: Evaluation) -> str:
    """Each pooled score with its interval, as a Markdown table."""
    rows = [
        (title, show(getattr(evaluation.oos, name)), interval_text(evaluation.intervals.get(name), name))
        for name, title, show in _OVERALL
    ]
    return markdown_table(("score", "out of sample", "interval"), rows)


def fold_table(evaluation: Evaluation) -> str:
    """A Markdown table with a row per fold and one for all of them."""
    named = [*((f"{number_}", fold) for number_, fold in enumerate(evaluation.folds)), ("all", evaluation.oos)]
    return markdown_table(("fold", *SCORE_HEADER), [(name, *score_cells(score)) for name, score in named])


def reliability_table(evaluation: Evaluation) -> str:
    """A Markdown table with a row per probability bin."""
    rows = (
        (
            f"{percent(b.lower_edge)} to {percent(b.upper_edge)}",
            count(b.n),
            percent(b.mean_probability, 2),
            percent(b.observed_rate, 2),
            f"{percent(b.rate_lower)} to {percent(b.rate_upper)}",
        )
        for b in evaluation.reliability
    )
    return markdown_table(("predicted", "rows", "mean predicted", "observed", "bounds of observed"), rows)


def score_cells(score: Score) -> tuple[str, ...]:
    """One score in the order of :data:`SCORE_HEADER`, as text."""
    return (
        count(score.n),
        number(score.auc, 4),
        number(score.log_loss, 4),
        percent(score.log_loss_skill, 2),
        number(score.brier, 4),
        percent(score.brier_skill, 2),
        number(score.ece, 4),
        percent(score.base_rate),
    )


def interval_text(interval: Interval | None, name: str) -> str:
    """An interval in the unit of its score, ``–`` where there is none."""
    if interval is None:
        return "–"
    show = _SHOWN_AS[name]
    return f"{show(interval.lower)} to {show(interval.upper)} ({percent(interval.level, 0)})"


def _number4(value: float) -> str:
    return number(value, 4)


_OVERALL = (
    ("log_loss_skill", "log-loss skill against the base rate", fine_percent),
    ("brier_skill", "Brier skill against the base rate", fine_percent),
    ("auc", "AUC", _number4),
    ("log_loss", "log loss", _number4),
    ("brier", "Brier score", _number4),
    ("ece", "expected calibration error", _number4),
)

_SHOWN_AS = {name: show for name, _, show in _OVERALL}

_HOW_TO_READ = (
    "A skill is the part of the base rate's loss that the model removes: 0 means no better than always saying the "
    "train part's base rate. An interval that contains 0 (for the AUC, 0.5) shows no skill. "
    "Calibration is good where the observed rate's bounds contain the mean prediction."
)
