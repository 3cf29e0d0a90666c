"""Partitions: research assets by symbol, from a set that settings and commands fill; live assets by hour."""

import dagster as dg

from algo_pipeline.common.types import Symbol

SYMBOLS = dg.DynamicPartitionsDefinition(name="symbols")
"""Keys are slugs (``BTC-USD``)."""

HOURS = dg.HourlyPartitionsDefinition(start_date="2023-12-01-00:00", timezone="UTC")
"""Keys are the open times of the bars decided on (``2026-01-31-13:00``)."""


def add_symbols(instance: dg.DagsterInstance, symbols: tuple[Symbol, ...]) -> None:
    """Make sure that each symbol is a partition."""
    instance.add_dynamic_partitions(str(SYMBOLS.name), [symbol.slug for symbol in symbols])


def partition_symbol(partition_key: str) -> Symbol:
    """The symbol that a partition key names."""
    return Symbol.parse(partition_key)
