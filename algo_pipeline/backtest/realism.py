"""Order realism of a backtest, each option off by default; the rules are told in ``docs/backtest.md``."""

from __future__ import annotations

import math
from dataclasses import dataclass

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.trading_rules import GREATEST_COUNT, is_count, is_number


@dataclass(frozen=True, slots=True)
class ExecutionOptions:
    """How orders meet the market; without any option every order is a market order that fills at the next open.

    Parameters
    ----------
    limit_timeout_bars : int or None
        None: market orders. k >= 1: an order rests for k bars as a limit at the close of the bar that decided; then
        an exit becomes a market order and an entry is dropped.
    latency_bars : int
        Bars that an order needs to reach the venue beyond the next bar, >= 0.
    max_volume_share : float or None
        In (0, 1]: all fills of a symbol in a bar together take at most this share of the bar's volume; None: no cap.
    volatility_slippage : float
        Extra slippage rate per unit of recent hourly volatility, >= 0.
    volatility_window_bars : int
        Log returns that the volatility is estimated from, >= 2.
    stop_loss_bps, take_profit_bps, trailing_stop_bps : float or None
        Distance, in 1e-4, of a protective exit from the entry price, for the trailing stop from the highest price
        since the entry; > 0, and below 10000 for both stops. None: off.

    Raises
    ------
    ConfigValueError
        If a value lies outside its domain.
    """

    limit_timeout_bars: int | None = None
    latency_bars: int = 0
    max_volume_share: float | None = None
    volatility_slippage: float = 0.0
    volatility_window_bars: int = 24
    stop_loss_bps: float | None = None
    take_profit_bps: float | None = None
    trailing_stop_bps: float | None = None

    def __post_init__(self) -> None:
        self._require_integer("limit_timeout_bars", minimum=1, may_be_none=True)
        self._require_integer("latency_bars", minimum=0)
        self._require_integer("volatility_window_bars", minimum=2)
        _require(is_number(self.volatility_slippage) and self.volatility_slippage >= 0, "volatility_slippage", self)
        share = self.max_volume_share
        _require(share is None or (is_number(share) and 0 < share <= 1), "max_volume_share", self)
        self._require_distance("stop_loss_bps", below=10_000.0)
        self._require_distance("take_profit_bps", below=math.inf)
        self._require_distance("trailing_stop_bps", below=10_000.0)

    @property
    def is_plain(self) -> bool:
        """Whether nothing is switched on; the window alone switches nothing on."""
        switches = (
            self.limit_timeout_bars,
            self.max_volume_share,
            self.stop_loss_bps,
            self.take_profit_bps,
            self.trailing_stop_bps,
        )
        return self.latency_bars == 0 and self.volatility_slippage == 0 and all(value is None for value in switches)

    def _require_integer(self, name: str, minimum: int, *, may_be_none: bool = False) -> None:
        value = getattr(self, name)
        _require((value is None and may_be_none) or is_count(value, minimum), name, self)

    def _require_distance(self, name: str, below: float) -> None:
        value = getattr(self, name)
        _require(value is None or (is_number(value) and 0 < value < below), name, self)


_DOMAINS = {
    "limit_timeout_bars": f"None or an integer >= 1 and <= {GREATEST_COUNT}",
    "latency_bars": f"an integer >= 0 and <= {GREATEST_COUNT}",
    "max_volume_share": "None or a number in (0, 1]",
    "volatility_slippage": "a finite number >= 0",
    "volatility_window_bars": f"an integer >= 2 and <= {GREATEST_COUNT}",
    "stop_loss_bps": "None or a number > 0 and < 10000",
    "take_profit_bps": "None or a finite number > 0",
    "trailing_stop_bps": "None or a number > 0 and < 10000",
}


def _require(holds: bool, name: str, options: ExecutionOptions) -> None:
    if not holds:
        raise ConfigValueError(
            f"The setting {name} must be {_DOMAINS[name]}; it was {getattr(options, name)!r}.",
            f"Correct {name}.",
        )


PLAIN = ExecutionOptions()
