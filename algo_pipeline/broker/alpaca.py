"""Alpaca's paper account through alpaca-py: with time-outs, without blind retries, and honest about what is unknown.

An order is sent once per call. What Alpaca says with a 4xx is a refusal; a time-out, a reset, a 429, a 5xx, a redirect
or an answer that can't be read is *ambiguous*: the order may be live, and the caller looks it up by its id.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from decimal import Decimal
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, TypeVar

import pandas as pd

from algo_pipeline.broker.auth import PaperAccess
from algo_pipeline.broker.wire import (
    ApiFailure,
    answered,
    order_from,
    position_from,
    says_not_found,
    says_used_id,
)
from algo_pipeline.common.errors import AmbiguousBrokerError, BrokerError, BrokerRefusedError, DataValidationError
from algo_pipeline.common.time import to_utc, utc_now
from algo_pipeline.common.types import Side, Symbol
from algo_pipeline.interfaces.broker import Account, BaseBroker, BrokerOrder, Position
from algo_pipeline.interfaces.market_data import MarketDataSource

_CONNECT_S, _READ_S = 3.0, 10.0
_READ_RETRY_WAITS_S = (0.5, 1.0)
_PAGE_ORDERS = 500
_MAX_CLOCK_SKEW = pd.Timedelta(seconds=30)
_REQUESTS_KEPT_FREE = 10
_LONGEST_PAUSE_S = 60.0
_NO_LONGER_CANCELABLE = frozenset({404, 422})

_Answer = TypeVar("_Answer")


class AlpacaBroker(BaseBroker):
    """One Alpaca paper account, or a sandbox that speaks its protocol.

    Parameters
    ----------
    access : PaperAccess
        From ``auth.require_paper``: nothing else can be traded with.
    market_data : MarketDataSource
        Where :meth:`get_bars` takes bars from.
    wall_clock, sleep : callable
        This machine's clock and how to wait; tests pass their own.
    read_timeout_s : float
        Limit of one answer.
    """

    def __init__(
        self,
        access: PaperAccess,
        market_data: MarketDataSource,
        *,
        wall_clock: Callable[[], pd.Timestamp] = utc_now,
        sleep: Callable[[float], object] = time.sleep,
        read_timeout_s: float = _READ_S,
    ) -> None:
        self._access, self._market_data = access, market_data
        self._wall_clock, self._sleep = wall_clock, sleep
        self._timeout_s = (_CONNECT_S, read_timeout_s)
        self._skew: pd.Timedelta | None = None
        self._pause_s = 0.0

    def now(self) -> pd.Timestamp:
        """On loopback the venue's clock; else this machine's, once it was compared with Alpaca's.

        Raises
        ------
        BrokerError
            If the two are more than 30 s apart.
        """
        if self._access.is_loopback:
            raw = self._read(self._client.get_clock)
            return _parsed(lambda: to_utc(raw["timestamp"]), raw)
        if self._skew is None:
            self._read(self._client.get_clock)
        if self._skew is None or abs(self._skew) > _MAX_CLOCK_SKEW:
            apart = "unknown" if self._skew is None else f"{abs(self._skew).total_seconds():.0f} s"
            raise BrokerError(
                f"This machine's clock and Alpaca's must agree within 30 s; the difference is {apart}.",
                "Set the clock (for example: timedatectl set-ntp true), then run again.",
            )
        return self._wall_clock()

    def get_account(self) -> Account:
        """See :class:`BaseBroker`."""
        raw = self._read(self._client.get_account)
        return _parsed(
            lambda: Account(
                str(raw["id"]),
                Decimal(str(raw["cash"])),
                Decimal(str(raw["equity"])),
                any(raw.get(name) is True for name in ("trading_blocked", "account_blocked")),
            ),
            raw,
        )

    def get_positions(self) -> tuple[Position, ...]:
        """See :class:`BaseBroker`."""
        raw = self._read(self._client.get_all_positions)
        return _parsed(lambda: tuple(position_from(item) for item in _list(raw)), raw)

    def get_bars(self, symbol: Symbol, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        """Closed bars of the market-data source."""
        return self._market_data.fetch_bars(symbol, start, end)

    def place_order(self, symbol: Symbol, quantity: Decimal, side: Side, client_order_id: str) -> BrokerOrder:
        """Send one market IOC order, once. See :class:`BaseBroker`."""
        from alpaca.trading.enums import OrderSide, TimeInForce
        from alpaca.trading.requests import MarketOrderRequest

        order = MarketOrderRequest(
            symbol=str(symbol),
            qty=exact_float(quantity),
            side=OrderSide(side.value),
            time_in_force=TimeInForce.IOC,
            client_order_id=client_order_id,
        )
        try:
            raw = self._call(lambda: self._client.submit_order(order))
        except ApiFailure as failure:
            if failure.is_refusal and not says_used_id(failure):
                raise BrokerRefusedError(
                    f"Alpaca refused the {side.value} of {quantity} {symbol}: {failure.words}",
                    "The order was not taken; see the broker's reason.",
                ) from None
            raise failure.as_ambiguous(f"the {side.value} order {client_order_id}") from None
        placed = _parsed(lambda: order_from(raw), raw)
        if placed.client_order_id != client_order_id:
            raise AmbiguousBrokerError(f"Alpaca answered the order {client_order_id} with another order.")
        return placed

    def find_order(self, client_order_id: str) -> BrokerOrder | None:
        """None only for Alpaca's own 404. See :class:`BaseBroker`."""
        try:
            raw = self._read(lambda: self._client.get_order_by_client_id(client_order_id), raw_failures=True)
        except ApiFailure as failure:
            if says_not_found(failure):
                return None
            raise failure.as_error("looking up an order") from None
        found = _parsed(lambda: order_from(raw), raw)
        if found.client_order_id != client_order_id:
            raise AmbiguousBrokerError(f"Alpaca answered the look-up of {client_order_id} with another order.")
        return found

    def get_open_orders(self) -> tuple[BrokerOrder, ...]:
        """See :class:`BaseBroker`."""
        return self._orders("open", None)

    def get_orders_since(self, since: pd.Timestamp) -> tuple[BrokerOrder, ...]:
        """See :class:`BaseBroker`."""
        orders = self._orders("all", since - pd.Timedelta(microseconds=1))
        return tuple(order for order in orders if order.created_at is None or order.created_at >= since)

    def cancel_order(self, order: BrokerOrder) -> None:
        """See :class:`BaseBroker`."""
        try:
            self._call(lambda: self._client.cancel_order_by_id(order.broker_order_id))
        except ApiFailure as failure:
            if failure.status not in _NO_LONGER_CANCELABLE:
                raise failure.as_error(f"cancelling {order.client_order_id}") from None

    @cached_property
    def _client(self) -> Any:
        from alpaca.trading.client import TradingClient

        timeout_s, pace, observe = self._timeout_s, self._pace, self._observe

        class PatientClient(TradingClient):
            """With a time-out on every request and without the client's own retries, which repeat orders."""

            def _one_request(self, method: str, url: str, opts: dict[str, Any], retry: int) -> Any:
                del retry
                pace()
                return super()._one_request(method, url, {**opts, "timeout": timeout_s}, 0)

            def prepare(self, *, trust_env: bool) -> None:
                self._session.hooks["response"].append(observe)
                self._session.trust_env = trust_env
                self._session.auth = _as_it_is  # else a .netrc of this machine's user would be sent along

        client = PatientClient(
            self._access.api_key.get_secret_value(),
            self._access.secret_key.get_secret_value(),
            raw_data=True,
            url_override=self._access.trading_url,
        )
        # A proxy named in the environment must not see keys on their way to this machine itself.
        client.prepare(trust_env=not self._access.is_loopback)
        return client

    def _observe(self, response: Any, *_: object, **__: object) -> None:
        """Note the server's clock and how many requests this minute still allows."""
        headers = response.headers
        try:
            self._skew = self._wall_clock() - to_utc(parsedate_to_datetime(headers["Date"]))
        except (KeyError, ValueError, TypeError):
            self._skew = None
        try:
            remaining, reset_s = int(headers["X-Ratelimit-Remaining"]), float(headers["X-Ratelimit-Reset"])
            until_reset_s = reset_s - self._wall_clock().timestamp()
            self._pause_s = until_reset_s if remaining < _REQUESTS_KEPT_FREE else 0.0
        except (KeyError, ValueError):
            self._pause_s = 0.0

    def _pace(self) -> None:
        if self._pause_s > 0 and not self._access.is_loopback:
            self._sleep(min(self._pause_s, _LONGEST_PAUSE_S))
            self._pause_s = 0.0

    def _orders(self, status: str, after: pd.Timestamp | None) -> tuple[BrokerOrder, ...]:
        """All pages, oldest first; a page starts where the last one ended, so that none is lost between two."""
        found: dict[str, BrokerOrder] = {}
        while True:
            raw = self._read(lambda after=after: self._page_of_orders(status, after))  # type: ignore[misc]
            page = _parsed(lambda raw=raw: [order_from(item) for item in _list(raw)], raw)  # type: ignore[misc]
            new = [order for order in page if order.broker_order_id not in found]
            found |= {order.broker_order_id: order for order in new}
            if len(page) < _PAGE_ORDERS or not new or new[-1].created_at is None:
                return tuple(found.values())
            after = new[-1].created_at - pd.Timedelta(microseconds=1)

    def _page_of_orders(self, status: str, after: pd.Timestamp | None) -> Any:
        from alpaca.common.enums import Sort
        from alpaca.trading.enums import QueryOrderStatus
        from alpaca.trading.requests import GetOrdersRequest

        request = GetOrdersRequest(
            status=QueryOrderStatus(status),
            limit=_PAGE_ORDERS,
            direction=Sort.ASC,
            after=None if after is None else after.to_pydatetime(warn=False),
        )
        return self._client.get_orders(request)

    def _read(self, request: Callable[[], _Answer], *, raw_failures: bool = False) -> _Answer:
        """A question, asked again at most twice where the failure may pass; never used for an order."""
        for wait_s in (*_READ_RETRY_WAITS_S, None):
            try:
                return self._call(request)
            except ApiFailure as failure:
                if failure.is_refusal or wait_s is None:
                    if raw_failures:
                        raise
                    raise failure.as_error("asking for the account") from None
                self._sleep(wait_s)
        raise AssertionError  # pragma: no cover - the loop always returns or raises

    def _call(self, request: Callable[[], _Answer]) -> _Answer:
        return answered(request, secrets=(self._access.api_key, self._access.secret_key))


def exact_float(quantity: Decimal) -> float:
    """The double that JSON writes as this quantity; where none does, the nearest one below.

    The venue itself said how much it holds, so that a sale of all of it is not cut to any number of decimals.

    Raises
    ------
    DataValidationError
        If it isn't positive.
    """
    value = float(quantity)
    while Decimal(repr(value)) > quantity:
        value = math.nextafter(value, 0.0)
    if not value > 0.0:
        raise DataValidationError(f"An order needs a positive quantity; it was {quantity}.", "Drop the order.")
    return value


def _as_it_is(request: Any) -> Any:
    return request


def _list(raw: Any) -> list[Any]:
    if not isinstance(raw, list):
        raise TypeError("a list is expected")
    return raw


def _parsed(parse: Callable[[], _Answer], raw: Any) -> _Answer:
    try:
        return parse()
    except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        shown = str(raw)[:80]
        raise AmbiguousBrokerError(
            f"Alpaca answered with something that can't be read: {shown!r}.", "Look again."
        ) from error
