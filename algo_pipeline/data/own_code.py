"""Calls into a user's own code: on bars of its own, and with every failure told by its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pandas as pd

from algo_pipeline.common.errors import AlgoPipelineError, DataValidationError
from algo_pipeline.common.schemas import BAR_COLUMNS, bar_values
from algo_pipeline.common.user_modules import line_of

T = TypeVar("T")


def computed(build: Callable[[pd.DataFrame], T], bars: pd.DataFrame, what: str) -> T:
    """What a user's function makes of bars.

    Parameters
    ----------
    build : callable
        Given a copy: code that writes into its bars must not change those of others.
    bars : pd.DataFrame
        Valid bars.
    what : str
        Subject of the message, in the plural.

    Raises
    ------
    DataValidationError
        If it breaks.
    """
    given = pd.DataFrame(bar_values(bars).copy(), index=bars.index, columns=list(BAR_COLUMNS))
    try:
        return build(given)
    except AlgoPipelineError:
        raise
    except Exception as error:
        raise DataValidationError(
            f"{what} can't be computed: {line_of(error)}{type(error).__name__}: {error}.", "Correct it there."
        ) from error
