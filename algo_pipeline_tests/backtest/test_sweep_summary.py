from __future__ import annotations

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.backtest.engine import run_backtest
from algo_pipeline.backtest.report_tables import daily_returns
from algo_pipeline.backtest.sweep_figures import overfitting_sentence
from algo_pipeline.backtest.sweep_grid import plan_sweep
from algo_pipeline.backtest.sweep_judgement import Judgement
from algo_pipeline.backtest.sweep_summary import RANKED_BY, Sweep, summarize_sweep
from algo_pipeline.backtest.sweep_verdict import is_evidence, sweep_answer, sweep_verdict
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.research.backtest_overfitting import BacktestOverfitting, probability_of_backtest_overfitting
from algo_pipeline.research.sharpe_statistics import SharpeEstimate, deflated_sharpe_ratio, expected_maximum_sharpe
from algo_pipeline_tests.backtest.sweep_samples import THRESHOLDS, fair_bars, sample_sweep

NAN = math.nan
COSTS = "fee_bps=0,10,25"


def judgement(**changes: object) -> Judgement:
    """Of four hundred independent trials over a thousand days, the best with 1.31 a year."""
    values: dict[str, object] = {
        "conditions": {},
        "n_combinations": 400,
        "n_traded": 400,
        "n_gained": 250,
        "n_trials": 400,
        "mean_correlation": 0.5,
        "variance_of_trials": 0.16 / 365,
        "best": 7,
        "estimate": SharpeEstimate(1.31 / math.sqrt(365), 1000, -0.5, 8.0),
    }
    return Judgement(**(values | changes))  # type: ignore[arg-type]


