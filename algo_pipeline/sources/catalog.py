"""The registry of sources by name: a new source is one class and one line here."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import pandas as pd

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.interfaces.market_data import MarketDataSource

if TYPE_CHECKING:
    from algo_pipeline.sources.coingecko import CoinGeckoPrices
    from algo_pipeline.sources.retry import RetryPolicy


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """Everything a source may be built from; each takes what concerns it.

    Parameters
    ----------
    path : Path, optional
        The user's CSV or Parquet file (source ``file``).
    binance_url, alpaca_data_url, coingecko_url : str, optional
        Roots that replace the venue's own host, for a mirror or the sandbox.
    alpaca_api_key, alpaca_secret_key : str, optional
        Raise Alpaca's rate limit; never shown, and sent to Alpaca's data host or loopback only.
    policy : RetryPolicy, optional
        How a venue's transient failures are tried again; the source's own patience if omitted.
    seed, signal_strength, simulated_from, simulated_until
        The simulated market and the bounds of its life (source ``simulated``).
    """

    path: Path | None = None
    binance_url: str | None = None
    alpaca_data_url: str | None = None
    coingecko_url: str | None = None
    alpaca_api_key: str | None = field(default=None, repr=False)
    alpaca_secret_key: str | None = field(default=None, repr=False)
    policy: RetryPolicy | None = None
    seed: int = 0
    signal_strength: float = 0.0
    simulated_from: pd.Timestamp | None = None
    simulated_until: pd.Timestamp | None = None


def make_source(name: str, options: SourceOptions | None = None) -> MarketDataSource:
    """Build the source called ``name``; nothing is contacted before its first fetch.

    Raises
    ------
    ConfigValueError
        If there is no such source of bars, or an option it needs is missing.
    """
    builder = _BUILDERS.get(name)
    if builder is None:
        raise _unknown_source(name)
    return builder(options or SourceOptions())


def make_price_check(options: SourceOptions | None = None) -> CoinGeckoPrices:
    """Build the second opinion on closes; nothing is contacted before its first fetch."""
    from algo_pipeline.sources.coingecko import CoinGeckoPrices

    return CoinGeckoPrices(base_url=(options or SourceOptions()).coingecko_url)


def _unknown_source(name: str) -> ConfigValueError:
    if name == "coingecko":
        return ConfigValueError(
            "coingecko has no hourly bars with volume; it only cross-checks closes.",
            f"Choose one of {', '.join(SOURCE_NAMES)} as the source of bars.",
        )
    near = difflib.get_close_matches(name, SOURCE_NAMES, n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    return ConfigValueError(
        f"The source must be one of {', '.join(SOURCE_NAMES)}; it was {name!r}.", f"{hint}Correct the name."
    )


def _simulated(options: SourceOptions) -> MarketDataSource:
    from algo_pipeline.sources.simulated import SimulatedSource

    return SimulatedSource(
        seed=options.seed,
        signal_strength=options.signal_strength,
        first=options.simulated_from,
        last=options.simulated_until,
    )


def _file(options: SourceOptions) -> MarketDataSource:
    from algo_pipeline.sources.files import FileSource

    if options.path is None:
        raise ConfigValueError(
            "The source 'file' needs a path to a CSV or Parquet file; none was given.", "Pass --path FILE."
        )
    return FileSource(options.path)


def _binance(options: SourceOptions) -> MarketDataSource:
    from algo_pipeline.sources.binance import BinanceSource

    return BinanceSource(base_url=options.binance_url, policy=options.policy)


def _alpaca(options: SourceOptions) -> MarketDataSource:
    from algo_pipeline.sources.alpaca_bars import AlpacaBarsSource

    return AlpacaBarsSource(
        base_url=options.alpaca_data_url,
        api_key=options.alpaca_api_key,
        secret_key=options.alpaca_secret_key,
        policy=options.policy,
    )


_BUILDERS: Mapping[str, Callable[[SourceOptions], MarketDataSource]] = MappingProxyType(
    {"binance": _binance, "alpaca": _alpaca, "file": _file, "simulated": _simulated}
)
SOURCE_NAMES = tuple(_BUILDERS)
