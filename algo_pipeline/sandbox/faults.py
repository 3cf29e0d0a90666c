"""Faults on demand: which request fails, how often, how, and whether it takes effect all the same."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from fnmatch import fnmatchcase

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.time import BAR_NS
from algo_pipeline.sandbox.market import Candle


class FaultKind(str, Enum):
    """What goes wrong.

    ``status`` answers with an error status, ``reset`` with a TCP reset, ``delay`` late but well; ``truncated``,
    ``malformed``, ``html`` and ``empty`` spoil the body. The others spoil bars: ``stale`` lacks the newest of them,
    ``missing`` the newest closed one, ``duplicated`` has that twice, ``crazy`` multiplies its prices and ``invalid``
    puts its high below its low.
    """

    STATUS = "status"
    RESET = "reset"
    DELAY = "delay"
    TRUNCATED = "truncated"
    MALFORMED = "malformed"
    HTML = "html"
    EMPTY = "empty"
    STALE = "stale"
    MISSING = "missing"
    DUPLICATED = "duplicated"
    CRAZY = "crazy"
    INVALID = "invalid"


BAR_KINDS = frozenset({FaultKind.STALE, FaultKind.MISSING, FaultKind.DUPLICATED, FaultKind.CRAZY, FaultKind.INVALID})
_STATUSES = range(200, 600)


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail.

    Parameters
    ----------
    kind : FaultKind
        What goes wrong.
    path : str
        Shell pattern of the paths it concerns, ``/v2/orders*``.
    method : str
        HTTP method, or ``*``.
    count : int or None
        How many requests it hits; None has no end.
    probability : float
        Chance that it hits a request, by ``seed``.
    seed : int
        Of the chances.
    skip : int
        Requests it lets pass first.
    status : int or None
        HTTP status of the answer; None is 503 for kind ``status`` and 200 for a spoiled body.
    retry_after_s : float or None
        Value of the header ``Retry-After``.
    after_effect : bool or None
        Whether the request takes effect all the same; None is as the kind suggests: no for ``status`` and ``reset``,
        yes for the others.
    delay_s : float
        Seconds of the wall clock to wait before the answer; before the effect too, unless ``after_effect`` is given.
    bars : int
        How many of the newest closed bars ``stale`` lacks.
    factor : float
        What ``crazy`` multiplies prices by.

    Raises
    ------
    ConfigValueError
        If a value is outside its domain.
    """

    kind: FaultKind
    path: str = "*"
    method: str = "*"
    count: int | None = 1
    probability: float = 1.0
    seed: int = 0
    skip: int = 0
    status: int | None = None
    retry_after_s: float | None = None
    after_effect: bool | None = None
    delay_s: float = 0.0
    bars: int = 1
    factor: float = 10.0

    def __post_init__(self) -> None:
        _require(self.count is None or self.count > 0, "count", "a whole number > 0 or null")
        _require(0 <= self.probability <= 1, "probability", "in [0, 1]")
        _require(self.skip >= 0 and self.delay_s >= 0 and self.bars > 0, "skip, delay_s and bars", ">= 0, >= 0 and > 0")
        _require(self.status is None or self.status in _STATUSES, "status", "in 200…599 or null")

    @property
    def takes_effect(self) -> bool:
        """Whether the request is carried out before it fails."""
        if self.after_effect is not None:
            return self.after_effect
        return self.kind not in (FaultKind.STATUS, FaultKind.RESET)

    @property
    def waits_first(self) -> bool:
        """Whether the delay comes before the effect, so that an impatient client's request takes effect later."""
        return not self.after_effect

    def concerns(self, method: str, path: str) -> bool:
        """Whether a request is of the kind that it may hit."""
        return self.method in ("*", method) and fnmatchcase(path, self.path)


@dataclass(slots=True)
class _Armed:
    fault: Fault
    dice: random.Random
    n_passed: int = 0
    n_hits: int = 0

    def hits(self) -> bool:
        """Whether it strikes now; counts both ways."""
        if self.n_passed < self.fault.skip or self.dice.random() >= self.fault.probability:
            self.n_passed += 1
            return False
        self.n_hits += 1
        return True

    @property
    def is_spent(self) -> bool:
        return self.fault.count is not None and self.n_hits >= self.fault.count


@dataclass(slots=True)
class FaultBox:
    """Armed faults, oldest first; a request meets one at most."""

    _armed: list[_Armed] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        """Arm a fault."""
        self._armed.append(_Armed(replace(fault, method=fault.method.upper()), random.Random(fault.seed)))  # noqa: S311

    def clear(self) -> None:
        """Disarm all."""
        self._armed.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The fault that strikes this request, if one does."""
        for armed in self._armed:
            if armed.fault.concerns(method, path) and armed.hits():
                if armed.is_spent:
                    self._armed.remove(armed)
                return armed.fault
        return None

    def listed(self) -> list[tuple[Fault, int]]:
        """Armed faults with the number of requests each has hit."""
        return [(armed.fault, armed.n_hits) for armed in self._armed]


def spoiled(candles: Sequence[Candle], fault: Fault | None, now_ns: int) -> list[Candle]:
    """The bars of an answer as a bar fault leaves them."""
    newest_closed = now_ns // BAR_NS * BAR_NS - BAR_NS
    if fault is None or fault.kind not in BAR_KINDS:
        return list(candles)
    if fault.kind is FaultKind.STALE:
        return [candle for candle in candles if candle.opened_ns <= newest_closed - fault.bars * BAR_NS]
    return [
        version
        for candle in candles
        for version in (_versions(candle, fault) if candle.opened_ns == newest_closed else [candle])
    ]


def _versions(candle: Candle, fault: Fault) -> list[Candle]:
    """What becomes of the newest closed bar."""
    if fault.kind is FaultKind.MISSING:
        return []
    if fault.kind is FaultKind.DUPLICATED:
        return [candle, candle]
    if fault.kind is FaultKind.INVALID:
        return [replace(candle, high=candle.low, low=candle.high * 2)]
    by = fault.factor
    prices = (candle.open * by, candle.high * by, candle.low * by, candle.close * by)
    return [Candle(candle.opened_ns, *prices, candle.volume)]


def _require(ok: bool, name: str, expected: str) -> None:
    if not ok:
        raise ConfigValueError(f"A fault's {name} must be {expected}.", "See docs/sandbox.md for what faults can do.")
