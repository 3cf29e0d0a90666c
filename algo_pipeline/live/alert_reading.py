"""Alerts read back from ``alerts.log``."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from algo_pipeline.common.storage import read_bytes
from algo_pipeline.live.alerts import ALERTS_FILE, Alert, Severity
from algo_pipeline.live.lines import json_object, utc


def read_alerts(folder: Path) -> tuple[Alert, ...]:
    """Every alert, in their order; lines that can't be read are passed over. StorageError if the file can't be."""
    path = folder / ALERTS_FILE
    texts = read_bytes(path).split(b"\n") if path.exists() else []
    return tuple(alert for text in texts if (alert := _alert(text)) is not None)


def alerts_between(folder: Path, first: pd.Timestamp, end: pd.Timestamp) -> tuple[Alert, ...]:
    """Alerts raised from ``first`` to before ``end``, in their order; lines that can't be read are passed over."""
    return tuple(alert for alert in read_alerts(folder) if first <= alert.at < end)


def _alert(text: bytes) -> Alert | None:
    document = json_object(text)
    try:
        if document is None:
            return None
        severity = Severity(document["severity"])
        return Alert(severity, document["code"], document["title"], document["text"], utc(document["at"]))
    except (KeyError, TypeError, ValueError):
        return None
