"""A client of the sandbox's control interface, for programs that drive one."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

import pandas as pd
import requests

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.time import to_utc
from algo_pipeline.sandbox.faults import Fault
from algo_pipeline.sandbox.server import SandboxError

_TIMEOUT_S = 30.0


class SandboxControl:
    """Moves the clock, arms faults and reads the books of a running sandbox.

    Every method raises ``SandboxError`` if the sandbox can't be reached, ``ConfigValueError`` if it refuses.

    Parameters
    ----------
    url : str
        Its root, ``http://127.0.0.1:8900``.
    """

    def __init__(self, url: str) -> None:
        self._root = f"{url.rstrip('/')}/sandbox"
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy stands between two programs of one machine

    def state(self) -> dict[str, Any]:
        """The clock, the account in short, and counts."""
        return dict(self._call("GET", "state"))

    def now(self) -> pd.Timestamp:
        """The virtual time."""
        return to_utc(self.state()["now"])

    def set_clock(self, at: pd.Timestamp) -> pd.Timestamp:
        """Go to a later time; returns it."""
        return to_utc(self._call("POST", "clock", {"set": at.isoformat()})["now"])

    def advance(self, seconds: float) -> pd.Timestamp:
        """Go forward; returns the new time."""
        return to_utc(self._call("POST", "clock", {"advance_s": seconds})["now"])

    def run_clock(self, speed: float) -> None:
        """Let the clock run at a speed from now on; 0 stops it."""
        self._call("POST", "clock", {"speed": speed})

    def add_fault(self, fault: Fault) -> None:
        """Arm a fault."""
        self._call("POST", "faults", dataclasses.asdict(fault))

    def clear_faults(self) -> None:
        """Disarm all faults."""
        self._call("DELETE", "faults")

    def ledger(self) -> dict[str, Any]:
        """Orders, fills, transfers and holdings, numbers as exact decimal text."""
        return dict(self._call("GET", "ledger"))

    def requests(self, after: int = 0, limit: int = 1_000) -> list[dict[str, Any]]:
        """The newest requests after a number, oldest first."""
        return list(self._call("GET", f"requests?after={after}&limit={limit}"))

    def account(self, action: str, **details: str | float | Decimal) -> dict[str, Any]:
        """Have something happen to the account: ``deposit``, ``withdraw``, ``reset``, ``trade``, ``order``, ….

        See ``docs/sandbox.md`` for the details that each takes.
        """
        plain = {name: str(value) if isinstance(value, Decimal) else value for name, value in details.items()}
        return dict(self._call("POST", "account", {"action": action, **plain}))

    def snapshot(self) -> dict[str, Any]:
        """Clock and account, to be restored later."""
        return dict(self._call("GET", "snapshot"))

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Put clock and account back to a snapshot."""
        self._call("POST", "snapshot", snapshot)

    def close(self) -> None:
        """Give the connection back."""
        self._session.close()

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        try:
            response = self._session.request(method, f"{self._root}/{path}", json=body, timeout=_TIMEOUT_S)
            answer = response.json()
        except (requests.RequestException, ValueError) as error:
            raise SandboxError(
                f"The sandbox at {self._root} did not answer: {type(error).__name__}.",
                "Start it with `algo-pipeline sandbox`.",
            ) from error
        if not response.ok:
            raise _refusal(answer)
        return answer


def _refusal(answer: Any) -> Exception:
    error = answer.get("error") if isinstance(answer, dict) else None
    if not isinstance(error, dict):
        return SandboxError(f"The sandbox refused: {answer}.", "See docs/sandbox.md.")
    return ConfigValueError(str(error.get("message")), str(error.get("remedy")))
