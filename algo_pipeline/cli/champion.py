"""``algo-pipeline champion``: which model was champion when, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pandas as pd

from algo_pipeline.cli.parameters import pairs, utc_time
from algo_pipeline.common.config import load_settings
from algo_pipeline.common.formatting import minute
from algo_pipeline.common.logger import configure_logging
from algo_pipeline.common.storage import to_json
from algo_pipeline.common.time import to_utc, utc_now
from algo_pipeline.common.types import Symbol
from algo_pipeline.registry.bundle import BundleStore
from algo_pipeline.registry.ledger import PromotionLedger
from algo_pipeline.registry.reigns import BY_HAND, NO_POLICY, Reign, champion_at, reigns

if TYPE_CHECKING:
    from rich.console import Console

_TOLD = ("label", "trading", "who", "policy", "passed", "reason", "figures", "from_version", "run_id", "bundle_sha256")


@click.command()
@click.option("--symbol", "symbols", multiple=True, callback=pairs, metavar="BASE/QUOTE", help="Repeat for several.")
@click.option("--at", callback=utc_time, metavar="TIME", help="A past time (ISO 8601, UTC); without it, now.")
@click.option("--history", is_flag=True, help="Every champion until then, not only the last.")
@click.option("--json", "as_json", is_flag=True, help="Print a machine-readable result.")
def champion(symbols: str | None, at: datetime | None, history: bool, as_json: bool) -> None:
    """Show which model is, or was, the champion of each pair, since when, and why.

    \b
    Examples:
      algo-pipeline champion
      algo-pipeline champion --symbol BTC/USD --at 2024-01-31T12:00
      algo-pipeline champion --history --json

    The answer is read from the promotion ledger (registry/promotions.jsonl under the artifacts folder), whose lines are
    only ever appended and verified as a chain: who decided (the gate, or a person by name), for what reason, on which
    figures, and whether the model may enter (trading on) or not (flat). MLflow is not asked.
    """  # noqa: D301 - click reads the escape
    settings = load_settings(symbols=symbols)
    configure_logging(settings.log_level, settings.artifacts_dir / "logs", settings.secret_values(), console=False)
    now = utc_now()
    when = now if at is None else to_utc(at)
    answers = [_answer(settings.artifacts_dir, symbol, when, now=at is None) for symbol in settings.parsed_symbols()]
    if as_json:
        documents = [_document(answer, history) for answer in answers]
        click.echo(to_json({"at": when.isoformat(), "symbols": documents}))
    else:
        _print(answers, minute(when), history)


@dataclass(frozen=True, slots=True)
class _Answer:
    """The reigns of a symbol up to a time, the one that holds it, and what is deployed where the time is now."""

    symbol: Symbol
    until: tuple[Reign, ...]
    champion: Reign | None
    note: str


def _answer(folder: Path, symbol: Symbol, when: pd.Timestamp, *, now: bool) -> _Answer:
    lines = PromotionLedger(folder).lines()
    until = tuple(reign for reign in reigns(lines, str(symbol)) if reign.since <= when)
    champion = champion_at(lines, str(symbol), when)
    return _Answer(symbol, until, champion, _difference(folder, symbol, champion) if now else "")


def _difference(folder: Path, symbol: Symbol, champion: Reign | None) -> str:
    """What the ledger does not know of the deployed bundle: an interrupted promotion, or a hand on the file."""
    bundle = BundleStore(folder).load(symbol)
    recorded = (champion.line["to_version"], champion.line["trading"]) if champion else None
    actual = (bundle.model_version, bundle.trading.value) if bundle else None
    if recorded == actual:
        return ""
    words = f"version {actual[0]}, trading {actual[1]}," if actual else "nothing"
    return f"The ledger is not up to date: {words} is deployed. The next research run, or `promote`, records it."


def _document(answer: _Answer, history: bool) -> dict[str, Any]:
    document: dict[str, Any] = {
        "symbol": str(answer.symbol),
        "champion": _reign_document(answer.champion) if answer.champion else None,
        "note": answer.note or None,
    }
    return {**document, "history": [_reign_document(reign) for reign in answer.until]} if history else document


def _reign_document(reign: Reign) -> dict[str, Any]:
    line, until = reign.line, reign.until
    span = {"since": reign.since.isoformat(), "until": until.isoformat() if until else None}
    return {"version": line["to_version"], **span, **{name: line.get(name) for name in _TOLD}}


def _print(answers: list[_Answer], when: str, history: bool) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False, soft_wrap=True)
    for answer in answers:
        for reign in answer.until if history else filter(None, [answer.champion]):
            _print_reign(console, answer.symbol, reign)
        if answer.champion is None:
            console.print(f"{answer.symbol}: no champion at {when} UTC.", style="bold")
        if answer.note:
            console.print(answer.note, style="yellow")


def _print_reign(console: Console, symbol: Symbol, reign: Reign) -> None:
    line = reign.line
    span = f"from {minute(reign.since)} to {minute(reign.until)}" if reign.until else f"since {minute(reign.since)}"
    console.print(
        f"{symbol}: version {line['to_version']} for {line['label']}, trading {line['trading']}, {span} UTC",
        style="bold",
    )
    policy = "" if line["policy"] in (BY_HAND, NO_POLICY) else f" ({line['policy']})"
    console.print(f"  by {line['who']}{policy}: {line['reason']}")
    if line["policy"] == BY_HAND:
        console.print(f"  trading {line['trading']}: {line['figures']['trading_because']}")