class TestSummary:
    def test_the_best_is_judged_among_all_that_traded_under_the_configured_costs(self) -> None:
        sweep = sample_sweep(*THRESHOLDS, COSTS)
        summary = summarize_sweep(sweep)
        own = sweep.rows[sweep.rows["fee_bps"] == 25.0]
        judged = summary.judged
        assert judged.conditions == {"fee_bps": 25.0}
        assert (judged.n_combinations, judged.n_traded, judged.n_trials) == (9, 9, 9)
        assert judged.n_gained == (own["total_return"] > 0).sum()
        assert judged.best == own["sharpe"].idxmax()
        assert judged.sharpe == pytest.approx(own["sharpe"].max(), rel=1e-9)
        assert judged.variance_of_trials == pytest.approx(np.var(own["sharpe"], ddof=1) / 365)
        np.testing.assert_allclose(np.sort(summary.trial_sharpes), np.sort(own["sharpe"]))

    def test_its_deflated_sharpe_ratio_is_that_of_its_own_daily_returns(self) -> None:
        sweep = sample_sweep(*THRESHOLDS)
        judged = summarize_sweep(sweep).judged
        assert judged.best is not None
        config = dataclasses.replace(
            BacktestConfig(),
            max_drawdown=1.0,
            **sweep.plan.combination(judged.best),  # type: ignore[arg-type]
        )
        equity = run_backtest(sweep.bars, sweep.probability, config).equity
        returns = daily_returns(equity, config.initial_cash).to_numpy()
        sharpes = sweep.rows["sharpe"] / math.sqrt(365)
        expected = deflated_sharpe_ratio(SharpeEstimate.of(returns), 9, float(sharpes.var()))
        assert judged.deflated == pytest.approx(expected)
        assert judged.bar == pytest.approx(math.sqrt(365) * expected_maximum_sharpe(9, float(sharpes.var())))

    def test_every_set_of_conditions_is_judged_on_its_own(self) -> None:
        sweep = sample_sweep(*THRESHOLDS, COSTS, "slippage_bps=0,5")
        judgements = summarize_sweep(sweep).by_conditions
        assert [tuple(each.conditions.values()) for each in judgements] == [
            (fee, slippage) for fee in (0.0, 10.0, 25.0) for slippage in (0.0, 5.0)
        ]
        for each in judgements:
            same = (sweep.rows[list(each.conditions)] == pd.Series(each.conditions)).all(axis=1)
            assert each.n_combinations == same.sum() == 9
            assert each.sharpe == pytest.approx(sweep.rows.loc[same, "sharpe"].max(), rel=1e-9)

    def test_combinations_with_the_very_same_figures_are_one_trial_and_one_row(self) -> None:
        sweep = sample_sweep("enter_threshold=0.55,0.6", "position_fraction=0.2,0.3,0.4")  # all at the cap of 0.2
        summary = summarize_sweep(sweep)
        assert (summary.judged.n_combinations, summary.judged.n_traded, summary.judged.n_trials) == (6, 6, 2)
        assert [ranked.n_same for ranked in summary.top] == [3, 3]

    def test_correlation_is_measured_between_trials(self) -> None:
        nearly_equal = summarize_sweep(sample_sweep("enter_threshold=0.55", "position_fraction=0.05,0.1,0.15")).judged
        assert nearly_equal.mean_correlation > 0.99
        assert nearly_equal.effective_trials == pytest.approx(1.0, abs=0.05)
        assert math.isnan(summarize_sweep(sample_sweep("fee_bps=0,10")).judged.mean_correlation)

    def test_mean_correlation_is_that_of_all_pairs(self) -> None:
        sweep = sample_sweep("enter_threshold=0.52,0.55,0.6")
        first, second, third = (sweep.daily_returns(position) for position in range(3))
        pairs = [np.corrcoef(*pair)[0, 1] for pair in ((first, second), (first, third), (second, third))]
        assert summarize_sweep(sweep).judged.mean_correlation == pytest.approx(np.mean(pairs))

    def test_overfitting_is_that_of_the_daily_returns_of_all_trials(self) -> None:
        sweep = sample_sweep(*THRESHOLDS, COSTS)
        summary = summarize_sweep(sweep)
        returns = np.stack([sweep.daily_returns(int(row)) for row in summary.trial_positions], axis=1)
        expected = probability_of_backtest_overfitting(returns)
        found = summary.judged.overfitting
        assert (found.n_configurations, found.n_days) == (9, 96)
        assert found.probability == expected.probability
        assert found.degradation == pytest.approx(expected.degradation)
        others = [each for each in summary.by_conditions if each is not summary.judged]
        assert all(math.isnan(each.overfitting.probability) for each in others)

    def test_daily_returns_of_many_rows_are_those_of_each(self) -> None:
        sweep = sample_sweep(*THRESHOLDS, COSTS)
        rows = np.array([20, 3, 11])
        each = np.stack([sweep.daily_returns(int(row)) for row in rows], axis=1)
        np.testing.assert_allclose(sweep.daily_return_table(rows), each, atol=1e-15)

    def test_holding_is_measured_on_the_days_of_the_bars_from_the_first_open(self) -> None:
        sweep = sample_sweep(*THRESHOLDS)
        ends = sweep.bars["close"].groupby(sweep.bars.index.floor("D")).last().to_numpy()
        returns = np.diff(np.log(np.append(sweep.bars["open"].iloc[0], ends)))
        expected = math.sqrt(365) * np.expm1(returns).mean() / np.expm1(returns).std(ddof=1)
        assert summarize_sweep(sweep).judged.hold_sharpe == pytest.approx(expected)

    def test_conditions_other_than_the_configured_ones_are_known(self) -> None:
        configured, held = sample_sweep(*THRESHOLDS, COSTS), sample_sweep(*THRESHOLDS, "fee_bps=0")
        assert summarize_sweep(configured).judged.other_than_configured == {}
        assert summarize_sweep(held).judged.other_than_configured == {"fee_bps": 25.0}

    @pytest.mark.parametrize("metric", RANKED_BY)
    def test_the_list_of_the_best_is_ordered_by_the_metric(self, metric: str) -> None:
        sweep = sample_sweep(*THRESHOLDS)
        top = [sweep.rows[metric].iloc[ranked.position] for ranked in summarize_sweep(sweep, metric, top=4).top]
        assert len(top) == 4
        assert top == sorted(sweep.rows[metric], reverse=RANKED_BY[metric])[:4]

    def test_the_verdict_stays_with_the_sharpe_ratio_whatever_orders_the_list(self) -> None:
        sweep = sample_sweep(*THRESHOLDS)
        assert summarize_sweep(sweep, "max_drawdown").judged == summarize_sweep(sweep).judged

    def test_a_sweep_without_trades_has_no_best(self) -> None:
        summary = summarize_sweep(sample_sweep("enter_threshold=0.998,0.999"))
        assert summary.top == ()
        assert summary.judged.best is None
        assert (summary.judged.n_traded, summary.judged.n_trials) == (0, 0)
        assert math.isnan(summary.judged.deflated)
        assert math.isnan(summary.judged.effective_trials)


