"""The time that counts for the live account: this machine's, a sandbox's, or that of the journal's newest line."""

from __future__ import annotations

from uuid import UUID

import pandas as pd
import requests

from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.paper import is_loopback
from algo_pipeline.common.time import to_utc
from algo_pipeline.dashboard.view import PageTime, TimeSource

_TIMEOUT_S = 1.0
_NAME_BASED = 5


def page_time(trading_url: str, account_id: str | None, newest_at: pd.Timestamp | None, wall: pd.Timestamp) -> PageTime:
    """Whose time the page goes by.

    Parameters
    ----------
    trading_url : str
        Where orders go; asked for its clock only where it is on this machine.
    account_id : str or None
        The journal's account.
    newest_at : pd.Timestamp or None
        When the journal's newest line was written, by the clock of its venue.
    wall : pd.Timestamp
        This machine's clock.
    """
    shown = sandbox_clock(trading_url) if is_loopback(trading_url) else None
    if shown is not None:
        return PageTime(shown, TimeSource.SANDBOX, wall)
    if newest_at is not None and (is_loopback(trading_url) or is_of_a_sandbox(account_id)):
        return PageTime(newest_at, TimeSource.JOURNAL, wall)
    return PageTime(wall, TimeSource.MACHINE, wall)


def is_of_a_sandbox(account_id: str | None) -> bool:
    """Whether an account is a sandbox's: its id is made from a name (UUID version 5), a broker's is random."""
    try:
        return UUID(account_id or "").version == _NAME_BASED
    except ValueError:
        return False


def sandbox_clock(url: str) -> pd.Timestamp | None:
    """What the clock of the sandbox at a loopback address shows; None if none answers within a second."""
    root = url.rstrip("/").removesuffix("/v2")
    try:
        with requests.Session() as session:
            session.trust_env = False  # no proxy stands between two programs of one machine
            answer = session.get(f"{root}/sandbox/state", timeout=_TIMEOUT_S, allow_redirects=False)
            return to_utc(answer.json()["now"])
    except (requests.RequestException, ConfigValueError, ValueError, KeyError, TypeError):
        return None
