"""Which combinations a sweep tries: values read from text, the default grid, and what is a choice and what is not.

Thresholds, sizes and cooldowns are **choices**: whoever keeps the best of them must pay for having tried the others.
What the venue charges and the account starts with are **conditions**: nobody chooses them for their Sharpe ratio, so
combinations are compared under equal conditions only.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.trading_rules import BacktestConfig

CONDITIONS = ("initial_cash", "fee_bps", "slippage_bps", "fee_in_base", "quantity_step", "min_notional")
MAX_COMBINATIONS = 50_000
NO_KILL_SWITCH = 1.0
_FIELDS = {field.name: str(field.type) for field in dataclasses.fields(BacktestConfig)}
_WAYS = "Write FIELD=V1,V2,… or FIELD=START:STOP:COUNT."

Values = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class SweepPlan:
    """The combinations of a sweep.

    Parameters
    ----------
    grid : mapping
        Values by field of :class:`BacktestConfig`, as ``run_sweep`` takes them.
    base : BacktestConfig
        Values of the other fields; the kill switch is off unless the grid says otherwise.
    own : BacktestConfig
        The rules that are configured now, kill switch and all.
    """

    grid: Mapping[str, Values]
    base: BacktestConfig
    own: BacktestConfig

    @property
    def shape(self) -> tuple[int, ...]:
        """How many values each field has."""
        return tuple(len(values) for values in self.grid.values())

    @property
    def n_combinations(self) -> int:
        """How many configurations there are."""
        return math.prod(self.shape)

    @property
    def varied(self) -> tuple[str, ...]:
        """The fields with several values."""
        return tuple(name for name, values in self.grid.items() if len(values) > 1)

    def combination(self, position: int) -> dict[str, object]:
        """The values of the configuration in row ``position`` of a sweep's table."""
        places = np.unravel_index(position, self.shape)
        return {name: values[place] for (name, values), place in zip(self.grid.items(), places, strict=True)}

    def config(self, position: int) -> BacktestConfig:
        """The configuration in row ``position`` of a sweep's table."""
        return BacktestConfig(**(dataclasses.asdict(self.base) | self.combination(position)))

    def own_conditions(self) -> dict[str, object]:
        """For each condition in the grid the configured value, or the largest where that is not in the grid."""
        held = {name: values for name, values in self.grid.items() if name in CONDITIONS}
        own = dataclasses.asdict(self.own)
        return {name: own[name] if own[name] in values else max(values, key=_size) for name, values in held.items()}

    def other_than_configured(self, conditions: Mapping[str, object]) -> dict[str, object]:
        """The configured values of those conditions that are not the configured ones."""
        own = dataclasses.asdict(self.own)
        return {name: own[name] for name, value in conditions.items() if value != own[name]}


def plan_sweep(assignments: Iterable[str], own: BacktestConfig) -> SweepPlan:
    """Plan a sweep from what a person wrote.

    Parameters
    ----------
    assignments : iterable of str
        ``field=v1,v2,…`` or ``field=start:stop:count``, each field once. A field with one value is held there; if no
        field has several, :func:`default_grid` is swept for the fields not named.
    own : BacktestConfig
        The configured rules.

    Raises
    ------
    ConfigValueError
        For an unknown field, a value that can't be read, an impossible configuration, or too many combinations.
    """
    given: dict[str, Values] = {}
    for assignment in assignments:
        name, values = _read(assignment)
        if name in given:
            raise ConfigValueError(f"Every field is expected once; {name} is given again.", _WAYS)
        given[name] = values
    several = any(len(values) > 1 for values in given.values())
    plan = SweepPlan(
        grid=given if several else default_grid(own) | given,
        base=dataclasses.replace(own, max_drawdown=NO_KILL_SWITCH),
        own=own,
    )
    _require_possible(plan)
    return plan


def default_grid(own: BacktestConfig) -> dict[str, Values]:
    """Entry and exit thresholds in steps of 0.01, three cooldowns, and fees of 0, 10 and what is configured (bps).

    Sizes are left out: they scale returns and risk alike, and hardly move a Sharpe ratio.
    """
    return {
        "enter_threshold": _evenly(0.50, 0.62, 13),
        "exit_threshold": _evenly(0.38, 0.50, 13),
        "cooldown_bars": (0, 6, 24),
        "fee_bps": tuple(sorted({0.0, 10.0, own.fee_bps})),
    }


def _read(assignment: str) -> tuple[str, Values]:
    name, equals, text = (part.strip() for part in assignment.partition("="))
    if not equals or not text:
        raise ConfigValueError(f"FIELD=VALUES is expected; found {assignment!r}.", _WAYS)
    if name not in _FIELDS:
        near = difflib.get_close_matches(name, _FIELDS, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"The fields are {', '.join(_FIELDS)}."
        raise ConfigValueError(f"{name!r} is no field of the trading rules.", hint)
    read = _READERS[_FIELDS[name]]
    try:
        values = _range(text) if ":" in text else text.split(",")
        return name, tuple(dict.fromkeys(read(value) for value in values))
    except ConfigValueError:
        raise
    except ValueError as error:
        raise ConfigValueError(f"{name} expects {_EXPECTED[_FIELDS[name]]}; found {text!r}.", _WAYS) from error


def _range(text: str) -> list[str]:
    start, stop, count = text.split(":")
    if not math.isfinite(float(stop) - float(start)):
        raise ValueError(text)
    if not 2 <= int(count) <= MAX_COMBINATIONS:
        raise ConfigValueError(f"A COUNT from 2 to {MAX_COMBINATIONS:,} is expected; found {count}.", _WAYS)
    return [str(value) for value in _evenly(float(start), float(stop), int(count))]


def _evenly(start: float, stop: float, count: int) -> tuple[float, ...]:
    """Without the last digits that the division leaves: 0.58, not 0.5800000000000001."""
    return tuple(float(f"{value:.12g}") for value in np.linspace(start, stop, count))


def _whole(text: str) -> int:
    value = float(text)
    if not value.is_integer():
        raise ValueError(text)
    return int(value)


def _flag(text: str) -> bool:
    word = text.strip().lower()
    if word not in {"true", "false"}:
        raise ValueError(text)
    return word == "true"


def _optional(text: str) -> float | None:
    return None if text.strip().lower() == "none" else float(text)


_READERS: Mapping[str, Callable[[str], object]] = {
    "float": float,
    "int": _whole,
    "bool": _flag,
    "float | None": _optional,
}
_EXPECTED: Mapping[str, str] = {
    "float": "numbers",
    "int": "whole numbers",
    "bool": "true or false",
    "float | None": "numbers or none",
}


def _require_possible(plan: SweepPlan) -> None:
    """Refuse before anything is read: each value on its own, and the thresholds where they come nearest."""
    if plan.n_combinations > MAX_COMBINATIONS:
        raise ConfigValueError(
            f"At most {MAX_COMBINATIONS:,} combinations are expected; the values make {plan.n_combinations:,}.",
            "Give fewer values.",
        )
    nearest = {"enter_threshold": min, "exit_threshold": max}
    values = dataclasses.asdict(plan.base)
    values |= {name: pick(plan.grid[name], key=_size) for name, pick in nearest.items() if name in plan.grid}
    for name, choices in plan.grid.items():
        for value in choices:
            BacktestConfig(**(values | {name: value}))


def _size(value: object) -> float:
    return float(value)  # type: ignore[arg-type]
