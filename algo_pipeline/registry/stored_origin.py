"""Whether a registered version may be deployed here, and what its run says of its origin."""

from __future__ import annotations

from collections.abc import Collection

from algo_pipeline.common.errors import NotDeployableError, RegistryError
from algo_pipeline.common.storage import json_hash
from algo_pipeline.data.feature_choice import STANDARD_CHOICE, FeatureChoice
from algo_pipeline.data.feature_sets import recorded_features
from algo_pipeline.registry.bundle import ChampionBundle
from algo_pipeline.registry.deployment import ModelOrigin
from algo_pipeline.registry.records import StoredModel

_TEXTS = ("symbol", "label", "source", "venue_symbol", "recipe", "recipe_hash", "history_start", "training_end")
_SIMULATED = "simulated"


def stored_origin(stored: StoredModel, own: Collection[str] = ()) -> ModelOrigin:
    """What a bundle must say of a registered version, from the record of its run.

    Parameters
    ----------
    stored : StoredModel
        The version.
    own : collection of str
        The user's own classes that the settings of this machine name.

    Raises
    ------
    RegistryError
        If the record lacks something, or its recipe is not the one that its hash names.
    NotDeployableError
        If it was trained on other features than this version computes.
    OtherCodeError
        If it was trained on those of a class of the user's own that is not at hand as it was.
    """
    texts = {name: _recorded(stored, name) for name in _TEXTS}
    if json_hash(stored.recipe_document) != texts["recipe_hash"]:
        raise RegistryError(
            f"The recipe in config.json of {_name(stored)} is not the one that was trained: its hash differs.",
            "Promote another version, or train anew: `algo-pipeline research`.",
        )
    _require_our_features(stored, own)
    base_rate = float(_recorded(stored, "base_rate"))
    return ModelOrigin(
        **texts,
        recipe_document=stored.recipe_document,
        feature_names=stored.feature_names,
        base_rate=base_rate,
        feature_reference=None,
        feature_check=None,
    )


def require_fitting(
    origin: ModelOrigin, version: str, *, label: str, source: str, deployed: ChampionBundle | None, real_account: bool
) -> None:
    """Refuse a model that learnt something else, or elsewhere, than what is configured and deployed.

    Parameters
    ----------
    origin : ModelOrigin
        Of the version.
    version : str
        Its number, for the message.
    label, source : str
        What the settings say.
    deployed : ChampionBundle or None
        What would be replaced.
    real_account : bool
        Whether orders would go to a paper account: simulated bars trade on loopback only.

    Raises
    ------
    NotDeployableError
        If it does not fit.
    """
    learnt = (origin.label, origin.source)
    if learnt != (label, source):
        raise _unfitting(version, learnt, "the settings name", (label, source), _OTHER_SETTINGS)
    if deployed is not None and learnt != (deployed.label, deployed.source):
        raise _unfitting(
            version, learnt, "the deployed champion learnt", (deployed.label, deployed.source), _OTHER_HOME
        )
    if real_account and origin.source == _SIMULATED:
        raise NotDeployableError(
            f"Version {version} learnt from simulated bars, and orders would go to a paper account.",
            "Models of simulated bars trade in a sandbox only: `algo-pipeline sandbox`.",
        )


_OTHER_SETTINGS = "Set ALGO_TRADER_LABEL and ALGO_TRADER_DATA_SOURCE to those of the version, or choose another one."
_OTHER_HOME = "Keep one ALGO_TRADER_ARTIFACTS_DIR per label and source, or move the deployed bundle away first."


def _unfitting(
    version: str, learnt: tuple[str, str], whose: str, other: tuple[str, str], way: str
) -> NotDeployableError:
    words = f"Version {version} learnt {learnt[0]} from {learnt[1]}; {whose} {other[0]} from {other[1]}."
    return NotDeployableError(words, way)


def _require_our_features(stored: StoredModel, own: Collection[str]) -> None:
    if _our_features(stored, own) != stored.feature_names:
        raise NotDeployableError(
            f"{_name(stored)} was trained on other features than this version of the program computes.",
            "Promote another version, or train anew: `algo-pipeline research`.",
        )


def _our_features(stored: StoredModel, own: Collection[str]) -> tuple[str, ...] | None:
    """The features of its recipe, as they are computed here; None where this version has others."""
    if "features" not in stored.recipe_document:
        return None
    choice = FeatureChoice.from_document(stored.recipe_document)
    if "feature_sets" not in stored.recipe_document and choice != STANDARD_CHOICE:
        return None
    return recorded_features(choice, own).columns


def _recorded(stored: StoredModel, name: str) -> str:
    if name not in stored.parameters:
        raise RegistryError(
            f"The run of {_name(stored)} does not record {name}, without which it can't be deployed.",
            "Promote a version that was trained later, or train anew: `algo-pipeline research`.",
        )
    return stored.parameters[name]


def _name(stored: StoredModel) -> str:
    return f"{stored.version.model_name} version {stored.version.version}"
