"""Which bars a sandbox shows, and where its clock starts on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from algo_pipeline.common.config import Settings
from algo_pipeline.common.errors import InsufficientHistoryError
from algo_pipeline.common.time import floor_to_bar
from algo_pipeline.common.types import Symbol
from algo_pipeline.sources.catalog import SourceOptions, make_source
from algo_pipeline.sources.store import BarStore

_SIMULATED_AHEAD = pd.Timedelta(days=400)
_REPLAYED = pd.Timedelta(days=30)


def sandbox_bars(settings: Settings, symbols: Sequence[Symbol], now: pd.Timestamp) -> Mapping[Symbol, pd.DataFrame]:
    """Load the bars of ``settings.data_source``: simulated up to 400 days from now, a file's, or those in the store.

    Raises
    ------
    InsufficientHistoryError
        If there are none of a symbol.
    StorageError, DataValidationError, UnknownSymbolError
        If the user's file, or the store, can't be read.
    """
    if settings.data_source in ("binance", "alpaca"):
        return {symbol: _stored(settings, symbol) for symbol in symbols}
    options = SourceOptions(
        path=settings.data_path,
        seed=settings.simulated_seed,
        signal_strength=settings.simulated_signal_strength,
    )
    source = make_source(settings.data_source, options)
    start, end = settings.history_start_at(), now + _SIMULATED_AHEAD
    return {symbol: _some(source.fetch_bars(symbol, start, end), symbol, settings) for symbol in symbols}


def default_start(settings: Settings, bars: Mapping[Symbol, pd.DataFrame], now: pd.Timestamp) -> pd.Timestamp:
    """Where the clock starts: now on simulated bars, else 30 days before the last bar, at this minute of the hour.

    Hours then change together with the wall clock's, as an hourly schedule needs it.
    """
    if settings.data_source == "simulated":
        return now
    last: pd.Timestamp = min(frame.index[-1] for frame in bars.values())
    first: pd.Timestamp = max(frame.index[0] for frame in bars.values())
    return max(first, last - _REPLAYED) + (now - floor_to_bar(now))


def _stored(settings: Settings, symbol: Symbol) -> pd.DataFrame:
    stored = BarStore(settings.bars_dir()).load(settings.data_source, symbol)
    return _some(pd.DataFrame() if stored is None else stored.bars, symbol, settings)


def _some(bars: pd.DataFrame, symbol: Symbol, settings: Settings) -> pd.DataFrame:
    if bars.empty:
        raise InsufficientHistoryError(
            f"There are no bars of {symbol} from {settings.data_source} to trade on.",
            f"Run `algo-pipeline research --source {settings.data_source} --symbol {symbol}` first, or choose another "
            "--source.",
        )
    return bars
