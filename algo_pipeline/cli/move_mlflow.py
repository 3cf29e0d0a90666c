"""Move MLflow's runs and models to another database, once: ``python -m algo_pipeline.cli.move_mlflow --help``."""

from __future__ import annotations

import sys

import click

from algo_pipeline.common.errors import AlgoPipelineError
from algo_pipeline.registry.store_move import move_store


@click.command()
@click.argument("source")
@click.argument("target")
@click.option("--from-files", required=True, metavar="URI", help="Where the files of runs were: file:///…/artifacts.")
@click.option("--to-files", default="mlflow-artifacts:", show_default=True, metavar="URI", help="Where they are now.")
def main(source: str, target: str, from_files: str, to_files: str) -> None:
    """Copy every row of the MLflow database SOURCE into TARGET, which must hold no runs yet. SOURCE stays as it is."""
    try:
        copied = move_store(source, target, from_files, to_files)
    except AlgoPipelineError as error:
        click.echo(f"{error.message} {error.remedy}", err=True)
        sys.exit(1)
    told = ", ".join(f"{copied[name]:,} {name.replace('_', ' ')}" for name in ("experiments", "runs", "model_versions"))
    click.echo(f"{told}; {sum(copied.values()):,} rows in all.")


if __name__ == "__main__":
    main()
