from __future__ import annotations

import math

import dagster as dg
import pandas as pd
import pytest

from algo_pipeline.defs.shown import columns, fact, facts, span_metadata, table


def test_a_float_keeps_six_digits_whatever_its_size() -> None:
    found = [fact(value).value for value in (0.9995553671511328, 100283.03461245501, -1.23456789e-9, 0.0)]
    assert found == [0.999555, 100283.0, -1.23457e-9, 0.0]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_undefined_figure_is_told_and_never_charted(value: float) -> None:
    assert fact(value) == dg.MetadataValue.text("undefined")


def test_counts_truths_and_words_are_shown_as_such() -> None:
    shown = facts({"n": 3, "passed": True, "kind": "platt"})
    assert shown == {
        "n": dg.MetadataValue.int(3),
        "passed": dg.MetadataValue.bool(True),
        "kind": dg.MetadataValue.text("platt"),
    }


def test_a_table_rounds_its_floats_and_escapes_what_would_end_a_cell() -> None:
    frame = pd.DataFrame({"x": [0.123456], "words": ["a|b"]}, index=pd.Index(["one"], name="row"))
    assert table(frame).value == "| row | x | words |\n| :--- | ---: | ---: |\n| one | 0.1235 | a\\|b |"


def test_the_schema_names_the_index_and_what_is_known_of_a_column() -> None:
    index = pd.DatetimeIndex(["2024-01-01"], tz="UTC", name="timestamp")
    schema = columns(pd.DataFrame({"close": [1.0], "other": [2.0]}, index=index), {"close": "Last price."})
    shown = schema["dagster/column_schema"].value
    assert isinstance(shown, dg.TableSchema)
    assert [(each.name, each.description) for each in shown.columns] == [
        ("timestamp", "Open time of the bar, UTC."),
        ("close", "Last price."),
        ("other", None),
    ]


def test_an_empty_frame_has_no_span() -> None:
    assert set(span_metadata(pd.DataFrame({"x": []}))) == {"dagster/row_count"}
