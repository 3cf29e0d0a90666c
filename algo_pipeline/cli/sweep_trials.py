"""A sweep's combinations are trials: they are written to the ledger before anybody sees which is the best."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from algo_pipeline.common.config import Settings
from algo_pipeline.common.errors import StorageError
from algo_pipeline.common.formatting import count

if TYPE_CHECKING:
    from algo_pipeline.backtest.sweep_report import SweepReport


@dataclass(frozen=True, slots=True)
class RecordedTrials:
    """What the ledger says after a sweep.

    Parameters
    ----------
    new, known : int
        Trials that this sweep added, and those of the symbol and label in all.
    problem : str or None
        Why they could not be recorded.
    """

    new: int
    known: int
    problem: str | None = None

    def to_document(self) -> dict[str, Any]:
        """``{new, known, problem}``."""
        return asdict(self)

    def describe(self, report: SweepReport) -> str:
        """One line for a person."""
        if self.problem is not None:
            return f"WARNING: these trials could not be recorded, so that no verdict will count them. {self.problem}"
        added = f"{count(self.new)} new, {count(self.known)} in all"
        return f"Trials of {report.symbol} {report.label}: {added}; the next research report counts them."


def record_sweep(settings: Settings, report: SweepReport, recipe_hash: str) -> RecordedTrials:
    """Write the trials of a sweep to the ledger."""
    from algo_pipeline.backtest.trials import sweep_trials
    from algo_pipeline.registry.trials import Forecast, TrialLedger

    ledger = TrialLedger(settings.artifacts_dir)
    forecast = Forecast(str(report.symbol), report.label, report.source, recipe_hash)
    try:
        new = ledger.record(sweep_trials(forecast, report.sweep, report.summary))
        known = ledger.summary(forecast.symbol, forecast.label, forecast.source).n_trials
    except StorageError as error:
        return RecordedTrials(0, 0, str(error))
    return RecordedTrials(new, known)
