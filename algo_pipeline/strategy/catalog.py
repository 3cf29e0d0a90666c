"""The strategies by name, and as the documents that name them in bundles, reports and trials."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.user_classes import (
    SOURCE_KEY,
    is_reference,
    load_recorded_class,
    load_user_class,
    made_with,
    user_class_digest,
    user_class_reference,
)
from algo_pipeline.interfaces.strategy import StrategyInterface
from algo_pipeline.strategy.cost_aware import CostAwareStrategy
from algo_pipeline.strategy.signal_to_trade import ThresholdStrategy

if TYPE_CHECKING:
    from algo_pipeline.common.config import Settings

STRATEGY_NAMES = (ThresholdStrategy.name, CostAwareStrategy.name)
_KINDS: Mapping[str, type[StrategyInterface]] = {kind.name: kind for kind in (ThresholdStrategy, CostAwareStrategy)}
_SETTING = "ALGO_TRADER_STRATEGY"
_SHOWN_DIGITS = 12
_NONE: Mapping[str, Any] = MappingProxyType({})


def threshold_strategy(config: BacktestConfig) -> ThresholdStrategy:
    """The strategy of the rules' own thresholds."""
    return ThresholdStrategy(config.enter_threshold, config.exit_threshold)


def configured_strategy(
    name: str,
    config: BacktestConfig,
    *,
    horizon_bars: int,
    edge_multiple: float,
    kelly_fraction: float,
    parameters: Mapping[str, Any] = _NONE,
) -> StrategyInterface:
    """The strategy that settings name; a class of the user's own is imported, and made with ``parameters``.

    Raises
    ------
    ConfigValueError
        For an unknown name or an impossible parameter.
    SettingsError
        If a class of the user's own can't be loaded.
    """
    if is_reference(name):
        return made_with(load_user_class(name, StrategyInterface, _SETTING), parameters)  # type: ignore[type-abstract]
    if name == ThresholdStrategy.name:
        return threshold_strategy(config)
    if name == CostAwareStrategy.name:
        return CostAwareStrategy(horizon_bars, edge_multiple, kelly_fraction)
    raise _unknown(name)


def settings_strategy(settings: Settings, horizon_bars: int) -> StrategyInterface:
    """:func:`configured_strategy` of the settings, for a label of this horizon."""
    return configured_strategy(
        settings.strategy,
        settings.backtest_config(),
        horizon_bars=horizon_bars,
        edge_multiple=settings.edge_multiple,
        kelly_fraction=settings.kelly_fraction,
        parameters=settings.strategy_parameters,
    )


def is_built_in(strategy: StrategyInterface) -> bool:
    """Whether a strategy is one of ours."""
    return type(strategy) in _KINDS.values()


def strategy_document(strategy: StrategyInterface) -> dict[str, Any]:
    """Name and parameters, from which :func:`strategy_from_document` makes an equal strategy.

    Two strategies are the same exactly if their documents are: what counts trials hashes it. The name of a class of the
    user's own is ``module:Class``, and the digest of its source is there too.
    """
    if is_built_in(strategy):
        return {"name": strategy.name, **strategy.parameters()}
    own = type(strategy)
    return {"name": user_class_reference(own), **strategy.parameters(), SOURCE_KEY: user_class_digest(own)}


def shown_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """A :func:`strategy_document` for people: the digest of a class's source by its first digits, as ``source``."""
    shown = {name: value for name, value in document.items() if name != SOURCE_KEY}
    source = document.get(SOURCE_KEY)
    return shown if source is None else {**shown, "source": str(source)[:_SHOWN_DIGITS]}


def strategy_from_document(document: Mapping[str, Any], own: Collection[str] = ()) -> StrategyInterface:
    """Inverse of :func:`strategy_document`.

    Parameters
    ----------
    document : mapping
        What :func:`strategy_document` made, from a file perhaps.
    own : collection of str
        The user's own classes that the settings of this machine name: no other is imported.

    Raises
    ------
    ConfigValueError
        For an unknown name, or parameters that the strategy does not have.
    OtherCodeError
        If it names a class of the user's own that is not at hand as it was.
    """
    parameters = dict(document)
    name = parameters.pop("name", None)
    if is_reference(name):
        digest = parameters.pop(SOURCE_KEY, None)
        found = load_recorded_class(name, digest, StrategyInterface, _SETTING, own)  # type: ignore[type-abstract]
        return made_with(found, parameters)
    if name not in _KINDS:
        raise _unknown(name)
    try:
        return _KINDS[name](**parameters)
    except TypeError as error:
        raise ConfigValueError(
            f"Other parameters are expected of the strategy {name!r}: {error}.", "Use the version that wrote it."
        ) from error


def _unknown(name: object) -> ConfigValueError:
    return ConfigValueError(
        f"A strategy is expected, one of {', '.join(STRATEGY_NAMES)}; found {name!r}.", "Correct ALGO_TRADER_STRATEGY."
    )
