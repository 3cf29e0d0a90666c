"""Arguments that several commands take."""

from __future__ import annotations

from datetime import datetime

import click

from algo_pipeline.common.errors import AlgoPipelineError
from algo_pipeline.common.time import to_utc


def utc_time(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """A time in ISO 8601, read as UTC; a bad one is misuse."""
    try:
        return None if value is None else to_utc(value).to_pydatetime()
    except AlgoPipelineError as error:
        raise click.BadParameter(str(error), ctx, param) from error
