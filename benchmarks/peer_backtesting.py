"""The same strategy in backtesting.py."""

from __future__ import annotations

import warnings
from typing import Any

import pandas as pd

from benchmarks.markets import Market
from benchmarks.rules import ENTER, EXIT, FEE, FRACTION, INITIAL_CASH, SLIPPAGE, SMALLEST_QUANTITY

# Its spread moves the price of an entry alone, its commission is charged on both sides. Chosen so, an entry and an exit
# cost in all what slippage and fee cost: (1 + SPREAD)(1 + COMMISSION) and 1 − COMMISSION times the open.
COMMISSION = 1.0 - (1.0 - SLIPPAGE) * (1.0 - FEE)
SPREAD = (1.0 + SLIPPAGE) * (1.0 + FEE) / (1.0 + COMMISSION) - 1.0


def prepare(market: Market) -> pd.DataFrame:
    """Bars in its layout, the probability beside them."""
    bars = market.bars.set_axis(["Open", "High", "Low", "Close", "Volume"], axis=1)
    return bars.assign(Probability=market.probability).tz_localize(None)


def run(data: pd.DataFrame, fraction: float = FRACTION, **options: Any) -> Any:
    """Its result: statistics, ``_equity_curve`` and ``_trades``; ``options`` of its ``FractionalBacktest``.

    Quantities are whole numbers of ``fractional_unit``. A position that is open at the end stays open.
    """
    import backtesting
    from backtesting.lib import FractionalBacktest

    backtesting.backtesting._tqdm = lambda steps, **_: steps  # noqa: SLF001 - its progress bar costs time
    rules = {"spread": SPREAD, "commission": COMMISSION, "fractional_unit": SMALLEST_QUANTITY} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an open position and an order beyond cash are reported as warnings
        return FractionalBacktest(data, _strategy(fraction), cash=INITIAL_CASH, **rules).run()


def final_equity(data: pd.DataFrame) -> float:
    """Equity at the last close."""
    return float(run(data)["Equity Final [$]"])


def _strategy(fraction: float) -> type:
    from backtesting import Strategy

    class LongAboveThreshold(Strategy):  # type: ignore[misc]
        def init(self) -> None:
            pass

        def next(self) -> None:
            probability = self.data.Probability[-1]
            if probability >= ENTER and not self.position:
                self.buy(size=int(fraction * self.equity / self.data.Close[-1]))
            elif probability <= EXIT and self.position:
                self.position.close()

    return LongAboveThreshold
