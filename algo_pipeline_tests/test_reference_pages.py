"""The reference names every figure and every column, and a guide's figures follow from the code."""

from __future__ import annotations

from dataclasses import fields

import pandas as pd

from algo_pipeline.backtest.metrics import METRIC_NAMES
from algo_pipeline.backtest.report_csv import CURVE_COLUMNS
from algo_pipeline.backtest.trades import TRADE_COLUMNS
from algo_pipeline.common.schemas import BAR_COLUMNS
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.features import build_features
from algo_pipeline.data.labels import build_labels, label_spec
from algo_pipeline.data.simulation import simulate_bars
from algo_pipeline.live.alerts import Alert
from algo_pipeline.research.evaluate import Score
from algo_pipeline.research.splits import SplitRule, rows_needed
from algo_pipeline_tests.pages import DOCS, quoted, rows, section

FIGURES = (DOCS / "reference" / "figures.md").read_text("utf-8")
FILES = rows((DOCS / "reference" / "files.md").read_text("utf-8"))


def names(title: str) -> list[str]:
    return [name for row in rows(section(FIGURES, title)) for name in quoted(row[0])]


def columns(file: str) -> list[str]:
    """What a file's row quotes as its columns."""
    return next(quoted(row[1]) for row in FILES if any(file in name for name in quoted(row[0])))


def test_every_metric_of_a_backtest_is_named() -> None:
    assert sorted(names("Metrics of a backtest")) == sorted(METRIC_NAMES)


def test_every_score_is_named() -> None:
    unscored = {"base_rate", "observed_rate"}
    assert names("Scores of probabilities") == [field.name for field in fields(Score) if field.name not in unscored]


def test_columns_of_files_are_those_that_are_written() -> None:
    assert columns("equity_curve.csv") == list(CURVE_COLUMNS)
    assert columns("trades.csv") == list(TRADE_COLUMNS)
    assert columns("bars.parquet") == ["timestamp", *BAR_COLUMNS]
    assert set(columns("alerts.log")) == {field.name for field in fields(Alert)} | {"told"}


def test_the_bars_that_a_file_of_ones_own_needs() -> None:
    text = " ".join((DOCS / "how-to" / "own-data.md").read_text("utf-8").split())
    start = pd.Timestamp("2024-01-01", tz="UTC")
    needed = rows_needed(label_spec("direction_1h"), SplitRule())

    def complete(n_bars: int) -> int:
        bars = simulate_bars(Symbol("BTC", "USD"), start, start + pd.Timedelta(hours=n_bars), seed=1)
        both = build_features(bars).join(build_labels(bars)["direction_1h"])
        return int(both.notna().all(axis=1).sum())

    n_bars = needed + 657
    assert (complete(n_bars - 1), complete(n_bars)) == (needed - 1, needed)
    assert f"it needs {n_bars:,} bars without a gap: {needed:,} complete rows" in text
