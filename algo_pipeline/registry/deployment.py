"""From a trained estimator to a champion bundle, and from a bundle back to probabilities."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from importlib.metadata import version as package_version
from typing import TYPE_CHECKING, Any, Protocol

import pandas as pd

from algo_pipeline.common.errors import AlgoPipelineError, CorruptFileError, OtherCodeError
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import FloatArray, Symbol
from algo_pipeline.common.user_classes import SOURCE_KEY
from algo_pipeline.data.feature_choice import FeatureChoice
from algo_pipeline.data.feature_registry import FEATURE_NAMES
from algo_pipeline.data.feature_sets import FeatureSets, recorded_features
from algo_pipeline.interfaces.strategy import StrategyInterface
from algo_pipeline.models.linear_scorer import LinearScorer
from algo_pipeline.registry.bundle import ChampionBundle
from algo_pipeline.registry.estimator_file import dump_estimators, load_estimators
from algo_pipeline.registry.records import RegisteredVersion
from algo_pipeline.research.promotion import Trading

if TYPE_CHECKING:
    from algo_pipeline.data.own_label import OwnLabel
    from algo_pipeline.models.calibration import CalibratedClassifier
    from algo_pipeline.research.dataset import Dataset
    from algo_pipeline.research.train import Recipe

_PACKAGES = ("algo-pipeline", "numpy", "pandas", "scikit-learn", "ta-lib", "numba")


@dataclass(frozen=True, slots=True)
class ModelOrigin:
    """What a bundle says of how its model was made, by the names of its fields; times in ISO 8601."""

    symbol: str
    label: str
    source: str
    venue_symbol: str
    recipe: str
    recipe_hash: str
    recipe_document: Mapping[str, Any]
    feature_names: tuple[str, ...]
    history_start: str
    training_end: str
    base_rate: float | None = None
    feature_reference: Mapping[str, Any] | None = None
    feature_check: Mapping[str, Any] | None = None


class BundleScorer(Protocol):
    """Gives a bundle's probabilities."""

    def probability(self, features: pd.DataFrame) -> FloatArray:
        """P(label = 1), shape (n,), for features of shape (n, n_features)."""


def make_bundle(
    *,
    symbol: Symbol,
    source: str,
    venue_symbol: str,
    dataset: Dataset,
    recipe: Recipe,
    estimator: CalibratedClassifier,
    config: BacktestConfig,
    history_start: pd.Timestamp,
    trading: Trading,
    version: RegisteredVersion,
    strategy: StrategyInterface | None = None,
) -> ChampionBundle:
    """Gather what a decision needs of a model trained just now; without a strategy, the thresholds of ``config``."""
    from algo_pipeline.research.drift import reference_of

    reference = reference_of(dataset.features)
    origin = ModelOrigin(
        symbol=str(symbol),
        label=recipe.label,
        source=source,
        venue_symbol=venue_symbol,
        recipe=recipe.describe(),
        recipe_hash=recipe.hash,
        recipe_document=recipe.to_document(),
        feature_names=tuple(dataset.features.columns),
        history_start=history_start.isoformat(),
        training_end=dataset.training_end.isoformat(),
        base_rate=float(dataset.target.mean()),
        feature_reference=None if reference is None else reference.to_document(),
        feature_check=_feature_check(recipe, dataset),
    )
    return bundle_of(origin, estimator, config, trading, version, strategy)


def _feature_check(recipe: Recipe, dataset: Dataset) -> Mapping[str, Any] | None:
    """The user's own features of the last training row; None where all are standard ones."""
    from algo_pipeline.data.feature_check import FeatureCheck

    standard = FEATURE_NAMES if recipe.features.has_standard else ()
    own = tuple(name for name in recipe.features.columns if name not in standard)
    return FeatureCheck.of(dataset.features, own).to_document() if own else None


def bundle_of(
    origin: ModelOrigin,
    estimator: CalibratedClassifier,
    config: BacktestConfig,
    trading: Trading,
    version: RegisteredVersion,
    strategy: StrategyInterface | None = None,
) -> ChampionBundle:
    """Gather what a decision needs: a linear model as coefficients, any other as its skops file."""
    from algo_pipeline.models.linear_scorer import is_linear
    from algo_pipeline.strategy.catalog import strategy_document
    from algo_pipeline.strategy.signal_to_trade import ThresholdStrategy

    linear = is_linear(estimator)
    return ChampionBundle(
        **{field.name: getattr(origin, field.name) for field in fields(origin)},
        scorer=LinearScorer.from_estimator(estimator).to_document() if linear else None,
        estimator_skops=None if linear else dump_estimators(estimator),
        enter_threshold=config.enter_threshold,
        exit_threshold=config.exit_threshold,
        trading=trading,
        model_name=version.model_name,
        model_version=version.version,
        run_id=version.run_id,
        versions={name: package_version(name) for name in _PACKAGES},
        strategy=None if strategy is None or isinstance(strategy, ThresholdStrategy) else strategy_document(strategy),
    )


def bundle_features(bundle: ChampionBundle, own: Collection[str] = ()) -> FeatureSets:
    """What the bundle's model reads; parameters and errors as of its strategy."""
    sets = bundle.recipe_document.get("feature_sets")
    try:
        choice = FeatureChoice.from_document({"features": bundle.feature_names, "feature_sets": sets})
        return recorded_features(choice, own)
    except (AttributeError, KeyError, TypeError) as error:
        raise unreadable(bundle, "features", error) from error
    except OtherCodeError as error:
        if sets is not None:
            raise _other_code(bundle, error) from error
        raise CorruptFileError(
            f"The champion of {bundle.symbol} was trained on other features than this version computes.",
            "Run the research again to deploy a new bundle.",
        ) from error


