"""Binance spot klines through ccxt, without keys.

The default host is ``data-api.binance.vision``, Binance's official host for public market data. Rows are asked for by
ccxt's implicit method ``public_get_klines``: it throttles, signs off errors and talks HTTP as ``fetch_ohlcv`` does,
but needs no ``load_markets`` (several megabytes for each new process) and hands over the answer as it came, so that a
malformed one is seen: ccxt's parser turns such rows into None or nothing.
"""

from __future__ import annotations

import difflib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import DataValidationError, SourceError, UnknownSymbolError
from algo_pipeline.common.paper import is_loopback, require_no_user_info
from algo_pipeline.common.schemas import BAR_COLUMNS, INDEX_NAME, empty_bars
from algo_pipeline.common.time import BAR, BAR_NS
from algo_pipeline.common.types import BoolArray, FloatArray, IntArray, Symbol
from algo_pipeline.interfaces.market_data import MarketDataSource
from algo_pipeline.sources.retry import RetryPolicy, call_with_retries, failure_of, unreachable

DEFAULT_URL = "https://data-api.binance.vision"

_VENUE = "Binance"
_PAGE_BARS = 1000
_TIMEOUT_MS = 10_000
_MS_BETWEEN_WEIGHTS = 100  # twice ccxt's own: its 50 ms uses the whole 6,000 weight a minute that Binance grants
_KLINE_FIELDS = 6
_NS_PER_MS = 1_000_000
_N_SUGGESTIONS = 3
_SHOWN_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class _Klines:
    """Rows as they came: open times in ns since the epoch, shape (n,), and their five values, shape (n, 5)."""

    opened_ns: IntArray
    values: FloatArray

    @property
    def n(self) -> int:
        return len(self.opened_ns)

    @property
    def newest(self) -> pd.Timestamp:
        return pd.Timestamp(int(self.opened_ns.max()), tz="UTC")

    def followed_by(self, later: _Klines) -> _Klines:
        return _Klines(np.concatenate([self.opened_ns, later.opened_ns]), np.concatenate([self.values, later.values]))

    def before(self, at: pd.Timestamp) -> _Klines:
        return self._where(self.opened_ns < at.value)

    def within(self, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        """The bars with ``start <= open`` and ``close <= end``; the order of rows stays."""
        wanted = self._where((self.opened_ns >= start.value) & (self.opened_ns + BAR_NS <= end.value))
        index = pd.DatetimeIndex(wanted.opened_ns, tz="UTC", name=INDEX_NAME)
        return pd.DataFrame(wanted.values, index=index, columns=list(BAR_COLUMNS), copy=False)

    def _where(self, rows: BoolArray) -> _Klines:
        return _Klines(self.opened_ns[rows], self.values[rows])


_NO_KLINES = _Klines(np.empty(0, np.int64), np.empty((0, len(BAR_COLUMNS))))


@cache
def _ccxt(name: str) -> ModuleType:
    """A module of ccxt without the package's own ``__init__``.

    That one loads more than a hundred exchanges, and the process of an hourly decision would wait longer for them than
    for everything else that it does.
    """
    spec = None if "ccxt" in sys.modules else find_spec("ccxt")
    if spec is None:
        return import_module(f"ccxt.{name}")
    sys.modules["ccxt"] = module_from_spec(spec)
    try:
        return import_module(f"ccxt.{name}")
    finally:
        del sys.modules["ccxt"]  # whoever imports the whole package later gets it


class BinanceSource(MarketDataSource):
    """Hourly spot bars of Binance; quote USD is read as USDT.

    Parameters
    ----------
    base_url : str, optional
        Root that replaces Binance's, without ``/api/v3``.
    policy : RetryPolicy
        How transient failures are tried again.
    sleep : callable
        Waits that many seconds; tests pass a recorder.
    timeout_ms : int
        Limit of one request.

    Raises
    ------
    SettingsError
        If ``base_url`` holds a user name or password.
    """

    def __init__(
        self,
        *,
        base_url: str | None = None,
        policy: RetryPolicy | None = None,
        sleep: Callable[[float], object] = time.sleep,
        timeout_ms: int = _TIMEOUT_MS,
    ) -> None:
        self._base_url = require_no_user_info(base_url or DEFAULT_URL, "ALGO_TRADER_BINANCE_URL").rstrip("/")
        self._policy = policy or RetryPolicy()
        self._sleep = sleep
        self._timeout_ms = timeout_ms
        self._status: int | None = None

    @property
    def name(self) -> str:
        """``binance``."""
        return "binance"

    def venue_symbol(self, symbol: Symbol) -> str:
        """``BTCUSDT`` for ``BTC/USD``: Binance has no US dollar, USDT stands for it."""
        return f"{symbol.base}{_venue_quote(symbol)}"

    def fetch_bars(self, symbol: Symbol, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        """Fetch page by page. A bar is closed once a later one has begun; else by Binance's own clock.

        See :class:`MarketDataSource`.
        """
        if start + BAR > end:
            return empty_bars()
        klines = self._klines(symbol, start, end)
        if klines.n == 0 or klines.newest > end - BAR:
            return klines.within(start, end)
        newest = klines.newest
        closed_until = min(end, self._server_time())
        if newest + BAR <= closed_until:  # its row may have been read before it was closed
            klines = klines.before(newest).followed_by(self._klines(symbol, newest, closed_until - BAR))
        return klines.within(start, closed_until)

    @cached_property
    def _exchange(self) -> Any:
        exchange = _ccxt("binance").binance(
            {
                "enableRateLimit": not is_loopback(self._base_url),  # a sandbox grants any number
                "rateLimit": _MS_BETWEEN_WEIGHTS,
                "timeout": self._timeout_ms,
                "options": {"fetchMarkets": {"types": ["spot"]}},
            }
        )
        exchange.urls["api"]["public"] = f"{self._base_url}/api/v3"
        exchange.session.hooks["response"].append(self._record_status)
        return exchange

    def _record_status(self, response: Any, *_: object, **__: object) -> None:
        self._status = int(response.status_code)

    def _server_time(self) -> pd.Timestamp:
        answer = self._call(lambda exchange: exchange.public_get_time())
        try:
            return pd.Timestamp(int(answer["serverTime"]), unit="ms", tz="UTC")
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise _malformed("the time", answer) from error

    def _klines(self, symbol: Symbol, first: pd.Timestamp, last: pd.Timestamp) -> _Klines:
        """All rows that open from ``first`` to ``last``, the open one included."""
        found, at = _NO_KLINES, first
        while at <= last:
            page = self._page(symbol, at, last)
            if page.n == 0:
                break
            found, at = found.followed_by(page), _next_start(page, at)
        return found

    def _page(self, symbol: Symbol, first: pd.Timestamp, last: pd.Timestamp) -> _Klines:
        parameters = {
            "symbol": self.venue_symbol(symbol),
            "interval": "1h",
            "startTime": _epoch_ms(first),
            "endTime": _epoch_ms(last),
            "limit": _PAGE_BARS,
        }
        try:
            rows = self._call(lambda exchange: exchange.public_get_klines(parameters))
        except _ccxt("base.errors").BadSymbol as error:
            raise self._unknown(symbol) from error
        return _parse_klines(rows)

    def _call(self, request: Callable[[Any], Any]) -> Any:
        return call_with_retries(lambda: self._call_once(request), self._policy, self._sleep)

    def _call_once(self, request: Callable[[Any], Any]) -> Any:
        self._status, errors = None, _ccxt("base.errors")
        try:
            return request(self._exchange)
        except errors.BadSymbol:
            raise
        except errors.BaseError as error:
            raise self._translate(error) from error

    def _translate(self, error: Exception) -> SourceError:
        if self._status is not None and self._status >= 400:
            return failure_of(_VENUE, self._status, self._exchange.last_response_headers or {}, str(error))
        if isinstance(error, _ccxt("base.errors").OperationFailed):
            return unreachable(_VENUE, f"{type(error).__name__} at {self._base_url}")
        return SourceError(f"{_VENUE} could not be used: {error}.", "Check ALGO_TRADER_BINANCE_URL and the network.")

    def _unknown(self, symbol: Symbol) -> UnknownSymbolError:
        wanted = f"{symbol.base}/{_venue_quote(symbol)}"
        near = difflib.get_close_matches(wanted, self._listed_pairs(), n=_N_SUGGESTIONS)
        hint = f"Near matches: {', '.join(near)}." if near else "Check base and quote."
        return UnknownSymbolError(f"{_VENUE} does not list {symbol} ({self.venue_symbol(symbol)}).", hint)

    def _listed_pairs(self) -> list[str]:
        """All spot pairs, or none if the list can't be had: it only improves a message."""
        try:
            answer = self._call(lambda exchange: exchange.public_get_exchangeinfo())
            return [f"{market['baseAsset']}/{market['quoteAsset']}" for market in answer["symbols"]]
        except (SourceError, KeyError, TypeError):
            return []


def _venue_quote(symbol: Symbol) -> str:
    return "USDT" if symbol.quote == "USD" else symbol.quote


def _epoch_ms(at: pd.Timestamp) -> int:
    return int(at.value // _NS_PER_MS)


def _next_start(page: _Klines, at: pd.Timestamp) -> pd.Timestamp:
    following: pd.Timestamp = page.newest + BAR
    if following <= at:
        raise DataValidationError(
            f"{_VENUE} answered a request for bars from {at} with older ones, up to {page.newest}.",
            "Check ALGO_TRADER_BINANCE_URL, or run again later; nothing of this answer was stored.",
        )
    return following


def _parse_klines(rows: Any) -> _Klines:
    if not isinstance(rows, list):
        raise _malformed("klines", rows)
    for row in rows:
        if not _is_kline(row):
            raise _malformed("klines", row)
    try:
        opened_ns = np.array([row[0] * _NS_PER_MS for row in rows], np.int64)
        values = np.array([[float(value) for value in row[1:_KLINE_FIELDS]] for row in rows], np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise _malformed("klines", error) from error
    return _Klines(opened_ns, values.reshape(-1, len(BAR_COLUMNS)))


def _is_kline(row: Any) -> bool:
    """Whether a row has its open time in whole milliseconds and a value for each number."""
    return isinstance(row, list) and len(row) >= _KLINE_FIELDS and type(row[0]) is int and None not in row[1:6]


def _malformed(what: str, found: object) -> DataValidationError:
    return DataValidationError(
        f"{_VENUE} answered with something that is not {what}: {str(found)[:_SHOWN_CHARACTERS]!r}.",
        "Check ALGO_TRADER_BINANCE_URL (and any proxy in between), or run again later; nothing was stored.",
    )
