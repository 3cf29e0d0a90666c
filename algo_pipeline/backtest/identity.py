"""The accounting identity, recomputed from the log of fills alone, independently of the engine."""

from __future__ import annotations

import numpy as np
import pandas as pd

from algo_pipeline.backtest.result import BacktestResult


def identity_error(result: BacktestResult, closes: pd.Series[float]) -> float:
    """Largest error of start cash + Σ sells − Σ buys − Σ fees + quantity × close = equity, over all bars.

    Parameters
    ----------
    result : BacktestResult
        One symbol's backtest.
    closes : pd.Series
        Close of every bar of its curve.

    Returns
    -------
    float
        The largest absolute difference between the curve's equity and the one that the fills give, as a fraction of
        the start cash.
    """
    fills, start_cash = result.fills, result.config.initial_cash
    bought = (fills["side"] == "buy").to_numpy()
    signed = np.where(bought, 1.0, -1.0)
    notional, fee = fills["notional"].to_numpy(), fills["fee"].to_numpy()
    in_coin = bought & result.config.fee_in_base
    cash_flow = -signed * notional - np.where(in_coin, 0.0, fee)
    coin_flow = signed * fills["quantity"].to_numpy() - np.where(in_coin, fee / fills["price"].to_numpy(), 0.0)
    at = closes.index.get_indexer(pd.DatetimeIndex(fills["timestamp"]))
    cash = start_cash + np.cumsum(np.bincount(at, cash_flow, minlength=len(closes)))
    quantity = np.cumsum(np.bincount(at, coin_flow, minlength=len(closes)))
    equity = cash + quantity * closes.to_numpy()
    return float(np.abs(equity - result.equity.to_numpy()).max() / start_cash)
