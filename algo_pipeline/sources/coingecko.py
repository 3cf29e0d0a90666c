"""CoinGecko as a second opinion on closes. It is no source of bars: it has no hourly volume and no free hourly OHLC.

Its stamps are CLOSE times. A price stamped 13:00 is the close of the bar that opened at 12:00.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import requests

from algo_pipeline.common.errors import DataValidationError, SourceError, UnknownSymbolError
from algo_pipeline.common.paper import is_loopback, require_no_user_info
from algo_pipeline.common.schemas import INDEX_NAME
from algo_pipeline.common.time import BAR, utc_now
from algo_pipeline.common.types import Symbol
from algo_pipeline.sources.retry import RetryPolicy, call_with_retries, failure_of, unreachable

DEFAULT_URL = "https://api.coingecko.com"

_VENUE = "CoinGecko"
_TIMEOUT_S = 10.0
_NOT_FOUND = 404
_FEWEST_HOURLY_DAYS, _MOST_HOURLY_DAYS = 2, 90
_OHLC_DAYS = (1, 7, 14, 30)  # beyond 30 days a candle is four days long
_LATEST_AFTER_CLOSE = pd.Timedelta(minutes=5)
_SHOWN_CHARACTERS = 80
COIN_IDS: Mapping[str, str] = MappingProxyType(
    {
        "AAVE": "aave",
        "ADA": "cardano",
        "AVAX": "avalanche-2",
        "BCH": "bitcoin-cash",
        "BNB": "binancecoin",
        "BTC": "bitcoin",
        "DOGE": "dogecoin",
        "DOT": "polkadot",
        "ETH": "ethereum",
        "LINK": "chainlink",
        "LTC": "litecoin",
        "SOL": "solana",
        "SUSHI": "sushi",
        "TRX": "tron",
        "UNI": "uniswap",
        "XRP": "ripple",
        "XTZ": "tezos",
    }
)


class CoinGeckoPrices:
    """Closes of coins by CoinGecko's free interface, to compare bars with.

    Parameters
    ----------
    base_url : str, optional
        Root that replaces CoinGecko's, without ``/api/v3``.
    policy : RetryPolicy
        How transient failures are tried again.
    sleep : callable
        Waits that many seconds.
    now : callable
        The present, UTC: CoinGecko counts history in days back from now.
    timeout_s : float
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
        now: Callable[[], pd.Timestamp] = utc_now,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        self._base_url = require_no_user_info(base_url or DEFAULT_URL, "ALGO_TRADER_COINGECKO_URL").rstrip("/")
        self._policy = policy or RetryPolicy()
        self._sleep = sleep
        self._now = now
        self._timeout_s = timeout_s

    def fetch_closes(self, symbol: Symbol, start: pd.Timestamp, end: pd.Timestamp) -> pd.Series:
        """Fetch hourly closes from ``market_chart`` for bars that open at or after ``start`` and close by ``end``.

        Points come some seconds after the hour; one more than five minutes after it is nobody's close. History
        beyond 90 days has no hourly points and is absent.

        Returns
        -------
        pd.Series
            ``close`` in the quote currency, indexed by the bars' OPEN times, ascending, unique.

        Raises
        ------
        UnknownSymbolError
            If the coin is unknown or its name ambiguous.
        SourceError, DataValidationError
            As in :class:`~algo_pipeline.interfaces.market_data.MarketDataSource`.
        """
        days = int(np.clip(self._days_since(start), _FEWEST_HOURLY_DAYS, _MOST_HOURLY_DAYS))
        answer = self._chart(symbol, "market_chart", days)
        return _closes(answer.get("prices") if isinstance(answer, dict) else None, 1, start, end)

    def fetch_candle_closes(self, symbol: Symbol, start: pd.Timestamp, end: pd.Timestamp) -> pd.Series:
        """Fetch candle closes from ``ohlc``: every hour for the last day, every fourth for the last 30 days.

        Returns and raises as :meth:`fetch_closes`.
        """
        days = next((days for days in _OHLC_DAYS if days >= self._days_since(start)), _OHLC_DAYS[-1])
        return _closes(self._chart(symbol, "ohlc", days), 4, start, end)

    @cached_property
    def _session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = not is_loopback(self._base_url)
        return session

    def _days_since(self, start: pd.Timestamp) -> int:
        return int(np.ceil((self._now() - start) / pd.Timedelta(days=1)))

    def _chart(self, symbol: Symbol, kind: str, days: int) -> Any:
        coin = COIN_IDS.get(symbol.base) or self._look_up(symbol)
        query = {"vs_currency": symbol.quote.lower(), "days": str(days)}
        return self._get(f"/coins/{coin}/{kind}", query, symbol)

    def _look_up(self, symbol: Symbol) -> str:
        coins = self._get("/coins/list", {}, symbol)
        try:
            found = [str(coin["id"]) for coin in coins if str(coin["symbol"]).upper() == symbol.base]
        except (KeyError, TypeError) as error:
            raise _malformed("a list of coins", coins) from error
        if len(found) != 1:
            names = f"several coins of that name: {', '.join(found)}" if found else "no coin of that name"
            raise UnknownSymbolError(f"{_VENUE} has {names} ({symbol.base}).", "Leave its cross-check out.")
        return found[0]

    def _get(self, path: str, query: Mapping[str, str], symbol: Symbol) -> Any:
        return call_with_retries(lambda: self._get_once(path, query, symbol), self._policy, self._sleep)

    def _get_once(self, path: str, query: Mapping[str, str], symbol: Symbol) -> Any:
        try:
            response = self._session.get(f"{self._base_url}/api/v3{path}", params=query, timeout=self._timeout_s)
        except requests.RequestException as error:
            raise unreachable(_VENUE, f"{type(error).__name__} at {self._base_url}") from error
        if response.status_code == _NOT_FOUND:
            raise UnknownSymbolError(f"{_VENUE} does not know {symbol}.", "Check base and quote.")
        if not response.ok:
            raise self._failure(response)
        try:
            return response.json()
        except ValueError as error:
            raise _malformed("JSON", response.text) from error

    @staticmethod
    def _failure(response: requests.Response) -> SourceError:
        return failure_of(_VENUE, response.status_code, response.headers, response.text)


def _closes(rows: Any, price_field: int, start: pd.Timestamp, end: pd.Timestamp) -> pd.Series:
    """Map ``[close time in ms, …, price]`` rows to the bars whose closes they are; the first after an hour counts."""
    try:
        stamps = pd.to_datetime([int(row[0]) for row in rows], unit="ms", utc=True).as_unit("ns")
        prices = np.array([float(row[price_field]) for row in rows], dtype=np.float64)
    except (TypeError, ValueError, IndexError, KeyError, OverflowError) as error:
        raise _malformed("prices", rows) from error
    closed_at = stamps.floor("h")
    closes = pd.Series(prices, index=(closed_at - BAR).rename(INDEX_NAME), name="close")
    closes = closes[(stamps - closed_at <= _LATEST_AFTER_CLOSE) & (closed_at - BAR >= start) & (closed_at <= end)]
    return closes[~closes.index.duplicated()].sort_index()


def _malformed(what: str, found: object) -> DataValidationError:
    return DataValidationError(
        f"{_VENUE} answered with something that is not {what}: {str(found)[:_SHOWN_CHARACTERS]!r}.",
        "Check ALGO_TRADER_COINGECKO_URL (and any proxy in between), or run again later.",
    )
