"""Partitions: research assets by symbol, from a set that settings and commands fill."""

import dagster as dg

from algo_pipeline.common.types import Symbol

SYMBOLS = dg.DynamicPartitionsDefinition(name="symbols")
"""Keys are slugs (``BTC-USD``)."""


def add_symbols(instance: dg.DagsterInstance, symbols: tuple[Symbol, ...]) -> None:
    """Make sure that each symbol is a partition."""
    instance.add_dynamic_partitions(str(SYMBOLS.name), [symbol.slug for symbol in symbols])


def partition_symbol(partition_key: str) -> Symbol:
    """The symbol that a partition key names."""
    return Symbol.parse(partition_key)
