"""Journal entries for tests: one of each event, and random sequences of them."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pandas as pd
from hypothesis import strategies as st

from algo_pipeline.common.types import Symbol
from algo_pipeline.live.events import Entry, Event, Outcome
from algo_pipeline.live.lines import FIRST_PREVIOUS, JournalLine, parse_line, render_line

BTC, ETH = Symbol("BTC", "USD"), Symbol("ETH", "USD")
START = pd.Timestamp("2024-01-01", tz="UTC")
HOUR = pd.Timedelta(hours=1)


def hour(n: int) -> pd.Timestamp:
    """Open time of bar ``n``."""
    return START + n * HOUR


def started(bar: int = 0, cash: str = "1000.50", account: str = "paper-1", **holdings: str) -> Entry:
    details = {"account_id": account, "cash": cash, "holdings": _pairs(holdings), "strategy": "algo"}
    return Entry(hour(bar), Event.STARTED, details=details)


def mark(bar: int = 0, equity: float = 1000.0, peak: float = 1000.0, drawdown: float = 0.0) -> Entry:
    details = {"cash": "1000", "holdings": {}, "closes": {"BTC/USD": 42000.5}, "broker_equity": None}
    return Entry(hour(bar), Event.MARK, details={"equity": equity, "peak": peak, "drawdown": drawdown, **details})


def kill_switch(bar: int = 0) -> Entry:
    details = {"equity": 890.0, "peak": 1000.0, "drawdown": 0.11, "max_drawdown": 0.1}
    return Entry(hour(bar), Event.KILL_SWITCH, details=details)


def decision(bar: int = 0, symbol: Symbol = BTC, signal: str = "LONG", action: str = "enter") -> Entry:
    details = {
        "reason": "probability 0.61 is at or above 0.55",
        "close": 42000.5,
        "held": "0",
        "quantity": "0.004761",
        "bundle": "ab" * 32,
        "model_version": "3",
        "trading": "on",
        "verdicts": [],
        "features_exact": True,
    }
    return Entry(hour(bar), Event.DECISION, symbol, signal, 0.61, action, None, details)


def watched(bar: int = 0, symbol: Symbol = BTC, *, bins: str = "5a", alarm: str | None = None) -> Entry:
    """A decision under watch, which learns the outcome of the bar before the last."""
    seen: dict[str, Any] = {
        "label": "direction_1h",
        "horizon_bars": 1,
        "base_rate": 0.52,
        "bins": bins,
        "outcomes": [[hour(bar - 2).isoformat(), bar % 2]],
        "drift": {"feature": "rsi_14", "index": 0.1, "limit": 4.4},
    }
    if alarm is not None:
        seen["alarm"] = {"kind": alarm, "text": "odd"}
    made = decision(bar, symbol)
    return replace(made, details={**made.details, "watch": seen})


def shadow(bar: int = 0, symbol: Symbol = BTC) -> Entry:
    details = {"bundle": "cd" * 32, "model_version": "4"}
    return Entry(hour(bar), Event.SHADOW, symbol, "HOLD", 0.51, details=details)


def intent(
    bar: int = 0,
    order_id: str = "a",
    symbol: Symbol = BTC,
    side: str = "buy",
    quantity: str = "0.5",
    purpose: str = "d",
) -> Entry:
    details = {"side": side, "quantity": quantity, "purpose": purpose, "close": 42000.5}
    return Entry(hour(bar), Event.INTENT, symbol, "LONG", 0.61, side, order_id, details)


def result(
    bar: int = 0,
    order_id: str = "a",
    symbol: Symbol = BTC,
    side: str = "buy",
    outcome: str = "filled",
    filled: str = "0.5",
    quantity: str = "0.5",
    price: float | None = 42010.0,
    filled_bar: int | None = None,
) -> Entry:
    details = {
        "outcome": outcome,
        "side": side,
        "quantity": quantity,
        "filled_quantity": filled,
        "average_price": price,
        "broker_order_id": f"broker-{order_id}",
        "broker_status": outcome,
        "filled_bar": None if filled_bar is None else hour(filled_bar),
        "note": "",
    }
    return Entry(hour(bar), Event.RESULT, symbol, None, None, side, order_id, details)


def reconciled(bar: int = 0, cash: str = "1000", flat: tuple[str, ...] = (), **holdings: str) -> Entry:
    details = {"cash": cash, "holdings": _pairs(holdings), "flat": list(flat), "notes": []}
    return Entry(hour(bar), Event.RECONCILED, details=details)


def adjustment(bar: int = 0, delta: float = 50.0, before: float = 1000.0) -> Entry:
    details = {"delta_usd": delta, "peak_before": before, "peak_after": before + delta, "reason": "deposit"}
    return Entry(hour(bar), Event.ADJUSTMENT, details=details)


def difference(bar: int = 0, reason: str = "0.5 BTC nobody ordered") -> Entry:
    return Entry(hour(bar), Event.DIFFERENCE, BTC, details={"reason": reason, "expected": "0", "found": "0.5"})


def missed(start: int, end: int) -> Entry:
    details = {"from": hour(start), "to": hour(end), "hours": end - start + 1, "cause": None}
    return Entry(hour(start), Event.MISSED, details=details)


def skipped_stale(bar: int = 0) -> Entry:
    return Entry(hour(bar), Event.SKIPPED_STALE, details={"delay_s": 1200.0, "reason": "too late"})


def halt(bar: int = 0, number: int = 1) -> Entry:
    return Entry(hour(bar), Event.HALT, details={"number": number, "flatten": False, "reason": "going on holiday"})


def resume(bar: int = 0, adopt: bool = False, peak: float = 900.0, cash: str = "900", **holdings: str) -> Entry:
    details = {"reason": "checked", "adopt": adopt, "peak": peak, "cash": cash, "holdings": _pairs(holdings)}
    return Entry(hour(bar), Event.RESUME, details=details)


def one_of_each() -> list[Entry]:
    """Fourteen entries, one per event."""
    return [
        started(BTC="0.25"),
        mark(1),
        decision(1),
        intent(1),
        result(1, filled_bar=2),
        reconciled(2, BTC="0.75"),
        adjustment(2),
        difference(2),
        kill_switch(2),
        missed(3, 5),
        skipped_stale(6),
        shadow(6),
        halt(7),
        resume(7, adopt=True, ETH="1.5"),
    ]


def lines_of(*entries: Entry, at: pd.Timestamp | None = None) -> list[JournalLine]:
    """Lines as a journal would give them; written a minute after their bar's close unless said otherwise."""
    lines: list[JournalLine] = []
    for seq, entry in enumerate(entries, start=1):
        previous, start = (lines[-1].sha256, lines[-1].end) if lines else (FIRST_PREVIOUS, 0)
        written_at = at if at is not None else entry.timestamp + HOUR + pd.Timedelta(minutes=1)
        lines.append(parse_line(render_line(entry, written_at, seq, previous), start))
    return lines


