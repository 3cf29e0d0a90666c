"""The best of a sweep's combinations, judged by the deflated Sharpe ratio of ``research.sharpe_statistics``.

Trials count as independent, which they are not: that errs towards "no evidence". The effective number of trials, by
their average correlation, is told beside it. Beside both stands the probability of backtest overfitting: what choosing
the best was worth on days on which it was not chosen.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from algo_pipeline.backtest.metrics import DAYS_PER_YEAR
from algo_pipeline.research.backtest_overfitting import N_BLOCKS, BacktestOverfitting
from algo_pipeline.research.sharpe_statistics import (
    SharpeEstimate,
    deflated_sharpe_ratio,
    effective_number_of_trials,
    expected_maximum_sharpe,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
)

_ANNUAL = math.sqrt(DAYS_PER_YEAR)
_WIDE = 2.0
_NOT_MEASURED = BacktestOverfitting(n_days=0, n_configurations=0, n_blocks=N_BLOCKS)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The combinations under one set of conditions, and the best of them by Sharpe ratio.

    Attributes
    ----------
    conditions : mapping
        The conditions in the grid, with their values here.
    n_combinations, n_traded, n_gained : int
        Combinations in all, with a trade, and with a positive total return.
    n_trials : int
        Combinations that traded, those with the very same figures counted once.
    mean_correlation : float
        Between the daily returns of pairs of trials, from a sample of them; NaN if there are no pairs.
    variance_of_trials : float
        Between their Sharpe ratios per day; NaN below two trials.
    best : int or None
        Row of the trial with the highest Sharpe ratio.
    estimate : SharpeEstimate
        Its Sharpe ratio per day and moments; NaN without a trial.
    hold_sharpe : float
        Annualized Sharpe ratio of holding the coin over the same days, without costs.
    other_than_configured : mapping
        The configured values of the conditions that differ here from what is configured.
    overfitting : BacktestOverfitting
        Of choosing the best of the trials, or of a sample of 1,000; NaN under conditions that are not judged.
    """

    conditions: Mapping[str, object]
    n_combinations: int
    n_traded: int
    n_gained: int
    n_trials: int
    mean_correlation: float
    variance_of_trials: float
    best: int | None
    estimate: SharpeEstimate
    hold_sharpe: float = math.nan
    other_than_configured: Mapping[str, object] = field(default_factory=dict)
    overfitting: BacktestOverfitting = _NOT_MEASURED

    @property
    def sharpe(self) -> float:
        """The best Sharpe ratio, annualized."""
        return _ANNUAL * self.estimate.sharpe

    @property
    def bar(self) -> float:
        """Expected best of as many independent trials without any edge and with this spread, annualized."""
        return _ANNUAL * self._expected_maximum

    @property
    def spread_beyond_luck(self) -> bool:
        """Whether the trials differ by far more than luck makes strategies without any edge differ.

        Without an edge, the variance between Sharpe ratios per day is at most that of one estimate, 1 / (days − 1).
        Costs that some trials pay far more often than others spread them wider. The bar is then too high.
        """
        return self.variance_of_trials > _WIDE * self._luck_variance

    @property
    def deflated_at_luck_spread(self) -> float:
        """Deflated Sharpe ratio of the best, with no more spread between the trials than luck can make."""
        variance = min(self.variance_of_trials, self._luck_variance)
        return deflated_sharpe_ratio(self.estimate, self.n_trials, variance)

    @property
    def deflated(self) -> float:
        """Deflated Sharpe ratio of the best, every trial counted as independent."""
        return deflated_sharpe_ratio(self.estimate, self.n_trials, self.variance_of_trials)

    @property
    def effective_trials(self) -> float:
        """Independent trials that the correlated ones amount to."""
        return effective_number_of_trials(self.n_trials, 0.0 if self.n_trials == 1 else self.mean_correlation)

    @property
    def deflated_at_effective_trials(self) -> float:
        """Deflated Sharpe ratio of the best, with the effective number of trials."""
        return deflated_sharpe_ratio(self.estimate, self.effective_trials, self.variance_of_trials)

    @property
    def probabilistic(self) -> float:
        """Probability that the best has an edge, had nothing else been tried: what a sweep must not report alone."""
        return probabilistic_sharpe_ratio(self.estimate)

    @property
    def days_needed(self) -> float:
        """Days of such returns until the deflated Sharpe ratio reaches 95 %; NaN if none would do."""
        return minimum_track_record_length(self.estimate, self._expected_maximum)

    @property
    def _luck_variance(self) -> float:
        return 1.0 / (self.estimate.n_days - 1) if self.estimate.n_days > 1 else math.nan

    @property
    def _expected_maximum(self) -> float:
        return expected_maximum_sharpe(self.n_trials, self.variance_of_trials)
