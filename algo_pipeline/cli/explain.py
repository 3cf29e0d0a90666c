"""``algo-pipeline explain``: the whole chain of one live decision."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

import click

from algo_pipeline.cli.parameters import one_pair, utc_time
from algo_pipeline.common.config import Settings, load_settings
from algo_pipeline.common.errors import AlgoPipelineError, ConfigValueError, StorageError
from algo_pipeline.common.logger import configure_logging
from algo_pipeline.common.storage import to_json
from algo_pipeline.common.time import to_utc
from algo_pipeline.common.types import Symbol

if TYPE_CHECKING:
    import pandas as pd

    from algo_pipeline.registry.bundle import ChampionBundle
    from algo_pipeline.registry.explain import Explanation


@click.command()
@click.argument("hour", callback=utc_time)
@click.option(
    "--symbol", callback=one_pair, metavar="BASE/QUOTE", help="The pair; the first configured one if omitted."
)
@click.option("--json", "as_json", is_flag=True, help="Print a machine-readable result.")
def explain(hour: datetime, symbol: Symbol | None, as_json: bool) -> None:
    """Show why live trading did what it did on the bar that opened at HOUR: from its bars to its fill.

    \b
    Examples:
      algo-pipeline explain 2026-01-31T12:00
      algo-pipeline explain 2026-01-31T12:00 --symbol ETH/USD --json

    Bars, features, probability, rule, signal, risk verdicts, order, fills, holding and equity, from the journal, the
    archive of champions and the bars. The probability is computed again, and compared with the journalled one to the
    last bit. Bars that are not stored are asked of their source; nothing is written.
    """  # noqa: D301 - click reads the escape
    settings = load_settings()
    configure_logging(settings.log_level, settings.artifacts_dir / "logs", settings.secret_values(), console=False)
    from algo_pipeline.cli.explain_summary import explanation_document, print_explanation
    from algo_pipeline.live.alert_reading import alerts_between
    from algo_pipeline.live.hour_story import hour_span

    found = explained(settings, to_utc(hour), symbol or settings.parsed_symbols()[0])
    alerts = alerts_between(settings.artifacts_dir / "live", *hour_span(found.story.bar))
    if as_json:
        click.echo(to_json(explanation_document(found, alerts)))
    else:
        print_explanation(found, alerts)


def explained(settings: Settings, hour: pd.Timestamp, symbol: Symbol) -> Explanation:
    """Gather journal, bundle and bars of an hour, and compute it again.

    Raises
    ------
    ConfigValueError
        If the time is no whole hour.
    StorageError
        If there is no journal, or it says nothing about the hour.
    CorruptFileError
        If the journal or the kept bundle is damaged.
    """
    from algo_pipeline.live.hour_story import hour_story
    from algo_pipeline.live.journal import Journal
    from algo_pipeline.registry.bundle import BundleStore
    from algo_pipeline.registry.explain import explain as take_apart

    if hour != hour.floor("h"):
        raise ConfigValueError(f"A bar opens on the hour; found {hour:%Y-%m-%d %H:%M:%S}.", "Give the bar's open time.")
    journal = Journal(settings.artifacts_dir / "live")
    if not journal.path.exists():
        raise StorageError(
            f"There is no journal of live trading: {journal.path} does not exist.", "algo-pipeline decide"
        )
    story = hour_story(journal.lines(), hour, symbol)
    if not story.is_known:
        raise StorageError(
            f"The journal says nothing about the bar that opened at {hour:%Y-%m-%d %H:%M} UTC.",
            "`algo-pipeline status` tells which hours were decided; give a bar's open time in UTC.",
        )
    sha256 = None if story.decision is None else story.decision.details["bundle"]
    bundle = None if sha256 is None else BundleStore(settings.artifacts_dir).of_hash(symbol, sha256)
    bars = None if bundle is None else bars_until(settings, symbol, bundle, hour)
    return take_apart(story, bundle, bars, settings.own_classes())


def bars_until(settings: Settings, symbol: Symbol, bundle: ChampionBundle, hour: pd.Timestamp) -> pd.DataFrame | None:
    """The bars that live decided on: those stored, and what is missing from their source; None if it can't be had."""
    from algo_pipeline.sources.live_bars import LiveBars
    from algo_pipeline.sources.store import BarStore

    store = BarStore(settings.bars_dir())
    source = settings.live_bars_source or bundle.source
    stored = store.load(source, symbol)
    if stored is not None and hour in stored.bars.index:
        return stored.bars
    from algo_pipeline.defs.sources import source_options
    from algo_pipeline.sources.catalog import make_source

    with suppress(AlgoPipelineError):
        history = LiveBars(make_source(source, source_options(settings)), symbol, to_utc(bundle.history_start), store)
        history.update(hour)
        return history.frame()
    return None if stored is None else stored.bars
