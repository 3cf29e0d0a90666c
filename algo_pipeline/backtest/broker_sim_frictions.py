"""What keeps the simulated market from trading any quantity at the open: slippage and volume."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from algo_pipeline.backtest.broker_sim_decimals import ROUNDED, exact, floor_decimal, rate_of_bps, sample_deviation
from algo_pipeline.backtest.realism import ExecutionOptions
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Symbol

_NO_CAP = Decimal("Infinity")
_HIGHEST_SLIPPAGE = Decimal("0.999")
_LAST_DIGIT = Decimal(1).scaleb(-40)


class Slippage:
    """The slippage rate of a symbol's next bar, from the closes seen so far."""

    def __init__(self, config: BacktestConfig, options: ExecutionOptions) -> None:
        self._plain = rate_of_bps(config.slippage_bps)
        self._per_volatility = exact(options.volatility_slippage)
        self._window = options.volatility_window_bars
        self._last_closes: dict[Symbol, Decimal] = {}
        self._log_returns: dict[Symbol, list[Decimal]] = defaultdict(list)

    def rate(self, symbol: Symbol) -> Decimal:
        """``min(slippage + volatility_slippage · σ, 0.999)``; without the option the plain rate, whatever it is."""
        if self._per_volatility == 0:
            return self._plain
        extra = ROUNDED.multiply(self._per_volatility, sample_deviation(self._log_returns[symbol][-self._window :]))
        # The digits end here, far below a double's: whatever is made of the rate is exact again.
        rate = ROUNDED.quantize(ROUNDED.add(self._plain, extra), _LAST_DIGIT)
        return min(rate, _HIGHEST_SLIPPAGE)

    def note_closes(self, closes: Mapping[Symbol, Decimal]) -> None:
        """Add a log return of each symbol that closed before."""
        if self._per_volatility == 0:
            return
        for symbol, close in closes.items():
            if symbol in self._last_closes:
                ratio = ROUNDED.divide(close, self._last_closes[symbol])
                self._log_returns[symbol].append(ROUNDED.ln(ratio))
        self._last_closes.update(closes)


@dataclass(slots=True)
class VolumeCap:
    """What the fills of one symbol may still take of the present bar's volume."""

    share: Decimal | None
    step: Decimal
    left: Decimal = _NO_CAP

    @classmethod
    def from_options(cls, config: BacktestConfig, options: ExecutionOptions) -> VolumeCap:
        """A cap in whole steps; none without the option."""
        share = options.max_volume_share
        return cls(None if share is None else exact(share), Decimal(1).scaleb(-config.step_decimals))

    def start_bar(self, volume: Decimal) -> None:
        """Allow the share of a new bar's volume."""
        self.left = _NO_CAP if self.share is None else floor_decimal(self.share * volume, self.step)

    def take(self, quantity: Decimal) -> None:
        """Count a fill."""
        self.left -= quantity
