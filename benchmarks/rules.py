"""The one strategy that every tool runs, in figures.

Long with 20 % of equity where the probability is at least 0.55, flat where it is at most 0.45; decided and sized at a
close, filled at the next open; a fee of 10 bps and slippage of 5 bps a side; no other limit.
"""

from __future__ import annotations

INITIAL_CASH = 100_000.0
ENTER, EXIT = 0.55, 0.45
FRACTION = 0.20
FEE, SLIPPAGE = 0.0010, 0.0005
SMALLEST_QUANTITY = 1e-12
HOURS_PER_YEAR = 365 * 24
