"""Tests to inherit for a label of your own.

class TestNextDay(LabelContract):
    def make(self) -> LabelInterface:
        return NextDay()
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import pandas as pd

from algo_pipeline.common.user_classes import user_class_reference
from algo_pipeline.data.causality import differs, poisoned_bars
from algo_pipeline.data.own_label import OwnLabel
from algo_pipeline.interfaces.label import LabelInterface
from algo_pipeline.research.own_label_leakage import own_label_violations
from algo_pipeline.testing.markets import market_with_gaps, ordinary_market, trending_bars

_BARS = 1_200
_POISONINGS = 30
_HOURLY_CHANGES = (-0.02, -0.005, -0.001, 0.0, 0.001, 0.005, 0.02)
_LIVE_HOURS = 12


class LabelContract(ABC):
    """What every label has to keep, so that training never learns from what it is tested on."""

    @abstractmethod
    def make(self) -> LabelInterface:
        """The label to test."""

    def bars(self) -> pd.DataFrame:
        """A market without a gap, long enough for the label; override it for a long horizon or look back."""
        return ordinary_market(_BARS)

    def test_its_definition_can_be_used(self) -> None:
        """Name and horizon are possible; what is wrong is said by the error."""
        assert self._own().spec.name == self.make().name

    def test_it_gives_0_1_and_nan_on_the_bars_own_index(self) -> None:
        """Also of a single bar, of which nothing is known."""
        bars = self.bars()
        self._own().build(bars)
        assert np.isnan(self._own().build(bars.iloc[:1])).all(), "the only bar has no horizon that has closed"

    def test_equal_bars_give_equal_labels(self) -> None:
        """Whatever was computed in between: it remembers nothing."""
        bars, one = self.bars(), self._own()
        first = one.build(bars)
        one.build(bars.iloc[100:])
        for again in (one.build(bars), one.build(bars), self._own().build(bars)):
            assert not differs(first, again).any(), "it changes when it is computed again"

    def test_it_keeps_to_its_horizon(self) -> None:
        """It reads no bar after t + 1 + h, and is missing where one from t to t + h is: not closed yet, or a gap."""
        for bars in (self.bars(), market_with_gaps(len(self.bars()))):
            own = self._own()
            found = own_label_violations(own, own.build(bars), bars)
            assert not found, "; ".join(found[:3])

    def test_both_outcomes_occur_and_most_bars_have_one(self) -> None:
        """A classifier needs both, and rows to learn from."""
        found = self._own().build(self.bars())
        known = found[~np.isnan(found)]
        assert len(known) >= len(found) // 2, f"only {len(known)} of {len(found)} bars have a label"
        assert set(known) == {0.0, 1.0}, "both outcomes are needed in the market of `bars`"

    def test_it_depends_on_what_follows(self) -> None:
        """A label of the past needs no forecast."""
        bars, own = self.bars(), self._own()
        position = len(bars) - 2 * own.spec.horizon_bars - 2
        futures = [poisoned_bars(bars, position, seed) for seed in range(_POISONINGS)]
        futures += [trending_bars(bars, position, change) for change in _HOURLY_CHANGES]
        outcomes = {float(own.build(future)[position]) for future in futures}
        assert outcomes == {0.0, 1.0}, f"whatever followed bar {position}, its label was {outcomes}"

    def test_a_live_hour_has_the_label_of_the_backtest(self) -> None:
        """As soon as its horizon has closed, to the bit."""
        bars, own = self.bars(), self._own()
        batch, span = own.build(bars), own.spec.last_bar_read
        for position in range(len(bars) - _LIVE_HOURS - span, len(bars) - span):
            found = own.of_bar(bars.iloc[: position + span + 1], bars.index[position])
            same = found == batch[position] or (np.isnan(found) and np.isnan(batch[position]))
            assert same, f"the label of {bars.index[position]} is {found} live, and {batch[position]} in the backtest"

    def _own(self) -> OwnLabel:
        code = self.make()
        return OwnLabel.of(code, user_class_reference(type(code)), "")
