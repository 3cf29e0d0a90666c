"""How a command ended, and what every failure of one must look like."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple


class Ended(NamedTuple):
    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> dict[str, str]:
        """What --json says of a failure."""
        return dict(self.json()["error"])


Command = Callable[..., Ended]


def assert_says(ended: Ended, code: int, *words: str) -> None:
    """One message with a remedy, no traceback."""
    assert ended.code == code
    assert "Traceback" not in ended.err + ended.out
    assert sum(line.startswith("error: ") for line in ended.err.splitlines()) == 1
    assert sum(line.startswith("  try: ") for line in ended.err.splitlines()) == 1
    for word in words:
        assert word in ended.err
