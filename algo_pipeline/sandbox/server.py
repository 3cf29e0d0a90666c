"""The sandbox on a port of 127.0.0.1: embedded in a thread, or as a process of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from algo_pipeline.common.errors import AlgoPipelineError
from algo_pipeline.common.time import to_utc
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Symbol
from algo_pipeline.sandbox.app import build_app
from algo_pipeline.sandbox.clock import VirtualClock
from algo_pipeline.sandbox.core import Sandbox
from algo_pipeline.sandbox.market import Market
from algo_pipeline.sandbox.state import StateKeeper
from algo_pipeline.sandbox.venue import FillMode, Venue, VenueRules

__all__ = ["FillMode", "RunningSandbox", "SandboxConfig", "SandboxError", "make_sandbox", "running_sandbox", "serve"]

if TYPE_CHECKING:
    import uvicorn

HOST = "127.0.0.1"
_BACKLOG = 128
_KEEP_ALIVE_S = 86_400
_STOP_TIMEOUT_S = 10.0
_POLL_S = 1.0


class SandboxError(AlgoPipelineError):
    """The sandbox could not be started."""

    code = "sandbox"


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """What a sandbox is made of.

    Parameters
    ----------
    bars : mapping of Symbol to DataFrame
        Valid bars of every symbol it trades.
    start : pd.Timestamp or None
        First reading of the clock (UTC); None is the open of the newest bar.
    speed : float
        Virtual seconds per second; 0 holds the clock until it is told to move.
    mode : FillMode
        ``parity`` fills as a backtest does, ``realistic`` as Alpaca paper does.
    rules : BacktestConfig
        Start cash, fees, slippage, quantity step and smallest holding.
    seed : int
        Of partial fills and of the account's identity.
    partial_fill_probability, latency_s, maker_fee_bps, min_order_usd
        See :class:`VenueRules`.
    keys : tuple of str or None
        API key and secret that trading asks for; None takes any.
    enforce_limits : bool
        Refuse more requests a minute than the venues allow.
    state_path : Path or None
        File that keeps account and clock through a restart.
    port : int
        Port on 127.0.0.1; 0 takes a free one.
    """

    bars: Mapping[Symbol, pd.DataFrame]
    start: pd.Timestamp | None = None
    speed: float = 0.0
    mode: FillMode = FillMode.PARITY
    rules: BacktestConfig = field(default_factory=lambda: BacktestConfig(fee_in_base=True))
    seed: int = 0
    partial_fill_probability: float | None = None
    latency_s: float = 0.0
    maker_fee_bps: float | None = None
    min_order_usd: float = 10.0
    keys: tuple[str, str] | None = field(default=None, repr=False)
    enforce_limits: bool = False
    state_path: Path | None = None
    port: int = 0

    def venue_rules(self) -> VenueRules:
        """The part that concerns orders."""
        return VenueRules(
            self.rules,
            self.mode,
            self.seed,
            self.partial_fill_probability,
            self.latency_s,
            self.maker_fee_bps,
            self.min_order_usd,
        )


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """A sandbox that answers at ``url`` until it is closed."""

    url: str
    sandbox: Sandbox
    _server: uvicorn.Server
    _thread: threading.Thread

    def wait(self) -> None:
        """Wait until it stops by itself, which it does not; an interruption comes through."""
        while self._thread.is_alive():
            self._thread.join(_POLL_S)

    def close(self) -> None:
        """Stop answering; connections that are open are dropped."""
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(_STOP_TIMEOUT_S)


def make_sandbox(config: SandboxConfig) -> tuple[Sandbox, StateKeeper]:
    """Build the sandbox, and restore its state if a file of it exists.

    Raises
    ------
    ConfigValueError
        If there are no bars, or the clock's speed is negative.
    CorruptFileError
        If the state's file is damaged or belongs to another sandbox.
    """
    market = Market(config.bars)
    start_ns = market.last_open_ns if config.start is None else int(to_utc(config.start).value)
    venue = Venue(market, VirtualClock(start_ns, config.speed), config.venue_rules())
    keeper = StateKeeper(config.state_path)
    keeper.take_up(venue)
    return Sandbox(venue, config.keys, enforce_limits=config.enforce_limits), keeper


def serve(config: SandboxConfig) -> RunningSandbox:
    """Answer from a thread of this process; the caller closes what it gets.

    Raises
    ------
    SandboxError
        If the port is taken.
    """
    sandbox, keeper = make_sandbox(config)
    listener = _listen(config.port)
    server = _server(sandbox, keeper)
    thread = threading.Thread(target=server.run, args=([listener],), name="sandbox", daemon=True)
    thread.start()
    return RunningSandbox(f"http://{HOST}:{listener.getsockname()[1]}", sandbox, server, thread)


@contextmanager
def running_sandbox(config: SandboxConfig) -> Iterator[str]:
    """The root URL of an embedded sandbox, which stops at the end of the block."""
    running = serve(config)
    try:
        yield running.url
    finally:
        running.close()


def _listen(port: int) -> socket.socket:
    """A socket that takes connections from now on, so that a client never comes too early."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise SandboxError(
            f"Port {port} of {HOST} is taken by another program.",
            "Stop that program, or choose another port with --port or ALGO_TRADER_SANDBOX_PORT.",
        ) from error
    return listener


def _server(sandbox: Sandbox, keeper: StateKeeper) -> uvicorn.Server:
    import uvicorn

    from algo_pipeline.sandbox.protocol import OpenProtocol

    options: dict[str, Any] = {
        "http": OpenProtocol,
        "ws": "none",
        "lifespan": "off",
        "interface": "asgi3",
        "proxy_headers": False,
        "server_header": False,
        "date_header": False,  # answers are dated by the virtual clock
        "access_log": False,
        "log_config": None,
        "log_level": "warning",
        "timeout_keep_alive": _KEEP_ALIVE_S,
    }
    return uvicorn.Server(uvicorn.Config(build_app(sandbox, keeper), **options))
