"""The clock of a sandbox as the driver of a replay moves it: waiting costs no time of this machine's."""

import pandas as pd

from algo_pipeline.common.errors import AmbiguousBrokerError, ConfigValueError
from algo_pipeline.common.paper import is_loopback
from algo_pipeline.sandbox.client import SandboxControl
from algo_pipeline.sandbox.server import SandboxError


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
    AmbiguousBrokerError
        If no sandbox answers there.
    """

    def __init__(self, url: str) -> None:
        if not is_loopback(url):
            raise ConfigValueError(
                "Only a sandbox's clock can be moved; the trading URL is another one.",
                "Start one with `algo-pipeline sandbox` and set the environment lines that it prints.",
            )
        self.control = SandboxControl(url)
        try:
            self._now = self.control.now()
        except SandboxError as error:
            raise AmbiguousBrokerError(error.message, error.remedy) from error

    def now(self) -> pd.Timestamp:
        """What the virtual clock shows."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        self._now = self.control.advance(seconds)

    def set(self, at: pd.Timestamp) -> None:
        """Move the clock to ``at``."""
        self._now = self.control.set_clock(at)
