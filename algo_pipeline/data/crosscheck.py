"""Do two sources agree on closes? Pure comparison; no source is trusted over the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import ConfigValueError


@dataclass(frozen=True, slots=True)
class CrossCheck:
    """How far two sources' closes are apart on the hours both have.

    Parameters
    ----------
    n_compared : int
        Hours both have with a finite close.
    median_bps, max_bps : float
        Median and largest absolute deviation in 1e-4 of the other source's close; NaN if nothing was compared.
    tolerance_bps : float
        Largest deviation that agrees.
    offending : pd.DataFrame
        Hours beyond it, worst first: ``close`` (ours), ``other``, ``deviation_bps`` (signed).
    """

    n_compared: int
    median_bps: float
    max_bps: float
    tolerance_bps: float
    offending: pd.DataFrame

    @property
    def agrees(self) -> bool:
        """Whether something was compared and nothing lies beyond the tolerance."""
        return self.n_compared > 0 and self.offending.empty


def compare_closes(bars: pd.DataFrame, closes: pd.Series, tolerance_bps: float) -> CrossCheck:
    """Compare the closes of bars with another source's, hour by hour.

    Parameters
    ----------
    bars : pd.DataFrame
        Bars indexed by open time.
    closes : pd.Series
        The other source's closes, indexed by the same bars' OPEN times; NaN and non-positive ones are left out.
    tolerance_bps : float
        Largest absolute deviation that agrees, > 0.

    Raises
    ------
    ConfigValueError
        If the tolerance is not positive.
    """
    if not tolerance_bps > 0:
        raise ConfigValueError(f"tolerance_bps must be > 0; it was {tolerance_bps}.", "Use for example 100.")
    pair = pd.DataFrame({"close": bars["close"], "other": closes}).dropna()
    pair = pair[pair["other"] > 0]
    pair["deviation_bps"] = (pair["close"] / pair["other"] - 1) * 1e4
    size = pair["deviation_bps"].abs()
    offending = pair.loc[size[size > tolerance_bps].sort_values(ascending=False, kind="stable").index]
    return CrossCheck(
        n_compared=len(pair),
        median_bps=float(size.median()) if len(pair) else np.nan,
        max_bps=float(size.max()) if len(pair) else np.nan,
        tolerance_bps=tolerance_bps,
        offending=offending,
    )
