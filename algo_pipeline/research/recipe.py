"""What defines a model, whatever data it is trained on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from algo_pipeline.common.storage import json_hash
from algo_pipeline.data.feature_registry import FEATURE_NAMES
from algo_pipeline.models.catalog import (
    make_model,
    model_document,
    require_calibrator_kind,
    require_model_kind,
    require_recorded_model,
)
from algo_pipeline.research.splits import SplitRule
from algo_pipeline.research.weights import require_weight_kind

if TYPE_CHECKING:
    from algo_pipeline.common.config import Settings
    from algo_pipeline.data.labels import LabelSpec
    from algo_pipeline.interfaces.model import ModelInterface
    from algo_pipeline.models.parameters import Parameters


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that defines a model but its data span.

    Parameters
    ----------
    model_kind : str
        A name of :data:`~algo_pipeline.models.catalog.MODEL_KINDS`, or ``module:Class`` of a class of the user's own.
    calibrator : str
        A name of :data:`~algo_pipeline.models.catalog.CALIBRATOR_KINDS`.
    label : str
        A binary label.
    split : SplitRule
        How rows are cut into folds.
    parameters : mapping of str to float, int, str or bool
        Replace parameters of the model; those equal to its defaults are dropped.
    sample_weight : str
        A name of :data:`~algo_pipeline.research.weights.WEIGHT_KINDS`: how rows count in the fits.
    """

    model_kind: str = "logistic"
    calibrator: str = "platt"
    label: str = "direction_1h"
    split: SplitRule = field(default_factory=SplitRule)
    parameters: Parameters = field(default_factory=dict, hash=False)
    sample_weight: str = "none"

    def __post_init__(self) -> None:
        require_model_kind(self.model_kind)
        require_calibrator_kind(self.calibrator)
        require_weight_kind(self.sample_weight)
        _ = self.label_spec  # an unknown label raises
        # As the fit sees them, and only what is not the default: equal recipes are equal however they were written.
        found, defaults = self.make_model().parameters, make_model(self.model_kind).parameters
        changed = {name: value for name, value in found.items() if name not in defaults or defaults[name] != value}
        object.__setattr__(self, "parameters", changed)

    @property
    def label_spec(self) -> LabelSpec:
        """The label's definition."""
        from algo_pipeline.data.labels import label_spec

        return label_spec(self.label)

    def make_model(self) -> ModelInterface:
        """The model, with the recipe's parameters."""
        return make_model(self.model_kind, self.parameters)

    @property
    def hash(self) -> str:
        """SHA-256 of :meth:`to_document`: two recipes are the same exactly if their hashes are."""
        return json_hash(self.to_document())

    def describe(self) -> str:
        """Model and calibrator, for example ``logistic+platt``, and what differs from their defaults."""
        changes = [f"{name}={value}" for name, value in sorted(self.parameters.items())]
        if self.sample_weight != "none":
            changes.append(f"weights={self.sample_weight}")
        return f"{self.model_kind}+{self.calibrator}" + (f" ({', '.join(changes)})" if changes else "")

    def to_document(self) -> dict[str, Any]:
        """Plain JSON of features, label, model, calibrator, split rule and, where there are any, sample weights."""
        spec = self.label_spec
        weights = {} if self.sample_weight == "none" else {"sample_weight": self.sample_weight}
        return {
            "features": list(FEATURE_NAMES),
            "label": {"name": spec.name, "horizon_bars": spec.horizon_bars, "kind": spec.kind.value},
            "model": model_document(self.make_model(), self.model_kind),
            "calibrator": self.calibrator,
            "split": asdict(self.split),
            **weights,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any], own: Collection[str] = ()) -> Recipe:
        """Inverse of :meth:`to_document`, also for documents written before recipes had weights.

        Parameters
        ----------
        document : mapping
            What :meth:`to_document` made.
        own : collection of str
            The user's own classes that the settings of this machine name: no other is imported.

        Raises
        ------
        ConfigValueError
            If it names a kind, label or parameter that this program does not know.
        OtherCodeError
            If it names a class of the user's own that is not at hand as it was.
        """
        model = document["model"]
        require_recorded_model(model, own)
        return cls(
            model["kind"],
            document["calibrator"],
            document["label"]["name"],
            SplitRule(**document["split"]),
            model["parameters"],
            document.get("sample_weight", "none"),
        )


def configured_recipe(settings: Settings) -> Recipe:
    """What the settings ask to be trained and traded."""
    rule = SplitRule(n_folds=settings.n_folds, window_rows=settings.rolling_window_bars)
    chosen = (settings.model_parameters, settings.sample_weight)
    return Recipe(settings.model, settings.calibrator, settings.label, rule, *chosen)
