"""The key figures as text, the same in the Markdown and in the HTML report."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from algo_pipeline.backtest.metrics import TradingFigures, compute_metrics
from algo_pipeline.backtest.report_document import cost_figures
from algo_pipeline.backtest.report_inputs import ReportInputs
from algo_pipeline.backtest.report_tables import buy_and_hold_equity
from algo_pipeline.backtest.verdict import trials_text
from algo_pipeline.common.formatting import MISSING, certainty, count, fine_percent, hours_long, money, number, percent
from algo_pipeline.common.time import epoch_ns
from algo_pipeline.research.statistics import Interval

_HOLD_METRICS = (
    *("total_return", "cagr", "sharpe", "sortino", "calmar"),
    *("max_drawdown", "max_drawdown_bars", "exposure"),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of key figures; ``term`` is its entry in the glossary, ``interval`` that of the strategy's figure."""

    term: str
    title: str
    strategy: str
    interval: str
    deployed: str
    at_zero_cost: str
    buy_and_hold: str


@dataclass(frozen=True, slots=True)
class Headline:
    """One of the few figures told first, with what it means in this report."""

    term: str
    title: str
    value: str
    meaning: str


def key_figures(inputs: ReportInputs) -> tuple[Figure, ...]:
    """Every metric of the strategy, as deployed, at zero cost and of buy-and-hold; ``–`` where undefined."""
    hold = buy_and_hold_metrics(inputs)
    free = inputs.at_zero_cost.metrics if inputs.at_zero_cost is not None else {}
    return tuple(
        Figure(
            term,
            title,
            show(inputs.strategy.metrics.get(term)),
            bounds_text(inputs.intervals.get(term), show),
            *(show(metrics.get(term)) for metrics in (inputs.deployed.metrics, free, hold)),
        )
        for term, title, show in metric_rows(inputs.symbol.quote)
    )


def headlines(inputs: ReportInputs) -> tuple[Headline, ...]:
    """The figures told first: the result after costs, what the costs took, the alternative, the skill, and luck."""
    grounds = inputs.grounds
    costs, metrics = cost_figures(inputs), inputs.strategy.metrics
    free = inputs.at_zero_cost
    side = number(inputs.config.fee_bps + inputs.config.slippage_bps, 0)
    skill = bounds_text(grounds.evidence.log_loss_skill_interval, fine_percent)
    luck = trials_text(grounds.trials) if grounds.trials.is_known else grounds.trials.problem
    return (
        Headline("total_return", "After costs", percent(metrics["total_return"], signed=True), f"{side} bps a side"),
        Headline(
            "at_zero_cost",
            "At zero cost",
            MISSING if free is None else percent(free.metrics["total_return"], signed=True),
            "the same rules, no fees or slippage",
        ),
        Headline(
            "costs_paid",
            "Costs paid",
            money(metrics["costs_paid"], inputs.symbol.quote),
            f"{percent(costs['share_of_initial_cash'], 0)} of the start cash",
        ),
        Headline(
            "buy_and_hold_return",
            "Buy and hold",
            percent(metrics["buy_and_hold_return"], signed=True),
            "fully invested throughout",
        ),
        Headline("log_loss_skill", "Log-loss skill", percent(grounds.evidence.log_loss_skill, 2), f"95%: {skill}"),
        Headline("dsr", "Deflated Sharpe ratio", certainty(grounds.deflated), f"{luck}; 0.95 is evidence"),
    )


def buy_and_hold_metrics(inputs: ReportInputs) -> dict[str, float]:
    """The metrics of holding the coin, by the very definitions of the strategy's; none about trades."""
    cash, n_bars = inputs.config.initial_cash, len(inputs.bars)
    total = inputs.strategy.metrics["buy_and_hold_return"]
    equity = buy_and_hold_equity(inputs.bars["close"], cash, total).to_numpy(dtype=np.float64)
    nothing = TradingFigures(np.empty(0), np.empty(0, dtype=np.int64), n_bars, 0.0, 0.0, total)
    metrics = compute_metrics(epoch_ns(pd.DatetimeIndex(inputs.bars.index)), equity, cash, nothing)
    return {name: metrics[name] for name in _HOLD_METRICS}


def bounds_text(interval: Interval | None, show: Callable[[float | None], str]) -> str:
    """``0.80 to 1.20``; ``0.80 or more`` without an upper bound, ``–`` where there is no interval."""
    if interval is None or not math.isfinite(interval.lower) or math.isnan(interval.upper):
        return MISSING
    if math.isinf(interval.upper):
        return f"{show(interval.lower)} or more"
    return f"{show(interval.lower)} to {show(interval.upper)}"


def metric_rows(currency: str) -> tuple[tuple[str, str, Callable[[float | None], str]], ...]:
    """Name, title and way of writing of each metric, in the order of the report."""
    return (
        ("total_return", "Total return", lambda x: percent(x, signed=True)),
        ("cagr", "CAGR", lambda x: percent(x, signed=True)),
        ("max_drawdown", "Maximum drawdown", percent),
        ("max_drawdown_bars", "Longest drawdown", hours_long),
        ("sharpe", "Sharpe ratio", number),
        ("sortino", "Sortino ratio", number),
        ("calmar", "Calmar ratio", number),
        ("n_trades", "Trades", count),
        ("win_rate", "Win rate", percent),
        ("profit_factor", "Profit factor", number),
        ("avg_holding_bars", "Average holding", hours_long),
        ("exposure", "Exposure", percent),
        ("turnover", "Turnover", lambda x: number(x, 1)),
        ("costs_paid", "Costs paid", lambda x: money(x, currency)),
    )
