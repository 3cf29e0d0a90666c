"""What the watch over a symbol's probabilities and features knows: frozen, and folded from the journal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import pandas as pd

from algo_pipeline.common.time import BAR
from algo_pipeline.live.lines import utc
from algo_pipeline.research.drift import WINDOW_H, Drift
from algo_pipeline.research.sequential import CalibrationMonitor

_EPOCH = pd.Timestamp(0, tz="UTC")


class AlarmKind(str, Enum):
    """What has gone wrong."""

    CALIBRATION = "calibration"
    FEATURES = "features"


@dataclass(frozen=True, slots=True)
class Alarm:
    """Why a symbol abstains from entries.

    Parameters
    ----------
    bar : pd.Timestamp
        Open time of the bar on which it was raised.
    kind : AlarmKind
        Which watch raised it.
    text : str
        What was found, in words.
    """

    bar: pd.Timestamp
    kind: AlarmKind
    text: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """A probability that was issued on a bar and whose label is not known yet."""

    bar: pd.Timestamp
    probability: float
    base_rate: float


@dataclass(frozen=True, slots=True)
class SymbolWatch:
    """The watch over one symbol.

    Parameters
    ----------
    label : str
        What its probabilities are of; the test starts anew where that changes.
    calibration : CalibrationMonitor or None
        The test; None before the first outcome.
    pending : tuple of Forecast
        Issued and not known yet.
    bins : tuple of str
        The bins of the features of the last week's hours, oldest first, empty for an hour without; the newest at
        ``last_bar``.
    last_bar : pd.Timestamp or None
        Newest bar that was watched.
    drift : Drift or None
        The feature that is furthest towards its limit, as last journalled.
    alarm : Alarm or None
        In force until a person resumes.
    """

    label: str = ""
    calibration: CalibrationMonitor | None = None
    pending: tuple[Forecast, ...] = ()
    bins: tuple[str, ...] = ()
    last_bar: pd.Timestamp | None = None
    drift: Drift | None = None
    alarm: Alarm | None = None

    def after(self, bar: pd.Timestamp, probability: float | None, seen: Mapping[str, Any]) -> SymbolWatch:
        """After a decision's line; ``seen`` is what it says under ``watch``.

        KeyError, TypeError or ValueError if it is nothing that a watch has written.
        """
        if self.label != seen["label"]:
            return replace(self, label=seen["label"], calibration=None, pending=()).after(bar, probability, seen)
        watch = self._with_outcomes(seen)
        issued = () if probability is None else (Forecast(bar, probability, float(seen["base_rate"])),)
        drift, alarm = seen.get("drift"), seen.get("alarm")
        return replace(
            watch,
            pending=(*watch.pending, *issued),
            bins=self._bins_with(bar, str(seen["bins"])),
            last_bar=bar,
            drift=None if drift is None else Drift(**drift),
            alarm=watch.alarm if alarm is None else Alarm(bar, AlarmKind(alarm["kind"]), str(alarm["text"])),
        )

    def resumed(self) -> SymbolWatch:
        """Without its alarm, and with whatever raised it started anew."""
        if self.alarm is None:
            return self
        if self.alarm.kind is AlarmKind.FEATURES:
            return replace(self, bins=(), drift=None, alarm=None)
        return replace(self, calibration=None, alarm=None)

    def to_document(self) -> dict[str, Any]:
        """Plain JSON from which :meth:`from_document` makes an equal watch."""
        alarm, drift = self.alarm, self.drift
        return {
            "label": self.label,
            "calibration": None if self.calibration is None else self.calibration.to_document(),
            "pending": [[each.bar.isoformat(), each.probability, each.base_rate] for each in self.pending],
            "bins": list(self.bins),
            "last_bar": None if self.last_bar is None else self.last_bar.isoformat(),
            "drift": None if drift is None else drift_document(drift),
            "alarm": None if alarm is None else [alarm.bar.isoformat(), alarm.kind.value, alarm.text],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> SymbolWatch:
        """Inverse of :meth:`to_document`; KeyError, TypeError or ValueError if it describes none."""
        calibration, last_bar = document["calibration"], document["last_bar"]
        drift, alarm = document["drift"], document["alarm"]
        return cls(
            label=document["label"],
            calibration=None if calibration is None else CalibrationMonitor.from_document(calibration),
            pending=tuple(Forecast(utc(bar), p, base_rate) for bar, p, base_rate in document["pending"]),
            bins=tuple(document["bins"]),
            last_bar=None if last_bar is None else utc(last_bar),
            drift=None if drift is None else Drift(**drift),
            alarm=None if alarm is None else Alarm(utc(alarm[0]), AlarmKind(alarm[1]), alarm[2]),
        )

    def _with_outcomes(self, seen: Mapping[str, Any]) -> SymbolWatch:
        """Bet on what has become known; a null outcome is one that a gap has hidden. An alarm ends the betting."""
        outcomes = {utc(bar): outcome for bar, outcome in seen["outcomes"]}
        if not outcomes:
            return self
        monitor = self.calibration or CalibrationMonitor(int(seen["horizon_bars"]))
        for each in self.pending:
            outcome = outcomes.get(each.bar)
            if outcome is not None and self.alarm is None:
                number = (each.bar - _EPOCH) // BAR
                monitor = monitor.after(number, each.probability, each.base_rate, int(outcome))
        return replace(
            self, calibration=monitor, pending=tuple(each for each in self.pending if each.bar not in outcomes)
        )

    def _bins_with(self, bar: pd.Timestamp, bins: str) -> tuple[str, ...]:
        n_missing = 0 if self.last_bar is None else min(int((bar - self.last_bar) / BAR) - 1, WINDOW_H)
        return (*self.bins, *("",) * n_missing, bins)[-WINDOW_H:]


def drift_document(drift: Drift) -> dict[str, Any]:
    """A drift as plain JSON."""
    return {"feature": drift.feature, "index": drift.index, "limit": drift.limit}
