"""``algo-pipeline dashboard``: the live account as a page, on 127.0.0.1 until Ctrl-C, or as files."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path

import click

from algo_pipeline.common.config import Settings, load_settings
from algo_pipeline.common.errors import StorageError
from algo_pipeline.common.logger import configure_logging

_HOST_NAME = re.compile(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*|\[[0-9a-f:.]+\]", re.IGNORECASE)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; 0 takes a free one.  [default: 8800]")
@click.option(
    "--allowed-host", "allowed_hosts", multiple=True, metavar="NAME", help="Also answer under this name; repeatable."
)
@click.option("--export", type=click.Path(path_type=Path, file_okay=False), help="Write the page here, and end.")
def dashboard(host: str, port: int | None, allowed_hosts: tuple[str, ...], export: Path | None) -> None:
    """Show the live account as a read-only web page: equity, positions, decisions, risk, costs, alerts, models.

    \b
    Examples:
      algo-pipeline dashboard
      algo-pipeline dashboard --export public
      curl http://127.0.0.1:8800/metrics

    It reads the files under the artifacts folder and asks no broker; /metrics is for Prometheus, /data.json for other
    programs. --export writes index.html and data.json, which need no server.
    """  # noqa: D301 - click reads the escape
    for name in allowed_hosts:
        if _HOST_NAME.fullmatch(name) is None:
            raise click.UsageError(
                f"--allowed-host takes a name without scheme and port, such as desk.example; found {name}."
            )
    if not _is_local(host) and not allowed_hosts:
        raise click.UsageError(
            f"--host {host} is seen by other machines: also pass --allowed-host with the name that they use."
        )
    settings = load_settings(dashboard_port=port or None)
    _configure_logging(settings)
    if export is not None:
        _export(settings, export)
    else:
        _serve(settings, host, 0 if port == 0 else settings.dashboard_port, allowed_hosts)


def _export(settings: Settings, folder: Path) -> None:
    from algo_pipeline.common.time import utc_now
    from algo_pipeline.dashboard.export import export_dashboard

    page = export_dashboard(settings, folder, utc_now())
    click.echo(f"Written: {page} and data.json beside it.")


def _serve(settings: Settings, host: str, port: int, allowed_hosts: tuple[str, ...]) -> None:
    from algo_pipeline.dashboard.server import serve

    serve(settings, host, port, allowed_hosts, lambda url: click.echo(f"Dashboard  {url}\nCtrl-C stops it."))


def _configure_logging(settings: Settings) -> None:
    """To the log file; to the console where the artifacts may only be read."""
    secrets = settings.secret_values()
    try:
        configure_logging(settings.log_level, settings.artifacts_dir / "logs", secrets, console=False)
    except StorageError:
        configure_logging(settings.log_level, None, secrets)


def _is_local(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
