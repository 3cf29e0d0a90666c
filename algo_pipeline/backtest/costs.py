"""What trading costs: the price at which a market order fills, and the fee on it."""

from __future__ import annotations

from algo_pipeline.common.compiled import compiled


@compiled
def buy_price(open_price: float, slippage_rate: float) -> float:
    """Fill price of a market buy: half spread and slippage above the open."""
    return open_price * (1.0 + slippage_rate)


@compiled
def sell_price(open_price: float, slippage_rate: float) -> float:
    """Fill price of a market sell: half spread and slippage below the open."""
    return open_price * (1.0 - slippage_rate)


@compiled
def fee_on(notional: float, fee_rate: float) -> float:
    """Fee in quote currency on the quote notional of one fill."""
    return notional * fee_rate
