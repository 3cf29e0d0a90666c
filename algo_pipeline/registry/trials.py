"""The ledger of trials: everything that was tried, so that the best of many is judged as the best of many.

It outlives the experiment store: deleting runs from MLflow hides no trial.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from algo_pipeline.common.time import utc_now
from algo_pipeline.registry.chained_lines import ChainedLines, Line
from algo_pipeline.research.trials import Forecast, Trial, TrialKind, TrialSummary

__all__ = ["Forecast", "Trial", "TrialKind", "TrialLedger", "TrialSummary"]

_HASH_DIGITS = 16  # of 64: among a million trials two agree by chance in one case of forty million
_SHARPE_DIGITS = 8

_FIELDS = ("symbol", "label", "source", "recipe_hash", "n_days", "strategies", "daily_sharpes")

_Key = tuple[Forecast, str]


class TrialLedger:
    """``registry/trials.jsonl``: append-only, each line carrying the hash of the one before.

    A line holds the trials of one recipe that were evaluated together: equal-length lists of (shortened) strategy
    hashes and Sharpe ratios per day. So a sweep of thousands is one line.

    Parameters
    ----------
    artifacts_dir : Path
        The artifacts folder.
    """

    def __init__(self, artifacts_dir: Path) -> None:
        self._chain = ChainedLines(artifacts_dir / "registry" / "trials.jsonl", _FIELDS)

    @property
    def path(self) -> Path:
        """The ledger's file."""
        return self._chain.path

    def record(self, trials: Iterable[Trial]) -> int:
        """Write those trials that the ledger does not hold yet; all of them in one write and one fsync.

        A trial without a Sharpe ratio (it never traded) is none. One that is there already is written again, which
        does not make it count twice, only if its figures now rest on at least a tenth more days: the newest figures
        count, and weekly retrains don't fill the file.

        Returns
        -------
        int
            How many of them are new.

        Raises
        ------
        CorruptFileError
            If the ledger is damaged or its end is missing; nothing is written then.
        StorageError
            If it can't be written.
        """
        judged = [trial for trial in trials if math.isfinite(trial.daily_sharpe)]
        if not judged:
            return 0
        n_new = 0

        def unheard_of(lines: list[Line]) -> list[dict[str, Any]]:
            nonlocal n_new
            known = {key: days for key, _, days in _entries(lines)}
            fresh = {_key(trial): trial for trial in judged if _tells_more(trial, known.get(_key(trial)))}
            n_new = sum(key not in known for key in fresh)
            return list(_batches(fresh.values()))

        self._chain.extend(unheard_of)
        return n_new

    def holds(self, trial: Trial) -> bool:
        """Whether a trial counts: it is recorded, or has no Sharpe ratio and so is none; raises CorruptFileError."""
        return not math.isfinite(trial.daily_sharpe) or _key(trial) in self._newest(*_scope(trial.forecast))

    def summary(self, symbol: str, label: str, source: str) -> TrialSummary:
        """Number of distinct trials and the variance between their Sharpe ratios; raises CorruptFileError."""
        sharpes = list(self._newest(symbol, label, source).values())
        variance = float(np.var(sharpes, ddof=1)) if len(sharpes) > 1 else math.nan
        return TrialSummary(len(sharpes), variance)

    def verify(self) -> int:
        """Check the whole chain; the number of distinct trials in it. Raises CorruptFileError."""
        return len({key for key, _, _ in _entries(self._chain.lines())})

    def _newest(self, symbol: str, label: str, source: str) -> dict[_Key, float]:
        asked = (symbol, label, source)
        lines = [line for line in self._chain.lines() if (line["symbol"], line["label"], line["source"]) == asked]
        return {key: sharpe for key, sharpe, _ in _entries(lines)}


def _scope(forecast: Forecast) -> tuple[str, str, str]:
    return forecast.symbol, forecast.label, forecast.source


def _key(trial: Trial) -> _Key:
    return trial.forecast, trial.strategy_hash[:_HASH_DIGITS]


def _entries(lines: Iterable[Line]) -> Iterator[tuple[_Key, float, int]]:
    """Key, Sharpe ratio and days of every evaluation, oldest first."""
    for line in lines:
        forecast = Forecast(line["symbol"], line["label"], line["source"], line["recipe_hash"])
        for strategy, sharpe in zip(line["strategies"], line["daily_sharpes"], strict=True):
            yield (forecast, strategy), sharpe, line["n_days"]


def _tells_more(trial: Trial, known_days: int | None) -> bool:
    return known_days is None or 10 * trial.n_days >= 11 * known_days


def _batches(trials: Iterable[Trial]) -> Iterator[dict[str, Any]]:
    """A line's content for each group of trials that differ in nothing but strategy and Sharpe ratio."""
    at = utc_now().isoformat()
    groups: dict[tuple[Forecast, TrialKind, int], list[Trial]] = {}
    for trial in trials:
        groups.setdefault((trial.forecast, trial.kind, trial.n_days), []).append(trial)
    for (forecast, kind, n_days), group in groups.items():
        yield {
            "at": at,
            **asdict(forecast),
            "kind": kind.value,
            "n_days": n_days,
            "strategies": [trial.strategy_hash[:_HASH_DIGITS] for trial in group],
            "daily_sharpes": [float(f"{trial.daily_sharpe:.{_SHARPE_DIGITS}g}") for trial in group],
        }
