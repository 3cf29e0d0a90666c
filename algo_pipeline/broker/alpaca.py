"""Alpaca's paper account through alpaca-py: with time-outs, without blind retries, and honest about what is unknown.

An order is sent once per call. What Alpaca says with a 4xx is a refusal; a time-out, a reset, a 429, a 5xx, a redirect
or an answer that can't be read is *ambiguous*: the order may be live, and the caller looks it up by its id.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from decimal import Decimal
from functools import cached_property, partial
from typing import Any, TypeVar

import pandas as pd

from algo_pipeline.broker.auth import PaperAccess
from algo_pipeline.broker.failures import ApiFailure, document_of
from algo_pipeline.broker.headers import HeaderWatch
from algo_pipeline.broker.wire import (
    account_from,
    clock_from,
    exact_float,
    order_from,
    orders_from,
    positions_from,
)
from algo_pipeline.common.errors import AmbiguousBrokerError, BrokerError, BrokerRefusedError, PaperOnlyError
from algo_pipeline.common.logger import SecretMasker
from algo_pipeline.common.time import utc_now
from algo_pipeline.common.types import Side, Symbol
from algo_pipeline.interfaces.broker import Account, BaseBroker, BrokerOrder, Position
from algo_pipeline.interfaces.market_data import MarketDataSource

_CONNECT_S, _READ_S = 3.0, 10.0
_RETRY_WAITS_S = (0.5, 1.0)
_RETRY_WITHIN_S = 12.0
_PAGE_ORDERS = 500
_SHOWN_CHARACTERS = 80
_NO_LONGER_CANCELABLE = frozenset({404, 422})
_NO_SANDBOX = "Start it: `algo-pipeline sandbox`."
_NO_ALPACA = "Check the network and Alpaca's status page, then run again."

_Answer = TypeVar("_Answer")


class AlpacaBroker(BaseBroker):
    """One Alpaca paper account, or a sandbox that speaks its protocol.

    Questions and cancellations are asked again, at most twice and within a dozen seconds, where the failure may pass;
    they wait where fewer than ten requests of Alpaca's minute are left. Orders do neither.

    A proxy of the environment is used for Alpaca, where it sees an encrypted tunnel only, and never on loopback; a
    ``.netrc`` is not read.

    Parameters
    ----------
    access : PaperAccess
        From ``auth.require_paper``: nothing else can be traded with.
    market_data : MarketDataSource
        Where :meth:`get_bars` takes bars from.
    wall_clock, sleep, elapsed_s : callable
        This machine's clock, how to wait, and seconds since some moment; tests pass their own.
    read_timeout_s : float
        Limit of one answer's silence.
    """

    def __init__(
        self,
        access: PaperAccess,
        market_data: MarketDataSource,
        *,
        wall_clock: Callable[[], pd.Timestamp] = utc_now,
        sleep: Callable[[float], object] = time.sleep,
        elapsed_s: Callable[[], float] = time.monotonic,
        read_timeout_s: float = _READ_S,
    ) -> None:
        self._access, self._market_data = access, market_data
        self._wall_clock, self._sleep, self._elapsed_s = wall_clock, sleep, elapsed_s
        self._timeout_s = (_CONNECT_S, read_timeout_s)
        self._headers = HeaderWatch(wall_clock)
        self._mask = SecretMasker(key.get_secret_value() for key in (access.api_key, access.secret_key)).mask

    def now(self) -> pd.Timestamp:
        """On loopback the venue's clock; else this machine's, once it was compared with Alpaca's.

        Raises
        ------
        BrokerError
            If the two are more than 30 s apart.
        """
        if self._access.is_loopback:
            return self._answer("asking for the time", self._client.get_clock, clock_from)
        if not self._headers.clocks_agree:
            self._answer("asking for the time", self._client.get_clock, clock_from)
        if not self._headers.clocks_agree:
            skew = self._headers.skew
            apart = "unknown" if skew is None else f"{abs(skew).total_seconds():.0f} s"
            raise BrokerError(
                f"This machine's clock and Alpaca's must agree within 30 s; the difference is {apart}.",
                "Set the clock (for example: timedatectl set-ntp true), then run again.",
            )
        return self._wall_clock()

    def get_account(self) -> Account:
        """See :class:`BaseBroker`."""
        return self._answer("asking for the account", self._client.get_account, account_from)

    def get_positions(self) -> tuple[Position, ...]:
        """See :class:`BaseBroker`."""
        return self._answer("asking for the positions", self._client.get_all_positions, positions_from)

    def get_bars(self, symbol: Symbol, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        """Closed bars of the market-data source."""
        return self._market_data.fetch_bars(symbol, start, end)

    def place_order(self, symbol: Symbol, quantity: Decimal, side: Side, client_order_id: str) -> BrokerOrder:
        """Send one market IOC order, once. See :class:`BaseBroker`."""
        from alpaca.trading.enums import OrderSide, TimeInForce
        from alpaca.trading.requests import MarketOrderRequest

        client = self._client  # made here: what fails before the request is not ambiguous
        order = MarketOrderRequest(
            symbol=str(symbol),
            qty=exact_float(quantity),
            side=OrderSide(side.value),
            time_in_force=TimeInForce.IOC,
            client_order_id=client_order_id,
        )
        try:
            raw = self._asked_once(partial(client.submit_order, order))
        except ApiFailure as failure:
            if failure.is_refusal and not failure.says_used_id:
                raise BrokerRefusedError(
                    f"Alpaca refused the {side.value} of {quantity} {symbol}: {failure.words}.", failure.remedy
                ) from None
            raise failure.as_ambiguous(f"the {side.value} order {client_order_id}") from None
        return self._same_order(self._parsed(order_from, raw), client_order_id)

    def find_order(self, client_order_id: str) -> BrokerOrder | None:
        """None only for Alpaca's own 404; whatever else is no order is ambiguous. See :class:`BaseBroker`."""
        doing = f"looking up the order {client_order_id}"
        try:
            raw = self._asked(partial(self._client.get_order_by_client_id, client_order_id))
        except ApiFailure as failure:
            if failure.says_not_found:
                return None
            raise AmbiguousBrokerError(
                f"Alpaca gave no usable answer when {doing}: {failure.words}.", failure.remedy or self._remedy
            ) from None
        return self._same_order(self._parsed(order_from, raw), client_order_id)

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
            self._asked(partial(self._client.cancel_order_by_id, order.broker_order_id))
        except ApiFailure as failure:
            if not (failure.is_refusal and failure.status in _NO_LONGER_CANCELABLE):
                raise failure.as_error(f"cancelling {order.client_order_id}", self._remedy) from None

    @property
    def _remedy(self) -> str:
        return _NO_SANDBOX if self._access.is_loopback else _NO_ALPACA

    @cached_property
    def _client(self) -> Any:
        return _paper_client(self._access, self._timeout_s, self._headers, self._mask)

    def _orders(self, status: str, after: pd.Timestamp | None) -> tuple[BrokerOrder, ...]:
        """All pages, oldest first; a page starts where the last one ended, so that none is lost between two."""
        found: dict[str, BrokerOrder] = {}
        while True:
            page = self._answer("asking for orders", partial(self._page_of_orders, status, after), orders_from)
            n_known = len(found)
            found |= {order.broker_order_id: order for order in page}
            if len(page) < _PAGE_ORDERS:
                return tuple(found.values())
            newest = page[-1].created_at
            if len(found) == n_known or newest is None:
                raise AmbiguousBrokerError("Alpaca's list of orders does not end: a page repeats the one before.")
            after = newest - pd.Timedelta(microseconds=1)

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

    def _answer(self, doing: str, request: Callable[[], Any], parse: Callable[[Any], _Answer]) -> _Answer:
        try:
            raw = self._asked(request)
        except ApiFailure as failure:
            raise failure.as_error(doing, self._remedy) from None
        return self._parsed(parse, raw)

    def _asked(self, request: Callable[[], Any]) -> Any:
        """A question's answer; asked again where the failure may pass. Never used for an order."""
        retry_until_s, waits_s = self._elapsed_s() + _RETRY_WITHIN_S, iter(_RETRY_WAITS_S)
        while True:
            self._wait_for_allowance()
            try:
                return self._asked_once(request)
            except ApiFailure as failure:
                wait_s = next(waits_s, math.inf)
                if not failure.is_passing or self._elapsed_s() + wait_s > retry_until_s:
                    raise
            self._sleep(wait_s)

    def _wait_for_allowance(self) -> None:
        wait_s = 0.0 if self._access.is_loopback else self._headers.wait_s()
        if wait_s > 0.0:
            self._sleep(wait_s)

    def _asked_once(self, request: Callable[[], Any]) -> Any:
        """Whatever fails becomes an ApiFailure without a past: the frames of the HTTP library hold the keys."""
        try:
            return request()
        except PaperOnlyError:
            raise
        except ApiFailure as error:
            failure = ApiFailure(error.status, error.body, error.words)
        except Exception as error:  # whatever went wrong, the request may have been taken
            failure = ApiFailure(None, None, type(error).__name__)
        raise failure

    def _parsed(self, parse: Callable[[Any], _Answer], raw: Any) -> _Answer:
        try:
            return parse(raw)
        except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            problem = f"{type(error).__name__}: {error}"
        shown, why = self._mask(str(raw))[:_SHOWN_CHARACTERS], self._mask(problem)[:_SHOWN_CHARACTERS]
        raise AmbiguousBrokerError(f"Alpaca answered with something that can't be read ({why}): {shown!r}.")

    @staticmethod
    def _same_order(order: BrokerOrder, client_order_id: str) -> BrokerOrder:
        if order.client_order_id != client_order_id:
            raise AmbiguousBrokerError(f"Alpaca answered about the order {client_order_id} with another order.")
        return order


def _paper_client(
    access: PaperAccess, timeout_s: tuple[float, float], headers: HeaderWatch, mask: Callable[[str], str]
) -> Any:
    from alpaca.trading.client import TradingClient

    from algo_pipeline.broker.line import OneHostLine

    class PaperClient(TradingClient):
        """alpaca-py's paths and parameters, each over one request: with a time-out, no retry and no redirect."""

        def _one_request(self, method: str, url: str, opts: dict[str, Any], retry: int) -> Any:
            del retry
            if not url.startswith(f"{access.trading_url}/"):
                raise PaperOnlyError("alpaca-py would have asked another host than the paper account's.")
            answer = self._line.ask(method, url, opts)
            headers.note(answer.headers)
            return document_of(answer.status, answer.data, mask)

        @cached_property
        def _line(self) -> OneHostLine:
            # A proxy named in the environment must not see keys on their way to this machine itself.
            self._session.trust_env = not access.is_loopback
            return OneHostLine(self._session, access.trading_url, timeout_s)

    keys = access.api_key.get_secret_value(), access.secret_key.get_secret_value()
    return PaperClient(*keys, raw_data=True, url_override=access.trading_url)
