from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.data.feature_registry import FEATURE_NAMES
from algo_pipeline.data.features import build_features
from algo_pipeline.models.price_action import INPUTS, N_TERMS, PriceActionBasis
from algo_pipeline_tests.market import random_bars

_FEATURES = build_features(random_bars(2500, seed=3)).dropna().to_numpy()
_BASIS = PriceActionBasis.fit(_FEATURES[:1000])


def test_the_inputs_are_the_37_features_in_their_order() -> None:
    assert INPUTS == FEATURE_NAMES


def test_a_worked_example() -> None:
    # Unit scales and zero means, so that the bounded columns are z/√(1 + z²) of the columns in their units.
    basis = PriceActionBasis((1.0,) * 7, (0.0,) * 37, (1.0,) * 37)
    row = dict.fromkeys(INPUTS, 0.0) | {
        "log_return_1": 0.03,
        "log_return_6": -0.04 * np.sqrt(6.0),
        "realized_vol_6": 0.12,
        "realized_vol_24": 0.04,
        "realized_vol_168": 0.04,
        "hour_sin": 0.5,
    }
    terms = basis.terms(np.array([list(row.values())]))[0]
    named = dict(zip(INPUTS, terms, strict=False))
    assert named["log_return_1"] == pytest.approx(0.75 / 1.25)  # 0.75 volatilities
    assert named["log_return_6"] == pytest.approx(-1.0 / np.sqrt(2.0))
    level = 0.04 / 1.04 - 0.5
    assert named["realized_vol_24"] == pytest.approx(level / np.sqrt(1.0 + level**2))
    assert named["hour_sin"] == 0.5
    assert terms[37] == pytest.approx(0.12 / 0.16 - 0.5)
    assert terms[38] == 0.0
    # The first product: log_return_1 times volatility, volume, hour_sin, hour_cos and the two ratios.
    state = [named["realized_vol_24"], 0.0, 0.5, 0.0, 0.25, 0.0]
    np.testing.assert_allclose(terms[39:45], 0.6 * np.array(state), rtol=1e-12)
    assert N_TERMS == len(terms) == 57


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 200), start=st.integers(0, 50), step=st.integers(1, 4), order=st.sampled_from(["C", "F"]))
def test_a_row_has_the_same_bits_alone_and_among_others(n: int, start: int, step: int, order: str) -> None:
    rows = np.array(_FEATURES[:n], order=order)  # type: ignore[call-overload]
    together = _BASIS.terms(rows)
    assert _BASIS.terms(rows[start::step]).tobytes() == together[start::step].tobytes()
    assert _BASIS.terms(rows[n - 1 :]).tobytes() == together[n - 1 :].tobytes()


def test_terms_of_training_rows_are_bounded_and_a_crash_counts_once() -> None:
    assert np.abs(_BASIS.terms(_FEATURES)).max() <= 1.0
    crash = _FEATURES[:1].copy()
    crash[0, :6] = -50.0
    assert np.abs(_BASIS.terms(crash)).max() <= 1.0


def test_a_flat_market_gives_finite_terms() -> None:
    flat = np.zeros((3, 37))
    assert np.isfinite(PriceActionBasis.fit(flat).terms(flat)).all()
    assert np.isfinite(_BASIS.terms(flat)).all()


def test_a_missing_feature_spoils_its_own_row_only() -> None:
    rows = _FEATURES[:5].copy()
    rows[2, INPUTS.index("realized_vol_24")] = np.nan
    terms = _BASIS.terms(rows)
    assert np.isnan(terms[2]).any()
    assert np.isfinite(np.delete(terms, 2, axis=0)).all()


def test_rows_are_not_changed_and_other_shapes_are_refused() -> None:
    rows = _FEATURES[:50].copy()
    _BASIS.terms(rows)
    np.testing.assert_array_equal(rows, _FEATURES[:50])
    with pytest.raises(ConfigValueError, match="37"):
        _BASIS.terms(rows[:, :36])
    with pytest.raises(ConfigValueError, match="37"):
        PriceActionBasis((1.0,) * 7, (0.0,) * 36, (1.0,) * 36)


def test_it_survives_a_round_trip_through_json_exactly() -> None:
    assert PriceActionBasis.from_document(json.loads(json.dumps(_BASIS.to_document()))) == _BASIS
