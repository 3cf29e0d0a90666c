from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.data.labels import label_spec
from algo_pipeline.research.weights import HALF_LIFE_BARS, WEIGHT_KINDS, average_uniqueness, sample_weights
from algo_pipeline_tests.research.samples import hourly_index


def uniqueness_by_definition(starts: np.ndarray, stops: np.ndarray) -> list[float]:
    """The slow twin: an indicator per label and bar."""
    bars = range(int(starts.min()), int(stops.max()))
    alive = {bar: sum(1 for start, stop in zip(starts, stops, strict=True) if start <= bar < stop) for bar in bars}
    return [
        float(np.mean([1.0 / alive[bar] for bar in range(start, stop)]))
        for start, stop in zip(starts, stops, strict=True)
    ]


def test_the_worked_example_of_the_book() -> None:
    # Section 4.5.3: three labels on the returns r(0,3), r(2,4) and r(4,6); only the third bar is shared.
    found = average_uniqueness(np.array([1, 3, 5]), np.array([4, 5, 7]))
    assert found == pytest.approx([(1 + 1 + 1 / 2) / 3, (1 / 2 + 1) / 2, 1.0])


def test_hourly_labels_of_four_hours_are_a_quarter_their_own() -> None:
    weights = sample_weights("uniqueness", hourly_index(9), label_spec("direction_4h"))
    assert weights is not None
    assert weights[3:6] == pytest.approx(0.25)
    # The first lives on bars 1 to 4, which 1, 2, 3 and 4 labels share; the last row mirrors it.
    assert weights[0] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert weights[-1] == pytest.approx(weights[0])


def test_a_label_alone_between_gaps_is_all_its_own() -> None:
    index = hourly_index(9, missing=tuple(range(3, 8)))
    weights = sample_weights("uniqueness", pd.DatetimeIndex([index[0], index[5]]), label_spec("direction_4h"))
    assert weights == pytest.approx([1.0, 1.0])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 12)), min_size=1, max_size=30))
def test_uniqueness_is_as_defined(labels: list[tuple[int, int]]) -> None:
    starts = np.array([start for start, _ in labels])
    stops = starts + np.array([bars for _, bars in labels])
    found = average_uniqueness(starts, stops)
    assert found == pytest.approx(uniqueness_by_definition(starts, stops))
    assert ((found > 0.0) & (found <= 1.0 + 1e-12)).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 200), st.sampled_from(["direction_1h", "direction_4h", "direction_24h"]))
def test_the_weights_sum_to_the_number_of_horizons_that_fit(n: int, label: str) -> None:
    # Every bar on which anything lives is given away exactly once, so h times the sum is the number of such bars.
    horizon = label_spec(label).horizon_bars
    weights = sample_weights("uniqueness", hourly_index(n), label_spec(label))
    assert weights is not None
    assert weights.sum() * horizon == pytest.approx(n + horizon - 1)


def test_recency_halves_a_weight_over_the_half_life() -> None:
    index = hourly_index(HALF_LIFE_BARS + 1)
    weights = sample_weights("recency", index, label_spec("direction_1h"))
    assert weights is not None
    assert weights[-1] == 1.0
    assert weights[0] == pytest.approx(0.5)


def test_two_kinds_multiply() -> None:
    label, index = label_spec("direction_24h"), hourly_index(300, missing=(7, 8, 90))
    both, unique, recent = (
        sample_weights(kind, index, label) for kind in ("uniqueness+recency", "uniqueness", "recency")
    )
    assert unique is not None
    assert recent is not None
    np.testing.assert_allclose(both, unique * recent)


def test_no_weights_and_no_rows() -> None:
    assert sample_weights("none", hourly_index(5), label_spec("direction_1h")) is None
    assert average_uniqueness(np.array([], dtype=np.int64), np.array([], dtype=np.int64)).shape == (0,)


def test_unknown_weights_are_refused() -> None:
    with pytest.raises(ConfigValueError, match="uniqueness"):
        sample_weights("size", hourly_index(5), label_spec("direction_1h"))
    assert len(set(WEIGHT_KINDS)) == 4
