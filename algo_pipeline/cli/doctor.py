"""``algo-pipeline doctor``: is everything in place to trade by itself? Each check a line, with its remedy."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from algo_pipeline.cli.checks import Check, Level, checked, failed, ok
from algo_pipeline.cli.diagnosis import Diagnosis, diagnose, send_test_alert
from algo_pipeline.cli.errors import FAILED
from algo_pipeline.common.config import Settings, load_settings
from algo_pipeline.common.errors import AlgoPipelineError
from algo_pipeline.common.formatting import count, minute, number
from algo_pipeline.common.logger import configure_logging
from algo_pipeline.common.storage import to_json
from algo_pipeline.data.skew import FeatureSkew

_STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"}
_ROWS_SHOWN = 10


@click.command()
@click.option("--send-test-alert", "with_alert", is_flag=True, help="Also send a test alert through every channel.")
@click.option("--json", "as_json", is_flag=True, help="Print a machine-readable result.")
def doctor(with_alert: bool, as_json: bool) -> None:
    """Check settings, account, clock, bars, disk, champions, journal, ledgers, lock, ports, stores, alerts, schedule.

    \b
    Examples:
      algo-pipeline doctor
      algo-pipeline doctor --send-test-alert
      algo-pipeline doctor --json

    Each line is OK, WARN (it works, but you should know) or FAIL, the last two with what to do; the exit code is 1 if
    one is FAIL. It changes nothing and keeps no lock. Where ALGO_TRADER_LIVE_BARS_SOURCE is not the source that a
    champion learnt from, it measures how far the features of the two are apart.
    """  # noqa: D301 - click reads the escape
    found = _diagnosis(with_alert)
    if as_json:
        click.echo(to_json(_document(found)))
    else:
        _print(found)
    if any(check.level is Level.FAIL for check in found.checks):
        sys.exit(FAILED)


def _diagnosis(with_alert: bool) -> Diagnosis:
    try:
        settings = load_settings()
    except AlgoPipelineError as error:
        return Diagnosis((failed("settings", error),), {})
    logs = checked("settings", lambda: _set_up(settings))
    found = diagnose(settings)
    sent = checked("test alert", lambda: send_test_alert(settings)) if with_alert else []
    return Diagnosis((*logs, *found.checks, *sent), found.skews)


def _set_up(settings: Settings) -> Check:
    """Settings that can be read, and a log of what a check has met."""
    configure_logging(settings.log_level, settings.artifacts_dir / "logs", settings.secret_values(), console=False)
    return ok("settings", f"read for {', '.join(settings.symbols)}; {len(settings.model_fields_set)} are set")


def _document(found: Diagnosis) -> dict[str, Any]:
    checks = [{**dataclasses.asdict(check), "level": check.level.value} for check in found.checks]
    return {
        "ok": all(check.level is not Level.FAIL for check in found.checks),
        "checks": checks,
        "feature_skew": {str(symbol): _skew_document(skew) for symbol, skew in found.skews.items()},
    }


def _skew_document(skew: FeatureSkew) -> dict[str, Any]:
    rows = skew.table.reset_index().to_dict("records")
    return {"hours": skew.n_hours, "from": skew.first, "to": skew.last, "features": rows}


def _print(found: Diagnosis) -> None:
    console = Console(highlight=False, markup=False)
    for check in found.checks:
        style = _STYLES[check.level]
        console.print(Text(f"{check.level.value:<4}", style), f"{check.name}:", check.message, soft_wrap=True)
        if check.remedy:
            console.print(f"     try: {check.remedy}", style="dim", soft_wrap=True, markup=False)
    for symbol, skew in found.skews.items():
        console.print(
            f"{symbol}, {count(skew.n_hours)} hours until {minute(skew.last)} UTC: absolute difference of a feature "
            f"between the two sources, in deviations of the feature; the worst {_ROWS_SHOWN} of {len(skew.table)}",
            soft_wrap=True,
        )
        console.print(_skew_table(skew))


def _skew_table(skew: FeatureSkew) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("feature")
    table.add_column("median", justify="right")
    table.add_column("max", justify="right")
    for name, row in skew.table.head(_ROWS_SHOWN).iterrows():
        table.add_row(str(name), number(row["median"], 3), number(row["max"], 2))
    return table
