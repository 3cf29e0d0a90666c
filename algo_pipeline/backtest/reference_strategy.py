"""The strategies of the slow reference: their rules read aloud in decimals, sharing no code with the compiled ones."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

import pandas as pd

from algo_pipeline.backtest.broker_sim_decimals import ROUNDED, ZERO, exact, rate_of_bps
from algo_pipeline.common.time import BAR
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Signal

_PI = Decimal("3.14159265358979323846264338327950288419716939937511")
_DAY_BARS = 24


class ReferenceView(NamedTuple):
    """A signal, and the most that an entry may be worth as a fraction of equity; None: whatever the cap says."""

    signal: Signal
    size_limit: Decimal | None = None


class ReferenceStrategy:
    """One symbol's strategy, by name and parameters as ``strategy.catalog.strategy_document`` tells them.

    Parameters
    ----------
    document : mapping or None
        None: the thresholds of ``config``.
    config : BacktestConfig
        Gives thresholds and costs.
    probability : pd.Series
        By open time.
    conditions : pd.DataFrame or None
        ``volatility`` and ``base_rate`` by open time; None: of ``bars`` alone, against one half.
    bars : pd.DataFrame
        The symbol's.
    """

    def __init__(
        self,
        document: Mapping[str, object] | None,
        config: BacktestConfig,
        probability: pd.Series[float],
        conditions: pd.DataFrame | None,
        bars: pd.DataFrame,
    ) -> None:
        self._document, self._config = document or {"name": "thresholds"}, config
        self._probability = probability.to_dict()
        known = _own_conditions(bars) if conditions is None else conditions
        self._volatility, self._base_rate = known["volatility"].to_dict(), known["base_rate"].to_dict()

    def view(self, at: pd.Timestamp) -> ReferenceView:
        """What it makes of the bar that opens at ``at``."""
        probability = self._probability.get(at, math.nan)
        if math.isnan(probability):
            return ReferenceView(Signal.HOLD)
        if self._document["name"] == "thresholds":
            return ReferenceView(self._threshold_signal(probability))
        return self._cost_aware(probability, self._base_rate.get(at, math.nan), self._volatility.get(at, math.nan))

    def _threshold_signal(self, probability: float) -> Signal:
        enter = self._document.get("enter_threshold", self._config.enter_threshold)
        exit_ = self._document.get("exit_threshold", self._config.exit_threshold)
        if probability >= enter:  # type: ignore[operator]
            return Signal.LONG
        return Signal.FLAT if probability <= exit_ else Signal.HOLD  # type: ignore[operator]

    def _cost_aware(self, probability: float, base_rate: float, volatility: float) -> ReferenceView:
        if math.isnan(base_rate) or math.isnan(volatility):
            return ReferenceView(Signal.HOLD)
        horizon, multiple, kelly = (
            exact(self._document[name])  # type: ignore[arg-type]
            for name in ("horizon_bars", "edge_multiple", "kelly_fraction")
        )
        variance = exact(volatility) ** 2 * horizon
        expected_move = ROUNDED.sqrt(ROUNDED.divide(2 * variance, _PI))
        gain = 2 * (exact(probability) - max(exact(base_rate), exact(0.5))) * expected_move
        hurdle = multiple * 2 * (rate_of_bps(self._config.fee_bps) + rate_of_bps(self._config.slippage_bps))
        if gain >= hurdle:
            bet = ROUNDED.divide(kelly * (gain - hurdle), variance) if variance > 0 else ZERO
            return ReferenceView(Signal.LONG, bet)
        return ReferenceView(Signal.FLAT if gain <= 0 else Signal.HOLD)


def _own_conditions(bars: pd.DataFrame) -> pd.DataFrame:
    """Sample deviation of the 24 log returns up to each bar, where its 25 bars are consecutive hours; and one half."""
    times, closes = list(bars.index), list(bars["close"])
    volatility = [math.nan] * len(bars)
    for last in range(_DAY_BARS, len(bars)):
        first = last - _DAY_BARS
        if times[last] - times[first] == _DAY_BARS * BAR:
            returns = [math.log(closes[i] / closes[i - 1]) for i in range(first + 1, last + 1)]
            volatility[last] = statistics.stdev(returns)
    return pd.DataFrame({"volatility": volatility, "base_rate": 0.5}, index=bars.index)
