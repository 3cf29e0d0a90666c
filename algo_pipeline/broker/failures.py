"""Answers of Alpaca's trading API: the document of a good one; refused, not found or unknown for any other."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from algo_pipeline.common.errors import AmbiguousBrokerError, BrokerError, BrokerRefusedError

_SUCCESSES = range(200, 300)
_BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _UNPROCESSABLE = 400, 401, 403, 404, 422
_REFUSALS = frozenset({_BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _UNPROCESSABLE})
_PASSING = frozenset({408, 425, 429})
_FIRST_SERVER_ERROR = 500
_ORDER_NOT_FOUND = 40_410_000
_ID_WORDS = ("client_order_id", "client order id")
_USED_WORDS = ("unique", "exist", "duplicate", "already")
_SHOWN_CHARACTERS = 200
_KEYS_REMEDY = (
    "Check ALGO_TRADER_ALPACA_API_KEY and ALGO_TRADER_ALPACA_SECRET_KEY; a reset of the paper account ends its keys."
)


class ApiFailure(Exception):  # noqa: N818 - not an error that leaves this package
    """A request without a usable answer.

    Parameters
    ----------
    status : int or None
        HTTP status; None where there was no answer.
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

    @property
    def is_denial(self) -> bool:
        """Whether the keys are the reason: a 403 about the account's means carries a code."""
        is_forbidden = self.status == _FORBIDDEN and self.body is not None and "code" not in self.body
        return self.status == _UNAUTHORIZED or is_forbidden

    @property
    def is_passing(self) -> bool:
        """Whether the same question may be answered a moment later."""
        if self.status is None or self.status in _SUCCESSES:
            return True
        return self.status in _PASSING or self.status >= _FIRST_SERVER_ERROR

    @property
    def says_not_found(self) -> bool:
        """Whether this is Alpaca's own word that an order does not exist, and not some other 404."""
        if self.status != _NOT_FOUND or self.body is None:
            return False
        return self.body.get("code") == _ORDER_NOT_FOUND or "order not found" in self._message

    @property
    def says_used_id(self) -> bool:
        """Whether the client order id was used before, so that the order may exist."""
        is_about_it = any(words in self._message for words in _ID_WORDS)
        return is_about_it and any(words in self._message for words in _USED_WORDS)

    @property
    def remedy(self) -> str:
        """What to do about a refusal."""
        return _KEYS_REMEDY if self.is_denial else ""

    def as_ambiguous(self, what: str) -> AmbiguousBrokerError:
        """The error for something that may have happened."""
        return AmbiguousBrokerError(
            f"It is unknown whether Alpaca took {what}: {self.words}.", "Look it up by its id before anything else."
        )

    def as_error(self, doing: str, remedy: str) -> BrokerError:
        """The error for a question; ``remedy`` is for one without a clear answer."""
        if self.is_refusal:
            return BrokerRefusedError(f"Alpaca refused {doing}: {self.words}.", self.remedy)
        return AmbiguousBrokerError(f"Alpaca gave no usable answer when {doing}: {self.words}.", remedy)

    @property
    def _message(self) -> str:
        return str((self.body or {}).get("message", "")).lower()


def document_of(status: int, content: bytes, mask: Callable[[str], str]) -> Any:
    """The JSON of a good answer, its numbers as exact decimals; None where a good answer has no body.

    Parameters
    ----------
    status : int
        HTTP status.
    content : bytes
        The whole body.
    mask : callable
        Takes secrets out of a text.

    Raises
    ------
    ApiFailure
        For any other status, redirects included, and for what is not JSON.
    """
    document, is_json = _read(content)
    if status in _SUCCESSES and (is_json or not content):
        return document
    body = document if isinstance(document, dict) else None
    raise ApiFailure(status, body, _words(status, body, mask))


def _words(status: int, body: Mapping[str, Any] | None, mask: Callable[[str], str]) -> str:
    if body is not None and "message" in body:
        return f"{mask(str(body['message']))[:_SHOWN_CHARACTERS].rstrip('. ')} (HTTP {status})"
    return f"HTTP {status} with something that can't be read" if status in _SUCCESSES else f"HTTP {status}"


def _read(content: bytes) -> tuple[Any, bool]:
    try:
        return json.loads(content, parse_float=Decimal), True
    except ValueError:
        return None, False
