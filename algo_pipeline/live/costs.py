"""What trading cost: each fill beside the close it was decided on, and the fees that the account shows."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pandas as pd

from algo_pipeline.common.types import Side
from algo_pipeline.live.events import Event
from algo_pipeline.live.lines import JournalLine
from algo_pipeline.live.state_records import amount

_NONE = Decimal(0)
_BPS = 1e4


@dataclass(frozen=True, slots=True)
class FillCost:
    """An order that traded, beside the price that it was decided on.

    Parameters
    ----------
    bar : pd.Timestamp
        Open time of the bar in which it filled.
    symbol, side : str
        What was traded, ``buy`` or ``sell``.
    quantity, price, notional_usd : float
        Coin before fees, the average price and their product.
    close : float or None
        Of the bar that was decided on.
    slippage_bps : float or None
        How much worse than that close the price was, in basis points of it; negative where it was better.
    """

    bar: pd.Timestamp
    symbol: str
    side: str
    quantity: float
    price: float
    notional_usd: float
    close: float | None
    slippage_bps: float | None


@dataclass(frozen=True, slots=True)
class SlippageSummary:
    """Fills together; means are weighted by notional, None without a fill whose close is known."""

    n_fills: int
    notional_usd: float
    mean_bps: float | None
    worst_bps: float | None
    cost_usd: float


@dataclass(frozen=True, slots=True)
class FeeSummary:
    """Fees that the broker took, as far as the account has shown them.

    Parameters
    ----------
    fees_usd : float
        What is missing from cash and coin after the fills, coin at the price it was traded at.
    notional_usd : float
        Of the fills that were reconciled since.
    mean_bps : float or None
        Of that notional; None where nothing was.
    """

    fees_usd: float
    notional_usd: float
    mean_bps: float | None


def fill_costs(fills: pd.DataFrame) -> tuple[FillCost, ...]:
    """The costs of :attr:`SessionFigures.fills <algo_pipeline.live.monitoring.SessionFigures>`, oldest first.

    Fills whose price is not known are left out.
    """
    priced = fills[fills["price"].notna()]
    return tuple(_fill_cost(row) for row in priced.to_dict("records"))


def summarize_slippage(costs: Sequence[FillCost]) -> SlippageSummary:
    """All of these fills together."""
    known = [(cost.slippage_bps, cost.notional_usd) for cost in costs if cost.slippage_bps is not None]
    notional = math.fsum(each for _, each in known)
    cost_usd = math.fsum(bps * each for bps, each in known) / _BPS
    return SlippageSummary(
        n_fills=len(costs),
        notional_usd=math.fsum(cost.notional_usd for cost in costs),
        mean_bps=cost_usd / notional * _BPS if notional > 0 else None,
        worst_bps=max((bps for bps, _ in known), default=None),
        cost_usd=cost_usd,
    )


class FeeTally:
    """Fees, from what the account holds after fills and what it would hold without any; taken in line by line.

    No line of the journal states a fee: it is what cash and coin lack when the account is reconciled. What a person
    adopts starts anew.
    """

    def __init__(self) -> None:
        self._cash, self._coin = _NONE, dict[str, Decimal]()
        self._filled: dict[str, tuple[Decimal, Decimal]] = {}
        self._prices: dict[str, Decimal] = {}
        self._open_notional = self._notional = self._fees = _NONE

    def take(self, line: JournalLine) -> None:
        """Count the journal's next line."""
        if line.event is Event.RESULT:
            self._fill(line)
        elif line.event is Event.ADJUSTMENT:
            self._cash += amount(line.details["delta_usd"])
        elif line.event is Event.RECONCILED:
            self._reconcile(line)
        elif line.event is Event.STARTED or (line.event is Event.RESUME and line.details["adopt"]):
            self._open_notional = _NONE
            self._restart(line)

    def summary(self) -> FeeSummary:
        """The fees so far; those of fills that were not reconciled yet are not known."""
        bps = float(self._fees / self._notional) * _BPS if self._notional > 0 else None
        return FeeSummary(float(self._fees), float(self._notional), bps)

    def _fill(self, line: JournalLine) -> None:
        details, order = line.details, str(line.order_id)
        if details["average_price"] is None:
            return
        quantity, price = amount(details["filled_quantity"]), amount(details["average_price"])
        before, notional_before = self._filled.get(order, (_NONE, _NONE))
        self._filled[order] = (quantity, quantity * price)
        coin, notional = quantity - before, quantity * price - notional_before
        sign = 1 if details["side"] == Side.BUY.value else -1
        symbol = str(line.symbol)
        self._prices[symbol] = price
        self._coin[symbol] = self._coin.get(symbol, _NONE) + sign * coin
        self._cash -= sign * notional
        self._open_notional += notional

    def _reconcile(self, line: JournalLine) -> None:
        found = {symbol: amount(quantity) for symbol, quantity in line.details["holdings"].items()}
        lacking = self._cash - amount(line.details["cash"])
        for symbol, price in self._prices.items():
            lacking += (self._coin.get(symbol, _NONE) - found.get(symbol, _NONE)) * price
        self._fees += lacking
        self._notional += self._open_notional
        self._open_notional = _NONE
        self._restart(line)

    def _restart(self, line: JournalLine) -> None:
        self._cash = amount(line.details["cash"])
        self._coin = {symbol: amount(quantity) for symbol, quantity in line.details["holdings"].items()}


def _fill_cost(row: Mapping[Hashable, Any]) -> FillCost:
    price, close = float(row["price"]), float(row["reference"])
    sign = 1.0 if row["side"] == Side.BUY.value else -1.0
    is_known = math.isfinite(close) and close > 0
    return FillCost(
        bar=row["timestamp"],
        symbol=str(row["symbol"]),
        side=str(row["side"]),
        quantity=float(row["quantity"]),
        price=price,
        notional_usd=float(row["notional"]),
        close=close if is_known else None,
        slippage_bps=sign * (price / close - 1.0) * _BPS if is_known else None,
    )
