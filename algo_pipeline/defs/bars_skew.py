"""The measured distance between the bars that a champion learnt from and those that it is to decide on."""

import pandas as pd

from algo_pipeline.common.config import Settings
from algo_pipeline.common.time import BAR
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.feature_sets import configured_features
from algo_pipeline.data.skew import FeatureSkew, feature_skew, hours_to_fetch
from algo_pipeline.defs.sources import source_options
from algo_pipeline.sources.catalog import make_source


def measured_skew(settings: Settings, symbol: Symbol, learnt: str, live: str, now: pd.Timestamp) -> FeatureSkew:
    """Fetch the last closed hours of both sources and compare their features.

    Raises
    ------
    SourceError, UnknownSymbolError, DataValidationError
        As the sources raise them.
    InsufficientHistoryError
        If they have too few hours in common.
    """
    sets, options = configured_features(settings.features), source_options(settings)
    start = now.floor("h") - hours_to_fetch(sets) * BAR
    reference, other = (make_source(name, options).fetch_bars(symbol, start, now) for name in (learnt, live))
    return feature_skew(reference, other, sets=sets)
