"""Pictures of labels and datasets as PNG bytes, for Dagster's and MLflow's pages."""

from __future__ import annotations

import numpy as np
import pandas as pd

from algo_pipeline.common.plotting import (
    DEPLOYED,
    GAIN,
    HOLD,
    LOSS,
    PRICE,
    STRATEGY,
    legend,
    new_figure,
    percent_axis,
    plot_times,
    time_axis,
    to_png,
)

_COLOURS = (STRATEGY, DEPLOYED, GAIN, LOSS, PRICE, HOLD)


def label_balance(labels: pd.DataFrame, title: str = "Share of ones") -> bytes:
    """How often each binary label is 1, month by month, above how many rows know it.

    Parameters
    ----------
    labels : DataFrame of shape (n_bars, n_labels)
        NaN where a label is not known; columns that are no 0 and 1 are left out.
    title : str
        Shown above.
    """
    rates, counts = monthly_balance(labels)
    figure, (upper, lower) = new_figure(title, rows=(3.0, 1.0), left=0.1)
    upper.axhline(0.5, color=HOLD, linewidth=1.0)
    times = plot_times(rates.index)
    for number, name in enumerate(rates.columns):
        upper.plot(times, rates[name].to_numpy(), color=_COLOURS[number % len(_COLOURS)], linewidth=1.2, label=name)
    lower.bar(times, counts.to_numpy(), width=np.timedelta64(22, "D"), color=HOLD)
    lower.set_ylabel("rows")
    percent_axis(upper, digits=0)
    time_axis(lower)
    if len(rates.columns):
        legend(upper)
    return to_png(figure)


def monthly_balance(labels: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """Share of ones of each binary column by month, and how many rows of the month know the best known of them."""
    binary = labels[[name for name in labels.columns if labels[name].dropna().isin((0.0, 1.0)).all()]]
    months = pd.DatetimeIndex(binary.index).tz_localize(None).to_numpy().astype("datetime64[M]")
    by_month = binary.groupby(months.astype("datetime64[ns]"))
    counts = by_month.count()
    most = counts.max(axis=1) if len(counts.columns) else pd.Series(np.zeros(len(counts)), index=counts.index)
    return by_month.mean(), most
