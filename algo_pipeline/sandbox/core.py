"""The sandbox without its HTTP server: clock, market, account, faults and the log of requests."""

from __future__ import annotations

from algo_pipeline.sandbox.clock import VirtualClock
from algo_pipeline.sandbox.faults import FaultBox
from algo_pipeline.sandbox.market import Market
from algo_pipeline.sandbox.meters import RequestMeter
from algo_pipeline.sandbox.request_log import RequestLog
from algo_pipeline.sandbox.venue import Venue

_ALPACA_REQUESTS, _BINANCE_WEIGHT = 200, 6000


class Sandbox:
    """Everything that endpoints read and change.

    Parameters
    ----------
    venue : Venue
        The account with its market and clock.
    keys : tuple of str, optional
        API key and secret that the trading endpoints ask for; any if omitted.
    enforce_limits : bool
        Refuse more requests a minute than the venues allow.
    """

    def __init__(self, venue: Venue, keys: tuple[str, str] | None = None, *, enforce_limits: bool = False) -> None:
        self.venue = venue
        self.keys = keys
        self.faults = FaultBox()
        self.log = RequestLog()
        self.alpaca_meter = RequestMeter(_ALPACA_REQUESTS, enforce=enforce_limits)
        self.binance_meter = RequestMeter(_BINANCE_WEIGHT, enforce=enforce_limits)

    @property
    def clock(self) -> VirtualClock:
        """The virtual clock of all venues."""
        return self.venue.clock

    @property
    def market(self) -> Market:
        """The bars of all venues."""
        return self.venue.market
