"""How a pending market order becomes a fill at the next open."""

from __future__ import annotations

from algo_pipeline.backtest.costs import fee_on
from algo_pipeline.common.compiled import compiled
from algo_pipeline.strategy.position_sizing import counts_as_flat, floor_to_step

# Makes the shrinking loop end even where doubles are coarser than half a step.
_JUST_BELOW_ONE = 1.0 - 2.0**-52


@compiled
def cash_cost(quantity: float, price: float, fee_rate_in_cash: float) -> float:
    """Cash that a buy takes: its notional and the part of the fee that is paid in quote currency."""
    notional = quantity * price
    return notional + fee_on(notional, fee_rate_in_cash)


@compiled
def fillable_quantity(
    ordered: float,
    cash: float,
    price: float,
    fee_rate_in_cash: float,
    steps_per_unit: float,
    min_notional: float,
) -> float:
    """What cash covers of a buy, fee included, on the quantity step.

    An order that must shrink below ``min_notional`` is not filled at all: no venue takes such an order.
    """
    if cash_cost(ordered, price, fee_rate_in_cash) <= cash:
        return ordered
    quantity = min(ordered, floor_to_step(cash / (price * (1.0 + fee_rate_in_cash)), steps_per_unit))
    # The quotient is rounded: one step less where its cost, rounded in its turn, would overdraw the account.
    while quantity > 0.0 and cash_cost(quantity, price, fee_rate_in_cash) > cash:
        quantity = floor_to_step(min(quantity - 0.5 / steps_per_unit, quantity * _JUST_BELOW_ONE), steps_per_unit)
    return 0.0 if counts_as_flat(quantity, price, min_notional) else quantity
