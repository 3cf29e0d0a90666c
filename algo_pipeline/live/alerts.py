"""Alerts to the person: on the console and in ``alerts.log`` always, and through channels that may fail.

Nothing here raises: an alert that can't be delivered must never stop a decision. Repeats are folded for the channels
alone; what was told when is read from ``alerts.log``, since every hour is a process of its own.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
from loguru import logger

from algo_pipeline.common.errors import StorageError
from algo_pipeline.common.logger import SecretMasker
from algo_pipeline.live.files import DiskFiles, Files
from algo_pipeline.live.lines import json_object, utc

ALERTS_FILE = "alerts.log"
FOLDED_FOR = pd.Timedelta(hours=6)
CHANNEL_BUDGET_S = 5.0

_TAIL_BYTES = 1 << 18
_LINE_KEYS = {"at", "severity", "code", "title", "text", "told"}
_CHANNEL_FAILED = "alert_channel_failed"


class Severity(str, Enum):
    """How soon a person should look: some day, today, now."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class Alert:
    """Something a person should know.

    Parameters
    ----------
    severity : Severity
        How soon.
    code : str
        Stable and machine-readable: ``kill_switch``.
    title, text : str
        A line that names the symbol where there is one, and the rest: what was found, and the way out.
    at : pd.Timestamp
        When it was raised, UTC.
    """

    severity: Severity
    code: str
    title: str
    text: str
    at: pd.Timestamp


class Channel(Protocol):
    """A way to a person."""

    @property
    def name(self) -> str:
        """What it may be called in a log: never its URL, which holds tokens."""

    def send(self, alert: Alert) -> None:
        """Deliver, or raise any exception."""


class Alerter:
    """Raises alerts on every channel.

    Parameters
    ----------
    folder : Path
        Where ``alerts.log`` lives; written without a lock, a line in one write.
    channels : sequence of Channel
        Each gets at most ``budget_s`` seconds, all at the same time; one that still hangs is passed over.
    now : callable
        The clock, for what the alerter itself has to say.
    masker : SecretMasker
        Takes secrets out of everything that is shown, written or sent.
    """

    def __init__(
        self,
        folder: Path,
        channels: Sequence[Channel],
        now: Callable[[], pd.Timestamp],
        masker: SecretMasker | None = None,
        files: Files | None = None,
        budget_s: float = CHANNEL_BUDGET_S,
    ) -> None:
        self._log = _AlertLog(folder / ALERTS_FILE, files if files is not None else DiskFiles())
        self._deliveries = [_Delivery(channel) for channel in channels]
        self._now = now
        self._masker = masker if masker is not None else SecretMasker(())
        self._budget_s = budget_s

    def raise_alert(self, alert: Alert) -> bool:
        """Show and record the alert; tell it on the channels unless it repeats one of the last six hours.

        Returns
        -------
        bool
            Whether it was told; otherwise it was folded or no channel took it, and the next one of its kind that is
            told counts it.
        """
        alert = replace(alert, title=self._masker.mask(alert.title), text=self._masker.mask(alert.text))
        _show(alert)
        try:
            return self._tell_and_record(alert)
        except Exception:  # the last resort of the promise above: it has been shown, and the decision goes on
            logger.opt(exception=True).error("The alert could not be recorded or sent.")
            return False

    def _tell_and_record(self, alert: Alert) -> bool:
        last = self._log.last_told(alert)
        told = not _is_recent(last, alert) and self._tell(_with_count(alert, last))
        self._log.write(alert, told)
        return told

    def _tell(self, alert: Alert) -> bool:
        """Whether a channel took it; without channels the console has."""
        deadline = time.monotonic() + self._budget_s
        for delivery in self._deliveries:
            delivery.start(alert)
        failures = [delivery.failure(deadline) for delivery in self._deliveries]
        for delivery, failure in zip(self._deliveries, failures, strict=True):
            if failure is not None:
                self._record_failure(delivery.name, failure)
        return not failures or None in failures

    def _record_failure(self, name: str, failure: str) -> None:
        title = f"An alert could not be sent to {name}"
        alert = Alert(Severity.WARNING, _CHANNEL_FAILED, title, self._masker.mask(failure), self._now())
        _show(alert)
        if not _is_recent(self._log.last_told(alert), alert):
            self._log.write(alert, told=True)


