"""The limits of live trading beyond the strategy's own: decision delay, order cap, price bands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.time import BAR
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.live.state import LiveState

_STRATEGY_NAME = re.compile(r"[a-z][a-z0-9]{0,6}")


def _live_config() -> BacktestConfig:
    return BacktestConfig(fee_in_base=True, cash_buffer_bps=50.0)


@dataclass(frozen=True, slots=True)
class LiveRules:
    """The rules of one live account.

    Parameters
    ----------
    trading : BacktestConfig
        Sizing, costs and risk, as in a backtest; the thresholds are the champion's own.
    max_decision_delay_s : float
        Seconds after a bar's close within which its orders may be sent, in (0, 3600].
    max_orders_per_day : int
        Orders of one UTC day after which no entry is sent; exits always pass.
    price_band_bps : float
        A close further than this from the close before is traded on only if a second source confirms it.
    price_check_bps : float
        How far the second source's price may lie from the close.
    strategy : str
        Start of every order id, by which the account's orders are known as this program's: 1-7 of a-z and 0-9.
    drift_abstention : bool
        Whether an alarm over a symbol's probabilities or features keeps it from entries.
    is_loopback : bool
        Whether the broker is a sandbox on this machine; a champion of simulated bars trades nowhere else.

    Raises
    ------
    ConfigValueError
        If a value lies outside its domain.
    """

    trading: BacktestConfig = field(default_factory=_live_config)
    max_decision_delay_s: float = 600.0
    max_orders_per_day: int = 100
    price_band_bps: float = 2500.0
    price_check_bps: float = 500.0
    strategy: str = "algo"
    drift_abstention: bool = True
    is_loopback: bool = False

    def __post_init__(self) -> None:
        _require(0 < self.max_decision_delay_s <= 3600, "max_decision_delay_s", "in (0, 3600]", self)
        _require(self.max_orders_per_day >= 1, "max_orders_per_day", ">= 1", self)
        _require(self.price_band_bps > 0, "price_band_bps", "> 0", self)
        _require(self.price_check_bps > 0, "price_check_bps", "> 0", self)
        _require(_STRATEGY_NAME.fullmatch(self.strategy) is not None, "strategy", "1-7 of a-z and 0-9", self)

    @property
    def max_decision_delay(self) -> pd.Timedelta:
        """:attr:`max_decision_delay_s` as a time span."""
        return pd.Timedelta(seconds=self.max_decision_delay_s)

    def deadline(self, bar: pd.Timestamp) -> pd.Timestamp:
        """Until when orders decided on this bar may be sent."""
        return bar + BAR + self.max_decision_delay


def price_breach(close: float, references: Sequence[float], second: float | None, rules: LiveRules) -> str | None:
    """Why a close is not believed; None if it is.

    Parameters
    ----------
    close : float
        The bar's close.
    references : sequence of float
        The last close that was believed, and the close of the bar before; near either of them is near enough, so
        that neither one bad bar nor the jump to a new level blocks the bars after it.
    second : float or None
        The second source's price, if it answered.
    """
    if not references or any(_apart_bps(close, each) <= rules.price_band_bps for each in references):
        return None
    if second is not None and _apart_bps(close, second) <= rules.price_check_bps:
        return None
    opinion = "no second source confirms it" if second is None else f"the second source says {second:g}"
    return (
        f"close {close:g} is {_apart_bps(close, references[0]):.0f} bps from the last one, more than "
        f"{rules.price_band_bps:g}, and {opinion}"
    )


def entry_breach(close: float, second: float | None, rules: LiveRules) -> str | None:
    """Why an entry at this close is refused by the second source; None if it agrees or does not answer."""
    if second is None or _apart_bps(close, second) <= rules.price_check_bps:
        return None
    return (
        f"close {close:g} is {_apart_bps(close, second):.0f} bps from the second source's {second:g}, "
        f"more than {rules.price_check_bps:g}"
    )


def orders_left(state: LiveState, now: pd.Timestamp, rules: LiveRules) -> int:
    """Orders that the UTC day still allows before entries stop; never negative."""
    date, n_orders = state.orders_today
    today = n_orders if date == now.date().isoformat() else 0
    return max(rules.max_orders_per_day - today, 0)


def _apart_bps(price: float, reference: float) -> float:
    return abs(price / reference - 1.0) * 1e4 if reference > 0 else float("inf")


def _require(holds: bool, name: str, expected: str, rules: LiveRules) -> None:
    if not holds:
        raise ConfigValueError(f"{name} must be {expected}; it was {getattr(rules, name)!r}.", f"Correct {name}.")
