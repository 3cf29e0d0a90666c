"""The words of the domain as types: symbols, signals, sides, trading rules and array aliases."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from algo_pipeline.common.errors import ConfigValueError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
RecordArray = np.recarray[Any, Any]

STANDARD_FEATURES = "standard"
"""What settings and records call the set of 37 features that is built in."""

_SYMBOL = re.compile(r"^[A-Z0-9]{1,15}/[A-Z0-9]{1,15}$")


@dataclass(frozen=True, slots=True, order=True)
class Symbol:
    """A traded pair, ``BASE/QUOTE`` in upper case.

    A venue's own spelling (``BTCUSDT``) exists only inside that venue's adapter.
    """

    base: str
    quote: str

    @classmethod
    def parse(cls, text: str) -> Symbol:
        """Read ``BTC/USD`` (any case, surrounding blanks allowed) or its slug ``BTC-USD``.

        Raises
        ------
        ConfigValueError
            If the text has not exactly one base and one quote.
        """
        candidate = text.strip().upper().replace("-", "/")
        if not _SYMBOL.match(candidate):
            raise ConfigValueError(
                f"A symbol is expected as BASE/QUOTE, for example BTC/USD; found {text!r}.",
                "Write base and quote with a slash between them.",
            )
        base, quote = candidate.split("/")
        return cls(base, quote)

    @property
    def slug(self) -> str:
        """``BTC-USD``: the form used in paths, partition keys, experiment and model names."""
        return f"{self.base}-{self.quote}"

    def __str__(self) -> str:
        return f"{self.base}/{self.quote}"


class Signal(IntEnum):
    """What a probability asks for; HOLD keeps whatever is there."""

    HOLD = 0
    LONG = 1
    FLAT = 2


class Side(str, Enum):
    """The side of an order."""

    BUY = "buy"
    SELL = "sell"
