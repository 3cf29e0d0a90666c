"""Arguments that several commands take; a bad one is misuse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import click

from algo_pipeline.common.errors import AlgoPipelineError
from algo_pipeline.common.time import to_utc
from algo_pipeline.common.types import Symbol


def pairs(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> str | None:
    """The given pairs as the setting spells them, each once; None without any."""
    with _as_bad_parameter(ctx, param):
        symbols = [str(Symbol.parse(text)) for part in value for text in part.split(",")]
    if len(set(symbols)) != len(symbols):
        raise click.BadParameter(f"Every symbol is expected once; found {', '.join(symbols)}.", ctx, param)
    return ",".join(symbols) or None


def one_pair(ctx: click.Context, param: click.Parameter, value: str | None) -> Symbol | None:
    """A pair, or None where none is given."""
    with _as_bad_parameter(ctx, param):
        return None if value is None else Symbol.parse(value)


def utc_time(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """A time in ISO 8601, read as UTC."""
    with _as_bad_parameter(ctx, param):
        return None if value is None else to_utc(value)


@contextmanager
def _as_bad_parameter(ctx: click.Context, param: click.Parameter) -> Iterator[None]:
    try:
        yield
    except AlgoPipelineError as error:
        raise click.BadParameter(str(error), ctx, param) from error
