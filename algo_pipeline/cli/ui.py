"""``algo-pipeline ui``: web UIs of Dagster and MLflow, the daemon and the live dashboard, on 127.0.0.1 until Ctrl-C."""

from __future__ import annotations

import click

from algo_pipeline.common.config import load_settings
from algo_pipeline.common.logger import configure_logging


@click.command()
def ui() -> None:
    """Start the Dagster web UI, its daemon, the MLflow UI and the live dashboard, all on 127.0.0.1.

    Ports come from ALGO_TRADER_DAGSTER_PORT (3000), ALGO_TRADER_MLFLOW_PORT (5000) and ALGO_TRADER_DASHBOARD_PORT
    (8800). Ctrl-C stops everything.
    """
    settings = load_settings()
    configure_logging(settings.log_level, settings.artifacts_dir / "logs", settings.secret_values(), console=False)
    from algo_pipeline.cli.services import serve
    from algo_pipeline.defs.instance import prepare_home, register_symbols

    home = prepare_home(settings)
    register_symbols(settings)
    serve(settings, home)
