"""How figures, tables and pictures are shown on Dagster's pages."""

import base64
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import dagster as dg
import pandas as pd

from algo_pipeline.common.formatting import markdown_table

if TYPE_CHECKING:
    from algo_pipeline.research.claims import Finding

AT_A_GLANCE = "at_a_glance"
"""The entry that each asset's page begins with: a picture small enough to be shown at once."""

_DIGITS = 6


def fact(value: object) -> dg.MetadataValue:
    """A figure or a few words.

    Floats are rounded to six significant digits, as much as a chart over materializations can show; every digit is in
    the stored artifact. One that is undefined is told as such, for a chart can't show it.
    """
    if isinstance(value, bool):
        return dg.MetadataValue.bool(value)
    if isinstance(value, int):
        return dg.MetadataValue.int(value)
    if isinstance(value, float):
        return _float(value)
    return dg.MetadataValue.text(str(value))


def facts(values: Mapping[str, object]) -> dict[str, dg.MetadataValue]:
    """Figures and words by name, see :func:`fact`."""
    return {name: fact(value) for name, value in values.items()}


def glance(markdown: str) -> dict[str, dg.MetadataValue]:
    """The small picture of an asset, to be put first."""
    return {AT_A_GLANCE: dg.MetadataValue.md(markdown)}


def picture(png: bytes, title: str) -> dg.MetadataValue:
    """A plot as metadata, shown by the web UI on a click."""
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{base64.b64encode(png).decode()})")


def table(frame: pd.DataFrame, decimals: int = 4) -> dg.MetadataValue:
    """A small frame as a Markdown table; the index is its first column."""
    header = ["" if frame.index.name is None else str(frame.index.name), *map(str, frame.columns)]
    rows = (
        [str(label), *(_cell(cell, decimals) for cell in row)]
        for label, row in zip(frame.index, frame.itertuples(index=False), strict=True)
    )
    return dg.MetadataValue.md(markdown_table(header, rows))


def columns(frame: pd.DataFrame, meaning: Mapping[str, str]) -> dict[str, dg.MetadataValue]:
    """The column schema of a narrow frame, its index first; a page lists it above everything else.

    Parameters
    ----------
    frame : DataFrame
        As stored.
    meaning : mapping
        What a column is, by its name; others are listed without words.
    """
    index = dg.TableColumn(str(frame.index.name), str(frame.index.dtype), "Open time of the bar, UTC.")
    shown = [dg.TableColumn(str(name), str(kind), meaning.get(str(name))) for name, kind in frame.dtypes.items()]
    return {"dagster/column_schema": dg.MetadataValue.table_schema(dg.TableSchema(columns=[index, *shown]))}


def span_metadata(frame: pd.DataFrame) -> dict[str, dg.MetadataValue]:
    """Row count, first and last time and the share of missing values."""
    metadata: dict[str, dg.MetadataValue] = {"dagster/row_count": dg.MetadataValue.int(len(frame))}
    if len(frame):
        metadata["first_bar"] = dg.MetadataValue.text(f"{frame.index[0]:%Y-%m-%d %H:%M} UTC")
        metadata["last_bar"] = dg.MetadataValue.text(f"{frame.index[-1]:%Y-%m-%d %H:%M} UTC")
        metadata["missing_share"] = fact(float(frame.isna().to_numpy().mean()))
    return metadata


def finding_result(finding: "Finding", **figures: float) -> dg.AssetCheckResult:
    """A check's result: what was found about a claim, with figures that are shown beside it."""
    return dg.AssetCheckResult(
        passed=finding.holds,
        description=finding.describe(),
        metadata=facts({**figures, "violations": len(finding.violations)}),
    )


def _float(value: float) -> dg.MetadataValue:
    if not math.isfinite(value):
        return dg.MetadataValue.text("undefined")
    return dg.MetadataValue.float(float(f"{value:.{_DIGITS}g}"))


def _cell(cell: object, decimals: int) -> str:
    return f"{cell:.{decimals}f}" if isinstance(cell, float) else str(cell)
