"""A small market with hand-made prices, and clients that talk to a sandbox on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pandas as pd
import requests

from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Side, Symbol
from algo_pipeline.sandbox.client import SandboxControl
from algo_pipeline.sandbox.clock import VirtualClock
from algo_pipeline.sandbox.market import Market
from algo_pipeline.sandbox.orders import OrderRequest, OrderType, TimeInForce
from algo_pipeline.sandbox.server import SandboxConfig, running_sandbox
from algo_pipeline.sandbox.venue import FillMode, Venue, VenueRules

BTC, ETH = Symbol("BTC", "USD"), Symbol("ETH", "USD")
FIRST = pd.Timestamp("2024-03-01", tz="UTC")
HOUR = pd.Timedelta(hours=1)
KEYS = {"APCA-API-KEY-ID": "any", "APCA-API-SECRET-KEY": "thing"}
NO_COSTS = BacktestConfig(fee_bps=0.0, slippage_bps=0.0, fee_in_base=True)
ALPACA = BacktestConfig(fee_in_base=True)


def bars_of(rows: Sequence[tuple[float, float, float, float]], start: pd.Timestamp = FIRST) -> pd.DataFrame:
    """Bars of open, high, low, close, an hour each, of volume 60."""
    index = pd.date_range(start, periods=len(rows), freq="h", name="timestamp", unit="ns")
    return pd.DataFrame(rows, columns=["open", "high", "low", "close"], index=index).assign(volume=60.0).astype(float)


def steady(n: int, price: float = 100.0) -> pd.DataFrame:
    """Bars that open at price, price + 1, …, and close half a dollar higher."""
    return bars_of([(price + i, price + i + 0.75, price + i - 0.5, price + i + 0.5) for i in range(n)])


def ns(at: pd.Timestamp) -> int:
    return int(at.value)


def venue(
    bars: pd.DataFrame, at: pd.Timestamp, rules: BacktestConfig = ALPACA, mode: FillMode = FillMode.PARITY, **more: Any
) -> Venue:
    """A venue without a server, its clock at a time."""
    return Venue(Market({BTC: bars}), VirtualClock(ns(at)), VenueRules(rules, mode, **more))


def order(
    side: str,
    quantity: str | None,
    limit: str | None = None,
    *,
    client_order_id: str = "one",
    tif: str = "gtc",
    notional: str | None = None,
    symbol: Symbol = BTC,
) -> OrderRequest:
    return OrderRequest(
        symbol,
        Side(side),
        OrderType.MARKET if limit is None else OrderType.LIMIT,
        TimeInForce(tif),
        None if quantity is None else Decimal(quantity),
        None if notional is None else Decimal(notional),
        None if limit is None else Decimal(limit),
        client_order_id,
    )


@dataclass(frozen=True)
class Rig:
    """A running sandbox with a plain HTTP client, its control client, and Alpaca's own."""

    url: str
    http: requests.Session
    control: SandboxControl

    def get(self, path: str, **query: Any) -> requests.Response:
        return self.http.get(f"{self.url}{path}", params=query, timeout=5)

    def post(self, path: str, body: Any) -> requests.Response:
        return self.http.post(f"{self.url}{path}", json=body, timeout=5)

    def buy(self, quantity: str = "1", client_order_id: str = "one", **more: Any) -> requests.Response:
        body = {"symbol": "BTC/USD", "side": "buy", "type": "market", "time_in_force": "ioc", "qty": quantity}
        return self.post("/v2/orders", {**body, "client_order_id": client_order_id, **more})

    def trading(self) -> Any:
        """alpaca-py's client."""
        from alpaca.trading.client import TradingClient

        return TradingClient("any", "thing", url_override=self.url)


@contextmanager
def running(config: SandboxConfig) -> Iterator[Rig]:
    with running_sandbox(config) as url, requests.Session() as http:
        http.trust_env = False
        http.headers.update(KEYS)
        control = SandboxControl(url)
        yield Rig(url, http, control)
        control.close()
