"""The combinations of a grid, as configurations are written and as compiled code reads them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from algo_pipeline.backtest.kernel_rules import KernelRules
from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import FloatArray, IntArray

_FIELDS = tuple(field.name for field in dataclasses.fields(BacktestConfig))
# Under these a value of one field is judged, and read as a rule, by itself.
_UNBOUND = {"enter_threshold": 1.0, "exit_threshold": 0.0, "position_fraction": 1.0, "max_position_fraction": 1.0}
_RULE_OF_FIELD = {
    "position_fraction": "fraction",
    "max_position_fraction": "fraction",
    "fee_bps": "fee_rate",
    "slippage_bps": "slippage_rate",
    "quantity_step": "steps_per_unit",
    "cash_buffer_bps": "buffer_rate",
}


@dataclasses.dataclass(frozen=True)
class RuleGrid:
    """All combinations of values of some :class:`BacktestConfig` fields, the last field varying fastest.

    Parameters
    ----------
    values : mapping
        Values by field.
    base : BacktestConfig
        Values of the other fields.

    Raises
    ------
    ConfigValueError
        If a name is no field, a field has no values, or a combination is no valid configuration.
    """

    values: Mapping[str, Sequence[object]]
    base: BacktestConfig

    @classmethod
    def of(cls, grid: Mapping[str, Iterable[object]], base: BacktestConfig) -> RuleGrid:
        """Read every iterable once; NumPy's numbers become Python's."""
        return cls({name: [_plain(value) for value in values] for name, values in grid.items()}, base)

    def __post_init__(self) -> None:
        unknown = [name for name in self.values if name not in _FIELDS]
        empty = [name for name, choices in self.values.items() if not choices]
        if unknown or empty or not self.values:
            raise ConfigValueError(
                f"A grid maps fields of BacktestConfig to values; unknown {unknown}, without values {empty}.",
                f"The fields are {', '.join(_FIELDS)}.",
            )

    def columns(self) -> dict[str, tuple[object, ...]]:
        """The value of every combination, by field."""
        combinations = itertools.product(*self.values.values())
        return dict(zip(self.values, zip(*combinations, strict=True), strict=True))

    def rules(self) -> FloatArray:
        """Shape (n_combinations, 13): each combination's :class:`KernelRules`, without a configuration for each."""
        by_field = {name: self._numbers(name) for name in _FIELDS}
        self._require_ordered_thresholds(by_field["enter_threshold"], by_field["exit_threshold"])
        fee, in_base = by_field["fee_bps"], by_field["fee_in_base"]
        columns = {
            "initial_cash": by_field["initial_cash"],
            "enter_threshold": by_field["enter_threshold"],
            "exit_threshold": by_field["exit_threshold"],
            "fraction": np.minimum(by_field["position_fraction"], by_field["max_position_fraction"]),
            "max_drawdown": by_field["max_drawdown"],
            "cooldown_bars": by_field["cooldown_bars"],
            "fee_rate": fee,
            "fee_rate_in_cash": np.where(in_base > 0.0, 0.0, fee),
            "fee_rate_in_coin": np.where(in_base > 0.0, fee, 0.0),
            "slippage_rate": by_field["slippage_bps"],
            "steps_per_unit": by_field["quantity_step"],
            "min_notional": by_field["min_notional"],
            "buffer_rate": by_field["cash_buffer_bps"],
        }
        return np.column_stack([columns[name] for name in KernelRules._fields])

    def _numbers(self, field: str) -> FloatArray:
        """What the kernel reads of a field, shape (n_combinations,); every value is judged once."""
        free = {name: getattr(self.base, name) for name in _FIELDS} | _UNBOUND
        choices = self.values.get(field, [getattr(self.base, field)])
        configs = [BacktestConfig(**(free | {field: value})) for value in choices]
        if field == "fee_in_base":
            numbers = [float(bool(config.fee_in_base)) for config in configs]
        else:
            rule = _RULE_OF_FIELD.get(field, field)
            numbers = [float(getattr(KernelRules.from_config(config), rule)) for config in configs]
        return np.array(numbers)[self._places(field)]

    def _places(self, field: str) -> IntArray:
        """For every combination the place of its value among those of the field."""
        lengths = {name: len(choices) for name, choices in self.values.items()}
        n_combinations = int(np.prod(list(lengths.values())))
        if field not in lengths:
            return np.zeros(n_combinations, np.int64)
        names = list(lengths)
        n_after = int(np.prod([lengths[name] for name in names[names.index(field) + 1 :]]))
        return np.arange(n_combinations) // n_after % lengths[field]

    def _require_ordered_thresholds(self, enter: FloatArray, exit_: FloatArray) -> None:
        for wrong in np.flatnonzero(exit_ > enter)[:1]:
            combination = {name: choices[self._places(name)[wrong]] for name, choices in self.values.items()}
            dataclasses.replace(self.base, **combination)  # raises


def _plain(value: object) -> object:
    return value.item() if isinstance(value, np.generic) else value
