"""What makes two ways of trading the same probabilities one and the same: the identity that trials are counted by."""

from __future__ import annotations

from typing import Any

from algo_pipeline.common.storage import json_hash
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.interfaces.strategy import StrategyInterface
from algo_pipeline.strategy.catalog import strategy_document, threshold_strategy


def choices_document(config: BacktestConfig, strategy: StrategyInterface | None = None) -> dict[str, Any]:
    """All that someone chose about trading: the strategy and the rules that are no conditions.

    What the venue charges and what the account starts with (``backtest.sweep_grid.CONDITIONS``) is nobody's choice and
    left out. A fraction above the cap is the cap, a kill switch that no drawdown reaches is none, and thresholds count
    where they are the strategy: so the same trading has one document.

    Parameters
    ----------
    config : BacktestConfig
        The rules that the figures were computed under: ``result.config`` of a backtest.
    strategy : StrategyInterface, optional
        The fixed thresholds of ``config`` if omitted; ``result.strategy`` of a backtest.
    """
    named = strategy_document(strategy or threshold_strategy(config))
    return {
        "strategy": {name: value if isinstance(value, str) else float(value) for name, value in named.items()},
        "position_fraction": float(config.target_fraction),
        "max_drawdown": float(config.max_drawdown) if config.max_drawdown < 1.0 else None,
        "cooldown_bars": int(config.cooldown_bars),
        "cash_buffer_bps": None if config.cash_buffer_bps is None else float(config.cash_buffer_bps),
    }


def strategy_hash(config: BacktestConfig, strategy: StrategyInterface | None = None) -> str:
    """SHA-256 of :func:`choices_document`: equal exactly for what counts as one trial of a forecast."""
    return json_hash(choices_document(config, strategy))
