"""The report as data: the content of ``report.json``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pandas as pd

from algo_pipeline.backtest.report_inputs import ReportInputs
from algo_pipeline.backtest.report_tables import buy_and_hold_equity, monthly_returns, top_drawdowns
from algo_pipeline.backtest.verdict import Grounds
from algo_pipeline.common.storage import to_json
from algo_pipeline.research.report import evaluation_document
from algo_pipeline.strategy.catalog import strategy_document


def report_document(inputs: ReportInputs) -> dict[str, Any]:
    """Everything the report says, as plain JSON values: undefined numbers are null, times ISO 8601 in UTC.

    Returns
    -------
    dict
        ``symbol, label, source, simulated, recipe, recipe_hash, model, span, verdict, findings {skill, edge},
        evidence, trials, luck_probability, config, trading_strategy, metrics {strategy, deployed[, at_zero_cost]},
        intervals, kill_switch_at, evaluation {oos, folds, intervals}, folds, reliability, monthly_returns, drawdowns,
        costs, notes``. All fractions are fractions, not percentages; Sharpe ratios are annualized, except in names that
        say ``daily``.
    """
    document = {**_identity(inputs), **_results(inputs), **_tables(inputs), "notes": list(inputs.notes)}
    plain: dict[str, Any] = json.loads(to_json(document))
    return plain


def fold_rows(inputs: ReportInputs) -> Iterator[dict[str, Any]]:
    """Each fold's span, scores and returns after costs; the return of a fold without bars is NaN."""
    equity, close = inputs.strategy.equity, inputs.bars["close"]
    groups = inputs.oos.groupby("fold", sort=True)
    for (name, rows), score in zip(groups, inputs.evaluation.folds, strict=False):
        first, last = rows.index[0], rows.index[-1]
        yield {
            "fold": name,
            "start": first,
            "end": last,
            **asdict(score),
            "return": _change(equity, first, last, inputs.config.initial_cash),
            "buy_and_hold_return": _change(close, first, last, float(inputs.bars["open"].iloc[0])),
        }


def cost_figures(inputs: ReportInputs) -> dict[str, float]:
    """What trading cost: fees and slippage in quote currency, the traded volume, and the average round trip."""
    fills, config = inputs.strategy.fills, inputs.config
    fees = float(fills["fee"].sum())
    buys = fills["side"] == "buy"
    slip = config.slippage_rate
    slippage = float((fills["notional"][buys].sum() / (1 + slip) + fills["notional"][~buys].sum() / (1 - slip)) * slip)
    free = inputs.at_zero_cost
    return {
        "fees": fees,
        "slippage": slippage,
        "traded_notional": float(fills["notional"].sum()),
        "share_of_initial_cash": (fees + slippage) / config.initial_cash,
        "round_trip_bps": 2.0 * (config.fee_bps + config.slippage_bps),
        "mean_trade_bps": _mean_bps(inputs.strategy.trades),
        "mean_trade_at_zero_cost_bps": float("nan") if free is None else _mean_bps(free.trades),
    }


def _identity(inputs: ReportInputs) -> dict[str, Any]:
    start, end = inputs.span
    return {
        "symbol": str(inputs.symbol),
        "label": inputs.label,
        "source": inputs.source,
        "simulated": inputs.is_simulated,
        "recipe": inputs.recipe,
        "recipe_hash": inputs.recipe_hash,
        "model": inputs.model_version,
        "span": {"start": start, "end": end, "bars": len(inputs.bars)},
    }


def _results(inputs: ReportInputs) -> dict[str, Any]:
    grounds = inputs.grounds
    return {
        "verdict": inputs.verdict,
        "findings": {"skill": grounds.skill.name.lower(), "edge": grounds.edge.name.lower()},
        "evidence": grounds.evidence.to_document(),
        "trials": _trials(grounds),
        "luck_probability": 1.0 - grounds.probabilistic,
        "config": asdict(inputs.config),
        "trading_strategy": strategy_document(inputs.strategy.strategy),
        "metrics": {name: dict(result.metrics) for name, result in inputs.backtests.items()},
        "intervals": {name: asdict(interval) for name, interval in inputs.intervals.items()},
        "kill_switch_at": inputs.deployed.kill_switch_at,
        "evaluation": evaluation_document(inputs.evaluation),
    }


def _trials(grounds: Grounds) -> dict[str, Any]:
    trials = grounds.trials
    return {
        "n_trials": trials.n_trials,
        "variance_of_daily_sharpe": trials.variance_of_sharpe,
        "expected_maximum_sharpe": grounds.bar,
        "deflated_sharpe_ratio": grounds.deflated,
        "deflated_sharpe_ratio_at_luck_spread": grounds.deflated_at_luck_spread,
        "probabilistic_sharpe_ratio": grounds.probabilistic,
        "days": grounds.estimate.n_days,
        "days_needed": grounds.days_needed,
        "problem": trials.problem or None,
    }


def _tables(inputs: ReportInputs) -> dict[str, Any]:
    cash = inputs.config.initial_cash
    hold = buy_and_hold_equity(inputs.bars["close"], cash, inputs.strategy.metrics["buy_and_hold_return"])
    curves = {name: result.equity for name, result in inputs.backtests.items()} | {"buy_and_hold": hold}
    return {
        "folds": list(fold_rows(inputs)),
        "reliability": [asdict(bin_) for bin_ in inputs.evaluation.reliability],
        "monthly_returns": {name: _monthly(equity, cash) for name, equity in curves.items()},
        "drawdowns": [asdict(episode) for episode in top_drawdowns(inputs.strategy.equity, cash)],
        "costs": cost_figures(inputs),
    }


def _monthly(equity: pd.Series, cash: float) -> dict[str, dict[str, float]]:
    table = monthly_returns(equity, cash)
    return {str(year): {str(k): v for k, v in row.items() if pd.notna(v)} for year, row in table.iterrows()}


def _change(values: pd.Series, first: pd.Timestamp, last: pd.Timestamp, before: float) -> float:
    inside = values.loc[first:last]
    if inside.empty:
        return float("nan")
    earlier = values.loc[: first - pd.Timedelta(1, "ns")]
    return float(inside.iloc[-1] / (earlier.iloc[-1] if len(earlier) else before) - 1.0)


def _mean_bps(trades: pd.DataFrame) -> float:
    return float(1e4 * trades["return"].mean()) if len(trades) else float("nan")
