"""The first sentence of a report: is there predictive skill, is there an edge after costs, or could it all be luck.

Two verdicts, each from stated rules applied in this order; the first that holds decides.

*Predictive skill* (:class:`Skill`), from log-loss skill against the base rate and the signal-shuffle p-value:

1. one of the two is undefined: it could not be measured;
2. the whole 95 % interval of the log-loss skill is negative: worse than the base rate;
3. p > 5 %: no evidence of predictive skill;
4. the log-loss skill is not positive: a signal, but probabilities no better than the base rate;
5. the log-loss skill is 10 % or more, on bars of a market: larger than a market allows;
6. else: predictive skill.

*Edge after costs* (:class:`Edge`), in excess of the same exposure without timing, by signal shuffling at 5 %, and by
the deflated Sharpe ratio (DSR) over everything that was ever tried:

1. nothing was traded: nothing to judge;
2. no skill by the rules above (1 to 4): no evidence of an edge after costs, for its gain can't be the model's;
3. fewer than 30 entries: no evidence, for so few can't be told from luck;
4. no edge after costs by signal shuffling: an edge before costs only if there is one at zero cost, else no evidence;
5. the ledger of trials is damaged or incomplete: none can be claimed;
6. DSR below 0.95: none once every trial is counted;
7. else: evidence of an edge after costs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from algo_pipeline.backtest.evidence import MINIMUM_ENTRIES
from algo_pipeline.backtest.metrics import DAYS_PER_YEAR
from algo_pipeline.common.formatting import certainty, count
from algo_pipeline.research.sharpe_statistics import (
    SharpeEstimate,
    deflated_sharpe_ratio,
    expected_maximum_sharpe,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
)
from algo_pipeline.research.trials import TrialSummary

if TYPE_CHECKING:
    from algo_pipeline.backtest.evidence import Evidence

EVIDENCE_LEVEL = 0.95
"""Deflated Sharpe ratio from which on a result counts as more than luck."""
_IMPLAUSIBLE_SKILL = 0.10
_ANNUAL = math.sqrt(DAYS_PER_YEAR)


class Skill(Enum):
    """What is said of the predictions."""

    UNKNOWN = "predictive skill could not be measured"
    HARMFUL = "predictions worse than the base rate"
    NONE = "no evidence of predictive skill"
    UNCALIBRATED = "a signal, but probabilities no better than the base rate"
    IMPLAUSIBLE = "predictive skill larger than a market allows, so look for a leak first"
    SHOWN = "predictive skill"


class Edge(Enum):
    """What is said of trading them."""

    UNTRADED = "no trade to judge"
    NONE = "no evidence of an edge after costs"
    FEW = "no evidence of an edge after costs in so few trades"
    BEFORE_COSTS = "an edge before costs, but no evidence of an edge after costs"
    UNCOUNTED = "an edge after costs can't be claimed while trials are missing"
    LUCK = "no evidence of an edge after costs once every trial is counted"
    SHOWN = "evidence of an edge after costs"


_SKILFUL = (Skill.SHOWN, Skill.IMPLAUSIBLE)


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a verdict rests on.

    Parameters
    ----------
    evidence : Evidence
        Of skill and edge, by signal shuffling.
    estimate : SharpeEstimate
        Of the strategy's daily UTC returns after costs, kill switch off.
    trials : TrialSummary
        Everything tried for this symbol, label and source, this strategy included.
    simulated : bool
        Whether the bars are no market's; the sentence then begins with that.
    """

    evidence: Evidence
    estimate: SharpeEstimate
    trials: TrialSummary
    simulated: bool = False

    @property
    def deflated(self) -> float:
        """Deflated Sharpe ratio, over the trials that are known of; NaN without a Sharpe ratio or a trial."""
        return deflated_sharpe_ratio(self.estimate, self.trials.n_trials, self.trials.variance_of_sharpe)

    @property
    def deflated_at_luck_spread(self) -> float:
        """The same with no more spread between the trials than luck gives strategies without an edge.

        Costs that some trials pay far more often than others spread them wider, which raises the bar too far. It is
        told beside the deflated ratio, and decides nothing.
        """
        trials, luck = self.trials, 1.0 / max(self.estimate.n_days - 1, 1)
        return deflated_sharpe_ratio(self.estimate, trials.n_trials, min(trials.variance_of_sharpe, luck))

    @property
    def probabilistic(self) -> float:
        """Probabilistic Sharpe ratio: the same as if nothing else had been tried. Never to be told alone."""
        return probabilistic_sharpe_ratio(self.estimate)

    @property
    def bar(self) -> float:
        """Annualized Sharpe ratio to be expected of the best of as many trials without any edge; NaN if unknown."""
        return _ANNUAL * self._expected_maximum

    @property
    def days_needed(self) -> float:
        """Days of such returns until the deflated Sharpe ratio reaches 0.95; NaN if none would do."""
        return minimum_track_record_length(self.estimate, self._expected_maximum, EVIDENCE_LEVEL)

    @property
    def skill(self) -> Skill:
        """The verdict on the predictions, by the rules above."""
        evidence = self.evidence
        if not math.isfinite(evidence.skill_p_value) or not math.isfinite(evidence.log_loss_skill):
            return Skill.UNKNOWN
        if evidence.log_loss_skill_interval.upper < 0.0:
            return Skill.HARMFUL
        if not evidence.has_skill:
            return Skill.NONE
        if not evidence.log_loss_skill > 0.0:
            return Skill.UNCALIBRATED
        implausible = evidence.log_loss_skill >= _IMPLAUSIBLE_SKILL and not self.simulated
        return Skill.IMPLAUSIBLE if implausible else Skill.SHOWN

    @property
    def is_skilful(self) -> bool:
        """Whether predictive skill is shown, be it implausibly large."""
        return self.skill in _SKILFUL

    @property
    def edge(self) -> Edge:
        """The verdict on trading them, by the rules above."""
        evidence = self.evidence
        rules = (
            (evidence.n_entries == 0, Edge.UNTRADED),
            (not self.is_skilful, Edge.NONE),
            (evidence.n_entries < MINIMUM_ENTRIES, Edge.FEW),
            (not evidence.has_after_cost_edge and evidence.has_zero_cost_edge, Edge.BEFORE_COSTS),
            (not evidence.has_after_cost_edge, Edge.NONE),
            (not self.trials.is_known, Edge.UNCOUNTED),
            (not is_evidence(self.deflated), Edge.LUCK),
        )
        return next((edge for holds, edge in rules if holds), Edge.SHOWN)

    @property
    def _expected_maximum(self) -> float:
        return expected_maximum_sharpe(self.trials.n_trials, self.trials.variance_of_sharpe)


