"""The watch over a bar's decisions: outcomes that have become known, features that have moved, and what follows.

It looks at what the hour knows anyway, and whatever breaks in it is told in the log and changes no decision.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from loguru import logger

from algo_pipeline.common.time import BAR
from algo_pipeline.common.types import Symbol
from algo_pipeline.live.champion import Champion, FeatureRow, Watch
from algo_pipeline.live.session import Session
from algo_pipeline.live.watch_records import AlarmKind, SymbolWatch, drift_document
from algo_pipeline.research.sequential import CalibrationMonitor


class Watching:
    """What is seen of every symbol on one bar.

    Parameters
    ----------
    session : Session
        With what has been seen before.
    bar : pd.Timestamp
        The bar that is decided on.
    watch : Watch or None
        What to ask; None watches nothing, though an alarm that is in force stays so.
    """

    def __init__(self, session: Session, bar: pd.Timestamp, watch: Watch | None) -> None:
        self._session, self._bar, self._watch = session, bar, watch
        self._seen: dict[Symbol, Mapping[str, Any]] = {}

    def look(self, champion: Champion, features: FeatureRow, probability: float) -> None:
        """See what this bar says of the symbol's champion."""
        if self._watch is None:
            return
        try:
            self._seen[champion.symbol] = self._look(self._watch, champion, features, probability)
        except Exception:  # a watch must not disturb what it watches
            logger.exception("The watch over {} has broken", champion.symbol)

    def seen(self, symbol: Symbol) -> Mapping[str, Any] | None:
        """What the decision's line says under ``watch``."""
        return self._seen.get(symbol)

    def abstention(self, symbol: Symbol) -> str | None:
        """Why the symbol abstains from entries; None if it need not."""
        if not self._session.rules.drift_abstention:
            return None
        known = self._session.state.watches.get(symbol)
        raised = self._seen.get(symbol, {}).get("alarm")
        if raised is not None:
            return f"it abstains: {raised['text']}"
        return None if known is None or known.alarm is None else f"it abstains: {known.alarm.text}"

    def _look(self, watch: Watch, champion: Champion, features: FeatureRow, probability: float) -> Mapping[str, Any]:
        symbol, label = champion.symbol, watch.label(champion.symbol)
        before = self._session.state.watches.get(symbol, SymbolWatch())
        seen: dict[str, Any] = {
            "label": label.name,
            "horizon_bars": label.horizon_bars,
            "base_rate": champion.base_rate,
            "bins": watch.bins(symbol, features),
            "outcomes": [],
        }
        if before.label == label.name:
            due = [each.bar for each in before.pending if each.bar + label.last_bar_read * BAR <= self._bar]
            seen["outcomes"] = [[bar.isoformat(), _known(watch.outcome(symbol, bar))] for bar in due]
        after = before.after(self._bar, None if math.isnan(probability) else probability, seen)
        drift = watch.strangest(symbol, after.bins)
        if drift is not None:
            seen["drift"] = drift_document(drift)
        if before.alarm is not None:
            return seen
        if after.calibration is not None and after.calibration.is_alarming:
            seen["alarm"] = {"kind": AlarmKind.CALIBRATION.value, "text": _words(after.calibration)}
        elif drift is not None and drift.is_beyond:
            words = f"{drift.feature} has drifted, index {drift.index:.2f} above its limit {drift.limit:.2f}"
            seen["alarm"] = {"kind": AlarmKind.FEATURES.value, "text": words}
        return seen


def _known(outcome: float) -> int | None:
    return None if math.isnan(outcome) else int(outcome)


def _words(monitor: CalibrationMonitor) -> str:
    return (
        f"{monitor.n_bets} outcomes look as if {monitor.suspicion().words}, evidence {monitor.evidence:.0f} : 1 "
        f"against its probabilities"
    )
