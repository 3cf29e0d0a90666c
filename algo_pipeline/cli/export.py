"""``algo-pipeline export``: a training or an hour of live trading as one file that others can check."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from algo_pipeline.cli.parameters import one_pair, utc_time
from algo_pipeline.common.config import Settings, load_settings
from algo_pipeline.common.formatting import count
from algo_pipeline.common.logger import configure_logging
from algo_pipeline.common.storage import to_json
from algo_pipeline.common.time import to_utc
from algo_pipeline.common.types import Symbol


@click.command()
@click.argument("run_id", required=False)
@click.option(
    "--hour", callback=utc_time, metavar="TIME", help="Open time of a bar that was decided on, instead of a run."
)
@click.option(
    "--symbol", callback=one_pair, metavar="BASE/QUOTE", help="With --hour; the first configured pair if omitted."
)
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), default=Path("audit.zip"), show_default=True,
    help="The file to write.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print a machine-readable result.")
def export(run_id: str | None, hour: datetime | None, symbol: Symbol | None, output: Path, as_json: bool) -> None:
    """Write one file from which anybody can check MLflow's run RUN_ID, or an hour of live trading, offline.

    \b
    Examples:
      algo-pipeline export 0b2c6f4d9e8a4b7c9a3d5e1f7c6b8a90 --output audit.zip
      algo-pipeline export --hour 2026-01-31T12:00 --output hour.zip

    A run: bars, recipe, parameters, predictions, report and the ledgers. An hour: its part of the journal, the champion
    bundle and the bars. `algo-pipeline verify` checks it on any machine. The same content gives the same bytes; no key
    is ever in it. Note the SHA-256 that is printed: it proves later that the file is this one.
    """  # noqa: D301 - click reads the escape
    if (run_id is None) == (hour is None):
        raise click.UsageError("Either a run or --hour is expected.")
    if symbol is not None and hour is None:
        raise click.UsageError("--symbol belongs to --hour.")
    settings = load_settings()
    configure_logging(settings.log_level, settings.artifacts_dir / "logs", settings.secret_values(), console=False)
    kind, subject, files = _run(settings, run_id) if run_id else _hour(settings, to_utc(hour or ""), symbol)
    from algo_pipeline.common.audit_archive import write_archive
    from algo_pipeline.common.machine import environment
    from algo_pipeline.registry.audit_export import require_no_secrets

    require_no_secrets(files, settings.secret_values())
    sha256 = write_archive(output, kind, subject, environment(), files)
    if as_json:
        click.echo(to_json({"output": str(output), "sha256": sha256, "kind": kind, "files": sorted(files)}))
    else:
        click.echo(f"{output}: {count(len(files))} files, {output.stat().st_size / 1e6:.1f} MB, SHA-256 {sha256}")
        click.echo(f"Check it anywhere: algo-pipeline verify {output}")


def _run(settings: Settings, run_id: str) -> tuple[str, dict[str, Any], dict[str, bytes]]:
    from algo_pipeline.cli.reproduce import stored_bars
    from algo_pipeline.registry.audit_export import RUN_KIND, run_files
    from algo_pipeline.registry.mlflow_registry import MlflowRegistry

    run = MlflowRegistry.configured(settings).logged_run(run_id)
    lineage = run.lineage()
    subject = {"run_id": run_id, "symbol": lineage.symbol, "label": lineage.label, "source": lineage.source}
    return RUN_KIND, subject, run_files(run, stored_bars(settings, run), settings.artifacts_dir)


def _hour(settings: Settings, hour: Any, symbol: Symbol | None) -> tuple[str, dict[str, Any], dict[str, bytes]]:
    from algo_pipeline.cli.explain import bars_until, explained
    from algo_pipeline.live.journal import Journal
    from algo_pipeline.registry.audit_export import HOUR_KIND, hour_files, hour_subject

    pair = symbol or settings.parsed_symbols()[0]
    found = explained(settings, hour, pair)
    bars = None if found.bundle is None else bars_until(settings, pair, found.bundle, hour)
    return HOUR_KIND, hour_subject(found), hour_files(found, Journal(settings.artifacts_dir / "live"), bars)
