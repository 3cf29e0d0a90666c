"""Alpaca's JSON as our records, and a quantity as the JSON number that Alpaca reads."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pandas as pd

from algo_pipeline.common.errors import DataValidationError
from algo_pipeline.common.time import to_utc
from algo_pipeline.common.types import Side, Symbol
from algo_pipeline.interfaces.broker import Account, BrokerOrder, Position

_CRYPTO = "crypto"
_QUOTES = ("USDT", "USDC", "USD", "BTC")
_NOT_IN_SYMBOLS = re.compile(r"[^A-Z0-9]")
_LONGEST_PART = 15
_BLOCKS = ("trading_blocked", "account_blocked", "trade_suspended_by_user")


def account_from(raw: Mapping[str, Any]) -> Account:
    """Read the account."""
    blocked = any(raw.get(name) is True for name in _BLOCKS)
    return Account(_text(raw, "id"), _number(raw["cash"]), _number(raw["equity"]), blocked)


def positions_from(raw: Any) -> tuple[Position, ...]:
    """Read all positions."""
    return tuple(_position_from(item) for item in _list(raw))


def orders_from(raw: Any) -> tuple[BrokerOrder, ...]:
    """Read a list of orders."""
    return tuple(order_from(item) for item in _list(raw))


def order_from(raw: Mapping[str, Any]) -> BrokerOrder:
    """Read an order; any status, the symbol in either spelling.

    An order of another asset class is somebody else's: it is read as far as it can be, so that it hides no other.
    """
    average, quantity = raw.get("filled_avg_price"), raw.get("qty")
    return BrokerOrder(
        client_order_id=_text(raw, "client_order_id"),
        broker_order_id=_text(raw, "id"),
        symbol=symbol_from(str(raw["symbol"]), raw.get("asset_class")),
        side=_side(raw),
        quantity=Decimal(0) if quantity is None else _number(quantity),
        filled_quantity=_number(raw.get("filled_qty") or 0),
        average_price=None if average is None else _number(average),
        status=_text(raw, "status"),
        created_at=_created_at(raw),
    )


def clock_from(raw: Mapping[str, Any]) -> pd.Timestamp:
    """Read the clock."""
    return to_utc(_text(raw, "timestamp"))


def symbol_from(text: str, asset_class: str | None = _CRYPTO) -> Symbol:
    """Read ``BTC/USD``, or a position's ``BTCUSD``.

    Other asset classes become the quote, ``BTC/USEQUITY``: BTC, ETH and SOL are stocks as well, and must never be taken
    for the coins.
    """
    if asset_class in (_CRYPTO, None):
        if "/" in text:
            return Symbol.parse(text)
        quote = next((quote for quote in _QUOTES if text.endswith(quote) and text != quote), None)
        if quote is not None:
            return Symbol.parse(f"{text.removesuffix(quote)}/{quote}")
    return Symbol(_part(text), _part(asset_class or "unknown"))


def exact_float(quantity: Decimal) -> float:
    """The double that JSON writes as this quantity; where none does, the nearest one below.

    The venue itself said how much it holds, so that a sale of all of it is not cut to any number of decimals.

    Raises
    ------
    DataValidationError
        If it is not a positive number.
    """
    value = float(quantity) if quantity.is_finite() else math.nan
    while Decimal(repr(value)) > quantity if math.isfinite(value) else False:
        value = math.nextafter(value, 0.0)
    if not 0.0 < value < math.inf:
        raise DataValidationError(f"An order needs a positive quantity; it was {quantity}.", "Drop the order.")
    return value


def _position_from(raw: Mapping[str, Any]) -> Position:
    quantity, available = _number(raw["qty"]), raw.get("qty_available")
    symbol = symbol_from(str(raw["symbol"]), raw.get("asset_class"))
    return Position(symbol, quantity, quantity if available is None else _number(available))


def _side(raw: Mapping[str, Any]) -> Side:
    """The side; several legs of options have none of their own."""
    if raw.get("asset_class") in (_CRYPTO, None):
        return Side(raw["side"])
    return Side.SELL if str(raw.get("side")).startswith(Side.SELL.value) else Side.BUY


def _created_at(raw: Mapping[str, Any]) -> pd.Timestamp | None:
    created = raw.get("submitted_at") or raw.get("created_at")
    return None if created is None else to_utc(created)


def _number(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise TypeError(f"a number is expected, not {value!r}")
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError(f"a finite number is expected, not {value!r}")
    return number


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw[name]
    if not isinstance(value, str) or not value:
        raise TypeError(f"{name} should be text, not {value!r}")
    return value


def _list(raw: Any) -> list[Any]:
    if not isinstance(raw, list):
        raise TypeError("a list is expected")
    return raw


def _part(text: str) -> str:
    return _NOT_IN_SYMBOLS.sub("", text.upper())[:_LONGEST_PART] or "UNKNOWN"