def _pairs(holdings: dict[str, str]) -> dict[str, Any]:
    return {f"{base}/USD": Decimal(quantity) for base, quantity in holdings.items()}


_bars = st.integers(0, 60)
_ids = st.sampled_from("abcd")
_symbols = st.sampled_from([BTC, ETH])
_sides = st.sampled_from(["buy", "sell"])
_amounts = st.decimals(0, 1000, places=6).map(str)
_alarms = st.sampled_from([None, "calibration", "features"])
_money = st.floats(0.0, 1e6)
_outcomes = st.sampled_from([outcome.value for outcome in Outcome])

random_entries = st.one_of(
    st.builds(started, _bars, _amounts, BTC=_amounts),
    st.builds(mark, _bars, _money, _money, st.floats(0.0, 1.0)),
    st.builds(kill_switch, _bars),
    st.builds(decision, _bars, _symbols, st.sampled_from(["LONG", "FLAT", "HOLD"]), st.sampled_from(["enter", "none"])),
    st.builds(watched, _bars, _symbols, bins=st.sampled_from(["", "5a"]), alarm=_alarms),
    st.builds(shadow, _bars, _symbols),
    st.builds(intent, _bars, _ids, _symbols, _sides, _amounts, st.sampled_from(["d", "h1"])),
    st.builds(
        result, _bars, _ids, _symbols, _sides, _outcomes, _amounts, _amounts, _money, st.none() | st.integers(0, 60)
    ),
    st.builds(reconciled, _bars, _amounts, st.sampled_from([(), ("BTC/USD",), ("BTC/USD", "ETH/USD")]), ETH=_amounts),
    st.builds(adjustment, _bars, st.floats(-1e3, 1e3), _money),
    st.builds(difference, _bars),
    st.builds(missed, st.integers(0, 20), st.integers(20, 40)),
    st.builds(skipped_stale, _bars),
    st.builds(halt, _bars, st.integers(1, 5)),
    st.builds(resume, _bars, st.booleans(), _money, _amounts, BTC=_amounts),
)
"""Entries in no sensible order: whatever a journal can hold, the fold must read."""
