"""From settings to what a source of bars is built from."""

import pandas as pd

from algo_pipeline.common.config import Settings
from algo_pipeline.sources.catalog import SourceOptions


def source_options(settings: Settings) -> SourceOptions:
    """Everything that the sources take from the settings."""
    key, secret = settings.alpaca_api_key, settings.alpaca_secret_key
    start = settings.history_start_at()
    return SourceOptions(
        path=settings.data_path,
        binance_url=settings.binance_url,
        alpaca_data_url=settings.alpaca_data_url,
        coingecko_url=settings.coingecko_url,
        alpaca_api_key=key.get_secret_value() if key else None,
        alpaca_secret_key=secret.get_secret_value() if secret else None,
        seed=settings.simulated_seed,
        signal_strength=settings.simulated_signal_strength,
        simulated_from=start,
        simulated_until=start + pd.DateOffset(years=settings.simulated_years),
    )
