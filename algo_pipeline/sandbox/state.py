"""The account and the clock as one JSON document, and the file that keeps it through a restart."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from algo_pipeline.common.errors import AccountingError, CorruptFileError
from algo_pipeline.common.storage import read_checked_json, write_checked_json
from algo_pipeline.common.types import Side, Symbol
from algo_pipeline.sandbox.clock import ClockState
from algo_pipeline.sandbox.ledger import Ledger
from algo_pipeline.sandbox.orders import (
    Holding,
    LedgerFill,
    OrderRequest,
    OrderType,
    TimeInForce,
    Transfer,
    VenueOrder,
)
from algo_pipeline.sandbox.venue import Venue

_VERSION = 1


def snapshot(venue: Venue) -> dict[str, Any]:
    """Everything that a restart needs but the bars; decimals as text, faults and the request log left out."""
    ledger, clock = venue.ledger, venue.clock.state
    return {
        "version": _VERSION,
        "clock": {"at_ns": venue.clock.now_ns() if clock.speed == 0 else clock.at_ns, **_rest_of(clock)},
        "n_accounts": venue.n_accounts,
        "account_id": ledger.account_id,
        "opened_ns": ledger.opened_ns,
        "blocked": ledger.blocked,
        "cash": str(ledger.cash),
        "holdings": {str(symbol): _holding(ledger, symbol) for symbol in ledger.held_symbols()},
        "orders": [_order(order) for order in ledger.orders],
        "fills": [fill_document(fill) for fill in ledger.fills],
        "transfers": [transfer_document(transfer) for transfer in ledger.transfers],
    }


def restore(venue: Venue, document: Any) -> None:
    """Take up what :func:`snapshot` made.

    Raises
    ------
    CorruptFileError
        If it is something else, does not add up, or holds symbols that this sandbox has no bars of.
    """
    try:
        if document["version"] != _VERSION:
            raise ValueError(f"version {document['version']}")
        clock, ledger = _read_clock(document["clock"]), _read_ledger(document)
        n_accounts = int(document["n_accounts"])
    except (KeyError, TypeError, ValueError, ArithmeticError, AccountingError) as error:
        raise CorruptFileError(
            f"This is no snapshot of a sandbox: {type(error).__name__} {error}", "Start without it."
        ) from error
    _require_known(venue, ledger)
    venue.clock.restore(clock)
    venue.restore(ledger, n_accounts)


class StateKeeper:
    """Writes a snapshot after every change, and reads it at the start.

    Parameters
    ----------
    path : Path or None
        The file; None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._kept: object = None

    def take_up(self, venue: Venue) -> None:
        """Restore the file if there is one.

        Raises
        ------
        CorruptFileError
            If it is damaged or belongs to another sandbox.
        """
        if self._path is not None and self._path.exists():
            restore(venue, read_checked_json(self._path))
        self.keep(venue)

    def keep(self, venue: Venue) -> None:
        """Write the file if something has changed since it was written."""
        present = (venue.n_changes, venue.clock.state)
        if self._path is not None and present != self._kept:
            write_checked_json(self._path, snapshot(venue))
            self._kept = present


def fill_document(fill: LedgerFill) -> dict[str, Any]:
    """A fill as JSON."""
    return {
        "at_ns": fill.at_ns,
        "order_id": fill.order_id,
        "client_order_id": fill.client_order_id,
        "symbol": str(fill.symbol),
        "side": fill.side.value,
        "quantity": str(fill.quantity),
        "price": str(fill.price),
        "fee": str(fill.fee),
        "fee_in_coin": str(fill.fee_in_coin),
    }


def transfer_document(transfer: Transfer) -> dict[str, Any]:
    """A transfer as JSON; ``symbol`` null for cash."""
    symbol = None if transfer.symbol is None else str(transfer.symbol)
    return {"at_ns": transfer.at_ns, "symbol": symbol, "amount": str(transfer.amount)}


def _rest_of(clock: ClockState) -> dict[str, Any]:
    return {"wall_ns": clock.wall_ns, "speed": clock.speed}


def _holding(ledger: Ledger, symbol: Symbol) -> dict[str, str]:
    holding = ledger.holding(symbol)
    return {"quantity": str(holding.quantity), "cost": str(holding.cost)}


def _order(order: VenueOrder) -> dict[str, Any]:
    request = order.request
    return {
        "id": order.id,
        "client_order_id": request.client_order_id,
        "symbol": str(request.symbol),
        "side": request.side.value,
        "type": request.type.value,
        "time_in_force": request.time_in_force.value,
        "quantity": _text(request.quantity),
        "notional": _text(request.notional),
        "limit": _text(request.limit),
        "created_ns": order.created_ns,
        "updated_ns": order.updated_ns,
        "watched_ns": order.watched_ns,
        "reserve_price": str(order.reserve_price),
        "status": order.status,
        "filled_quantity": str(order.filled_quantity),
        "average_price": _text(order.average_price),
        "filled_ns": order.filled_ns,
        "canceled_ns": order.canceled_ns,
    }


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _read_clock(document: Mapping[str, Any]) -> ClockState:
    return ClockState(int(document["at_ns"]), int(document["wall_ns"]), float(document["speed"]))


def _read_ledger(document: Mapping[str, Any]) -> Ledger:
    ledger = Ledger(str(document["account_id"]), int(document["opened_ns"]))
    ledger.blocked = bool(document["blocked"])
    holdings = {
        Symbol.parse(name): Holding(Decimal(kept["quantity"]), Decimal(kept["cost"]))
        for name, kept in document["holdings"].items()
    }
    ledger.restore(
        Decimal(document["cash"]),
        holdings,
        map(_read_order, document["orders"]),
        map(_read_fill, document["fills"]),
        map(_read_transfer, document["transfers"]),
    )
    return ledger


def _read_order(kept: Mapping[str, Any]) -> VenueOrder:
    request = OrderRequest(
        Symbol.parse(kept["symbol"]),
        Side(kept["side"]),
        OrderType(kept["type"]),
        TimeInForce(kept["time_in_force"]),
        _decimal(kept["quantity"]),
        _decimal(kept["notional"]),
        _decimal(kept["limit"]),
        kept["client_order_id"],
    )
    return VenueOrder(
        kept["id"],
        request,
        kept["created_ns"],
        kept["updated_ns"],
        kept["watched_ns"],
        Decimal(kept["reserve_price"]),
        kept["status"],
        Decimal(kept["filled_quantity"]),
        _decimal(kept["average_price"]),
        kept["filled_ns"],
        kept["canceled_ns"],
    )


def _read_fill(kept: Mapping[str, Any]) -> LedgerFill:
    return LedgerFill(
        kept["at_ns"],
        kept["order_id"],
        kept["client_order_id"],
        Symbol.parse(kept["symbol"]),
        Side(kept["side"]),
        *(Decimal(kept[name]) for name in ("quantity", "price", "fee", "fee_in_coin")),
    )


def _read_transfer(kept: Mapping[str, Any]) -> Transfer:
    symbol = None if kept["symbol"] is None else Symbol.parse(kept["symbol"])
    return Transfer(kept["at_ns"], symbol, Decimal(kept["amount"]))


def _require_known(venue: Venue, ledger: Ledger) -> None:
    symbols = {*ledger.held_symbols(), *(order.request.symbol for order in ledger.orders)}
    strange = sorted(str(symbol) for symbol in symbols if symbol not in venue.market)
    if strange:
        raise CorruptFileError(
            f"The snapshot holds {', '.join(strange)}, which this sandbox has no bars of.",
            "Start the sandbox with those symbols, or without the snapshot.",
        )
