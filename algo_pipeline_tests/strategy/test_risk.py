from __future__ import annotations

import pytest

from algo_pipeline.strategy.risk import cooldown_has_passed, drawdown_from_peak, kill_switch_trips


def test_drawdown_is_the_loss_from_the_peak_as_a_fraction() -> None:
    assert drawdown_from_peak(75.0, 100.0) == 0.25
    assert drawdown_from_peak(100.0, 100.0) == 0.0


@pytest.mark.parametrize(("drawdown", "trips"), [(0.0999, False), (0.10, True), (0.2, True)])
def test_the_kill_switch_trips_at_its_limit(drawdown: float, trips: bool) -> None:
    assert kill_switch_trips(drawdown, 0.10) is trips


@pytest.mark.parametrize(("since", "bars", "passed"), [(0, 0, True), (0, 1, False), (1, 1, True), (2, 3, False)])
def test_a_cooldown_passes_when_its_bars_have(since: int, bars: int, passed: bool) -> None:
    assert cooldown_has_passed(since, bars) is passed