def is_evidence(deflated: float) -> bool:
    """Whether a deflated Sharpe ratio is high enough to speak of more than luck; NaN is not."""
    return deflated >= EVIDENCE_LEVEL


def verdict_sentence(grounds: Grounds) -> str:
    """Both verdicts in one sentence.

    Returns
    -------
    str
        For example ``Predictive skill, no evidence of an edge after costs (DSR 0.31, 62 trials).``
    """
    sentence = f"{grounds.skill.value}, {grounds.edge.value} ({luck_clause(grounds)})."
    if grounds.simulated:
        return f"On simulated bars, which say nothing of a market: {sentence}"
    return f"{sentence[0].upper()}{sentence[1:]}"


def luck_clause(grounds: Grounds) -> str:
    """``DSR 0.31, 62 trials``, and what is wrong where not all of them are known."""
    trials = grounds.trials
    if trials.n_trials == 0 and not trials.is_known:
        return f"DSR unknown: {trials.problem}"
    ratio = f"DSR {certainty(grounds.deflated)}" if math.isfinite(grounds.deflated) else "no DSR"
    counted = f"{ratio}, {trials_text(trials)}"
    return counted if trials.is_known else f"{counted}, but {trials.problem}"


def trials_text(trials: TrialSummary) -> str:
    """``62 trials``."""
    return f"{count(trials.n_trials)} {'trial' if trials.n_trials == 1 else 'trials'}"
