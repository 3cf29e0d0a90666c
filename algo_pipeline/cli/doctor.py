"""``algo-pipeline doctor``: is everything in place to trade by itself? Each check a line, with its remedy."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import click

from algo_pipeline.cli.checks import Check, Diagnosis, Level, checked, failed, ok
from algo_pipeline.cli.checks_environment import not_importable, packages, python_version
from algo_pipeline.cli.errors import FAILED
from algo_pipeline.common.errors import AlgoPipelineError

if TYPE_CHECKING:  # a broken environment is what this command has to tell of: nothing else is imported before a look
    from algo_pipeline.common.config import Settings
    from algo_pipeline.data.skew import FeatureSkew

_COLOURS = MappingProxyType({Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "red"})


@click.command()
@click.option("--send-test-alert", "with_alert", is_flag=True, help="Also send a test alert through every channel.")
@click.option("--json", "as_json", is_flag=True, help="Print a machine-readable result.")
def doctor(with_alert: bool, as_json: bool) -> None:
    """Check everything that trading by itself needs, and say what to do about what is missing.

    Python, packages, settings, disk, folders, account, keys, clock, network, bars, champions, journal, ledgers, locks,
    ports, stores, alerts and the schedule.

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
        click.echo(_as_json(found))
    else:
        _print(found)
    if not found.is_sound:
        sys.exit(FAILED)


def _diagnosis(with_alert: bool) -> Diagnosis:
    """Python and packages first: without them nothing else can be looked at, and without settings little."""
    environment = [*checked("python", python_version), *checked("packages", packages)]
    if any(check.level is Level.FAIL for check in environment):
        return Diagnosis(tuple(environment))
    try:
        found = _with_packages(with_alert)
    except ImportError as error:
        found = Diagnosis((not_importable(error),))
    return replace(found, checks=(*environment, *found.checks))


def _with_packages(with_alert: bool) -> Diagnosis:
    from algo_pipeline.cli.diagnosis import diagnose, send_test_alert
    from algo_pipeline.common.config import load_settings

    try:
        settings = load_settings()
    except AlgoPipelineError as error:
        told = type(error)(f"{error.message} The other checks need settings.", error.remedy)
        return Diagnosis((failed("settings", told),))
    logs = checked("settings", lambda: _set_up(settings))
    found = diagnose(settings)
    sent = checked("test alert", lambda: send_test_alert(settings)) if with_alert else []
    return Diagnosis((*logs, *found.checks, *sent), found.skews)


def _set_up(settings: Settings) -> Check:
    """Settings that can be read, and a log of what a check has met."""
    from algo_pipeline.common.logger import configure_logging

    configure_logging(settings.log_level, settings.artifacts_dir / "logs", settings.secret_values(), console=False)
    return ok("settings", f"read for {', '.join(settings.symbols)}; {len(settings.model_fields_set)} are set")


def _as_json(found: Diagnosis) -> str:
    if not found.skews:
        return json.dumps(_document(found), indent=2, ensure_ascii=False)
    from algo_pipeline.common.storage import to_json

    return to_json(_document(found))


def _document(found: Diagnosis) -> dict[str, Any]:
    return {
        "ok": found.is_sound,
        "summary": found.summary(),
        "checks": [{**asdict(check), "level": check.level.value} for check in found.checks],
        "feature_skew": {str(symbol): _skew_document(skew) for symbol, skew in found.skews.items()},
    }


def _skew_document(skew: FeatureSkew) -> dict[str, Any]:
    rows = skew.table.reset_index().to_dict("records")
    return {"hours": skew.n_hours, "from": skew.first, "to": skew.last, "features": rows}


def _print(found: Diagnosis) -> None:
    for check in found.checks:
        click.echo(f"{click.style(f'{check.level.value:<4}', fg=_COLOURS[check.level])} {check.name}: {check.message}")
        if check.remedy:
            click.secho(f"     try: {check.remedy}", dim=True)
    if found.skews:
        from algo_pipeline.cli.skew_summary import print_skew

        for symbol, skew in found.skews.items():
            print_skew(symbol, skew)
    click.secho(f"\n{found.summary()[0].upper()}{found.summary()[1:]}.", bold=True)
