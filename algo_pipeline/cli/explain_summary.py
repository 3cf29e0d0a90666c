"""An explained hour as JSON and as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from algo_pipeline.common.formatting import minute, significant
from algo_pipeline.common.time import to_utc

if TYPE_CHECKING:
    from algo_pipeline.live.alerts import Alert
    from algo_pipeline.live.lines import JournalLine
    from algo_pipeline.registry.explain import Explanation, Recomputation

_SHOWN_TERMS = 8
_TERM_WIDTH = 33
_NOT_SHOWN = ("held", "quantity", "reason", "verdicts", "bundle", "model_version", "trading", "close", "features_exact")


def explanation_document(found: Explanation, alerts: Sequence[Alert]) -> dict[str, Any]:
    """Everything that is known of the hour, as plain JSON values."""
    story, again = found.story, found.recomputed
    return {
        "hour": story.bar,
        "symbol": str(story.symbol),
        "decision": _line(story.decision),
        "recomputed": None if again is None else _recomputed(again),
        "agreement": found.agreement,
        "confirmed": found.is_confirmed,
        "rule": found.rule,
        "intents": [_line(line) for line in story.intents],
        "results": [_line(line) for line in story.results],
        "holding": {"before": _coin(story.holding_before), "after": _coin(story.holding_after)},
        "equity": {"before": _equity(story.mark_before), "at": _equity(story.mark), "after": _equity(story.mark_after)},
        "events": [_line(line) for line in story.events],
        "missed": _line(story.missed),
        "alerts": [
            {"at": each.at, "severity": each.severity.value, "code": each.code, "title": each.title, "text": each.text}
            for each in alerts
        ],
    }


def print_explanation(found: Explanation, alerts: Sequence[Alert]) -> None:
    """The chain in words, a link a paragraph."""
    for line in _texts(found, alerts):
        click.echo(line)


def _texts(found: Explanation, alerts: Sequence[Alert]) -> Iterator[str]:
    story = found.story
    yield f"{story.symbol}, the bar that opened at {minute(story.bar)} UTC"
    yield ""
    yield from _bars(found)
    yield from _features(found)
    yield from _decision(found)
    yield from _orders(found)
    yield from _account(found)
    for line in story.events:
        yield f"Account     {line.event.value} at {minute(line.at)}: {_details(line)}"
    if story.missed is not None:
        yield f"Missed      told at {minute(story.missed.at)}: {_details(story.missed)}"
    for alert in alerts:
        yield f"Alert       {minute(alert.at)} {alert.severity.value}: {alert.title}. {alert.text}"


def _bars(found: Explanation) -> Iterator[str]:
    again = found.recomputed
    if again is None:
        yield f"Bars        not computed again: {found.why_not}"
        return
    yield f"Bars        {again.bars.n_bars:,} up to this one, SHA-256 {again.bars.sha256[:16]}; the newest:"
    for bar in again.bars.last:
        prices = "  ".join(f"{name} {significant(bar[name], 7)}" for name in ("open", "high", "low", "close", "volume"))
        yield f"              {bar['timestamp']:%Y-%m-%d %H:%M}  {prices}"


def _features(found: Explanation) -> Iterator[str]:
    again = found.recomputed
    if again is None:
        return
    yield f"Features    {len(again.features)}:"
    parts = {} if again.contributions is None else again.contributions.by_term
    mixed = {name: value for name, value in parts.items() if name not in again.features}
    shown = sorted(mixed.items(), key=lambda item: -abs(item[1]))[:_SHOWN_TERMS]
    width = max([_TERM_WIDTH, *(len(name) for name, _ in shown)])
    for name, value in again.features.items():
        told = f"{name:<{width - 13}} {value:>12.6g}"
        yield f"              {told}" + (f"   adds {parts[name]:+.5f}" if name in parts else "")
    for name, value in shown:
        yield f"              {name:<{width}}   adds {value:+.5f}"
    if len(mixed) > _SHOWN_TERMS:
        yield f"              … and {len(mixed) - _SHOWN_TERMS} products that add less"
    if again.contributions is not None:
        sort = "calibrated" if again.contributions.is_calibrated else "uncalibrated"
        constant, total = again.contributions.constant, again.contributions.log_odds
        yield f"              {'(constant)':<{width}}   adds {constant:+.5f}; {sort} log-odds {total:+.5f}"


def _decision(found: Explanation) -> Iterator[str]:
    decision = found.story.decision
    if decision is None:
        yield "Decision    none was made on this bar"
        return
    details = decision.details
    model = f"version {details['model_version']}, trading {details['trading']}"
    bundle = "no bundle" if details["bundle"] is None else f"bundle {details['bundle'][:16]}"
    probability = "none" if decision.prob is None else repr(decision.prob)
    yield f"Champion    {model}, {bundle}"
    yield f"Probability {probability} in the journal; computed again: {found.agreement}"
    yield f"Rule        {found.rule}"
    for name, value in details.get("strategy", {}).items():
        yield f"              {name} {value}"
    yield f"Signal      {decision.signal}"
    yield f"Risk        {'; '.join(details['verdicts']) or 'no objection'}"
    yield f"Decision    {decision.action} ({details['reason']})"
    for name in (name for name in details if name not in (*_NOT_SHOWN, "strategy", "watch")):
        yield f"              {name}: {details[name]}"
    if details.get("watch"):
        yield f"Watch       {_watch(details['watch'])}"


def _watch(watch: Mapping[str, Any]) -> str:
    outcomes = watch.get("outcomes") or ()
    known = ", ".join(f"{minute(to_utc(bar))} {'unknown' if label is None else label}" for bar, label in outcomes)
    told = [f"base rate {watch['base_rate']:.4f}", f"labels that became known: {known or 'none'}"]
    if drift := watch.get("drift"):
        told.append(f"drift index of {drift['feature']} {drift['index']:.2f}, its limit {drift['limit']:.2f}")
    if alarm := watch.get("alarm"):
        told.append(f"ALARM ({alarm['kind']}): {alarm['text']}")
    return "; ".join(told)


def _orders(found: Explanation) -> Iterator[str]:
    story = found.story
    if not story.intents:
        yield "Order       none"
    for line in story.intents:
        details = line.details
        yield f"Intent      {details['side']} {details['quantity']} written {minute(line.at)}, id {line.order_id}"
    for line in story.results:
        details = line.details
        price = "" if details["average_price"] is None else f" at {significant(float(details['average_price']), 7)}"
        bar = "" if details["filled_bar"] is None else f", in the bar {minute(to_utc(details['filled_bar']))}"
        note = f" ({details['note']})" if details["note"] else ""
        yield f"Result      {details['outcome']}: filled {details['filled_quantity']}{price}{bar}{note}"


def _account(found: Explanation) -> Iterator[str]:
    story = found.story
    if story.holding_before is not None:
        before, after = _coin(story.holding_before), _coin(story.holding_after)
        yield f"Holding     {before} before, {after} after, fees in coin not counted"
    words = (("the bar before", story.mark_before), ("this bar", story.mark), ("the next bar", story.mark_after))
    parts = [f"{line.details['equity']:,.2f} at {word}" for word, line in words if line is not None]
    yield f"Equity      {', '.join(parts) or 'not marked'}"


def _recomputed(again: Recomputation) -> dict[str, Any]:
    parts = again.contributions
    return {
        "bars": {"n": again.bars.n_bars, "sha256": again.bars.sha256, "last": list(again.bars.last)},
        "features": dict(again.features),
        "probability": again.probability,
        "contributions": None
        if parts is None
        else {
            "by_term": parts.by_term,
            "constant": parts.constant,
            "log_odds": parts.log_odds,
            "calibrated": parts.is_calibrated,
        },
    }


def _line(line: JournalLine | None) -> dict[str, Any] | None:
    if line is None:
        return None
    return {
        "seq": line.seq,
        "at": line.at,
        "timestamp": line.timestamp,
        "event": line.event.value,
        "signal": line.signal,
        "prob": line.prob,
        "action": line.action,
        "order_id": line.order_id,
        "details": dict(line.details),
        "sha256": line.sha256,
    }


def _equity(line: JournalLine | None) -> float | None:
    return None if line is None else float(line.details["equity"])


def _coin(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")


def _details(line: JournalLine) -> str:
    return ", ".join(f"{name} {value}" for name, value in line.details.items() if value is not None)
