"""What Alpaca's answers mean: JSON to our records, and failures to refused, not found or unknown."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import SecretStr

from algo_pipeline.common.errors import AmbiguousBrokerError, BrokerError, BrokerRefusedError
from algo_pipeline.common.logger import SecretMasker
from algo_pipeline.common.time import to_utc
from algo_pipeline.common.types import Side, Symbol
from algo_pipeline.interfaces.broker import BrokerOrder, Position

_REFUSALS = frozenset({400, 401, 403, 404, 422})
_ORDER_NOT_FOUND = 40_410_000
_QUOTES = ("USDT", "USDC", "USD", "BTC")
_SHOWN_CHARACTERS = 200

_Answer = TypeVar("_Answer")


class ApiFailure(Exception):  # noqa: N818 - not an error that leaves this package
    """A request without a usable answer.

    Parameters
    ----------
    status : int or None
        HTTP status; None where there was none.
    body : mapping or None
        The answer's JSON object, if it was one.
    words : str
        What to show, without secrets.
    """

    def __init__(self, status: int | None, body: Mapping[str, Any] | None, words: str) -> None:
        super().__init__(words)
        self.status, self.body, self.words = status, body, words

    @property
    def is_refusal(self) -> bool:
        """Whether Alpaca itself said no: a 4xx with a reason in JSON, not a proxy's page."""
        return self.status in _REFUSALS and self.body is not None and "message" in self.body

    def as_ambiguous(self, what: str) -> AmbiguousBrokerError:
        """The error for something that may have happened."""
        return AmbiguousBrokerError(
            f"It is unknown whether Alpaca took {what}: {self.words}.", "Look it up by its id before anything else."
        )

    def as_error(self, doing: str) -> BrokerError:
        """The error for a question."""
        if self.is_refusal:
            remedy = "Check ALGO_TRADER_ALPACA_API_KEY and ALGO_TRADER_ALPACA_SECRET_KEY." if self.is_denial else ""
            return BrokerRefusedError(f"Alpaca refused {doing}: {self.words}.", remedy)
        return AmbiguousBrokerError(f"Alpaca gave no usable answer when {doing}: {self.words}.", "Try again.")

    @property
    def is_denial(self) -> bool:
        """Whether the keys are the reason."""
        return self.status in (401, 403)


def answered(request: Callable[[], _Answer], secrets: tuple[SecretStr, ...]) -> _Answer:
    """Make one request of alpaca-py; every way in which it can fail becomes an :class:`ApiFailure`."""
    import requests
    from alpaca.common.exceptions import APIError

    mask = SecretMasker(tuple(secret.get_secret_value() for secret in secrets)).mask
    try:
        return request()
    except APIError as error:
        status, text = error.status_code, str(error)
        body = _json_object(text)
        words = str(body["message"]) if body and "message" in body else f"HTTP {status}"
        raise ApiFailure(status, body, mask(words[:_SHOWN_CHARACTERS])) from None
    except (requests.RequestException, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ApiFailure(None, None, type(error).__name__) from None


def says_not_found(failure: ApiFailure) -> bool:
    """Whether this is Alpaca's own word that an order does not exist, and not some other 404."""
    if failure.status != 404 or failure.body is None:
        return False
    return failure.body.get("code") == _ORDER_NOT_FOUND or "order not found" in failure.words.lower()


def says_used_id(failure: ApiFailure) -> bool:
    """Whether the client order id was used before, so that the order may exist."""
    return failure.status == 422 and "client_order_id" in failure.words and "unique" in failure.words


def order_from(raw: Mapping[str, Any]) -> BrokerOrder:
    """Read an order; the symbol in either spelling."""
    average = raw.get("filled_avg_price")
    created = raw.get("submitted_at") or raw.get("created_at")
    return BrokerOrder(
        client_order_id=str(raw["client_order_id"]),
        broker_order_id=str(raw["id"]),
        symbol=symbol_from(str(raw["symbol"])),
        side=Side(raw["side"]),
        quantity=Decimal(str(raw["qty"])) if raw.get("qty") is not None else Decimal(0),
        filled_quantity=Decimal(str(raw.get("filled_qty") or 0)),
        average_price=None if average is None else Decimal(str(average)),
        status=str(raw["status"]),
        created_at=None if created is None else to_utc(created),
    )


def position_from(raw: Mapping[str, Any]) -> Position:
    """Read a position."""
    quantity = Decimal(str(raw["qty"]))
    available = raw.get("qty_available")
    return Position(
        symbol_from(str(raw["symbol"])), quantity, quantity if available is None else Decimal(str(available))
    )


def symbol_from(text: str) -> Symbol:
    """``BTC/USD`` or ``BTCUSD``; what has no known quote, such as a stock, is read as quoted in USD."""
    if "/" in text:
        return Symbol.parse(text)
    quote = next((quote for quote in _QUOTES if text.endswith(quote) and len(text) > len(quote)), None)
    return Symbol(text, "USD") if quote is None else Symbol(text.removesuffix(quote), quote)


def _json_object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
