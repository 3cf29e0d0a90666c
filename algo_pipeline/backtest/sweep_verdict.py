"""The first sentence of a sweep: is the best combination better than the best of as many without any edge.

Stated rules, applied in this order: nothing traded; the best has no positive Sharpe ratio, so that all lost; the ratio
can't be judged; the deflated Sharpe ratio is below 95 %, which is no evidence; else it is more than luck explains, on
the hours that the sweep has seen.
"""

from __future__ import annotations

import math

from algo_pipeline.backtest.sweep_judgement import Judgement
from algo_pipeline.backtest.verdict import LUCK_LIMIT
from algo_pipeline.common.formatting import MISSING, count, number

EVIDENCE = 1.0 - LUCK_LIMIT


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
    if not simulated:
        return sentence
    return f"On simulated bars, which say nothing of a market: {sentence[0].lower()}{sentence[1:]}"


def is_evidence(deflated: float) -> bool:
    """Whether a deflated Sharpe ratio is high enough to speak of more than luck; NaN is not."""
    return deflated >= EVIDENCE


def certainty(probability: float) -> str:
    """A probability in hundredths, rounded down and never 1: 0.9496 must not read as if it had passed."""
    return MISSING if not math.isfinite(probability) else f"{min(math.floor(100 * probability + 1e-9), 99) / 100:.2f}"


def _sentence(judged: Judgement) -> str:
    if judged.best is None:
        return _none_traded(judged)
    subject = f"{_subject(judged)} has a Sharpe ratio of {number(judged.sharpe)}"
    if judged.sharpe <= 0.0:
        return f"{subject}: {'it lost' if judged.n_trials == 1 else 'every one that traded lost'}."
    if not math.isfinite(judged.deflated):
        return f"{subject}: too few days to judge it."
    return f"{subject}; {_luck(judged)}: {_conclusion(judged.deflated)}."


def _none_traded(judged: Judgement) -> str:
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
        return f"nothing else was tried; probabilistic Sharpe ratio {certainty(judged.deflated)}"
    bar = number(judged.bar)
    tries = f"with as many tries luck alone reaches {bar}"
    if judged.spread_beyond_luck:
        tries = f"so far apart as they are, and luck alone does not spread them so, the bar is {bar}"
    return f"{tries}; deflated Sharpe ratio {certainty(judged.deflated)}"


def _conclusion(deflated: float) -> str:
    if is_evidence(deflated):
        return "more than luck explains on these hours, so let it prove itself on hours that no sweep has seen"
    return "no evidence"
