"""Figures of a sweep as people read them: metrics, fields of the rules, combinations, and the judgement in rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from algo_pipeline.backtest.metrics import DAYS_PER_YEAR
from algo_pipeline.backtest.report_glossary import GLOSSARY
from algo_pipeline.backtest.sweep_judgement import Judgement
from algo_pipeline.common.formatting import MISSING, certainty, count, number, percent

COLUMNS = (
    *("sharpe", "total_return", "max_drawdown", "n_trades", "win_rate", "profit_factor", "exposure"),
    "costs_paid",
)
_PERCENTAGES = {"total_return", "cagr", "max_drawdown", "win_rate", "exposure"}
_COUNTS = {"n_trades", "costs_paid"}
_TITLES = {term.key: term.title for term in GLOSSARY}
_CALENDAR_DAYS_PER_YEAR = 365.25
_FAR = 100.0


class Figure(NamedTuple):
    """A figure with its name, its text and what it means."""

    title: str
    value: str
    meaning: str


def metric_kind(name: str) -> str:
    """``percent``, ``count`` or ``number``: how a metric is written."""
    return "percent" if name in _PERCENTAGES else "count" if name in _COUNTS else "number"


def metric_title(name: str) -> str:
    """A metric's name in words."""
    return _TITLES[name]


def metric_text(name: str, value: float) -> str:
    """A metric's value in words; ``–`` where it is undefined."""
    return {"percent": percent, "count": count, "number": number}[metric_kind(name)](value)


def field_text(value: object) -> str:
    """A value of the trading rules, to six significant digits."""
    return f"{value:.6g}" if isinstance(value, float) else str(value).lower()


def field_texts(values: Sequence[object]) -> list[str]:
    """Values of one field with equally many decimals, where four are enough: ``0.50`` beside ``0.55``."""
    floats = [value for value in values if isinstance(value, float)]
    decimals = max((len(f"{value:.4f}".rstrip("0").partition(".")[2]) for value in floats), default=0)
    texts = [f"{value:.{decimals}f}" if isinstance(value, float) else field_text(value) for value in values]
    tiny = any(0.0 < abs(value) < 1e-3 for value in floats)
    return [field_text(value) for value in values] if tiny or len(set(texts)) < len(texts) else texts


def combination_text(combination: Mapping[str, object]) -> str:
    """``enter_threshold 0.55, exit_threshold 0.45``."""
    return ", ".join(f"{name} {field_text(value)}" for name, value in combination.items())


def headlines(judged: Judgement, median_sharpe: float) -> tuple[Figure, ...]:
    """The six figures under the verdict."""
    share = percent(judged.n_gained / judged.n_combinations, 0)
    bar = "of as many tries, so far apart, without an edge" if judged.spread_beyond_luck else "of as many tries by luck"
    return (
        Figure("Combinations", count(judged.n_combinations), f"{count(judged.n_trials)} traded and differ"),
        Figure("Gained", count(judged.n_gained), f"{share} of them, after costs"),
        Figure("Best Sharpe ratio", number(judged.sharpe), f"median of all {number(median_sharpe)}"),
        Figure("Expected best", number(judged.bar), bar),
        Figure("Deflated Sharpe ratio", certainty(judged.deflated), "0.95 or more would be evidence"),
        Figure("As the only try", certainty(judged.probabilistic), "if nothing else had been tried"),
    )


def judgement_figures(judged: Judgement) -> tuple[Figure, ...]:
    """What the deflated Sharpe ratio is made of, and how it would differ under other assumptions."""
    estimate = judged.estimate
    return (
        Figure("Days", count(estimate.n_days), "daily UTC returns of the best combination"),
        Figure("Skewness", number(estimate.skewness), "of these returns; 0 if symmetric"),
        Figure("Kurtosis", number(estimate.kurtosis, 1), "of these returns; 3 if normal"),
        Figure("Trials", count(judged.n_trials), "combinations that traded, equal ones counted once"),
        Figure("Spread of the trials", number(_annual_deviation(judged)), "standard deviation of their Sharpe ratios"),
        Figure("Expected best", number(judged.bar), "of so many independent trials with this spread and no edge"),
        Figure("Deflated Sharpe ratio", certainty(judged.deflated), "probability that the best is above that"),
        Figure(
            "At the spread that luck can make",
            certainty(judged.deflated_at_luck_spread),
            "deflated, with a spread no wider than the error of one Sharpe ratio",
        ),
        Figure("Mean correlation", number(judged.mean_correlation), "between the daily returns of two trials"),
        Figure("Effective trials", count(judged.effective_trials), "independent trials that the correlated ones equal"),
        Figure("At the effective trials", certainty(judged.deflated_at_effective_trials), "deflated by them alone"),
        Figure("As the only try", certainty(judged.probabilistic), "probabilistic Sharpe ratio"),
        *_overfitting_figures(judged),
        Figure("Holding the coin", number(judged.hold_sharpe), "its Sharpe ratio on the same days, without costs"),
        Figure("Needed for evidence", _duration(judged.days_needed), "with returns like these, before it is evidence"),
    )


def overfitting_sentence(judged: Judgement) -> str:
    """What choosing the best was worth on other days; empty where it could not be measured."""
    overfitting = judged.overfitting
    if not math.isfinite(overfitting.probability):
        return ""
    tried = count(overfitting.n_configurations)
    of = f"{tried} of {count(judged.n_trials)}" if overfitting.n_configurations < judged.n_trials else tried
    return (
        f"Probability of backtest overfitting {number(overfitting.probability)}: how often the best of {of} trials on"
        " one half of the days is no better than their median on the other half (0.50 is a coin flip); it loses there"
        f" with probability {number(overfitting.probability_of_loss)}."
    )


def _overfitting_figures(judged: Judgement) -> tuple[Figure, ...]:
    overfitting = judged.overfitting
    return (
        Figure(
            "Probability of backtest overfitting",
            number(overfitting.probability),
            "how often the best of one half of the days is no better than the median in the other",
        ),
        Figure(
            "Probability of loss",
            number(overfitting.probability_of_loss),
            "how often the best of one half of the days loses in the other",
        ),
        Figure(
            "Performance kept",
            number(overfitting.degradation),
            "slope of its Sharpe ratio in the other half on that in the one; below 0, the better it looked the worse",
        ),
    )


def _annual_deviation(judged: Judgement) -> float:
    variance = judged.variance_of_trials
    return math.sqrt(variance * DAYS_PER_YEAR) if variance >= 0.0 else math.nan


def _duration(days: float) -> str:
    if not math.isfinite(days):
        return MISSING
    years = days / _CALENDAR_DAYS_PER_YEAR
    return (
        f"over {count(_FAR)} years"
        if years > _FAR
        else f"{count(days)} days"
        if years < 2
        else f"{number(years, 1)} years"
    )
