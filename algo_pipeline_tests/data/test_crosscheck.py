from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.data.crosscheck import compare_closes
from algo_pipeline_tests.market import random_bars


def test_deviations_are_measured_against_the_other_source_and_the_worst_come_first() -> None:
    bars = random_bars(4).assign(close=[100.0, 101.0, 99.0, 100.0])
    other = pd.Series([100.0, 100.0, 100.0, 99.5], index=bars.index)
    check = compare_closes(bars, other, tolerance_bps=60.0)
    assert check.n_compared == 4
    assert check.max_bps == pytest.approx(100.0)
    assert check.median_bps == pytest.approx((100.0 + (100 / 99.5 - 1) * 1e4) / 2)
    assert list(check.offending.index) == [bars.index[1], bars.index[2]]
    assert check.offending["deviation_bps"].tolist() == pytest.approx([100.0, -100.0])
    assert not check.agrees


def test_only_hours_that_both_have_are_compared() -> None:
    bars = random_bars(5)
    other = bars["close"].iloc[[0, 1, 2, 3]].copy()
    other.iloc[1], other.iloc[2] = np.nan, 0.0
    other[bars.index[-1] + pd.Timedelta(hours=5)] = 1.0
    check = compare_closes(bars, other, tolerance_bps=1.0)
    assert check.n_compared == 2
    assert check.agrees


def test_nothing_to_compare_is_not_agreement() -> None:
    check = compare_closes(random_bars(3), pd.Series(dtype=float), tolerance_bps=1.0)
    assert (check.n_compared, check.agrees) == (0, False)
    assert np.isnan(check.median_bps)
    assert np.isnan(check.max_bps)


@pytest.mark.parametrize("tolerance", [0.0, -1.0, np.nan])
def test_a_tolerance_that_is_not_positive_is_refused(tolerance: float) -> None:
    with pytest.raises(ConfigValueError, match="tolerance_bps"):
        compare_closes(random_bars(3), random_bars(3)["close"], tolerance)
