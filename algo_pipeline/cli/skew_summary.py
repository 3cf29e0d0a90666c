"""How far the features of two sources' bars are apart, as a table."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from algo_pipeline.common.formatting import count, minute, number
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.skew import FeatureSkew

_ROWS_SHOWN = 10


def print_skew(symbol: Symbol, skew: FeatureSkew) -> None:
    """The features that are furthest apart."""
    console = Console(highlight=False, markup=False)
    console.print(
        f"{symbol}, {count(skew.n_hours)} hours until {minute(skew.last)} UTC: absolute difference of a feature "
        f"between the two sources, in deviations of the feature; the worst {_ROWS_SHOWN} of {len(skew.table)}",
        soft_wrap=True,
    )
    console.print(_table(skew))


def _table(skew: FeatureSkew) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("feature")
    table.add_column("median", justify="right")
    table.add_column("max", justify="right")
    for name, row in skew.table.head(_ROWS_SHOWN).iterrows():
        table.add_row(str(name), number(row["median"], 3), number(row["max"], 2))
    return table