class TestTruth:
    """Markets whose truth is known: probabilities that know nothing, and ones that do."""

    def test_noise_is_called_evidence_in_at_most_one_of_twenty_sweeps(self) -> None:
        free = (
            "enter_threshold=0.52,0.55,0.58,0.61",
            "exit_threshold=0.4,0.43,0.46,0.49",
            "fee_bps=0",
            "slippage_bps=0",
        )
        plan = plan_sweep(free, BacktestConfig())
        judged = []
        for seed in range(80):
            bars = fair_bars(1_500, seed)
            noise = pd.Series(np.random.default_rng(10_000 + seed).normal(0.5, 0.06, 1_500).clip(0, 1), bars.index)
            judged.append(summarize_sweep(Sweep.run(bars, noise, plan)).judged)
        assert sum(is_evidence(each.deflated) for each in judged) <= 4
        assert sum(is_evidence(each.deflated_at_luck_spread) for each in judged) <= 4
        assert sum(is_evidence(each.probabilistic) for each in judged) > 12  # what the best alone would claim

    def test_a_planted_edge_is_found(self) -> None:
        sweep = sample_sweep(*THRESHOLDS, "fee_bps=0", "slippage_bps=0", knowledge=0.8, n_bars=4_000)
        assert is_evidence(summarize_sweep(sweep).judged.deflated)


class TestJudgement:
    def test_figures_of_a_worked_example(self) -> None:
        judged = judgement()
        # (1 − γ) · 2.8070 + γ · 3.1150 = 2.9848 deviations of 0.4 a year, with γ = 0.5772.
        assert judged.bar == pytest.approx(0.4 * 2.9848, abs=1e-4)
        assert judged.effective_trials == 200.5
        assert judged.deflated < judged.deflated_at_effective_trials < judged.probabilistic
        assert judged.deflated_at_luck_spread == judged.deflated

    def test_a_spread_wider_than_luck_makes_is_noticed(self) -> None:
        assert not judgement().spread_beyond_luck
        wide = judgement(variance_of_trials=10.0 / 365)
        assert wide.spread_beyond_luck
        assert wide.bar > 9.0
        assert wide.deflated_at_luck_spread == judgement(variance_of_trials=1 / 999).deflated

    def test_a_single_trial_is_not_deflated(self) -> None:
        single = judgement(n_trials=1, variance_of_trials=NAN, mean_correlation=NAN)
        assert single.bar == 0.0
        assert single.deflated == single.deflated_at_effective_trials == single.probabilistic
        assert not single.spread_beyond_luck


class TestOverfittingSentence:
    MEASURED = BacktestOverfitting(1_500, 400, 16, probability=0.613, probability_of_loss=0.5, degradation=-0.4)

    def test_it_says_what_the_probability_is_of(self) -> None:
        assert overfitting_sentence(judgement(overfitting=self.MEASURED)) == (
            "Probability of backtest overfitting 0.61: how often the best of 400 trials on one half of the days is no "
            "better than their median on the other half (0.50 is a coin flip); it loses there with probability 0.50."
        )

    def test_a_sample_of_the_trials_is_called_one(self) -> None:
        sampled = dataclasses.replace(self.MEASURED, n_configurations=1_000)
        sentence = overfitting_sentence(judgement(n_trials=9_000, overfitting=sampled))
        assert "the best of 1,000 of 9,000 trials" in sentence

    def test_it_is_silent_where_nothing_was_measured(self) -> None:
        assert overfitting_sentence(judgement()) == ""


