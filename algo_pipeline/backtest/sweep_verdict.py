"""The first sentence of a sweep: is the best combination better than the best of as many without any edge.

Stated rules, applied in this order: nothing traded, or on too few days; the best has no positive Sharpe ratio, so that
all lost; the ratio can't be judged; the deflated Sharpe ratio is below 95 %, which is no evidence; else it is more than
luck explains, on the hours that the sweep has seen: beside what holding the coin did there, for luck is no explanation
of a market's rise either. Conditions other than the configured ones are named first.
"""

from __future__ import annotations

import math

from algo_pipeline.backtest.sweep_figures import field_text
from algo_pipeline.backtest.sweep_judgement import Judgement
from algo_pipeline.backtest.verdict import is_evidence
from algo_pipeline.common.formatting import certainty, count, number


def sweep_verdict(judged: Judgement, *, simulated: bool = False) -> str:
    """One sentence in plain words with the figures it rests on, by the rules above.

    Parameters
    ----------
    judged : Judgement
        The combinations under the configured conditions.
    simulated : bool
        Whether the bars are no market's; the sentence then begins with that.
    """
    sentence = _sentence(judged)
    if judged.other_than_configured:
        sentence = f"{_elsewhere(judged)}, {_continued(sentence)}"
    return f"On simulated bars, which say nothing of a market: {_continued(sentence)}" if simulated else sentence


def sweep_answer(judged: Judgement) -> str:
    """The verdict in a few words, by the same rules."""
    if judged.best is None:
        return "nothing to judge"
    if judged.sharpe <= 0.0:
        return "no combination gained"
    if not math.isfinite(judged.deflated):
        return "too few days to judge"
    if not is_evidence(judged.deflated):
        return "luck explains it"
    return "better than luck, not than holding" if judged.hold_sharpe >= judged.sharpe else "better than luck so far"


def _continued(sentence: str) -> str:
    return f"{sentence[0].lower()}{sentence[1:]}"


def _elsewhere(judged: Judgement) -> str:
    """``At fee_bps 0 (configured: 25)``."""
    named = (
        f"{name} {field_text(judged.conditions[name])} (configured: {field_text(own)})"
        for name, own in judged.other_than_configured.items()
    )
    return f"At {' and '.join(named)}"


def _sentence(judged: Judgement) -> str:
    if judged.best is None:
        return _none_to_judge(judged)
    subject = f"{_subject(judged)} has a Sharpe ratio of {number(judged.sharpe)}"
    if judged.sharpe <= 0.0:
        return f"{subject}: {'it lost' if judged.n_trials == 1 else 'every one that traded lost'}."
    if not math.isfinite(judged.deflated):
        return f"{subject}: too few days to judge it."
    return f"{subject}; {_luck(judged)}: {_conclusion(judged)}."


def _none_to_judge(judged: Judgement) -> str:
    if judged.n_traded > 0:
        traded = f"{count(judged.n_traded)} of {count(judged.n_combinations)} combinations traded"
        return f"{traded}, none on days enough for a Sharpe ratio: there is nothing to judge."
    if judged.n_combinations == 1:
        return "The only combination made no trade: there is nothing to judge."
    return f"None of {count(judged.n_combinations)} combinations traded: there is nothing to choose from."


def _subject(judged: Judgement) -> str:
    if judged.n_combinations == 1:
        return "The only combination"
    same = judged.n_trials == judged.n_combinations
    distinct = "" if same else f" ({count(judged.n_trials)} of them traded and differ)"
    return f"The best of {count(judged.n_combinations)} combinations{distinct}"


def _luck(judged: Judgement) -> str:
    if judged.n_trials == 1:
        others = "nothing else was tried in this sweep" if judged.n_combinations == 1 else "no other traded differently"
        return f"{others}; probabilistic Sharpe ratio {certainty(judged.deflated)}"
    bar = number(judged.bar)
    tries = f"with as many tries luck alone reaches {bar}"
    if judged.spread_beyond_luck:
        tries = f"so far apart as they are, and luck alone does not spread them so, the bar is {bar}"
    return f"{tries}; deflated Sharpe ratio {certainty(judged.deflated)}"


def _conclusion(judged: Judgement) -> str:
    if not is_evidence(judged.deflated):
        return "no evidence"
    found, hold = "more than luck explains on these hours", number(judged.hold_sharpe)
    if judged.hold_sharpe >= judged.sharpe:
        return f"{found}, but holding the coin has {hold}, so the market's rise alone may explain it"
    beside = f", where holding the coin has {hold}" if math.isfinite(judged.hold_sharpe) else ""
    return f"{found}{beside}, so let it prove itself on hours that no sweep has seen"
