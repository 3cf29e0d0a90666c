"""Jobs on the results of the last research run, symbol by symbol, and what they left."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import click

from algo_pipeline.cli.stored_run import last_source
from algo_pipeline.common.config import Settings, load_settings
from algo_pipeline.common.errors import AlgoPipelineError
from algo_pipeline.common.logger import configure_logging
from algo_pipeline.common.storage import to_json
from algo_pipeline.common.types import Symbol
from algo_pipeline.defs.runs import RunOutcome, Scope, Work, run_work

Document = TypeVar("Document")


@dataclass(frozen=True, slots=True)
class Compared(Generic[Document]):
    """How the run of one symbol ended and, unless it failed, the document it stored."""

    symbol: Symbol
    source: str
    outcome: RunOutcome
    document: Document | None


def comparison_settings(symbols: str | None) -> Settings:
    """The settings of a command whose bars are those of the last research run, with logging set up."""
    settings = load_settings(data_source="simulated", symbols=symbols)  # each symbol's run says where its bars are from
    configure_logging(settings.log_level, settings.artifacts_dir / "logs", settings.secret_values(), console=False)
    return settings


def run_on_last_research(
    settings: Settings, work: Work, kind: type[Document], quiet: bool
) -> tuple[Compared[Document], ...]:
    """Run a job for every symbol of the settings on the bars of its last research run, and read what it stored.

    Parameters
    ----------
    settings : Settings
        As of :func:`comparison_settings`.
    work : Work
        The job and its asset.
    kind : type
        What the asset stores.
    quiet : bool
        Without lines of progress.
    """
    from algo_pipeline.definitions import build_definitions

    definitions = build_definitions()
    done = []
    for symbol in settings.parsed_symbols():
        started, source = time.perf_counter(), ""
        try:
            source = last_source(settings, symbol)
            (outcome,) = run_work(definitions, settings, (symbol,), _scope(settings, symbol, source), work, quiet)
        except AlgoPipelineError as error:
            outcome = RunOutcome(symbol, "", time.perf_counter() - started, error)
        done.append(Compared(symbol, source, outcome, _stored(settings, source, work, outcome, kind)))
    return tuple(done)


def comparison_json(done: tuple[Compared[Any], ...], documents: list[Any], name: str, seconds: float) -> str:
    """Every symbol's document, or its error, and the first error again at the top."""
    symbols = [_facts(each, name, document) for each, document in zip(done, documents, strict=True)]
    failed = next((item["error"] for item in symbols if "error" in item), None)
    return to_json({"symbols": symbols, "seconds": seconds, **({} if failed is None else {"error": failed})})


def print_failure(outcome: RunOutcome) -> None:
    """The error of a symbol on stderr, with its remedy."""
    if outcome.error is None:
        return
    click.secho(f"error: {outcome.symbol}: ", fg="red", bold=True, nl=False, err=True)
    click.echo(outcome.error.message, err=True)
    if outcome.error.remedy:
        click.echo(f"  try: {outcome.error.remedy}", err=True)


def _scope(settings: Settings, symbol: Symbol, source: str) -> Scope:
    """The source of the stored bars; for a user's own file these bars stand in, wherever the file is now."""
    stored = settings.bars_dir() / source / symbol.slug / "bars.parquet"
    return Scope(source, stored.absolute() if source == "file" else None)


def _stored(settings: Settings, source: str, work: Work, outcome: RunOutcome, kind: type[Document]) -> Document | None:
    from algo_pipeline.defs.io_managers import read_document

    if outcome.error is not None:
        return None
    path = settings.artifacts_dir / "research" / source / work.asset / f"{outcome.symbol.slug}.json"
    document: Document = read_document(path, kind)
    return document


def _facts(each: Compared[Any], name: str, document: Any) -> dict[str, Any]:
    outcome = each.outcome
    facts = {"symbol": str(each.symbol), "run_id": outcome.run_id, "seconds": outcome.seconds}
    if outcome.error is None:
        return {**facts, "source": each.source, name: document}
    error = outcome.error
    return {**facts, "error": {"code": error.code, "message": error.message, "remedy": error.remedy}}
