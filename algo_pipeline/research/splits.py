"""Walk-forward splits whose purge follows from the label and can't be set otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from algo_pipeline.common.errors import ConfigValueError, InsufficientHistoryError
from algo_pipeline.common.time import BAR

if TYPE_CHECKING:
    from algo_pipeline.data.labels import LabelSpec

MIN_BASE_ROWS = 500
MIN_CALIBRATION_ROWS = 100
_LARGEST_SEARCHED = 1 << 40


@dataclass(frozen=True, slots=True)
class SplitRule:
    """How rows are cut into folds; part of a recipe.

    Parameters
    ----------
    n_folds : int
        Number of test blocks, >= 1.
    test_fraction : float
        Share of the rows, at the end, that the test blocks cover together; in (0, 1).
    window_rows : int or None
        None: expanding, every allowed row before a block trains. A number: rolling, the last so many of them.
    calibration_fraction : float
        Share of the train part, at its end, on which the calibrator is fitted; in (0, 1).

    Notes
    -----
    There is no purge here on purpose: it is ``1 + label.horizon_bars`` rows, always.
    """

    n_folds: int = 8
    test_fraction: float = 0.6
    window_rows: int | None = None
    calibration_fraction: float = 0.2

    def __post_init__(self) -> None:
        _require(_is_count(self.n_folds), "n_folds", "an integer >= 1", self.n_folds)
        window = self.window_rows
        _require(window is None or _is_count(window), "window_rows", "None (expanding) or an integer >= 1", window)
        for name in ("test_fraction", "calibration_fraction"):
            value = getattr(self, name)
            _require(isinstance(value, float) and 0.0 < value < 1.0, name, "a number in (0, 1)", value)

    def describe(self) -> str:
        """A short name, for example ``8 expanding folds over the last 60 %``."""
        mode = "expanding" if self.window_rows is None else f"rolling ({self.window_rows} rows)"
        return f"{self.n_folds} {mode} folds over the last {self.test_fraction:.0%}"


@dataclass(frozen=True, slots=True)
class Fold:
    """Row positions of one fold, in order of time: base model, calibrator, test block.

    The rows missing between the three are purged: their labels look into the part that follows.
    """

    base: slice
    calibration: slice
    test: slice

    @property
    def train(self) -> slice:
        """The train part: base rows, the purged rows after them, and the calibrator's rows."""
        return slice(self.base.start, self.calibration.stop)


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """All folds of one dataset.

    Attributes
    ----------
    folds : tuple of Fold
        In order of time; the test blocks are contiguous and end with the last row.
    production : Fold
        One more fold whose test block is the future: empty, at ``n_rows``.
    label : LabelSpec
        The label from which the purge followed.
    rule : SplitRule
        The rule that made the folds.
    n_rows : int
        Rows of the dataset.
    """

    folds: tuple[Fold, ...]
    production: Fold
    label: LabelSpec
    rule: SplitRule
    n_rows: int

    @property
    def all_folds(self) -> tuple[Fold, ...]:
        """The folds, the production fold last: the order of every per-fold tuple in research."""
        return (*self.folds, self.production)

    def only(self, fold: Fold) -> SplitPlan:
        """A plan of one fold, in the place of the production fold, so that one fit is enough."""
        return replace(self, folds=(), production=fold)

    def to_json(self) -> dict[str, Any]:
        """A plain JSON document, read back by :meth:`from_json`."""
        return {
            "label": self.label.to_document() if self.label.is_own else self.label.name,
            "rule": asdict(self.rule),
            "n_rows": self.n_rows,
            "folds": [_fold_document(fold) for fold in self.folds],
            "production": _fold_document(self.production),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> SplitPlan:
        """Read what :meth:`to_json` wrote."""
        from algo_pipeline.data.labels import LabelSpec, label_spec

        label = document["label"]
        return cls(
            folds=tuple(_fold_from(item) for item in document["folds"]),
            production=_fold_from(document["production"]),
            label=label_spec(label) if isinstance(label, str) else LabelSpec.from_document(label),
            rule=SplitRule(**document["rule"]),
            n_rows=int(document["n_rows"]),
        )


@dataclass(frozen=True, slots=True)
class PurgeViolation:
    """A row that trains although its label looks into (or lies behind) the part that it trains for."""

    fold: int
    earlier: str
    later: str
    detail: str

    def __str__(self) -> str:
        return f"fold {self.fold}: {self.earlier} -> {self.later}: {self.detail}"


def walk_forward(n_rows: int, label: LabelSpec, rule: SplitRule) -> SplitPlan:
    """Cut ``n_rows`` rows into walk-forward folds and the production fold.

    Row i may train for a block that starts at row a only if ``i + 1 + h < a``, h the label's horizon in bars: the
    label of row i ends at the open of bar i + 1 + h, so all of it is known before bar a opens. Positions may skip
    hours (gaps): then more time lies between two rows than positions say, and the rule is the stricter one.

    Parameters
    ----------
    n_rows : int
        Rows of the dataset.
    label : LabelSpec
        The target; its horizon is the purge.
    rule : SplitRule
        Number of folds, sizes, expanding or rolling.

    Returns
    -------
    SplitPlan
        The test blocks cover the last ``round(test_fraction * n_rows)`` rows; block k starts
        ``k * covered // n_folds`` rows into them, so that sizes differ by at most one. The calibrator gets the
        last ``round(calibration_fraction * size)`` rows of each train part.

    Raises
    ------
    InsufficientHistoryError
        If a fold would train on fewer than 500 rows or calibrate on fewer than 100; names the rows needed.
    ConfigValueError
        If a rolling window is too short for that at any number of rows.
    """
    if not _is_sufficient(n_rows, label, rule):
        needed = rows_needed(label, rule)
        raise InsufficientHistoryError(
            f"{rule.describe()} for {label.name} need at least {needed} rows with features and label; found {n_rows}.",
            "Provide a longer history, or fewer folds over a smaller part of it.",
        )
    folds = tuple(_folds(n_rows, label, rule))
    return SplitPlan(folds[:-1], folds[-1], label, rule, n_rows)


def rows_needed(label: LabelSpec, rule: SplitRule) -> int:
    """The smallest number of rows that :func:`walk_forward` accepts.

    Raises
    ------
    ConfigValueError
        If no number of rows would do: the rolling window is too short.
    """
    enough = 1
    while not _is_sufficient(enough, label, rule):
        if enough > _LARGEST_SEARCHED:
            raise ConfigValueError(
                f"A rolling window of {rule.window_rows} rows leaves fewer than {MIN_BASE_ROWS} rows to the model or"
                f" {MIN_CALIBRATION_ROWS} to the calibrator of {label.name}.",
                "Use a longer window, or None for an expanding one.",
            )
        enough *= 2
    too_few = enough // 2
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        too_few, enough = (too_few, middle) if _is_sufficient(middle, label, rule) else (middle, enough)
    return enough


def purge_violations(plan: SplitPlan, timestamps: pd.DatetimeIndex | None = None) -> tuple[PurgeViolation, ...]:
    """Every break of the purge rule in a plan, found from its slices alone.

    Parameters
    ----------
    plan : SplitPlan
        The plan to judge, however it was made.
    timestamps : pd.DatetimeIndex, optional
        Open times of the rows. With them the rule is checked in time too: the label of the last earlier row ends
        (at the open of the bar ``1 + h`` hours later) before the first later row opens.

    Returns
    -------
    tuple of PurgeViolation
        Empty if nothing leaks.
    """
    return tuple(
        PurgeViolation(number, earlier, later, detail)
        for number, fold in enumerate(plan.all_folds)
        for earlier, later in (("base", "calibration"), ("base", "test"), ("calibration", "test"))
        for detail in _pair_problems(getattr(fold, earlier), getattr(fold, later), plan, timestamps)
    )


def _folds(n_rows: int, label: LabelSpec, rule: SplitRule) -> Iterator[Fold]:
    """Every fold, the production fold last: the one generator for all modes."""
    covered = round(rule.test_fraction * n_rows)
    first = n_rows - covered
    for number in range(rule.n_folds):
        start = first + number * covered // rule.n_folds
        stop = first + (number + 1) * covered // rule.n_folds
        yield _fold(_last_allowed(start, label), slice(start, stop), label, rule)
    yield _fold(n_rows, slice(n_rows, n_rows), label, rule)


def _fold(train_stop: int, test: slice, label: LabelSpec, rule: SplitRule) -> Fold:
    window = train_stop if rule.window_rows is None else rule.window_rows
    train_start = max(0, train_stop - window)
    tail = round(rule.calibration_fraction * (train_stop - train_start))
    calibration = slice(train_stop - tail, train_stop)
    return Fold(slice(train_start, _last_allowed(calibration.start, label)), calibration, test)


def _last_allowed(block_start: int, label: LabelSpec) -> int:
    """End (exclusive) of the rows that may train for a block: the largest stop with stop − 1 + 1 + h < start."""
    return block_start - label.horizon_bars - 1


def _is_sufficient(n_rows: int, label: LabelSpec, rule: SplitRule) -> bool:
    return all(
        fold.base.stop - fold.base.start >= MIN_BASE_ROWS
        and fold.calibration.stop - fold.calibration.start >= MIN_CALIBRATION_ROWS
        and (fold.test.stop > fold.test.start or fold.test.start == n_rows)
        for fold in _folds(n_rows, label, rule)
    )


def _pair_problems(earlier: slice, later: slice, plan: SplitPlan, timestamps: pd.DatetimeIndex | None) -> Iterator[str]:
    if earlier.stop <= earlier.start or later.stop <= later.start:
        return
    last, first, horizon = earlier.stop - 1, later.start, plan.label.horizon_bars
    if not last + 1 + horizon < first:
        yield f"row {last} trains for row {first} with a label of {horizon} bars"
    if later.stop > plan.n_rows or earlier.start < 0:
        yield f"rows {earlier.start} to {later.stop - 1} are outside the {plan.n_rows} rows of the dataset"
    elif timestamps is not None and not timestamps[last] + (1 + horizon) * BAR < timestamps[first]:
        yield f"the label of {timestamps[last]} is not known before {timestamps[first]}"


def _fold_document(fold: Fold) -> dict[str, list[int]]:
    return {name: [part.start, part.stop] for name, part in _parts(fold)}


def _parts(fold: Fold) -> tuple[tuple[str, slice], ...]:
    return ("base", fold.base), ("calibration", fold.calibration), ("test", fold.test)


def _fold_from(document: dict[str, list[int]]) -> Fold:
    return Fold(slice(*document["base"]), slice(*document["calibration"]), slice(*document["test"]))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _require(ok: bool, name: str, expected: str, found: object) -> None:
    if not ok:
        raise ConfigValueError(f"{name} must be {expected}; it was {found!r}.", f"Correct {name}.")
