"""The first sentence of a report: is there skill, does it survive the costs, could it be luck, what to do.

Stated rules, applied in this order:

1. *Skill*: the log-loss skill against the base rate is real if its interval lies above zero, harmful if below,
   else not shown.
2. *Result*: the return after costs, against zero and against buy-and-hold.
3. *Luck*: the probability that a strategy without any edge (true Sharpe ratio 0) does as well.
4. *Advice*: a candidate for paper trading only if the skill is real, the result is positive, luck is below 5 % and
   buy-and-hold is beaten; every other case says what is missing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from algo_pipeline.backtest.report_tables import daily_returns
from algo_pipeline.backtest.sharpe import luck_probability
from algo_pipeline.common.formatting import chance, number, percent

if TYPE_CHECKING:
    from algo_pipeline.backtest.engine import BacktestResult
    from algo_pipeline.research.evaluate import Evaluation

LUCK_LIMIT = 0.05
_SMALL_SKILL = 0.02
_IMPLAUSIBLE_SKILL = 0.10
_SKILL = "log_loss_skill"


def verdict_sentence(
    evaluation: Evaluation,
    strategy: BacktestResult,
    at_zero_cost: BacktestResult | None = None,
    *,
    simulated: bool = False,
) -> str:
    """Judge a strategy by the rules above.

    Parameters
    ----------
    evaluation : Evaluation
        Scores of the stitched out-of-sample probabilities.
    strategy : BacktestResult
        Their backtest after costs, kill switch off.
    at_zero_cost : BacktestResult or None
        The same without fees and slippage, told beside it.
    simulated : bool
        Whether the bars are no market's; the sentence then begins with that.

    Returns
    -------
    str
        One sentence in plain words with the figures it rests on.
    """
    sentence = (
        f"{_skill_clause(evaluation)}; {_result_clause(strategy, at_zero_cost)}: {_advice(evaluation, strategy)}."
    )
    return (
        f"On simulated bars, which say nothing of a market: {sentence[0].lower()}{sentence[1:]}"
        if simulated
        else sentence
    )


def pays_after_costs(strategy: BacktestResult) -> bool:
    """Whether a strategy that closed trades gained after costs, and by more than luck explains."""
    metrics = strategy.metrics
    return bool(metrics["n_trades"] > 0 and metrics["total_return"] > 0 and luck_of(strategy) < LUCK_LIMIT)


def luck_of(strategy: BacktestResult) -> float:
    """Probability that a strategy without any edge does as well; NaN where it can't be known."""
    return luck_probability(daily_returns(strategy.equity, strategy.config.initial_cash).to_numpy())


def _skill_clause(evaluation: Evaluation) -> str:
    skill = evaluation.oos.log_loss_skill
    interval = evaluation.intervals.get(_SKILL)
    if not math.isfinite(skill) or interval is None or not math.isfinite(interval.lower):
        return "Predictive skill could not be measured"
    bounds = f"{percent(interval.level, 0)} interval {percent(interval.lower, 2)} to {percent(interval.upper, 2)}"
    return f"{_skill_words(skill, interval.lower, interval.upper)} (log-loss skill {percent(skill, 2)}, {bounds})"


def _skill_words(skill: float, lower: float, upper: float) -> str:
    if upper < 0:
        return "The predictions are worse than the base rate"
    if lower <= 0:
        return "No predictive skill is shown"
    if skill >= _IMPLAUSIBLE_SKILL:
        return "Predictive skill is larger than a market allows, so look for a leak first"
    return "Predictive skill is small but real" if skill < _SMALL_SKILL else "Predictive skill is real"


def _result_clause(strategy: BacktestResult, at_zero_cost: BacktestResult | None) -> str:
    metrics = strategy.metrics
    if metrics["n_trades"] == 0 and metrics["costs_paid"] == 0:
        return f"the thresholds let no trade through, where buy-and-hold {_moved(metrics['buy_and_hold_return'])}"
    side = number(strategy.config.fee_bps + strategy.config.slippage_bps, 0)
    free = (
        "" if at_zero_cost is None else f" (at zero cost it would have {_moved(at_zero_cost.metrics['total_return'])})"
    )
    return (
        f"traded on every signal it {_moves(metrics['total_return'])} after costs of {side} bps a side{free}, "
        f"where buy-and-hold {_moved(metrics['buy_and_hold_return'])}"
    )


def _advice(evaluation: Evaluation, strategy: BacktestResult) -> str:
    interval = evaluation.intervals.get(_SKILL)
    result, hold = strategy.metrics["total_return"], strategy.metrics["buy_and_hold_return"]
    if strategy.metrics["n_trades"] == 0:
        return "there is nothing to trade" if result == 0 else "no trade was closed, so there is nothing to judge"
    if not result > 0:
        return "do not trade this"
    if interval is None or not interval.lower > 0:
        return "without skill the gain is luck, do not trade this"
    luck = luck_of(strategy)
    if not luck < LUCK_LIMIT:
        return f"luck alone does as well with probability {chance(luck)}, which is no evidence yet"
    if not result > hold:
        return f"luck alone does as well with probability {chance(luck)}, but holding paid more"
    return f"luck alone does as well with probability {chance(luck)}, a candidate for paper trading"


def _moves(change: float) -> str:
    return _moved(change).replace("gained", "gains").replace("lost", "loses").replace("ended", "ends")


def _moved(change: float) -> str:
    if not math.isfinite(change):
        return "ended undefined"
    size = percent(abs(change), 0 if abs(change) >= 0.1 else 1)
    return f"{'gained' if change >= 0 else 'lost'} {size}"
