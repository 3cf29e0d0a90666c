"""What limits the account: drawdown, the kill switch and the cooldown after an exit."""

from __future__ import annotations

from algo_pipeline.common.compiled import compiled


@compiled
def drawdown_from_peak(equity: float, peak: float) -> float:
    """``1 − equity / peak``; 0 at the peak."""
    return 1.0 - equity / peak


@compiled
def kill_switch_trips(drawdown: float, max_drawdown: float) -> bool:
    """Whether the drawdown at a close latches the kill switch."""
    return drawdown >= max_drawdown


@compiled
def cooldown_has_passed(bars_since_exit: int, cooldown_bars: int) -> bool:
    """Whether an entry may be decided again.

    Parameters
    ----------
    bars_since_exit : int
        Bars of the symbol from the one in which the last exit filled to the one that decides (0 for the same bar);
        any large number where there was no exit.
    cooldown_bars : int
        The rule's length.
    """
    return bars_since_exit >= cooldown_bars
