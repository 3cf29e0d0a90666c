from __future__ import annotations

import pandas as pd

from algo_pipeline.data.features import build_features
from algo_pipeline.data.labels import build_labels
from algo_pipeline_tests.market import random_bars
from benchmarks import skill


def test_parts_are_stretches_of_the_history_and_always_the_same() -> None:
    index = pd.date_range("2020-03-01", periods=20_000, freq="h", tz="UTC")
    found = list(skill.parts(index))
    assert found == list(skill.parts(index))
    assert found[0] == ("whole", slice(0, 20_000))
    years = [index[rows] for part, rows in found if part == "one year"]
    assert [(year[0].year, year[-1].year) for year in years] == [(2020, 2020), (2021, 2021), (2022, 2022)]
    assert sum(len(year) for year in years) == 20_000
    short = [rows for part, rows in found if "8,000" in part]
    assert len(short) == 7
    assert all(rows.stop - rows.start == 8_000 and rows.start >= 0 and rows.stop <= 20_000 for rows in short)


def test_labels_at_the_end_of_a_part_do_not_look_beyond_it() -> None:
    bars = random_bars(4_000, seed=1)
    market = skill.Market("X", build_features(bars), build_labels(bars))
    assert skill._walk(market, slice(0, 3_000), "direction_24h", skill.RECIPES["before"]).index[-1] == bars.index[2_974]


def test_the_tables_have_a_line_per_recipe_and_leave_out_what_is_too_short() -> None:
    bars = random_bars(3_000, seed=2)
    market = skill.Market("X", build_features(bars), build_labels(bars))
    found = list(skill.findings(market, ["before", "after"]))
    assert skill.whole_table(found).count("| X |") == 2 * len(skill.LABEL_NAMES)
    assert "after" in skill.part_table(found)
