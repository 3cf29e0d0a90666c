"""How a probability becomes a signal."""

from __future__ import annotations

from abc import ABC, abstractmethod

from algo_pipeline.common.types import Signal


class StrategyInterface(ABC):
    """Maps the calibrated probability of one closed bar to what the account should do."""

    @abstractmethod
    def signal(self, probability: float) -> Signal:
        """LONG, FLAT or HOLD; a NaN probability is HOLD."""
