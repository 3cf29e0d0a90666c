"""What a backtest report is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from algo_pipeline.backtest.verdict import Grounds, verdict_sentence
from algo_pipeline.common.errors import ConfigValueError
from algo_pipeline.common.time import BAR
from algo_pipeline.common.types import Symbol

if TYPE_CHECKING:
    from algo_pipeline.backtest.engine import BacktestResult
    from algo_pipeline.common.trading_rules import BacktestConfig
    from algo_pipeline.research.evaluate import Evaluation, Interval

SIMULATED = "simulated"


@dataclass(frozen=True)
class ReportInputs:
    """Everything a report shows; the renderers compute nothing that is not derived from it.

    Parameters
    ----------
    symbol : Symbol
        The traded pair.
    label : str
        Name of the label whose probability was traded.
    source : str
        Where the bars come from; ``simulated`` is announced in a banner.
    recipe, recipe_hash : str
        Readable description and hash of the recipe that made the probabilities.
    model_version : str or None
        The registered model and version, None if nothing was registered.
    bars : DataFrame of shape (n_bars, 5)
        The bars of the out-of-sample window, ``n_bars >= 1``.
    oos : DataFrame of shape (n_rows, 4)
        Stitched out-of-sample ``probability, outcome, base_rate, fold``, indexed by open time.
    evaluation : Evaluation
        Scores of ``oos``.
    config : BacktestConfig
        The trading rules as deployed.
    strategy : BacktestResult
        Kill switch off: statistics and verdicts use this one.
    deployed : BacktestResult
        Kill switch on.
    grounds : Grounds
        What the verdict rests on.
    intervals : mapping of str to Interval
        Of the strategy's metrics, as :func:`algo_pipeline.backtest.performance_intervals.performance_intervals` gives
        them.
    at_zero_cost : BacktestResult or None
        The strategy without fees and slippage, if it was run.
    notes : tuple of str
        What the reader must know besides, for example gaps in the data.

    Raises
    ------
    ConfigValueError
        If there are no bars, or a backtest was run on other bars.
    """

    symbol: Symbol
    label: str
    source: str
    recipe: str
    recipe_hash: str
    model_version: str | None
    bars: pd.DataFrame
    oos: pd.DataFrame
    evaluation: Evaluation
    config: BacktestConfig
    strategy: BacktestResult
    deployed: BacktestResult
    grounds: Grounds
    intervals: Mapping[str, Interval]
    at_zero_cost: BacktestResult | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.bars.empty:
            raise ConfigValueError("A report needs at least one bar; found none.", "Pass the out-of-sample bars.")
        for name, result in self.backtests.items():
            if not result.curve.index.equals(self.bars.index):
                raise ConfigValueError(
                    f"The {name} backtest covers {len(result.curve)} bars, the report {len(self.bars)}; "
                    "they must be the same.",
                    "Run the backtest on the bars that the report is given.",
                )

    @property
    def backtests(self) -> dict[str, BacktestResult]:
        """The backtests by name: ``strategy``, ``deployed`` and, where it was run, ``at_zero_cost``."""
        named = {"strategy": self.strategy, "deployed": self.deployed}
        return named if self.at_zero_cost is None else {**named, "at_zero_cost": self.at_zero_cost}

    @property
    def verdict(self) -> str:
        """The report's first sentence."""
        return verdict_sentence(self.grounds)

    @property
    def is_simulated(self) -> bool:
        """Whether the bars are no market's."""
        return self.source == SIMULATED

    @property
    def span(self) -> tuple[pd.Timestamp, pd.Timestamp]:
        """Open of the first bar and close of the last."""
        return self.bars.index[0], self.bars.index[-1] + BAR
