"""The trading rules that a backtest and live trading share: thresholds, sizing, limits and costs."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from decimal import Decimal

from algo_pipeline.common.errors import ConfigValueError

GREATEST_COUNT = 10**9
"""Most bars that a setting may count: over a hundred thousand years, and far within what compiled code counts."""
_FINITE_NON_NEGATIVE = ("max_drawdown", "fee_bps", "slippage_bps", "min_notional", "position_fraction")


@dataclass(frozen=True, slots=True)
class BacktestConfig:
    """Frozen rules of one account; the defaults are Alpaca's real costs and the design's risk limits.

    Parameters
    ----------
    initial_cash : float
        Start cash in quote currency, > 0.
    enter_threshold, exit_threshold : float
        Probability at or above which the signal is LONG, at or below which it is FLAT;
        ``0 <= exit <= enter <= 1``.
    position_fraction : float
        Target notional as a fraction of equity; clamped to ``max_position_fraction``.
    max_position_fraction : float
        Cap of the target notional, in (0, 1].
    max_drawdown : float
        Drawdown (1 − equity/peak) at which the kill switch latches, > 0; 1.0 or more switches it off in effect.
    cooldown_bars : int
        Bars that must pass between an exit's fill and the decision of the next entry, at most 1e9.
    fee_bps, slippage_bps : float
        Taker fee on quote notional; half spread plus slippage, both in 1e-4.
    fee_in_base : bool
        Take a buy's fee from the coin received, as Alpaca does.
    quantity_step : float
        Smallest quantity increment, a power of ten at most 1 (``10**-d``).
    min_notional : float
        Orders worth less in quote currency are dropped; a holding worth less counts as flat.
    cash_buffer_bps : float or None
        Margin that a buy leaves in cash at the decision; None leaves the cap to the fill.

    Raises
    ------
    ConfigValueError
        If a value lies outside its domain.
    """

    initial_cash: float = 100_000.0
    enter_threshold: float = 0.55
    exit_threshold: float = 0.45
    position_fraction: float = 0.20
    max_position_fraction: float = 0.20
    max_drawdown: float = 0.10
    cooldown_bars: int = 0
    fee_bps: float = 25.0
    slippage_bps: float = 5.0
    fee_in_base: bool = False
    quantity_step: float = 1e-6
    min_notional: float = 10.0
    cash_buffer_bps: float | None = None

    def __post_init__(self) -> None:
        for name in _FINITE_NON_NEGATIVE:
            _require(is_number(getattr(self, name)) and getattr(self, name) >= 0, name, "a finite number >= 0", self)
        _require(is_number(self.initial_cash) and self.initial_cash > 0, "initial_cash", "a finite number > 0", self)
        _require(self.max_drawdown > 0, "max_drawdown", "a number > 0", self)
        _require(
            is_number(self.enter_threshold)
            and is_number(self.exit_threshold)
            and 0 <= self.exit_threshold <= self.enter_threshold <= 1,
            "exit_threshold",
            f"0 <= exit_threshold <= enter_threshold ({self.enter_threshold}) <= 1",
            self,
        )
        cap = self.max_position_fraction
        _require(is_number(cap) and 0 < cap <= 1, "max_position_fraction", "a number in (0, 1]", self)
        _require(is_count(self.cooldown_bars), "cooldown_bars", f"an integer >= 0 and <= {GREATEST_COUNT}", self)
        _require(isinstance(self.fee_in_base, bool), "fee_in_base", "True or False", self)
        _require(self.fee_bps < 10_000 and self.slippage_bps < 10_000, "fee_bps and slippage_bps", "below 10000", self)
        _require(_is_power_of_ten_step(self.quantity_step), "quantity_step", "10**-d with 0 <= d <= 12", self)
        buffer = self.cash_buffer_bps
        _require(buffer is None or (is_number(buffer) and buffer >= 0), "cash_buffer_bps", "None or >= 0", self)

    @property
    def fee_rate(self) -> float:
        """Fee as a fraction of quote notional."""
        return self.fee_bps * 1e-4

    @property
    def slippage_rate(self) -> float:
        """Half spread plus slippage as a fraction of the price."""
        return self.slippage_bps * 1e-4

    @property
    def round_trip_cost(self) -> float:
        """What a buy and its sale cost together, as a fraction of the notional: ``2 · (fee + slippage)``."""
        return 2.0 * (self.fee_rate + self.slippage_rate)

    @property
    def target_fraction(self) -> float:
        """``position_fraction`` clamped to the cap."""
        return min(self.position_fraction, self.max_position_fraction)

    @property
    def step_decimals(self) -> int:
        """Decimals of the quantity step: d in ``10**-d``."""
        return round(-math.log10(self.quantity_step))


def is_count(value: object, minimum: int = 0) -> bool:
    """Whether a value is a whole number of bars from ``minimum`` to :data:`GREATEST_COUNT`."""
    return type(value) is int and minimum <= value <= GREATEST_COUNT


def is_number(value: object) -> bool:
    """Whether a value is a number that a finite double can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max  # NaN is not; an integer of any size is compared exactly


def _is_power_of_ten_step(step: float) -> bool:
    if not (is_number(step) and 0 < step <= 1):
        return False
    decimals = round(-math.log10(step))
    return 0 <= decimals <= 12 and float(Decimal(1).scaleb(-decimals)) == step


def _require(ok: bool, name: str, expected: str, config: BacktestConfig) -> None:
    if not ok:
        found = getattr(config, name, None)
        raise ConfigValueError(f"{name} must be {expected}; it was {found!r}.", f"Correct {name}.")
