"""The same strategy in PyBroker."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd

from benchmarks.markets import Market
from benchmarks.rules import ENTER, EXIT, FEE, FRACTION, HOURS_PER_YEAR, INITIAL_CASH, SLIPPAGE

SYMBOL = "BTC"


def prepare(market: Market) -> pd.DataFrame:
    """Bars in its layout, the probability as a column of its own."""
    bars = market.bars.tz_localize(None).rename_axis("date").reset_index()
    return bars.assign(symbol=SYMBOL, probability=market.probability.to_numpy())


def run(data: pd.DataFrame, fraction: float = FRACTION, fill: str = "OPEN") -> Any:
    """Its result: ``portfolio``, ``trades``, ``orders`` and ``metrics``; without rounding and without bootstrap."""
    import pybroker
    from pybroker.slippage import FixedSlippageModel

    pybroker.register_columns("probability")
    pybroker.disable_logging()
    config = pybroker.StrategyConfig(
        initial_cash=INITIAL_CASH,
        fee_mode=pybroker.FeeMode.ORDER_PERCENT,
        fee_amount=FEE * 100.0,
        enable_fractional_shares=True,
        round_fill_price=False,
        round_test_result=False,
        bars_per_year=HOURS_PER_YEAR,
    )
    strategy = pybroker.Strategy(data, data["date"].iloc[0], data["date"].iloc[-1], config)
    strategy.add_execution(partial(_trade, fraction=fraction, fill=pybroker.PriceType[fill]), [SYMBOL])
    strategy.set_slippage_model(FixedSlippageModel(SLIPPAGE * 1e4))
    return strategy.backtest()


def final_equity(data: pd.DataFrame) -> float:
    """Equity at the last close."""
    return float(run(data).metrics.end_market_value)


def _trade(context: Any, fraction: float, fill: Any) -> None:
    probability = context.probability[-1]
    if probability >= ENTER and not context.long_pos():
        context.buy_fill_price = fill
        context.buy_shares = context.calc_target_shares(fraction)
    elif probability <= EXIT and context.long_pos():
        context.sell_fill_price = fill
        context.sell_all_shares()
