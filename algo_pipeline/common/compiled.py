"""The one way this project compiles numerical code."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled(function: _Function) -> _Function:
    """Compile a function on plain numbers and arrays with Numba, keeping its signature for type checkers.

    The machine code is cached on disk, so that a later process starts warm. No fast-math: results are those of IEEE
    arithmetic in the order written, equal to the interpreted function's (``.py_func``).
    """
    return _compiled(function, parallel=False)


def compiled_parallel(function: _Function) -> _Function:
    """:func:`compiled`, with its ``numba.prange`` loops spread over the cores."""
    return _compiled(function, parallel=True)


def _compiled(function: _Function, *, parallel: bool) -> _Function:
    dispatcher = njit(cache=True, parallel=parallel)(function)
    _distrust_cache_of_changed_callees(dispatcher)
    return cast(_Function, dispatcher)


def _distrust_cache_of_changed_callees(dispatcher: Any) -> None:
    """Make the cached code depend on the files of the compiled functions that its module imports.

    Numba looks at the function's own file only: with a callee changed in another file, a backtest would go on with
    the old rules inlined while live trading uses the new ones.
    """
    cache = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if cache is None:  # compilation is switched off (NUMBA_DISABLE_JIT)
        return
    callees = {
        getattr(callee, "source_stamp", "")
        for callee in dispatcher.py_func.__globals__.values()
        if hasattr(callee, "py_func") and callee.__module__ != dispatcher.__module__
    }
    stamp = hashlib.sha256(repr((cache._source_stamp, sorted(callees))).encode()).hexdigest()  # noqa: SLF001
    cache._source_stamp = dispatcher.source_stamp = stamp  # noqa: SLF001
