"""The one way this project compiles numerical code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Compile a function on plain numbers and arrays with Numba, keeping its signature for type checkers.

    The machine code is cached on disk, so that a later process starts warm. No fast-math: results are those of IEEE
    arithmetic in the order written, equal to the interpreted function's (``.py_func``).
    """
    return cast(_Function, njit(cache=True)(function))
