"""``algo-pipeline halt`` and ``algo-pipeline resume``: a person's own switches of live trading."""

from __future__ import annotations

from typing import Any

import click

from algo_pipeline.cli.live_summary import order_document, order_table
from algo_pipeline.common.config import Settings, load_settings
from algo_pipeline.common.errors import BrokerError
from algo_pipeline.common.formatting import number
from algo_pipeline.common.logger import configure_logging
from algo_pipeline.common.storage import to_json
from algo_pipeline.live.report import ControlReport

_REASON = click.option("--reason", required=True, metavar="TEXT", help="Why; it is journalled.")
_HALTED = "Halted: nothing is bought"
_JSON = click.option("--json", "as_json", is_flag=True, help="Print a machine-readable result.")


@click.command()
@click.option("--flatten", is_flag=True, help="Sell everything now, and on every later bar what is left.")
@_REASON
@_JSON
def halt(flatten: bool, reason: str, as_json: bool) -> None:
    """Stop entries until `algo-pipeline resume`; with --flatten sell everything too.

    \b
    Examples:
      algo-pipeline halt --reason "away for a week"
      algo-pipeline halt --flatten --reason "exchange in trouble"

    Without --flatten the hourly decisions go on and exits still sell: what protects a holding stays in force. The halt
    is journalled before anything is sent, and it waits up to a minute for an hourly run that is at work.
    """  # noqa: D301 - click reads the escape
    settings = _settings(reason)
    from algo_pipeline.defs.live_account import open_account
    from algo_pipeline.live import controls

    with open_account(settings) as account:
        before = account.store.load(account.journal).n_halts
        try:
            report = controls.halt(account, reason, flatten=flatten)
        except BrokerError as error:
            if account.store.load(account.journal).n_halts == before:
                raise
            raise _halted_without_answer(error, flatten=flatten) from error
    _show(report, as_json, _HALTED + (", and what is held is sold." if flatten else "."))


@click.command()
@_REASON
@click.option("--adopt", is_flag=True, help="Start from what the account holds now, whatever led to it.")
@_JSON
def resume(reason: str, adopt: bool, as_json: bool) -> None:
    """Let trading go on after a halt, the kill switch, a difference that stopped it or an alarm of the watch.

    \b
    Examples:
      algo-pipeline resume --reason "back from holiday"
      algo-pipeline resume --adopt --reason "traded by hand, checked the account"

    The peak starts again at the present equity. --adopt is the way out when account and journal do not tell one story:
    look at the account first, since what it holds then becomes the start.
    """  # noqa: D301 - click reads the escape
    settings = _settings(reason)
    from algo_pipeline.defs.live_account import open_account
    from algo_pipeline.live import controls

    with open_account(settings) as account:
        report = controls.resume(account, reason, adopt=adopt)
    _show(report, as_json, "Resumed" + (" from what the account holds." if adopt else "."))


def _settings(reason: str) -> Settings:
    if not reason.strip():
        raise click.BadParameter("a reason is expected; it is journalled.", param_hint="--reason")
    settings = load_settings()
    configure_logging(settings.log_level, settings.artifacts_dir / "logs", settings.secret_values(), console=False)
    return settings


def _halted_without_answer(error: BrokerError, *, flatten: bool) -> BrokerError:
    """The halt is in force all the same; what could not be done follows with the next hour's run."""
    later = "what is held will be sold by the next hourly run" if flatten else "open orders are settled by the next run"
    return type(error)(
        f"The halt is journalled and nothing is bought any more, but the broker gave no answer: {error.message}",
        f"Look at the account; {later}.",
    )


def _show(report: ControlReport, as_json: bool, what: str) -> None:
    if as_json:
        click.echo(to_json(control_document(report)))
        return
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    console.print(what, style="bold")
    if report.orders:
        console.print(order_table(report.orders))
    held = ", ".join(f"{quantity} {symbol}" for symbol, quantity in report.holdings.items()) or "nothing"
    console.print(
        f"The account held {held} and {number(float(report.cash), 2)} USD; peak {number(report.peak, 2)} USD."
    )
    for note in report.notes:
        console.print(f"Still open: {note}.", soft_wrap=True)


def control_document(report: ControlReport) -> dict[str, Any]:
    """What was done as plain JSON; amounts of coin and cash as decimal strings."""
    return {
        "halt": report.number,
        "orders": [order_document(each) for each in report.orders],
        "peak": report.peak,
        "cash": str(report.cash),
        "holdings": {str(symbol): str(quantity) for symbol, quantity in report.holdings.items()},
        "open": list(report.notes),
        "alerts": [{"severity": each.severity.value, "title": each.title, "text": each.text} for each in report.alerts],
    }
