"""Prices of a bar: polled until they are there, believed or not, and what the account is worth at them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from loguru import logger

from algo_pipeline.common.errors import (
    AlgoPipelineError,
    DataValidationError,
    LeakageError,
    LongWaitError,
    TransientSourceError,
)
from algo_pipeline.common.types import Symbol
from algo_pipeline.live import entries
from algo_pipeline.live.alerts import Severity
from algo_pipeline.live.champion import BarFeed, BarView, PriceCheck
from algo_pipeline.live.decision import account_equity, peak_and_drawdown
from algo_pipeline.live.events import Entry
from algo_pipeline.live.limits import price_breach
from algo_pipeline.live.reconciliation import Snapshot
from algo_pipeline.live.session import Session
from algo_pipeline.strategy.risk import kill_switch_trips

POLL_FOR = pd.Timedelta(seconds=90)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 5.0
_MAY_PASS = (TransientSourceError, DataValidationError)


@dataclass(frozen=True, slots=True)
class Bars:
    """What a symbol's source has shown.

    Parameters
    ----------
    view : BarView or None
        The newest bars; None if there are none.
    problem : str
        Why there is nothing newer, as far as it is known; empty where the source just has nothing newer.
    is_final : bool
        Whether asking again within the minute is useless, or forbidden: an unknown symbol, a ban, a wait asked for.
    """

    view: BarView | None = None
    problem: str = ""
    is_final: bool = False

    def has(self, bar: pd.Timestamp) -> bool:
        """Whether the newest bar is this one."""
        return self.view is not None and self.view.last_at == bar


@dataclass(frozen=True, slots=True)
class Price:
    """What a symbol is marked at on a bar.

    Parameters
    ----------
    close : float
        NaN where no price is known at all.
    why_not_traded : str or None
        Why the symbol is not traded on this bar: it has none, or its close is not believed.
    view : BarView or None
        Its newest bars.
    """

    close: float
    why_not_traded: str | None
    view: BarView | None

    @property
    def may_be_traded(self) -> bool:
        """Whether the bar is there and believed."""
        return self.why_not_traded is None


def poll_bars(session: Session, feed: BarFeed, bar: pd.Timestamp) -> dict[Symbol, Bars]:
    """The newest bars of every symbol, asked for until all have ``bar``, or never will, or 90 s are over."""
    until = min(session.now() + POLL_FOR, session.rules.deadline(bar))
    found = dict.fromkeys(session.symbols, Bars())
    waiting = list(found)
    pause_s = _FIRST_PAUSE_S
    while True:
        for symbol in waiting:
            found[symbol] = _asked(feed, symbol, bar, found[symbol])
        waiting = [symbol for symbol in waiting if not (found[symbol].has(bar) or found[symbol].is_final)]
        if not waiting or session.now() >= until:
            return found
        session.clock.sleep(pause_s)
        pause_s = min(1.5 * pause_s, _LONGEST_PAUSE_S)


def prices(
    session: Session, found: Mapping[Symbol, Bars], bar: pd.Timestamp, check: PriceCheck | None
) -> dict[Symbol, Price]:
    """What each symbol is marked at, with alerts for closes that are not believed."""
    return {symbol: _price(session, symbol, bars, bar, check) for symbol, bars in found.items()}


def second_opinion(check: PriceCheck | None, symbol: Symbol) -> float | None:
    """The second source's price; None if there is none, whatever the reason."""
    if check is None:
        return None
    try:
        price = check(symbol)
    except Exception as error:  # an opinion must not stop what it is only asked about
        logger.warning("The second source has no price of {}: {!r}", symbol, error)
        return None
    return price if price is not None and math.isfinite(price) and price > 0 else None


def mark_entries(
    session: Session, snapshot: Snapshot, closes: Mapping[Symbol, float], bar: pd.Timestamp
) -> list[Entry]:
    """The mark at these closes, and the kill switch's line where the drawdown latches it."""
    state, rules = session.state, session.rules.trading
    known = {symbol: 0.0 if math.isnan(close) else close for symbol, close in closes.items()}
    equity = account_equity(snapshot.account.cash, snapshot.holdings, known)
    peak, drawdown = peak_and_drawdown(equity, state.peak)
    made = [entries.mark(bar, equity, peak, drawdown, snapshot, closes)]
    if state.killed_at is None and kill_switch_trips(drawdown, float(rules.max_drawdown)):
        made.append(entries.kill_switch(bar, equity, peak, drawdown, rules.max_drawdown))
    return made


def owed_kill_switch(session: Session, bar: pd.Timestamp) -> list[Entry]:
    """The kill switch's line where the journalled mark trips it but the line was lost with its process.

    A resume has set the drawdown to 0, so that the mark of the same bar does not latch it again.
    """
    state, limit = session.state, session.rules.trading.max_drawdown
    if state.killed_at is not None or not kill_switch_trips(state.drawdown, float(limit)):
        return []
    return [entries.kill_switch(bar, state.equity, state.peak, state.drawdown, limit)]


def _asked(feed: BarFeed, symbol: Symbol, bar: pd.Timestamp, before: Bars) -> Bars:
    """What the source shows now; whatever breaks in it must not keep another symbol, or an exit, waiting."""
    try:
        view = feed.bars(symbol, bar)
    except AlgoPipelineError as error:
        logger.warning("No bars of {} yet: {}", symbol, error)
        return Bars(before.view, str(error), is_final=_is_final(error))
    except Exception as error:
        logger.exception("No bars of {}", symbol)
        return Bars(before.view, f"{type(error).__name__}, told in the log", is_final=True)
    if view is not None and view.last_at > bar:
        raise LeakageError(
            f"Bars of {symbol} were asked for up to {bar}; the newest is {view.last_at}.", "Correct the feed."
        )
    return Bars(view or before.view)


def _is_final(error: AlgoPipelineError) -> bool:
    return isinstance(error, LongWaitError) or not isinstance(error, _MAY_PASS)


def _price(session: Session, symbol: Symbol, bars: Bars, bar: pd.Timestamp, check: PriceCheck | None) -> Price:
    state, view = session.state, bars.view
    believed = state.closes.get(symbol, math.nan)
    missing = f"no bar {bar:%Y-%m-%d %H:%M}" + (f": {bars.problem}" if bars.problem else "")
    if view is None:
        return Price(believed, missing, None)
    if state.marked_bar is not None and view.last_at <= state.marked_bar and symbol in state.closes:
        is_the_marked_one = view.last_at == bar == state.marked_bar and view.close == believed
        return Price(believed, None if is_the_marked_one else missing, view)
    breach = _breach(session, symbol, view, check)
    if breach is not None:
        session.alert(Severity.WARNING, "price_band", f"{symbol}: the close is not believed", breach)
        last = view.previous_close if math.isnan(believed) else believed
        return Price(math.nan if last is None else last, breach, view)
    return Price(view.close, None if view.last_at == bar else missing, view)


def _breach(session: Session, symbol: Symbol, view: BarView, check: PriceCheck | None) -> str | None:
    if not (math.isfinite(view.close) and view.close > 0):
        return f"close {view.close!r} is no price"
    references = [c for c in (session.state.closes.get(symbol), view.previous_close) if c is not None]
    if price_breach(view.close, references, None, session.rules) is None:
        return None
    return price_breach(view.close, references, second_opinion(check, symbol), session.rules)
