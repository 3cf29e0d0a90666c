"""Tests to inherit for a set of features of your own.

class TestVolumeFeatures(FeatureSetContract):
    def make(self) -> FeatureSetInterface:
        return VolumeFeatures()
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import pandas as pd

from algo_pipeline.data.causality import differs, poison_violations, truncation_violations
from algo_pipeline.data.feature_choice import SetIdentity
from algo_pipeline.data.feature_sets import FeatureSets
from algo_pipeline.data.live_features import LiveFeatures, newest_row
from algo_pipeline.interfaces.features import FeatureSetInterface
from algo_pipeline.research.leakage_of_data import judge_gaps
from algo_pipeline.testing.markets import market_at_a_standstill, market_with_gaps, ordinary_market

_BARS_BEHIND_WARMUP = 480
_CERTIFIED = 1e-9
_LIVE_HOURS = 12


class FeatureSetContract(ABC):
    """What every set of features has to keep, so that a backtest and a live hour see the same and no future."""

    @abstractmethod
    def make(self) -> FeatureSetInterface:
        """The set to test."""

    def test_its_definitions_can_be_used(self) -> None:
        """Names are told apart, windows and warm-ups are possible; what is wrong is said by the error."""
        assert self._sets().columns == self.make().columns

    def test_it_gives_float64_columns_on_the_bars_own_index(self) -> None:
        """Also of a single bar, and of bars with gaps."""
        for bars in (self._gapped(), self._ordinary().iloc[:1]):
            self._sets().build(bars)

    def test_equal_bars_give_equal_features(self) -> None:
        """Whatever was computed in between: it remembers nothing."""
        bars, one = self._gapped(), self._sets()
        first = one.build(bars)
        one.build(bars.iloc[100:])
        for again in (one.build(bars), one.build(bars), self._sets().build(bars)):
            _assert_equal(first, again, "changes when it is computed again")

    def test_later_bars_change_nothing(self) -> None:
        """They are cut off, and replaced by noise; behind gaps too."""
        bars, sets = self._gapped(), self._sets()
        features = sets.build(bars)
        behind_gaps = np.flatnonzero(bars.index[1:] - bars.index[:-1] != pd.Timedelta(hours=1)) + 1
        cuts = sorted({*range(sets.warmup_bars, len(bars) - 1, 37), *(int(row) for row in behind_gaps), len(bars) - 2})
        found = truncation_violations(sets.build, bars, features, cuts)
        for n in range(3):
            found += poison_violations(sets.build, bars, features, sets.warmup_bars + 7 * n, seed=n)
        assert not found, "; ".join(found[:3])

    def test_more_history_than_the_warm_up_changes_nothing_that_matters(self) -> None:
        """By at most 1e-9 of one and the value: the certificate of ``warmup_bars``."""
        bars, sets = self._ordinary(), self._sets()
        whole = sets.build(bars)
        for end in range(sets.warmup_bars - 1, len(bars), 41):
            short = sets.build(bars.iloc[end + 1 - sets.warmup_bars : end + 1]).to_numpy()[-1]
            known = whole.to_numpy()[end]
            far = ~(np.abs(short - known) <= _CERTIFIED * (1.0 + np.abs(known)))
            assert not far.any(), f"{sets.columns[int(np.argmax(far))]} needs more than {sets.warmup_bars} bars"

    def test_features_are_missing_in_warm_up_and_across_gaps_and_nowhere_else(self) -> None:
        """Exactly as windows and warm-ups of the definitions say; finite everywhere else."""
        bars = self._gapped()
        finding = judge_gaps(self._sets().build(bars), bars, self.make().specs)
        assert finding.holds, finding.describe()

    def test_a_market_that_stands_still_has_features_too(self) -> None:
        """Prices that do not move and hours without volume are real: nothing may be divided by them."""
        bars = market_at_a_standstill(self._n_bars())
        finding = judge_gaps(self._sets().build(bars), bars, self.make().specs)
        assert finding.holds, finding.describe()

    def test_a_live_hour_has_the_row_of_the_backtest(self) -> None:
        """Hour after hour, to the bit."""
        bars, sets = self._gapped(), self._sets()
        batch, live = sets.build(bars).to_numpy(), LiveFeatures(sets)
        for n in range(len(bars) - _LIVE_HOURS, len(bars) + 1):
            row = live.row(n, lambda first, n=n: bars.iloc[first:n])  # type: ignore[misc]
            found = row[: len(sets.columns)]
            assert not differs(found, batch[n - 1]).any(), f"the row of {bars.index[n - 1]} differs live"
        assert not differs(row, newest_row(sets, bars)).any()

    def _sets(self) -> FeatureSets:
        return FeatureSets({SetIdentity("tested:Set"): self.make()})

    def _n_bars(self) -> int:
        return self.make().warmup_bars + _BARS_BEHIND_WARMUP

    def _ordinary(self) -> pd.DataFrame:
        return ordinary_market(self._n_bars())

    def _gapped(self) -> pd.DataFrame:
        return market_with_gaps(self._n_bars())


def _assert_equal(left: pd.DataFrame, right: pd.DataFrame, problem: str) -> None:
    wrong = differs(left.to_numpy(), right.to_numpy()).any(axis=0)
    assert not wrong.any(), f"{left.columns[int(np.argmax(wrong))]} {problem}"
