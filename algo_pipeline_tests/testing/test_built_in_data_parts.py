"""The built-in features and labels keep what is asked of a user's."""

from __future__ import annotations

import pandas as pd
import pytest

from algo_pipeline.data.feature_sets import StandardFeatures
from algo_pipeline.data.labels import LABELS, LabelSpec, build_labels
from algo_pipeline.interfaces.features import FeatureSetInterface
from algo_pipeline.interfaces.label import LabelInterface
from algo_pipeline.testing.features import FeatureSetContract
from algo_pipeline.testing.label import LabelContract

_BINARY = [spec for spec in LABELS if spec.is_binary]


class TestStandardFeatures(FeatureSetContract):
    def make(self) -> FeatureSetInterface:
        return StandardFeatures()


class _BuiltIn(LabelInterface):
    """A built-in label as a user would have written it."""

    def __init__(self, spec: LabelSpec) -> None:
        self._spec = spec

    @property
    def name(self) -> str:
        return f"own_{self._spec.name}"

    @property
    def horizon_bars(self) -> int:
        return self._spec.horizon_bars

    def build(self, bars: pd.DataFrame) -> pd.Series[float]:
        return build_labels(bars)[self._spec.name]


class TestBuiltInLabels(LabelContract):
    @pytest.fixture(autouse=True, params=_BINARY, ids=lambda spec: spec.name)
    def _choose(self, request: pytest.FixtureRequest) -> None:
        self.spec: LabelSpec = request.param

    def make(self) -> LabelInterface:
        return _BuiltIn(self.spec)
