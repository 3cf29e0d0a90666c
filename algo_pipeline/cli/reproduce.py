"""``algo-pipeline reproduce``: a logged training made again, and compared stage by stage."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

import click

from algo_pipeline.cli.errors import FAILED
from algo_pipeline.common.config import Settings, load_settings
from algo_pipeline.common.errors import StorageError
from algo_pipeline.common.logger import configure_logging
from algo_pipeline.common.storage import to_json
from algo_pipeline.common.types import Symbol

if TYPE_CHECKING:
    import pandas as pd

    from algo_pipeline.backtest.reproduction import Reproduction, Stage
    from algo_pipeline.registry.logged_run import LoggedRun


@click.command()
@click.argument("run_id")
@click.option("--json", "as_json", is_flag=True, help="Print a machine-readable result.")
def reproduce(run_id: str, as_json: bool) -> None:
    """Make the training of MLflow's run RUN_ID again from the stored bars, and say what differs.

    \b
    Example:
      algo-pipeline reproduce 0b2c6f4d9e8a4b7c9a3d5e1f7c6b8a90

    Features, dataset, models, out-of-sample probabilities and the backtest's report are computed anew by the recipe and
    the trading rules that the run logged, on the bars that it was trained on, and compared to the last bit. Exit code
    0: equal; 1: something differs, and it says what first, or the run can't be made again. Nothing is written.
    """  # noqa: D301 - click reads the escape
    settings = load_settings()
    configure_logging(settings.log_level, settings.artifacts_dir / "logs", settings.secret_values(), console=False)
    from algo_pipeline.registry.mlflow_registry import MlflowRegistry
    from algo_pipeline.registry.reproduce import reproduce as make_again

    run = MlflowRegistry.configured(settings).logged_run(run_id)
    result = make_again(run, stored_bars(settings, run), settings.own_classes())
    if as_json:
        click.echo(to_json({"run_id": run_id, **reproduction_document(result)}))
    else:
        print_reproduction(result)
    if not result.is_equal:
        sys.exit(FAILED)


def stored_bars(settings: Settings, run: LoggedRun) -> pd.DataFrame:
    """All stored bars of a run's symbol and source; StorageError if there are none."""
    from algo_pipeline.sources.store import BarStore

    lineage = run.lineage()
    stored = BarStore(settings.bars_dir()).load(lineage.source, Symbol.parse(lineage.symbol))
    if stored is None:
        raise StorageError(
            f"No bars of {lineage.symbol} from {lineage.source} are stored in {settings.bars_dir()}.",
            "Set ALGO_TRADER_DATA_DIR or ALGO_TRADER_ARTIFACTS_DIR to those that the run was trained with.",
        )
    return stored.bars


def reproduction_document(result: Reproduction) -> dict[str, Any]:
    """The result as plain JSON values."""
    first = result.first_difference
    return {
        "equal": result.is_equal,
        "first_difference": None if first is None else first.name,
        "not_recorded": list(result.unknown),
        "stages": [stage.to_document() for stage in result.stages],
        "environment_changes": list(result.environment_changes),
    }


def print_reproduction(result: Reproduction) -> None:
    """A line for each stage, then the answer."""
    for stage in result.stages:
        click.echo(f"{stage.name:<12} {stage.likeness.value:<13} {_figures(stage)}")
    first = result.first_difference
    if first is not None:
        click.echo(f"Not equal: {first.name} differ first. What comes after follows from it, and may differ too.")
    elif result.unknown:
        click.echo(f"Equal as far as it was recorded; not recorded: {', '.join(result.unknown)}.")
    else:
        click.echo("Equal to the last bit.")
    for change in result.environment_changes:
        prefix = "Likely why: " if first is not None and first.name != "bars" else "Other than then: "
        click.echo(f"{prefix}{change}.")


def _figures(stage: Stage) -> str:
    largest = "" if math.isnan(stage.max_difference) else f", largest difference {stage.max_difference:.3g}"
    return f"{stage.detail}{largest}" if stage.detail else stage.found[:16]
