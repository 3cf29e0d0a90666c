"""The report as Markdown: short enough for a terminal, complete enough for a pull request."""

from __future__ import annotations

from calendar import month_abbr

import pandas as pd

from algo_pipeline.backtest.report_document import cost_figures, fold_rows
from algo_pipeline.backtest.report_evidence import evidence_rows, trial_rows
from algo_pipeline.backtest.report_figures import key_figures
from algo_pipeline.backtest.report_inputs import ReportInputs
from algo_pipeline.backtest.report_tables import Drawdown, buy_and_hold_equity, monthly_returns, top_drawdowns
from algo_pipeline.common.formatting import count, day, hours_long, markdown_table, minute, money, number, percent
from algo_pipeline.research.report import overall_table, reliability_table

_FIGURE_HEADER = ("", "strategy", "95% interval", "as deployed", "at zero cost", "buy and hold")
_EVIDENCE_HEADER = ("question", "figure", "95% interval", "p-value", "answer")
_MONTHS = tuple(month_abbr[1:])


def render_markdown(inputs: ReportInputs) -> str:
    """The report as GitHub-flavoured Markdown; text from outside (notes, recipe) is escaped."""
    parts = [
        *_head(inputs),
        *_evidence(inputs),
        *_result(inputs),
        *_prediction(inputs),
        *_time(inputs),
        *_costs(inputs),
        *_rules(inputs),
    ]
    return "\n\n".join(parts) + "\n"


def render_summary(inputs: ReportInputs) -> str:
    """The verdict with its evidence and the key figures, to be a section of the model's card."""
    tests, figures = (parts[1] for parts in (_evidence(inputs), _result(inputs)))
    return "\n\n".join([f"**{_safe(inputs.verdict)}**", tests, figures])


def _head(inputs: ReportInputs) -> list[str]:
    start, end = inputs.span
    banner = ["> **Simulated data.** No market produced these bars."] if inputs.is_simulated else []
    facts = (
        f"{count(len(inputs.bars))} hourly bars from {minute(start)} to {minute(end)} UTC, "
        f"source {_safe(inputs.source)}. Recipe {_safe(inputs.recipe)} (`{_safe(inputs.recipe_hash)}`). "
        f"Model: {_safe(inputs.model_version or 'not registered')}."
    )
    notes = ["\n".join(f"- {_safe(note)}" for note in inputs.notes)] if inputs.notes else []
    return [
        f"# {inputs.symbol}: `{_safe(inputs.label)}` backtest",
        *banner,
        f"**{_safe(inputs.verdict)}**",
        facts,
        *notes,
    ]


def _evidence(inputs: ReportInputs) -> list[str]:
    rows = [(row.question, row.figure, row.interval, row.p_value, row.answer) for row in evidence_rows(inputs.grounds)]
    luck = [(title, _safe(figure)) for title, figure in trial_rows(inputs.grounds)]
    tests = markdown_table(_EVIDENCE_HEADER, rows)
    return ["## Evidence", tests, "### Luck among everything that was tried", markdown_table(("", "figure"), luck)]


def _result(inputs: ReportInputs) -> list[str]:
    rows = [
        (figure.title, figure.strategy, figure.interval, figure.deployed, figure.at_zero_cost, figure.buy_and_hold)
        for figure in key_figures(inputs)
    ]
    at = inputs.deployed.kill_switch_at
    limit = percent(inputs.config.max_drawdown, 0)
    switch = (
        f"As deployed, the kill switch (drawdown of {limit}) never latched."
        if at is None
        else f"As deployed, the kill switch (drawdown of {limit}) latched on {minute(at)} UTC and ended trading."
    )
    return ["## Result", markdown_table(_FIGURE_HEADER, rows), switch]


def _prediction(inputs: ReportInputs) -> list[str]:
    header = ("fold", "from", "to", "rows", "base rate", "AUC", "log-loss skill", "ECE", "return", "buy and hold")
    rows = [
        (
            str(row["fold"]),
            day(row["start"]),
            day(row["end"]),
            count(row["n"]),
            percent(row["base_rate"]),
            number(row["auc"], 4),
            percent(row["log_loss_skill"], 2),
            number(row["ece"], 4),
            percent(row["return"], signed=True),
            percent(row["buy_and_hold_return"], signed=True),
        )
        for row in fold_rows(inputs)
    ]
    evaluation = inputs.evaluation
    folds = ["### Folds", markdown_table(header, rows)] if rows else []
    return ["## Prediction", overall_table(evaluation), *folds, "### Reliability", reliability_table(evaluation)]


def _time(inputs: ReportInputs) -> list[str]:
    cash = inputs.config.initial_cash
    hold = buy_and_hold_equity(inputs.bars["close"], cash, inputs.strategy.metrics["buy_and_hold_return"])
    monthly = [
        "### Monthly returns of the strategy",
        _monthly_table(inputs.strategy.equity, cash),
        "### Monthly returns of buy and hold",
        _monthly_table(hold, cash),
    ]
    rows = [_drawdown_row(drawdown) for drawdown in top_drawdowns(inputs.strategy.equity, cash)]
    table = markdown_table(("peak", "trough", "recovery", "depth", "length"), rows) if rows else "None."
    return ["## Through time", *monthly, "### Deepest drawdowns of the strategy", table]


def _drawdown_row(drawdown: Drawdown) -> tuple[str, ...]:
    recovery = "not yet" if drawdown.recovery is None else day(drawdown.recovery)
    length = hours_long(drawdown.length_bars)
    return day(drawdown.start), day(drawdown.trough), recovery, percent(drawdown.depth), length


def _monthly_table(equity: pd.Series, cash: float) -> str:
    table = monthly_returns(equity, cash)
    rows = [
        (str(year), *(percent(value) for value in row)) for year, row in zip(table.index, table.to_numpy(), strict=True)
    ]
    return markdown_table(("year", *_MONTHS, "year"), rows)


def _costs(inputs: ReportInputs) -> list[str]:
    costs, quote = cost_figures(inputs), inputs.symbol.quote
    rows = (
        ("fees", money(costs["fees"], quote)),
        ("half spread and slippage", money(costs["slippage"], quote)),
        ("both, of the start cash", percent(costs["share_of_initial_cash"])),
        ("traded volume", money(costs["traded_notional"], quote)),
        ("a round trip costs", f"{number(costs['round_trip_bps'], 0)} bps"),
        ("the mean trade earns, at zero cost", _bps(costs["mean_trade_at_zero_cost_bps"])),
        ("the mean trade earns, after costs", _bps(costs["mean_trade_bps"])),
    )
    return ["## Costs", markdown_table(("", "strategy"), rows)]


def _bps(value: float) -> str:
    text = number(value, 1, signed=True)
    return f"{text} bps" if text != "–" else text


def _rules(inputs: ReportInputs) -> list[str]:
    config = inputs.config
    rules = (
        f"Long only. {inputs.strategy.strategy.describe(config.round_trip_cost)}, filled at the next bar's open. "
        f"Position: {percent(config.target_fraction, 0)} of equity. Costs a side: fee "
        f"{number(config.fee_bps, 1)} bps, half spread and slippage {number(config.slippage_bps, 1)} bps. Equity is "
        "marked at every close. *Strategy* runs with the kill switch off and carries the statistics; *as deployed* has "
        "it on. Buy and hold is fully invested, so compare returns together with exposure and drawdown."
    )
    return ["## Rules", rules]


def _safe(text: str) -> str:
    """Keep text from outside text: no HTML, no table cell, no line of its own."""
    flat = " ".join(text.split())
    return flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("|", "\\|")
