"""Everything that the dashboard shows, as frozen values: the page, its JSON and its metrics are all made from one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd

from algo_pipeline.common.formatting import minute
from algo_pipeline.common.time import BAR
from algo_pipeline.common.types import FloatArray
from algo_pipeline.dashboard.expectation import Band, Standing, expected_band, standing_of, standing_words
from algo_pipeline.live.alerts import Alert, Severity
from algo_pipeline.live.costs import FeeSummary, FillCost, SlippageSummary, fill_costs, summarize_slippage
from algo_pipeline.live.events import Outcome
from algo_pipeline.live.tally import JournalTally

ALERTS_SHOWN = 20
FILLS_SHOWN = 12


class TimeSource(str, Enum):
    """Whose clock the page goes by."""

    MACHINE = "machine"
    SANDBOX = "sandbox"
    JOURNAL = "journal"


@dataclass(frozen=True, slots=True)
class PageTime:
    """The time that counts for the account.

    Parameters
    ----------
    now : pd.Timestamp
        UTC.
    source : TimeSource
        Whose it is.
    wall : pd.Timestamp
        This machine's clock, UTC: the schedule goes by it.
    """

    now: pd.Timestamp
    source: TimeSource
    wall: pd.Timestamp

    @property
    def words(self) -> str:
        """One sentence on whose time it is."""
        at = f"{minute(self.now)} UTC"
        if self.source is TimeSource.SANDBOX:
            return f"The sandbox's clock shows {at}."
        if self.source is TimeSource.JOURNAL:
            return f"The journal's newest line was written at {at}."
        return f"It is {at}."


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be read, and the way out; the rest of the page does without."""

    what: str
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class EquityView:
    """The session's return beside what the backtest leads one to expect.

    Parameters
    ----------
    times : pd.DatetimeIndex of shape (n_marks,)
        Open times of the bars that were marked.
    returns : ndarray of shape (n_marks,)
        Return since the first mark by trading alone, as fractions.
    n_hours : int
        From the first mark to the last.
    band : Band or None
        What is expected; None where that is not known.
    standing : Standing
        Where the session is in it.
    words : str
        The same as a paragraph.
    """

    times: pd.DatetimeIndex
    returns: FloatArray
    n_hours: int
    band: Band | None
    standing: Standing
    words: str

    @property
    def total_return(self) -> float:
        """Return at the last mark; 0 before the first."""
        return float(self.returns[-1]) if len(self.returns) else 0.0


@dataclass(frozen=True, slots=True)
class CostsView:
    """What trading cost beside what the backtest assumes.

    Parameters
    ----------
    fills : tuple of FillCost
        All of them, oldest first.
    slippage : SlippageSummary
        Of all fills.
    fees : FeeSummary
        As far as the account has shown them.
    assumed_slippage_bps, assumed_fee_bps : float
        A side, as the settings have it.
    """

    fills: tuple[FillCost, ...]
    slippage: SlippageSummary
    fees: FeeSummary
    assumed_slippage_bps: float
    assumed_fee_bps: float


@dataclass(frozen=True, slots=True)
class ChampionView:
    """The deployed model of a symbol.

    Parameters
    ----------
    symbol : str
        What it trades.
    recipe, recipe_hash, label, version, source : str
        Empty where none is deployed.
    trading : str
        ``on``, ``flat``, or ``none`` where none is deployed.
    training_end : pd.Timestamp or None
        Close of the last bar that it learnt from.
    age_days : int or None
        Whole days since then.
    enter_threshold, exit_threshold : float or None
        Where a probability becomes LONG or FLAT; None for a strategy without fixed ones.
    verdict, gate : str
        What the symbol's last backtest said, and why this version was deployed; empty where that is not known.
    is_verdict_its_own : bool
        Whether that backtest was of this recipe.
    has_report : bool
        Whether there is a page of its backtest.
    """

    symbol: str
    recipe: str = ""
    recipe_hash: str = ""
    label: str = ""
    version: str = ""
    source: str = ""
    trading: str = "none"
    training_end: pd.Timestamp | None = None
    age_days: int | None = None
    enter_threshold: float | None = None
    exit_threshold: float | None = None
    verdict: str = ""
    is_verdict_its_own: bool = False
    gate: str = ""
    has_report: bool = False


@dataclass(frozen=True, slots=True)
class Links:
    """Where the other web UIs are."""

    dagster: str
    mlflow: str


@dataclass(frozen=True, slots=True)
class View:
    """The dashboard.

    Parameters
    ----------
    time : PageTime
        Now.
    status : mapping
        The document of ``algo-pipeline status --json``.
    has_started : bool
        Whether the journal has a line.
    is_journal_whole : bool
        Whether all of the journal could be read; if not, what rests on it is as of the last line before the damage.
    equity, costs, alerts, champions, links
        See their types; alerts oldest first.
    outcomes : mapping of Outcome to int
        How orders ended.
    n_decisions : int
        Since the start.
    last_decision_at : pd.Timestamp or None
        When the newest was written.
    problems : tuple of Problem
        What could not be read.
    """

    time: PageTime
    status: Mapping[str, Any]
    has_started: bool
    is_journal_whole: bool
    equity: EquityView
    costs: CostsView
    alerts: tuple[Alert, ...]
    champions: tuple[ChampionView, ...]
    links: Links
    outcomes: Mapping[Outcome, int]
    n_decisions: int
    last_decision_at: pd.Timestamp | None
    problems: tuple[Problem, ...]

    @property
    def is_simulated(self) -> bool:
        """Whether a champion learnt from simulated bars: no market is behind any of this."""
        return any(champion.source == "simulated" for champion in self.champions)

    def alert_counts(self) -> dict[Severity, int]:
        """Alerts of every severity."""
        return {each: sum(alert.severity is each for alert in self.alerts) for each in Severity}


def equity_view(tally: JournalTally, hourly: FloatArray) -> EquityView:
    """The session beside what ``hourly`` returns of the backtest lead one to expect, shape (n,), empty for none."""
    figures = tally.session.figures()
    if not (figures.equity > 0).all() or figures.equity.empty:  # an account without money has no returns
        return EquityView(pd.DatetimeIndex([], tz="UTC"), hourly[:0], 0, None, Standing.UNKNOWN, "")
    growth = figures.growth
    times = pd.DatetimeIndex(growth.index)
    values: FloatArray = np.asarray(growth, dtype=np.float64)
    returns = values / values[0] - 1.0
    n_hours = int((times[-1] - times[0]) / BAR)
    band = expected_band(hourly, n_hours)
    total = float(returns[-1])
    return EquityView(
        times, returns, n_hours, band, standing_of(band, total, n_hours), standing_words(band, total, n_hours)
    )


def costs_view(tally: JournalTally, assumed_slippage_bps: float, assumed_fee_bps: float) -> CostsView:
    """Fills and fees beside what is assumed of them."""
    fills = fill_costs(tally.session.figures().fills)
    return CostsView(fills, summarize_slippage(fills), tally.fees.summary(), assumed_slippage_bps, assumed_fee_bps)


def newest(items: Sequence[Any], n: int) -> list[Any]:
    """The last ``n``, newest first."""
    return list(items[-n:])[::-1]
