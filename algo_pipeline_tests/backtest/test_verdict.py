from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.backtest.engine import BacktestConfig, BacktestResult
from algo_pipeline.backtest.verdict import luck_of, pays_after_costs, verdict_sentence
from algo_pipeline.research.evaluate import Evaluation, Interval
from algo_pipeline_tests.backtest.report_samples import NAN, NO_EVALUATION, UNDEFINED_SCORE


def _evaluation(skill: float, lower: float, upper: float) -> Evaluation:
    score = replace(UNDEFINED_SCORE, log_loss_skill=skill)
    return replace(NO_EVALUATION, oos=score, intervals={"log_loss_skill": Interval(lower, upper, 0.95)})


def _result(total: float, hold: float, n_trades: int = 50, noise: float = 0.01, **config: Any) -> BacktestResult:
    """A year of daily equity that ends at ``total``, alternating by ``noise`` around its trend."""
    trend = 1e5 * (1.0 + total) ** (np.arange(1, 366) / 365)
    equity = trend * (1.0 + noise * (np.arange(365) % 2))
    curve = pd.DataFrame({"equity": equity}, pd.date_range("2023-01-01", periods=365, freq="D", tz="UTC"))
    metrics = {"total_return": total, "buy_and_hold_return": hold, "n_trades": n_trades, "costs_paid": 10.0 * n_trades}
    return BacktestResult(BacktestConfig(**config), curve, pd.DataFrame(), pd.DataFrame(), metrics, None)


REAL = _evaluation(0.009, 0.006, 0.012)
NONE = _evaluation(0.001, -0.002, 0.004)


def test_real_skill_that_costs_eat_is_not_to_be_traded() -> None:
    assert verdict_sentence(REAL, _result(-0.43, 1.2), _result(0.35, 1.2)) == (
        "Predictive skill is small but real (log-loss skill 0.90%, 95% interval 0.60% to 1.20%); traded on every "
        "signal it loses 43% after costs of 30 bps a side (at zero cost it would have gained 35%), where buy-and-hold "
        "gained 120%: do not trade this."
    )


@pytest.mark.parametrize(
    ("evaluation", "words"),
    [
        (REAL, "Predictive skill is small but real"),
        (_evaluation(0.05, 0.04, 0.06), "Predictive skill is real"),
        (_evaluation(0.2, 0.18, 0.22), "Predictive skill is larger than a market allows, so look for a leak first"),
        (NONE, "No predictive skill is shown"),
        (_evaluation(-0.01, -0.02, -0.005), "The predictions are worse than the base rate"),
        (_evaluation(NAN, NAN, NAN), "Predictive skill could not be measured"),
        (NO_EVALUATION, "Predictive skill could not be measured"),
    ],
)
def test_skill_is_judged_by_its_interval(evaluation: Evaluation, words: str) -> None:
    assert verdict_sentence(evaluation, _result(-0.1, 0.1)).startswith(words)


@pytest.mark.parametrize(
    ("evaluation", "result", "advice"),
    [
        (REAL, _result(-0.001, -0.5), "do not trade this."),
        (REAL, _result(0.0, -0.5), "do not trade this."),
        (NONE, _result(0.5, 0.1), "without skill the gain is luck, do not trade this."),
        (NO_EVALUATION, _result(0.5, 0.1), "without skill the gain is luck, do not trade this."),
        (REAL, _result(0.02, 0.01, noise=0.05), "which is no evidence yet."),
        (REAL, _result(0.5, 0.6, noise=0.001), "but holding paid more."),
        (REAL, _result(0.5, 0.1, noise=0.001), "a candidate for paper trading."),
        (REAL, _result(0.0, 0.6, n_trades=0), "there is nothing to trade."),
        (REAL, _result(0.6, 0.6, n_trades=0), "no trade was closed, so there is nothing to judge."),
    ],
)
def test_advice_names_what_is_missing(evaluation: Evaluation, result: BacktestResult, advice: str) -> None:
    assert verdict_sentence(evaluation, result).endswith(advice)


def test_without_trades_no_result_is_claimed() -> None:
    sentence = verdict_sentence(REAL, _result(0.0, -0.3, n_trades=0))
    assert "the thresholds let no trade through, where buy-and-hold lost 30%" in sentence


def test_costs_are_those_of_the_run() -> None:
    assert "costs of 12 bps a side" in verdict_sentence(REAL, _result(-0.1, 0.0, fee_bps=10.0, slippage_bps=2.0))


def test_an_undefined_benchmark_is_not_beaten() -> None:
    assert "buy-and-hold ended undefined" in verdict_sentence(REAL, _result(0.5, NAN, noise=0.001))
    assert verdict_sentence(REAL, _result(0.5, NAN, noise=0.001)).endswith("but holding paid more.")


def test_luck_follows_the_daily_returns() -> None:
    assert luck_of(_result(0.5, 0.0, noise=0.001)) < 0.001
    assert luck_of(_result(-0.5, 0.0, noise=0.001)) > 0.999


def test_simulated_bars_are_named_before_anything_else() -> None:
    sentence = verdict_sentence(REAL, _result(-0.43, 1.2), simulated=True)
    assert sentence.startswith("On simulated bars, which say nothing of a market: predictive skill")


def test_a_gain_without_a_closed_trade_is_no_evidence() -> None:
    assert pays_after_costs(_result(0.5, 0.1, noise=0.001))
    assert not pays_after_costs(_result(0.5, 0.1, n_trades=0, noise=0.001))
    assert not pays_after_costs(_result(-0.1, 0.1))
    assert not pays_after_costs(_result(0.02, 0.01, noise=0.05))
