"""``algo-pipeline verify``: an audit file checked on any machine, offline."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from algo_pipeline.cli.errors import FAILED
from algo_pipeline.common.config import load_settings
from algo_pipeline.common.errors import SettingsError
from algo_pipeline.common.storage import to_json

if TYPE_CHECKING:
    from algo_pipeline.registry.audit_verify import Verification

_WORDS = {True: "verified", False: "FAILED", None: "not checked"}


@click.command()
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print a machine-readable result.")
def verify(path: Path, as_json: bool) -> None:
    """Check FILE, which `algo-pipeline export` wrote, without network or stores.

    \b
    Example:
      algo-pipeline verify audit.zip

    Every file against the manifest, the hash chains of journal and ledgers, and the numbers: a run is trained again
    from its bars, and its report made again from its predictions; an hour's probability is computed again from bars
    and bundle. It says what was checked and what could not be: what a class of somebody's own made is made again only
    where the settings name that class and its file is the same. Exit code 0: nothing failed; 1: something did, by name.
    """  # noqa: D301 - click reads the escape
    from algo_pipeline.common.audit_archive import read_archive
    from algo_pipeline.registry.audit_verify import verify as check

    archive = read_archive(path)
    found = check(archive, _own_classes())
    if as_json:
        checks = [asdict(each) for each in found.checks]
        changes = list(found.environment_changes)
        click.echo(
            to_json({"sound": found.is_sound, "failed": list(found.failed), "checks": checks, "environment": changes})
        )
    else:
        subject = ", ".join(f"{name} {value}" for name, value in archive.subject.items())
        click.echo(f"{archive.kind}: {subject}")
        width = max([12, *(len(each.name) for each in found.checks)])
        for each in found.checks:
            click.echo(f"{_WORDS[each.passed]:<12} {each.name:<{width}} {each.detail}")
        for change in found.environment_changes:
            click.echo(f"Other than there: {change}.")
        click.echo(_conclusion(found))
    if not found.is_sound:
        sys.exit(FAILED)


def _conclusion(found: Verification) -> str:
    if not found.is_sound:
        return f"NOT SOUND: {', '.join(found.failed) or 'nothing could be checked'}."
    left = ", ".join(check.name for check in found.checks if check.passed is None)
    return f"Sound as far as it was checked; not checked: {left}." if left else "Sound."


def _own_classes() -> frozenset[str]:
    """Those of the settings; none where these can't be read, for a file is checked without them too."""
    try:
        return load_settings().own_classes()
    except SettingsError:
        return frozenset()
