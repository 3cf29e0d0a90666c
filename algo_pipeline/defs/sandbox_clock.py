"""The clock of a sandbox as the driver of a replay moves it: waiting costs no time of this machine's."""

from typing import Any

import pandas as pd
import requests

from algo_pipeline.common.errors import AmbiguousBrokerError, ConfigValueError
from algo_pipeline.common.paper import is_loopback
from algo_pipeline.common.time import to_utc

_TIMEOUT_S = 10.0


class SandboxClock:
    """Moves the virtual clock and knows what it shows, so that reading it asks nobody.

    Parameters
    ----------
    url : str
        Root of the sandbox.

    Raises
    ------
    ConfigValueError
        If the root is not on this machine.
    """

    def __init__(self, url: str) -> None:
        if not is_loopback(url):
            raise ConfigValueError(
                "Only a sandbox's clock can be moved; the trading URL is another one.",
                "Start one with `algo-pipeline sandbox` and set the environment lines that it prints.",
            )
        self._root = url.rstrip("/")
        self._http = requests.Session()
        self._http.trust_env = False
        self._now = to_utc(self.state()["now"])

    def now(self) -> pd.Timestamp:
        """What the virtual clock shows."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        self._move({"advance_s": seconds})

    def set(self, at: pd.Timestamp) -> None:
        """Move the clock to ``at``."""
        self._move({"set": at.isoformat()})

    def state(self) -> dict[str, Any]:
        """What the sandbox says of itself."""
        return self._asked("GET", "state", None)

    def ledger(self) -> dict[str, Any]:
        """The account's orders and fills in exact decimals, as text."""
        return self._asked("GET", "ledger", None)

    def _move(self, body: dict[str, Any]) -> None:
        self._now = to_utc(self._asked("POST", "clock", body)["now"])

    def _asked(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        try:
            response = self._http.request(method, f"{self._root}/sandbox/{path}", json=body, timeout=_TIMEOUT_S)
            answer: dict[str, Any] = response.json()
        except (requests.RequestException, ValueError) as error:
            raise AmbiguousBrokerError(
                f"No sandbox answers at {self._root} ({type(error).__name__}).", "Start it: `algo-pipeline sandbox`."
            ) from error
        if "error" in answer:
            raise ConfigValueError(answer["error"]["message"], answer["error"]["remedy"])
        return answer
