"""What defines a model, whatever data it is trained on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.storage import json_hash
from algo_pipeline.data.feature_choice import STANDARD_CHOICE, FeatureChoice
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
        Name of a binary label.
    split : SplitRule
        How rows are cut into folds.
    parameters : mapping of str to float, int, str or bool
        Replace parameters of the model; those equal to its defaults are dropped.
    sample_weight : str
        A name of :data:`~algo_pipeline.research.weights.WEIGHT_KINDS`: how rows count in the fits.
    features : FeatureChoice
        What it learns from.
    own_label : LabelSpec or None
        The definition of a label of the user's own, by the name ``label``; dropped where that is another one.
    """

    model_kind: str = "logistic"
    calibrator: str = "platt"
    label: str = "direction_1h"
    split: SplitRule = field(default_factory=SplitRule)
    parameters: Parameters = field(default_factory=dict, hash=False)
    sample_weight: str = "none"
    features: FeatureChoice = STANDARD_CHOICE
    own_label: LabelSpec | None = None

    def __post_init__(self) -> None:
        require_model_kind(self.model_kind)
        require_calibrator_kind(self.calibrator)
        require_weight_kind(self.sample_weight)
        if self.own_label is not None and self.own_label.name != self.label:
            object.__setattr__(self, "own_label", None)
        _ = self.label_spec  # an unknown label raises
        if self.label in self.features.columns:
            raise ConfigValueError(
                f"A feature has the name of the label {self.label!r}, so that a model would be told what it is to say.",
                "Rename one of them.",
            )
        model = self.make_model()
        _require_leading(model, self.features.columns)
        # As the fit sees them, and only what is not the default: equal recipes are equal however they were written.
        found, defaults = model.parameters, make_model(self.model_kind).parameters
        changed = {name: value for name, value in found.items() if name not in defaults or defaults[name] != value}
        object.__setattr__(self, "parameters", changed)

    @property
    def label_spec(self) -> LabelSpec:
        """The label's definition."""
        from algo_pipeline.data.labels import label_spec

        return self.own_label or label_spec(self.label)

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
        weights = {} if self.sample_weight == "none" else {"sample_weight": self.sample_weight}
        return {
            **self.features.to_document(),
            "label": self.label_spec.to_document(),
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
        from algo_pipeline.data.feature_sets import recorded_features
        from algo_pipeline.data.labels import LabelSpec
        from algo_pipeline.data.own_label import recorded_label

        model, features = document["model"], FeatureChoice.from_document(document)
        label = LabelSpec.from_document(document["label"])
        require_recorded_model(model, own)
        recorded_features(features, own)
        recorded_label(label, own)
        return cls(
            model["kind"],
            document["calibrator"],
            label.name,
            SplitRule(**document["split"]),
            model["parameters"],
            document.get("sample_weight", "none"),
            features,
            label if label.is_own else None,
        )


def configured_recipe(settings: Settings) -> Recipe:
    """What the settings ask to be trained and traded."""
    from algo_pipeline.data.feature_sets import configured_features
    from algo_pipeline.data.own_label import configured_label_spec

    rule = SplitRule(n_folds=settings.n_folds, window_rows=settings.rolling_window_bars)
    features, label = configured_features(settings.features).choice, configured_label_spec(settings.label)
    return Recipe(
        settings.model,
        settings.calibrator,
        label.name,
        rule,
        settings.model_parameters,
        settings.sample_weight,
        features,
        label if label.is_own else None,
    )


def leads_with(columns: tuple[str, ...], leading: tuple[str, ...]) -> bool:
    """Whether the columns begin with those that a model reads by their place."""
    return columns[: len(leading)] == leading


def _require_leading(model: ModelInterface, columns: tuple[str, ...]) -> None:
    """Raise ConfigValueError unless the features begin with those that the model reads by their place."""
    leading = model.leading_features
    if leads_with(columns, leading):
        return
    missing = [name for name in leading if name not in columns]
    lacking = f"{', '.join(missing[:3])}{' …' if len(missing) > 3 else ''}" if missing else "their order"
    raise ConfigValueError(
        f"The model {model.kind} reads {len(leading)} features by name; missing among those configured: {lacking}.",
        "Add `standard` to ALGO_TRADER_FEATURES, or choose a model that takes any features, such as "
        "ALGO_TRADER_MODEL=logistic.",
    )
