"""How far long work is: told where the work is done, shown by whoever listens, and to nobody otherwise.

Like a log, it changes no result. A listener belongs to the context that set it: another thread or run has its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Progress:
    """What is being worked on, and how much of it is done.

    Parameters
    ----------
    what : str
        For a person: ``fits``, ``hours``.
    done : int
        Pieces done.
    total : int or None
        Pieces in all; None where they can't be counted.
    """

    what: str
    done: int = 0
    total: int | None = None

    @property
    def is_done(self) -> bool:
        """Whether nothing is left."""
        return self.total is not None and self.done >= self.total


Listener = Callable[[Progress], object]
_LISTENER: ContextVar[Listener | None] = ContextVar("progress_listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Hand everything that is told in this context to ``listener`` while the block lasts."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def tell(what: str, done: int = 0, total: int | None = None) -> None:
    """Tell whoever listens."""
    listener = _LISTENER.get()
    if listener is not None:
        listener(Progress(what, done, total))


def tracked(items: Sequence[Item], what: str) -> Iterator[Item]:
    """Yield the items, telling before each how many are done, and at the end that all are."""
    for done, item in enumerate(items):
        tell(what, done, len(items))
        yield item
    tell(what, len(items), len(items))