class TestVerdict:
    def test_luck(self) -> None:
        assert sweep_verdict(judgement()) == (
            "The best of 400 combinations has a Sharpe ratio of 1.31; with as many tries luck alone reaches 1.19; "
            "deflated Sharpe ratio 0.57: no evidence."
        )

    def test_more_than_luck(self) -> None:
        strong = judgement(estimate=SharpeEstimate(3.1 / math.sqrt(365), 1000, 0.0, 5.0))
        assert sweep_verdict(strong).endswith(
            "deflated Sharpe ratio 0.99: more than luck explains on these hours, so let it prove itself on hours that "
            "no sweep has seen."
        )

    def test_more_than_luck_is_told_beside_holding_the_coin(self) -> None:
        strong = judgement(estimate=SharpeEstimate(3.1 / math.sqrt(365), 1000, 0.0, 5.0), hold_sharpe=1.2)
        assert sweep_verdict(strong).endswith(
            "more than luck explains on these hours, where holding the coin has 1.20, so let it prove itself on hours "
            "that no sweep has seen."
        )
        risen = dataclasses.replace(strong, hold_sharpe=3.2)
        assert sweep_verdict(risen).endswith(
            "more than luck explains on these hours, but holding the coin has 3.20, so the market's rise alone may "
            "explain it."
        )

    def test_a_few_words_say_the_same(self) -> None:
        strong = judgement(estimate=SharpeEstimate(3.1 / math.sqrt(365), 1000, 0.0, 5.0), hold_sharpe=1.2)
        cases = {
            "luck explains it": judgement(),
            "better than luck so far": strong,
            "better than luck, not than holding": dataclasses.replace(strong, hold_sharpe=3.2),
            "no combination gained": judgement(estimate=SharpeEstimate(-0.02, 1000)),
            "nothing to judge": judgement(n_traded=0, n_trials=0, best=None, estimate=SharpeEstimate(NAN, 0, NAN, NAN)),
        }
        assert {words: sweep_answer(judged) for words, judged in cases.items()} == {words: words for words in cases}

    def test_conditions_that_are_not_the_configured_ones_come_first(self) -> None:
        cheap = judgement(
            conditions={"fee_bps": 0.0, "slippage_bps": 5.0, "fee_in_base": True},
            other_than_configured={"fee_bps": 25.0, "fee_in_base": False},
        )
        said = "t fee_bps 0 (configured: 25) and fee_in_base true (configured: false), the best of 400 combinations has"
        assert sweep_verdict(cheap).startswith(f"A{said}")
        assert f"nothing of a market: a{said}" in sweep_verdict(cheap, simulated=True)

    def test_those_that_did_not_trade_or_did_the_same_are_told(self) -> None:
        assert "The best of 400 combinations (120 of them traded and differ) has" in sweep_verdict(
            judgement(n_trials=120)
        )

    def test_a_bar_that_costs_raised_is_not_called_luck(self) -> None:
        sentence = sweep_verdict(judgement(variance_of_trials=10.0 / 365))
        assert "luck alone reaches" not in sentence
        assert "luck alone does not spread them so, the bar is 9.44" in sentence

    def test_losers(self) -> None:
        lost = judgement(estimate=SharpeEstimate(-0.02, 1000))
        assert (
            sweep_verdict(lost)
            == "The best of 400 combinations has a Sharpe ratio of −0.38: every one that traded lost."
        )

    def test_a_single_combination(self) -> None:
        single = judgement(n_combinations=1, n_trials=1, variance_of_trials=NAN)
        assert "The only combination has a Sharpe ratio of 1.31; nothing else was tried in this sweep" in sweep_verdict(
            single
        )

    def test_no_trades(self) -> None:
        idle = judgement(n_traded=0, n_trials=0, best=None, estimate=SharpeEstimate(NAN, 0, NAN, NAN))
        assert sweep_verdict(idle) == "None of 400 combinations traded: there is nothing to choose from."
        assert "made no trade" in sweep_verdict(dataclasses.replace(idle, n_combinations=1))

    def test_one_of_many_that_traded_is_not_called_the_only_try(self) -> None:
        alone = judgement(n_trials=1, variance_of_trials=NAN)
        assert "; no other traded differently; probabilistic Sharpe ratio" in sweep_verdict(alone)

    def test_trades_without_a_sharpe_ratio_are_not_called_none(self) -> None:
        brief = judgement(n_traded=3, n_trials=0, best=None, estimate=SharpeEstimate(NAN, 0, NAN, NAN))
        assert sweep_verdict(brief) == (
            "3 of 400 combinations traded, none on days enough for a Sharpe ratio: there is nothing to judge."
        )

    def test_too_few_days(self) -> None:
        assert "too few days" in sweep_verdict(judgement(estimate=SharpeEstimate(0.1, 1)))

    def test_simulated_bars_come_first(self) -> None:
        sentence = sweep_verdict(judgement(), simulated=True)
        assert sentence.startswith("On simulated bars, which say nothing of a market: the best of 400")
