"""A strategy of one's own: trade a conviction, in units of how much the market moves anyway.

Named in settings as ``ALGO_TRADER_STRATEGY=breakout_strategy:Breakout``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from algo_pipeline.interfaces.strategy import Assessment, Band, Outlook, StrategyInterface


@dataclass(frozen=True)
class Breakout(StrategyInterface):
    """Enter when the odds rise above the base rate while the market is awake; the wilder it is, the smaller the bet.

    Parameters
    ----------
    enter_edge, exit_edge : float
        Probability beyond the base rate at which to enter, and at which to leave.
    least_volatility : float
        Hourly deviation below which the market sleeps: no entry pays for its costs then.
    risk_fraction : float
        Part of equity that a move of one day's deviation may cost.
    """

    enter_edge: float = 0.04
    exit_edge: float = 0.0
    least_volatility: float = 0.001
    risk_fraction: float = 0.01

    def band(self, round_trip_cost: float) -> Band:
        """Between these edges it HOLDs."""
        return Band(self.enter_edge, self.exit_edge)

    def assess(self, outlook: Outlook, round_trip_cost: float) -> Assessment:
        """The edge, and the largest bet as a fraction of equity."""
        edge = outlook.probability - outlook.base_rate
        if math.isnan(edge) or math.isnan(outlook.volatility):
            return Assessment(math.nan, 0.0)
        if outlook.volatility < self.least_volatility:
            return Assessment(min(edge, 0.5 * (self.enter_edge + self.exit_edge)), 0.0)
        return Assessment(edge, self.risk_fraction / (outlook.volatility * math.sqrt(24.0)))

    def parameters(self) -> Mapping[str, float]:
        """What makes it this strategy: part of its identity."""
        return asdict(self)
