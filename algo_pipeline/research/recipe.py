"""What defines a model, whatever data it is trained on."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from algo_pipeline.common.storage import json_hash
from algo_pipeline.data.feature_registry import FEATURE_NAMES
from algo_pipeline.models.catalog import make_model, require_calibrator_kind, require_model_kind
from algo_pipeline.research.splits import SplitRule

if TYPE_CHECKING:
    from algo_pipeline.data.labels import LabelSpec


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that defines a model but its data span.

    Parameters
    ----------
    model_kind : str
        A name of :data:`~algo_pipeline.models.catalog.MODEL_KINDS`.
    calibrator : str
        A name of :data:`~algo_pipeline.models.catalog.CALIBRATOR_KINDS`.
    label : str
        A binary label.
    split : SplitRule
        How rows are cut into folds.
    """

    model_kind: str = "logistic"
    calibrator: str = "platt"
    label: str = "direction_1h"
    split: SplitRule = field(default_factory=SplitRule)

    def __post_init__(self) -> None:
        require_model_kind(self.model_kind)
        require_calibrator_kind(self.calibrator)
        _ = self.label_spec  # an unknown label raises

    @property
    def label_spec(self) -> LabelSpec:
        """The label's definition."""
        from algo_pipeline.data.labels import label_spec

        return label_spec(self.label)

    @property
    def hash(self) -> str:
        """SHA-256 of :meth:`to_document`: two recipes are the same exactly if their hashes are."""
        return json_hash(self.to_document())

    def describe(self) -> str:
        """Model and calibrator, for example ``logistic+platt``."""
        return f"{self.model_kind}+{self.calibrator}"

    def to_document(self) -> dict[str, Any]:
        """Plain JSON of features, label, model, calibrator and split rule."""
        spec = self.label_spec
        return {
            "features": list(FEATURE_NAMES),
            "label": {"name": spec.name, "horizon_bars": spec.horizon_bars, "kind": spec.kind.value},
            "model": {"kind": self.model_kind, "parameters": dict(make_model(self.model_kind).parameters)},
            "calibrator": self.calibrator,
            "split": asdict(self.split),
        }
