"""``algo-pipeline status``: what the live account holds, has decided and has come to."""

from __future__ import annotations

from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from algo_pipeline.broker.auth import PaperAccess, can_trade, require_paper
from algo_pipeline.cli.next_steps import ui_command
from algo_pipeline.common.config import Settings, load_settings
from algo_pipeline.common.errors import BrokerError
from algo_pipeline.common.formatting import minute, number, percent
from algo_pipeline.common.logger import configure_logging
from algo_pipeline.common.storage import to_json
from algo_pipeline.common.time import utc_now
from algo_pipeline.dashboard.figures import left_out_words, session_figures
from algo_pipeline.dashboard.status import BrokerAnswer, obstacles, status_document
from algo_pipeline.live.journal import Journal
from algo_pipeline.live.state import LiveState, StateStore
from algo_pipeline.live.tally import tally_of

_TIMEOUT_S = 4.0


@click.command()
@click.option("--last", type=click.IntRange(1, 1000), default=1, show_default=True, help="Bars of decisions to list.")
@click.option("--json", "as_json", is_flag=True, help="Print a machine-readable result.")
def status(last: int, as_json: bool) -> None:
    """Show positions, equity, drawdown, the last decisions and what keeps trading from going on.

    \b
    Examples:
      algo-pipeline status
      algo-pipeline status --last 24
      algo-pipeline status --json

    It reads the journal (live/decisions.jsonl under the artifacts folder) and needs no lock, so that it never stands in
    the way of a decision. The broker is asked for its own view of the account; without its answer the rest is shown.
    The session's metrics are a backtest's, computed on the journalled marks without deposits and withdrawals.
    """  # noqa: D301 - click reads the escape
    settings = load_settings()
    configure_logging(settings.log_level, settings.artifacts_dir / "logs", settings.secret_values(), console=False)
    access = _access(settings)
    folder = settings.artifacts_dir / "live"
    journal = Journal(folder)
    tally = tally_of(journal.lines())
    state = StateStore(folder).load(journal) if tally.offset else LiveState()
    document = status_document(settings, state, tally, _asked(access), utc_now(), last)
    if as_json:
        click.echo(to_json(document))
    else:
        _print(settings, document)


def _access(settings: Settings) -> PaperAccess | None:
    """Where the account is; None if none is configured. A URL that is not paper's is refused here as everywhere."""
    url, key, secret = settings.alpaca_trading_url, settings.alpaca_api_key, settings.alpaca_secret_key
    if not can_trade(url, key, secret):
        from algo_pipeline.common.paper import require_paper_url

        require_paper_url(url)
        return None
    return require_paper(url, key, secret)


def _asked(access: PaperAccess | None) -> BrokerAnswer:
    if access is None:
        return BrokerAnswer("not configured", "No paper account and no sandbox is configured.", None, utc_now())
    from algo_pipeline.broker.alpaca import AlpacaBroker
    from algo_pipeline.sources.catalog import make_source

    broker = AlpacaBroker(access, make_source("simulated"), read_timeout_s=_TIMEOUT_S)
    try:
        account = broker.get_account()
        return BrokerAnswer("ok", "", account, broker.now() if access.is_loopback else utc_now())
    except BrokerError as error:
        return BrokerAnswer("unreachable", str(error), None, None if access.is_loopback else utc_now())


def _print(settings: Settings, document: dict[str, Any]) -> None:
    console = Console(highlight=False, markup=False)
    _print_account(console, document)
    for text in obstacles(document):
        console.print(text, style="yellow", soft_wrap=True)
    if document["positions"]:
        console.print(_positions(document))
    if document["decisions"]:
        console.print(_decisions(document))
    for intent in document["open_intents"]:
        console.print("Outcome unknown: {order_id} ({side} {quantity} {symbol}).".format(**intent), soft_wrap=True)
    _print_watch(console, document)
    _print_session(console, document["session"])
    next_tick, command = minute(document["next_tick"]), ui_command(settings)
    console.print(f"Next tick of the schedule: {next_tick} UTC, while `{command}` runs.")


def _print_account(console: Console, document: dict[str, Any]) -> None:
    if document["as_of_bar"] is None:
        console.print("No bar has been decided on yet: the first hourly run, or `algo-pipeline decide`, starts it.")
    else:
        console.print(
            f"Equity {number(document['equity'], 2)} USD at the close of the bar {minute(document['as_of_bar'])} UTC; "
            f"cash {number(float(document['cash']), 2)}, peak {number(document['peak'], 2)}, "
            f"drawdown {percent(document['drawdown'], 2)} (kill switch at "
            f"{percent(document['kill_switch']['max_drawdown'], 0)}).",
            style="bold",
        )
    broker = document["broker"]
    if broker["answer"] == "ok":
        blocked = ", and blocks trading" if broker["trading_blocked"] else ""
        console.print(f"The broker states an equity of {number(broker['equity'], 2)} USD{blocked}.")
    else:
        unreachable = "" if broker["answer"] == "not configured" else "The broker is unreachable. "
        console.print(f"{unreachable}{broker['message']}", soft_wrap=True)


def _table(*titles: str, left: int = 1) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for place, title in enumerate(titles):
        table.add_column(title, justify="left" if place < left else "right")
    return table


def _print_watch(console: Console, document: dict[str, Any]) -> None:
    """How far each model is trusted, and what its challenger would have said."""
    for watch in document["watch"]:
        console.print(f"Watch over {watch['symbol']}: {watch['words']}.", soft_wrap=True)
    for score in document["challengers"]:
        console.print(
            f"Challenger of {score['symbol']}, version {score['model_version']}, {score['hours']} known hours: "
            f"log loss {number(score['challenger_log_loss'], 4)}, "
            f"the champion's {number(score['champion_log_loss'], 4)}, "
            f"difference {score['difference']:+.4f}{_error(score['standard_error'])}.",
            soft_wrap=True,
        )


def _error(standard_error: float | None) -> str:
    return "" if standard_error is None else f" ± {standard_error:.4f}"


def _positions(document: dict[str, Any]) -> Table:
    table = _table("holding", "quantity", "close", "value", "of equity")
    for row in document["positions"]:
        value, share = number(row["value_usd"], 2), percent(row["share_of_equity"])
        table.add_row(row["symbol"], row["quantity"], number(row["close"], 2), value, share)
    return table


def _decisions(document: dict[str, Any]) -> Table:
    table = _table("decided on", "symbol", "signal", "action", "why", left=5)
    for row in document["decisions"]:
        table.add_row(minute(row["bar"]), row["symbol"], row["signal"], row["action"], row["reason"])
    return table


def _print_session(console: Console, session: dict[str, Any]) -> None:
    if not session["hours"]:
        return
    span = f"{minute(session['from'])} to {minute(session['to'])} UTC"
    console.print(
        f"Since the start, {span}: {session['hours']} h marked, {session['missed_hours']} missed, "
        f"{session['orders']} orders."
    )
    table = _table("figure", "session")
    for title, figure in session_figures(session["metrics"], session["hours"]):
        table.add_row(title, figure)
    console.print(table)
    if note := left_out_words(session["hours"]):
        console.print(note, style="dim")
