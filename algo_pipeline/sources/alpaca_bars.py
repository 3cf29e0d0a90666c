"""Alpaca's crypto bars through alpaca-py; keys are optional and raise the rate limit only.

The bars hold quote mid-prices: an hour without a trade has volume 0 and is no gap.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any

import pandas as pd

from algo_pipeline.common.errors import ConfigValueError, DataValidationError, SourceError, UnknownSymbolError
from algo_pipeline.common.paper import ALPACA_DATA_URL, is_loopback, require_alpaca_data_url
from algo_pipeline.common.schemas import BAR_COLUMNS, INDEX_NAME, empty_bars
from algo_pipeline.common.time import BAR, to_utc, utc_now
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.ingest import closed_within
from algo_pipeline.interfaces.market_data import MarketDataSource
from algo_pipeline.sources.retry import RetryPolicy, call_with_retries, failure_of, unreachable

_VENUE = "Alpaca"
_TIMEOUT_S = 10.0
_BEFORE_ANY_BAR = pd.Timestamp("2015-01-01", tz="UTC")
_WIRE_FIELDS = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
_BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN = 400, 401, 403
_SHOWN_CHARACTERS = 80


class AlpacaBarsSource(MarketDataSource):
    """Hourly crypto bars of Alpaca.

    Parameters
    ----------
    base_url : str, optional
        Alpaca's data host or a loopback root; any other is refused, for keys go nowhere else.
    api_key, secret_key : str, optional
        Both or neither.
    policy : RetryPolicy
        How transient failures are tried again.
    sleep : callable
        Waits that many seconds; tests pass a recorder.
    timeout_s : float
        Limit of one request.

    Raises
    ------
    SettingsError
        If ``base_url`` is another host.
    ConfigValueError
        If only one of the keys is given.
    """

    def __init__(
        self,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        secret_key: str | None = None,
        policy: RetryPolicy | None = None,
        sleep: Callable[[float], object] = time.sleep,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        if bool(api_key) != bool(secret_key):
            raise ConfigValueError(
                "Alpaca's API key and secret key belong together; only one was given.", "Set both or neither."
            )
        self._base_url = require_alpaca_data_url(base_url or ALPACA_DATA_URL)
        self._keys = (api_key or None, secret_key or None)
        self._policy = policy or RetryPolicy()
        self._sleep = sleep
        self._timeout_s = timeout_s
        self._server_time: pd.Timestamp | None = None

    @property
    def name(self) -> str:
        """``alpaca``."""
        return "alpaca"

    def venue_symbol(self, symbol: Symbol) -> str:
        """``BTC/USD``: Alpaca's market data wants the slash."""
        return str(symbol)

    def fetch_bars(self, symbol: Symbol, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        """Fetch all pages; closed by the clock of Alpaca's answer. See :class:`MarketDataSource`."""
        if start + BAR > end:
            return empty_bars()
        bars = _parse_bars(self._rows(symbol, start, end - BAR))
        if bars.empty and not self._rows(symbol, _BEFORE_ANY_BAR, None, limit=1):
            raise UnknownSymbolError(
                f"{_VENUE} has no bars of {symbol}.", "Check base and quote; Alpaca lists crypto pairs such as BTC/USD."
            )
        return closed_within(bars, start, min(end, self._server_time or utc_now()))

    @cached_property
    def _client(self) -> Any:
        from alpaca.data.historical import CryptoHistoricalDataClient

        timeout_s, record = self._timeout_s, self._record_time

        class PatientClient(CryptoHistoricalDataClient):
            """With a timeout on every request and without the client's own fixed three-second retries."""

            def _one_request(self, method: str, url: str, opts: dict[str, Any], retry: int) -> Any:
                del retry
                return super()._one_request(method, url, {**opts, "timeout": timeout_s}, 0)

            def prepare(self, *, trust_env: bool) -> None:
                self._session.hooks["response"].append(record)
                self._session.trust_env = trust_env

        client = PatientClient(*self._keys, raw_data=True, url_override=self._base_url)
        # A proxy named in the environment must not see the keys on their way to this machine itself.
        client.prepare(trust_env=not is_loopback(self._base_url))
        return client

    def _record_time(self, response: Any, *_: object, **__: object) -> None:
        try:
            self._server_time = to_utc(parsedate_to_datetime(response.headers["Date"]))
        except (KeyError, ValueError, TypeError):
            self._server_time = None

    def _rows(
        self, symbol: Symbol, start: pd.Timestamp, last_open: pd.Timestamp | None, limit: int | None = None
    ) -> list[Any]:
        from alpaca.data.requests import CryptoBarsRequest
        from alpaca.data.timeframe import TimeFrame

        request = CryptoBarsRequest(
            symbol_or_symbols=self.venue_symbol(symbol),
            timeframe=TimeFrame.Hour,
            start=start.to_pydatetime(warn=False),
            end=None if last_open is None else last_open.to_pydatetime(warn=False),
            limit=limit,
        )
        answer = call_with_retries(lambda: self._call_once(symbol, request), self._policy, self._sleep)
        rows = answer.get(self.venue_symbol(symbol)) or []
        if not isinstance(rows, list):
            raise _malformed(rows)
        return rows

    def _call_once(self, symbol: Symbol, request: Any) -> dict[str, Any]:
        import requests
        from alpaca.common.exceptions import APIError

        try:
            answer: dict[str, Any] = self._client.get_crypto_bars(request)
        except APIError as error:
            raise self._translate(symbol, error) from error
        except requests.exceptions.InvalidHeader:  # its text shows the key
            raise _unsendable_keys() from None
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise _malformed(error) from error
        except requests.RequestException as error:
            raise unreachable(_VENUE, f"{type(error).__name__} at {self._base_url}") from error
        return answer

    def _translate(self, symbol: Symbol, error: Any) -> SourceError | UnknownSymbolError:
        status, body = error.status_code or 0, str(error)
        if status == _BAD_REQUEST and "invalid symbol" in body.lower():
            return UnknownSymbolError(f"{_VENUE} does not know {symbol}.", "Check base and quote.")
        if status == _UNAUTHORIZED or (status == _FORBIDDEN and any(self._keys)):
            return SourceError(
                f"{_VENUE} does not accept the API keys (HTTP {status}).",
                "Correct ALGO_TRADER_ALPACA_API_KEY and ALGO_TRADER_ALPACA_SECRET_KEY, or remove both: bars need none.",
            )
        return failure_of(_VENUE, status, error.response.headers, body)


def _parse_bars(rows: list[Any]) -> pd.DataFrame:
    if not rows:
        return empty_bars()
    try:
        table = pd.DataFrame(
            {name: [float(row[key]) for row in rows] for key, name in _WIRE_FIELDS.items()}, columns=BAR_COLUMNS
        )
        stamps = pd.to_datetime([row["t"] for row in rows], utc=True, format="ISO8601")
    except (KeyError, TypeError, ValueError) as error:
        raise _malformed(error) from error
    table.index = pd.DatetimeIndex(stamps, name=INDEX_NAME).as_unit("ns")
    return table


def _unsendable_keys() -> SourceError:
    return SourceError(
        f"The API keys of {_VENUE} hold a blank or a line break that no request can carry.",
        "Copy ALGO_TRADER_ALPACA_API_KEY and ALGO_TRADER_ALPACA_SECRET_KEY again, or remove both: bars need none.",
    )


def _malformed(found: object) -> DataValidationError:
    return DataValidationError(
        f"{_VENUE} answered with something that is not bars: {str(found)[:_SHOWN_CHARACTERS]!r}.",
        "Check ALGO_TRADER_ALPACA_DATA_URL (and any proxy in between), or run again later; nothing was stored.",
    )
