"""What a user's set of features has to be: its definitions, and what it returns."""

from __future__ import annotations

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.data.feature_choice import SetIdentity
from algo_pipeline.interfaces.features import FeatureSetInterface, FeatureSpec


def what_is_wrong(found: object, own: FeatureSetInterface, bars: pd.DataFrame) -> str | None:
    """What keeps the result of a set's ``build`` from being its features, in words; None if nothing does."""
    if not isinstance(found, pd.DataFrame):
        return f"a DataFrame is expected, not {type(found).__name__}"
    if tuple(found.columns) != own.columns:
        return f"the columns {', '.join(own.columns)} are expected, not {', '.join(map(str, found.columns))}"
    if not found.index.equals(bars.index):
        return f"a row for each of the {len(bars):,} bars is expected; {len(found):,} rows were found"
    wrong = [f"{name} is {kind}" for name, kind in found.dtypes.items() if kind != np.float64]
    if wrong:
        return f"float64 is expected; {', '.join(wrong)}"
    infinite = [str(name) for name, column in found.items() if np.isinf(column.to_numpy()).any()]
    return f"{', '.join(infinite)} is infinite somewhere" if infinite else None


def require_definitions(identity: SetIdentity, own: FeatureSetInterface) -> None:
    """Raise ConfigValueError where the definitions of a user's features can't be."""
    if not identity.is_own:
        return
    specs = own.specs
    if not specs or not all(isinstance(spec, FeatureSpec) for spec in specs):
        raise ConfigValueError(
            f"{identity.reference}.specs must be a tuple of at least one FeatureSpec.", "Correct it."
        )
    names = [spec.name for spec in specs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigValueError(f"{identity.reference} has the feature {twice[0]!r} twice.", "Rename one of them.")
    for spec in specs:
        if not spec.name.isidentifier():
            raise ConfigValueError(
                f"The feature {spec.name!r} of {identity.reference} must be named by letters, digits and _.",
                "Rename it.",
            )
        if not 1 <= spec.window_bars <= spec.warmup_bars:
            raise ConfigValueError(
                f"The feature {spec.name!r} of {identity.reference} needs 1 <= window_bars <= warmup_bars; found "
                f"{spec.window_bars} and {spec.warmup_bars}.",
                "Its warm-up is its window, or more where the formula is recursive.",
            )


def require_distinct(
    left: SetIdentity, first: FeatureSetInterface, right: SetIdentity, second: FeatureSetInterface
) -> None:
    """Raise ConfigValueError, naming both sets, where they share the name of a feature."""
    shared = [name for name in first.columns if name in second.columns]
    if shared:
        raise ConfigValueError(
            f"{left.reference} and {right.reference} both have the feature {shared[0]!r}.",
            "Rename it in one of them, or leave one set out of ALGO_TRADER_FEATURES.",
        )