@dataclass(frozen=True, slots=True)
class _Told:
    """When an alert of the same kind was last told, and how many were not since."""

    at: pd.Timestamp
    n_untold: int = 0


class _AlertLog:
    """``alerts.log``: a JSON object a line; one that can't be read is passed over."""

    def __init__(self, path: Path, files: Files) -> None:
        self._path = path
        self._files = files

    def write(self, alert: Alert, told: bool) -> None:
        line = json.dumps(
            {
                "at": alert.at.isoformat(),
                "severity": alert.severity.value,
                "code": alert.code,
                "title": alert.title,
                "text": alert.text,
                "told": told,
            },
            ensure_ascii=False,
        ).encode("utf-8", "backslashreplace")
        try:
            size = self._files.size(self._path)
            torn = size > 0 and self._files.read(self._path, size - 1, size) != b"\n"
            self._files.append(self._path, (b"\n" if torn else b"") + line + b"\n")
        except StorageError as error:
            logger.error("{}", error)

    def last_told(self, alert: Alert) -> _Told | None:
        """The last time that an alert of this severity, code and title was told."""
        told: _Told | None = None
        for document in self._tail():
            if (document["severity"], document["code"], document["title"]) != _kind(alert):
                continue
            if document["told"]:
                told = _Told(utc(document["at"]))
            elif told is not None:
                told = replace(told, n_untold=told.n_untold + 1)
        return told

    def _tail(self) -> list[dict[str, Any]]:
        try:
            start = max(0, self._files.size(self._path) - _TAIL_BYTES)
            texts = self._files.read(self._path, start).split(b"\n")
        except StorageError as error:
            logger.error("{}", error)
            return []
        return [document for text in texts if (document := _document(text)) is not None]


def _show(alert: Alert) -> None:
    logger.log(alert.severity.name, "{}: {}", alert.title, alert.text)


def _is_recent(last: _Told | None, alert: Alert) -> bool:
    return last is not None and pd.Timedelta(0) <= alert.at - last.at < FOLDED_FOR


def _with_count(alert: Alert, last: _Told | None) -> Alert:
    if last is None or last.n_untold == 0:
        return alert
    return replace(alert, text=f"{alert.text} (and {last.n_untold} more since {last.at:%Y-%m-%d %H:%M} UTC)")


def _kind(alert: Alert) -> tuple[str, str, str]:
    return alert.severity.value, alert.code, alert.title


def _document(text: bytes) -> dict[str, Any] | None:
    """An alert's line; None for a torn or foreign one."""
    document = json_object(text)
    if document is None or not document.keys() >= _LINE_KEYS:
        return None
    return document


class _Delivery:
    """One channel's thread; a daemon, so that a hanging one does not keep the process alive."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._thread: threading.Thread | None = None
        self._failure: str | None = None
        self._passed_over = False

    @property
    def name(self) -> str:
        return self._channel.name

    def start(self, alert: Alert) -> None:
        self._passed_over = self._hangs()
        if self._passed_over:
            return
        self._failure = "It ended without an answer."
        self._thread = threading.Thread(target=self._send, args=(alert,), daemon=True, name=self.name)
        self._thread.start()

    def failure(self, deadline: float) -> str | None:
        """Why the alert was not delivered by then (monotonic seconds); None if it was."""
        if self._passed_over:
            return "It is still busy with an earlier alert."
        if self._thread is not None:
            self._thread.join(max(0.0, deadline - time.monotonic()))
        return "It did not answer in time." if self._hangs() else self._failure

    def _hangs(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _send(self, alert: Alert) -> None:
        try:
            self._channel.send(alert)
            self._failure = None
        except Exception as error:  # a channel is foreign code: whatever it raises is its failure
            self._failure = f"{type(error).__name__}: {error}"
