"""What the last research run of a symbol left for commands that work on its results, read without loading Dagster."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from algo_pipeline.common.config import Settings
from algo_pipeline.common.errors import CorruptFileError, StaleInputError, StorageError
from algo_pipeline.common.storage import read_frame, read_json
from algo_pipeline.common.types import Symbol
from algo_pipeline.sources.store import BarStore


@dataclass(frozen=True, slots=True, eq=False)
class StoredRun:
    """Out-of-sample probabilities and the bars they are about.

    Attributes
    ----------
    symbol : Symbol
        The pair.
    source, label, recipe, recipe_hash : str
        As in the run's report.
    bars : pd.DataFrame
        From the first out-of-sample hour to the last.
    probability : pd.Series
        By open time.
    """

    symbol: Symbol
    source: str
    label: str
    recipe: str
    recipe_hash: str
    bars: pd.DataFrame
    probability: pd.Series


def last_run(settings: Settings, symbol: Symbol) -> StoredRun:
    """Read the last research run of a symbol, from whatever source it was.

    Raises
    ------
    StorageError
        If the symbol was not researched yet, or a file can't be read.
    CorruptFileError
        If a file is damaged.
    StaleInputError
        If what is stored does not belong together.
    """
    again = _again(symbol)
    source, label, recipe, recipe_hash = _identity(settings, symbol)
    oos = read_frame(settings.artifacts_dir / "research" / source / "oos_probabilities" / f"{symbol.slug}.parquet")
    stored = BarStore(settings.bars_dir()).load(source, symbol)
    if stored is None:
        raise StorageError(f"No bars of {symbol} from {source} are stored in {settings.bars_dir()}.", again)
    if oos.empty or "probability" not in oos:
        raise CorruptFileError(f"The stored probabilities of {symbol} hold none.", again)
    probability: pd.Series[float] = oos["probability"]
    if not probability.index.isin(stored.bars.index).all():
        raise StaleInputError(f"The probabilities of {symbol} are not about the stored bars from {source}.", again)
    bars = stored.bars.loc[probability.index[0] : probability.index[-1]]
    return StoredRun(symbol, source, label, recipe, recipe_hash, bars, probability)


def last_source(settings: Settings, symbol: Symbol) -> str:
    """Where the bars of a symbol's last research run came from; errors as of :func:`last_run`."""
    return _identity(settings, symbol)[0]


def _again(symbol: Symbol) -> str:
    return f"algo-pipeline research --symbol {symbol}"


def _identity(settings: Settings, symbol: Symbol) -> tuple[str, str, str, str]:
    """Source, label, recipe and its hash, as the run's report has them."""
    path, again = settings.artifacts_dir / "backtest" / symbol.slug / "report.json", _again(symbol)
    if not path.exists():
        raise StorageError(f"No research run of {symbol} is stored in {settings.artifacts_dir}.", again)
    report = read_json(path)
    try:
        return str(report["source"]), str(report["label"]), str(report["recipe"]), str(report["recipe_hash"])
    except (KeyError, TypeError) as error:
        raise CorruptFileError(f"{path} is no report of ours.", again) from error