def bundle_own_label(bundle: ChampionBundle, own: Collection[str] = ()) -> OwnLabel | None:
    """The label of the user's own that the bundle's model says; None for another. Errors as of its strategy."""
    document = bundle.recipe_document.get("label", {})
    if SOURCE_KEY not in document:  # nothing that only names a bundle waits for Numba
        return None
    from algo_pipeline.data.labels import LabelSpec
    from algo_pipeline.data.own_label import recorded_label

    try:
        return recorded_label(LabelSpec.from_document(document), own)
    except (AlgoPipelineError, KeyError, ValueError, TypeError) as error:
        if isinstance(error, OtherCodeError):
            raise _other_code(bundle, error) from error
        raise unreadable(bundle, "label", error) from error


def bundle_strategy(bundle: ChampionBundle, own: Collection[str] = ()) -> StrategyInterface:
    """What turns the bundle's probabilities into signals: its thresholds, unless it names another strategy.

    Parameters
    ----------
    bundle : ChampionBundle
        Whose.
    own : collection of str
        The user's own classes that the settings of this machine name: no other is imported.

    Raises
    ------
    CorruptFileError
        If it names one that this version does not have, or lacks what that one reads.
    OtherCodeError
        If it names one of the user's own that is not at hand as it was.
    """
    # Strategies are compiled: nothing that only names a bundle waits for Numba.
    from algo_pipeline.strategy.catalog import strategy_from_document
    from algo_pipeline.strategy.signal_to_trade import ThresholdStrategy

    if bundle.strategy is None:
        return ThresholdStrategy(bundle.enter_threshold, bundle.exit_threshold)
    try:
        strategy = strategy_from_document(bundle.strategy, own)
    except OtherCodeError as error:
        raise _other_code(bundle, error) from error
    except AlgoPipelineError as error:
        raise _no_such_strategy(bundle, error.message) from error
    if strategy.reads_conditions and bundle.base_rate is None:
        raise _no_such_strategy(bundle, "no base rate is recorded of its model.")
    return strategy


def _no_such_strategy(bundle: ChampionBundle, why: str) -> CorruptFileError:
    return CorruptFileError(
        f"The strategy of the champion bundle of {bundle.symbol} can't be used: {why}",
        "Run the research again to deploy a new bundle.",
    )


def bundle_strategy_document(bundle: ChampionBundle) -> Mapping[str, Any]:
    """Name and parameters of the bundle's strategy, without making it."""
    thresholds = {"enter_threshold": bundle.enter_threshold, "exit_threshold": bundle.exit_threshold}
    return {"name": "thresholds", **thresholds} if bundle.strategy is None else bundle.strategy


def bundle_trusted_types(bundle: ChampionBundle, own: Collection[str] = ()) -> tuple[str, ...]:
    """What the bundle's estimator may hold beyond our own types; parameters and OtherCodeError as its strategy's.

    A linear model is coefficients here, and yet refused with another class than made it: what is on this machine then
    no longer makes what is deployed, and nobody would see it.
    """
    from algo_pipeline.models.catalog import recorded_trusted_types

    try:
        return recorded_trusted_types(bundle.recipe_document.get("model", {}), own)
    except OtherCodeError as error:
        raise _other_code(bundle, error) from error


def unreadable(bundle: ChampionBundle, what: str, error: Exception) -> CorruptFileError:
    """The error of something within a bundle that is not what it has to be."""
    return CorruptFileError(
        f"The {what} in the bundle of {bundle.symbol} can't be read: {error!r}.",
        "Run the research again to deploy a new bundle.",
    )


def _other_code(bundle: ChampionBundle, error: OtherCodeError) -> OtherCodeError:
    return OtherCodeError(f"The champion bundle of {bundle.symbol} can't be used. {error.message}", error.remedy)


def bundle_estimator(bundle: ChampionBundle, own: Collection[str] = ()) -> BundleScorer:
    """The bundle's scorer: numpy alone for a linear model, else through skops and our own list of trusted types.

    Raises
    ------
    CorruptFileError
        If it holds no model, or one that can't be read.
    OtherCodeError
        If it was made by a class of the user's own that is not at hand as it was; ``own`` as for its strategy.
    """
    also_trusted = bundle_trusted_types(bundle, own)
    if bundle.scorer is not None:
        return _Linear(LinearScorer.from_document(bundle.scorer))
    if bundle.estimator_skops is None:
        raise CorruptFileError(
            f"The champion bundle of {bundle.symbol} holds neither coefficients nor an estimator.",
            "Run the research again to deploy a new bundle.",
        )
    return _Estimator(bundle.estimator_skops, bundle.symbol, also_trusted)


class _Linear:
    def __init__(self, scorer: LinearScorer) -> None:
        self._scorer = scorer

    def probability(self, features: pd.DataFrame) -> FloatArray:
        return self._scorer.predict_proba(features.to_numpy())


class _Estimator:
    def __init__(self, data: bytes, symbol: str, also_trusted: tuple[str, ...]) -> None:
        from algo_pipeline.models.calibration import TRUSTED_TYPES

        self._estimator: CalibratedClassifier = load_estimators(
            data,
            f"The champion bundle of {symbol}",
            "Run the research again to deploy a new bundle.",
            (*TRUSTED_TYPES, *also_trusted),
        )

    def probability(self, features: pd.DataFrame) -> FloatArray:
        probabilities: FloatArray = self._estimator.predict_proba(features)[:, 1]
        return probabilities
