"""A sweep's combinations are trials: they are written to the ledger before anybody sees which is the best."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from algo_pipeline.common.config import Settings
from algo_pipeline.common.errors import StorageError
from algo_pipeline.common.formatting import certainty, count

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
    deflated_sharpe_ratio : float
        Of this sweep's best, over all of them: sweeping bit by bit makes no bit better. NaN without a Sharpe ratio.
    remedy : str
        What to do about the problem.
    """

    new: int
    known: int
    problem: str | None = None
    deflated_sharpe_ratio: float = math.nan
    remedy: str = ""

    def to_document(self) -> dict[str, Any]:
        """``{new, known, problem, deflated_sharpe_ratio}``."""
        return {name: value for name, value in asdict(self).items() if name != "remedy"}

    def error_document(self) -> dict[str, str]:
        """The problem as ``--json`` tells errors."""
        remedy = self.remedy or "Make the ledger whole and writable, then sweep again: nothing is counted twice."
        return {"code": StorageError.code, "message": self.problem or "", "remedy": remedy}

    def describe(self, report: SweepReport) -> str:
        """One line for a person."""
        if self.problem is not None:
            return f"These trials could not be recorded, so that no verdict will count them. {self.problem}"
        added = f"{count(self.new)} new, {count(self.known)} in all"
        said = f"Trials of {report.symbol} {report.label}: {added}; the next research report counts them."
        if not math.isfinite(self.deflated_sharpe_ratio) or self.known <= report.summary.judged.n_trials:
            return said
        return f"{said} Over all of them this best has a deflated Sharpe ratio of {self._ratio()}."

    def _ratio(self) -> str:
        from algo_pipeline.backtest.verdict import is_evidence

        verdict = "" if is_evidence(self.deflated_sharpe_ratio) else ": no evidence"
        return f"{certainty(self.deflated_sharpe_ratio)}{verdict}"


def record_sweep(settings: Settings, report: SweepReport, recipe_hash: str) -> RecordedTrials:
    """Write the trials of a sweep to the ledger."""
    from algo_pipeline.backtest.trials import sweep_trials
    from algo_pipeline.registry.trials import Forecast, TrialLedger
    from algo_pipeline.research.sharpe_statistics import deflated_sharpe_ratio

    ledger = TrialLedger(settings.artifacts_dir)
    forecast = Forecast(str(report.symbol), report.label, report.source, recipe_hash)
    try:
        new = ledger.record(sweep_trials(forecast, report.sweep, report.summary))
        known = ledger.summary(forecast.symbol, forecast.label, forecast.source)
    except StorageError as error:
        return RecordedTrials(0, 0, error.message, remedy=error.remedy)
    deflated = deflated_sharpe_ratio(report.summary.judged.estimate, known.n_trials, known.variance_of_sharpe)
    return RecordedTrials(new, known.n_trials, deflated_sharpe_ratio=deflated)
