"""How a command fails: one message, one remedy, exit code 1 for failure and 2 for misuse."""

from __future__ import annotations

import json
import sys
from typing import NoReturn

import click

from algo_pipeline.common.errors import AlgoPipelineError, causes

FAILED = 1
MISUSE = 2


def fail(code: str, message: str, remedy: str, as_json: bool, exit_code: int = FAILED) -> NoReturn:
    """Print an error for people or machines and exit."""
    if as_json:
        click.echo(json.dumps({"error": {"code": code, "message": message, "remedy": remedy}}, ensure_ascii=False))
    else:
        click.secho("error: ", fg="red", bold=True, nl=False, err=True)
        click.echo(message, err=True)
        if remedy:
            click.echo(f"  try: {remedy}", err=True)
    sys.exit(exit_code)


def foreseeable(error: BaseException | None) -> AlgoPipelineError | None:
    """The error of ours in a chain of causes, if there is one."""
    return next((cause for cause in causes(error) if isinstance(cause, AlgoPipelineError)), None)
