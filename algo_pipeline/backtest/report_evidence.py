"""What the verdict rests on, as the rows of two tables: the tests, and luck among everything that was tried."""

from __future__ import annotations

from dataclasses import dataclass

from algo_pipeline.backtest.evidence import MINIMUM_ENTRIES
from algo_pipeline.backtest.report_figures import bounds_text
from algo_pipeline.backtest.verdict import EVIDENCE_LEVEL, Grounds, is_evidence
from algo_pipeline.common.formatting import MISSING, certainty, count, fine_percent, number, percent


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One question with the figure that answers it; ``term`` is its entry in the glossary."""

    term: str
    question: str
    figure: str
    interval: str
    p_value: str
    answer: str


def evidence_rows(grounds: Grounds) -> tuple[EvidenceRow, ...]:
    """Skill, edge at zero cost, edge after costs, and luck among all trials."""
    evidence = grounds.evidence
    skill = bounds_text(evidence.log_loss_skill_interval, fine_percent)
    free, paid = (
        f"{percent(value, signed=True)} a year beyond its exposure"
        for value in (evidence.zero_cost_excess_return, evidence.after_cost_excess_return)
    )
    ratio = f"deflated Sharpe ratio {certainty(grounds.deflated)}"
    return (
        EvidenceRow(
            "skill",
            "Predictive skill",
            f"log-loss skill {percent(evidence.log_loss_skill, 2)}",
            skill,
            number(evidence.skill_p_value, 3),
            _answer(grounds.is_skilful),
        ),
        EvidenceRow(
            "zero_cost_edge",
            "Edge at zero cost",
            free,
            MISSING,
            number(evidence.zero_cost_edge_p_value, 3),
            _answer(evidence.has_zero_cost_edge),
        ),
        EvidenceRow(
            "after_cost_edge",
            "Edge after costs",
            paid if evidence.n_entries >= MINIMUM_ENTRIES else f"{count(evidence.n_entries)} entries, too few to judge",
            MISSING,
            number(evidence.after_cost_edge_p_value, 3),
            _answer(evidence.has_after_cost_edge),
        ),
        EvidenceRow("dsr", "More than luck", ratio, MISSING, MISSING, _answer(is_evidence(grounds.deflated))),
    )


def trial_rows(grounds: Grounds) -> tuple[tuple[str, str], ...]:
    """Title and figure of what is known about everything that was tried."""
    trials = grounds.trials
    found = count(trials.n_trials) if trials.is_known else f"{count(trials.n_trials)} or more: {trials.problem}"
    return (
        ("Trials of this symbol and label", found),
        ("Sharpe ratio that luck reaches with as many", number(grounds.bar)),
        ("Deflated Sharpe ratio", certainty(grounds.deflated)),
        ("The same, at the spread that luck can make", certainty(grounds.deflated_at_luck_spread)),
        ("The same, had nothing else been tried", certainty(grounds.probabilistic)),
        ("Days of returns", count(grounds.estimate.n_days)),
        (f"Days needed to reach {number(EVIDENCE_LEVEL)}", count(grounds.days_needed)),
    )


def _answer(shown: bool) -> str:
    return "shown" if shown else "not shown"
