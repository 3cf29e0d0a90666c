"""The strategies by name, and as the documents that name them in bundles, reports and trials."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.interfaces.strategy import StrategyInterface
from algo_pipeline.strategy.cost_aware import CostAwareStrategy
from algo_pipeline.strategy.signal_to_trade import ThresholdStrategy

STRATEGY_NAMES = (ThresholdStrategy.name, CostAwareStrategy.name)
_KINDS: Mapping[str, type[StrategyInterface]] = {kind.name: kind for kind in (ThresholdStrategy, CostAwareStrategy)}


def threshold_strategy(config: BacktestConfig) -> ThresholdStrategy:
    """The strategy of the rules' own thresholds."""
    return ThresholdStrategy(config.enter_threshold, config.exit_threshold)


def configured_strategy(
    name: str, config: BacktestConfig, *, horizon_bars: int, edge_multiple: float, kelly_fraction: float
) -> StrategyInterface:
    """The strategy that settings name.

    Raises
    ------
    ConfigValueError
        For an unknown name or an impossible parameter.
    """
    if name == ThresholdStrategy.name:
        return threshold_strategy(config)
    if name == CostAwareStrategy.name:
        return CostAwareStrategy(horizon_bars, edge_multiple, kelly_fraction)
    raise _unknown(name)


def strategy_document(strategy: StrategyInterface) -> dict[str, Any]:
    """Name and parameters, from which :func:`strategy_from_document` makes an equal strategy.

    Two strategies are the same exactly if their documents are: what counts trials hashes it.
    """
    return {"name": strategy.name, **strategy.parameters()}


def strategy_from_document(document: Mapping[str, Any]) -> StrategyInterface:
    """Inverse of :func:`strategy_document`.

    Raises
    ------
    ConfigValueError
        For an unknown name, or parameters that the strategy does not have.
    """
    parameters = dict(document)
    name = parameters.pop("name", None)
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
