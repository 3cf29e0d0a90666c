"""Market-data adapters, one venue or medium each, and the store that ingest keeps up to date."""

from algo_pipeline.sources.catalog import SOURCE_NAMES, SourceOptions, make_price_check, make_source
from algo_pipeline.sources.store import BarStore, StoredBars
from algo_pipeline.sources.update import IngestProgress, IngestResult, update_bars

__all__ = [
    "SOURCE_NAMES",
    "BarStore",
    "IngestProgress",
    "IngestResult",
    "SourceOptions",
    "StoredBars",
    "make_price_check",
    "make_source",
    "update_bars",
]
