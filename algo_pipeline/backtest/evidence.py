"""The evidence behind two verdicts: whether probabilities show predictive skill, and whether trading them has an edge.

Each is tested by signal shuffling (``research.signal_shuffle``) at the level :data:`LEVEL`:

- *Predictive skill*: the probabilities score better at their own hours than when shifted to others. Beside it stands
  the log-loss skill against the base rate, a gate of its own: it charges fitting noise to the model, so that a model
  that knows something may still be worse than knowing nothing.
- *Edge at zero cost*: without costs, trading above and below each fold's base rate earns more than the same exposure
  without timing, that is the same signals at other hours.
- *Edge after costs*: under the configured strategy and costs, what is left after costs, in excess of the same
  exposure without timing, is more than shuffled signals earn that pay no costs. It can only be so if it is positive.

"Edge" never means return: holding a market that rose is none. And no edge shows in fewer than :data:`MINIMUM_ENTRIES`
entries: a few long holdings are a few draws, and where they begin depends on the path that prices took before, which
shuffling does not keep.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from algo_pipeline.backtest.inputs import one_symbol_market
from algo_pipeline.backtest.kernel_rules import KernelRules
from algo_pipeline.backtest.metrics import DAYS_PER_YEAR
from algo_pipeline.backtest.timing import SignalMarket, Signals, timing_of, timings_of_shuffles
from algo_pipeline.common.time import BARS_PER_DAY
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import FloatArray, Signal
from algo_pipeline.research.signal_shuffle import (
    N_SHUFFLES,
    SHUFFLE_SEED,
    Shuffles,
    draw_shuffles,
    share_at_least,
    shuffle_widening,
    signal_shuffle_p_value,
)
from algo_pipeline.research.statistics import Interval

if TYPE_CHECKING:
    from algo_pipeline.research.evaluate import Evaluation

LEVEL = 0.05
MINIMUM_ENTRIES = 30
_BARS_PER_YEAR = DAYS_PER_YEAR * BARS_PER_DAY
_MEAN, _T = 0, 1


@dataclass(frozen=True, slots=True)
class Evidence:
    """P-values of both verdicts and the figures to be read beside them.

    Attributes
    ----------
    skill_p_value : float
        Of predictive skill, by signal shuffling; in (0, 1].
    log_loss_skill : float
        1 − log loss / that of the base rate of each fold's train part, as a fraction.
    log_loss_skill_interval : Interval
        Its block-bootstrap interval.
    zero_cost_edge_p_value, after_cost_edge_p_value : float
        Of an edge, by signal shuffling; 1 with fewer than 30 entries.
    zero_cost_excess_return, after_cost_excess_return : float
        Sum of hourly returns per year less the mean of the shuffled signals' that pay no costs: what is earned in
        excess of the same exposure without timing, as a fraction of equity. 0 if nothing was traded, whatever it is
        with few entries.
    n_shuffles : int
        Behind every p-value.
    n_entries : int
        Buys under the configured rules, kill switch off.
    """

    skill_p_value: float
    log_loss_skill: float
    log_loss_skill_interval: Interval
    zero_cost_edge_p_value: float
    zero_cost_excess_return: float
    after_cost_edge_p_value: float
    after_cost_excess_return: float
    n_shuffles: int
    n_entries: int

    @property
    def has_skill(self) -> bool:
        """Whether predictive skill is announced."""
        return self.skill_p_value <= LEVEL

    @property
    def beats_base_rate(self) -> bool:
        """Whether the whole interval of the log-loss skill lies above zero."""
        return self.log_loss_skill_interval.lower > 0.0

    @property
    def has_zero_cost_edge(self) -> bool:
        """Whether an edge at zero cost is announced."""
        return self.zero_cost_edge_p_value <= LEVEL and self.zero_cost_excess_return > 0.0

    @property
    def has_after_cost_edge(self) -> bool:
        """Whether an edge after costs is announced."""
        return self.after_cost_edge_p_value <= LEVEL and self.after_cost_excess_return > 0.0

    def to_document(self) -> dict[str, float | int]:
        """Plain figures by name, the interval as ``…_lower`` and ``…_upper``."""
        interval = self.log_loss_skill_interval
        return {
            "skill_p_value": self.skill_p_value,
            "log_loss_skill": self.log_loss_skill,
            "log_loss_skill_lower": interval.lower,
            "log_loss_skill_upper": interval.upper,
            "zero_cost_edge_p_value": self.zero_cost_edge_p_value,
            "zero_cost_excess_return": self.zero_cost_excess_return,
            "after_cost_edge_p_value": self.after_cost_edge_p_value,
            "after_cost_excess_return": self.after_cost_excess_return,
            "n_shuffles": self.n_shuffles,
            "n_entries": self.n_entries,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, float | int]) -> Evidence:
        """Read what :meth:`to_document` wrote."""
        values = dict(document)
        interval = Interval(values.pop("log_loss_skill_lower"), values.pop("log_loss_skill_upper"))
        return cls(log_loss_skill_interval=interval, **values)  # type: ignore[arg-type]


def gather_evidence(
    bars: pd.DataFrame,
    oos: pd.DataFrame,
    config: BacktestConfig | None = None,
    *,
    n_shuffles: int = N_SHUFFLES,
    seed: int = SHUFFLE_SEED,
    evaluation: Evaluation | None = None,
    signals: Signals | None = None,
) -> Evidence:
    """Test both verdicts on stitched out-of-sample probabilities.

    Parameters
    ----------
    bars : pd.DataFrame
        Valid bars that hold every row's; those before the first and after the last row are not traded.
    oos : pd.DataFrame
        In order of time: ``probability`` and ``base_rate`` in (0, 1), ``outcome`` 0 or 1, ``fold``.
    config : BacktestConfig, optional
        Costs, thresholds and sizes; the defaults if omitted. The kill switch stays off.
    n_shuffles : int
        Behind every p-value.
    seed : int
        Of the shuffles.
    evaluation : Evaluation, optional
        Of ``oos``; made here if omitted.
    signals : Signals, optional
        Row by row what a strategy other than the configured thresholds asks for, for the edge after costs.

    Raises
    ------
    DataValidationError
        If bars or probabilities are invalid, or a row belongs to no bar.
    """
    config = config or BacktestConfig()
    if evaluation is None:
        from algo_pipeline.research.evaluate import evaluate

        evaluation = evaluate(oos)
    shuffles = draw_shuffles(oos["fold"].to_numpy(), n_shuffles, seed)
    widening = shuffle_widening(oos, shuffles)
    market = _signal_market(bars, oos, shuffles)
    rules, free_rules = _rules(config), _rules(replace(config, fee_bps=0.0, slippage_bps=0.0))
    base_rate = oos["base_rate"].to_numpy(dtype=np.float64)
    around_base = threshold_signals(oos, base_rate, base_rate, config.target_fraction)
    configured = signals or threshold_signals(
        oos, config.enter_threshold, config.exit_threshold, config.target_fraction
    )
    at_zero_cost = _edge(market, around_base, free_rules._replace(cooldown_bars=0), None, shuffles, widening)
    after_costs = _edge(market, configured, rules, free_rules, shuffles, widening)
    return Evidence(
        skill_p_value=signal_shuffle_p_value(oos, n_shuffles, seed),
        log_loss_skill=evaluation.oos.log_loss_skill,
        log_loss_skill_interval=evaluation.intervals["log_loss_skill"],
        zero_cost_edge_p_value=at_zero_cost.p_value,
        zero_cost_excess_return=at_zero_cost.excess_return,
        after_cost_edge_p_value=after_costs.p_value,
        after_cost_excess_return=after_costs.excess_return,
        n_shuffles=n_shuffles,
        n_entries=after_costs.n_entries,
    )


def threshold_signals(
    oos: pd.DataFrame, enter: float | FloatArray, exit_: float | FloatArray, fraction: float
) -> Signals:
    """LONG where the probability is at or above ``enter``, else FLAT at or below ``exit_``, else HOLD."""
    probability = oos["probability"].to_numpy(dtype=np.float64)
    unless_long = np.where(probability <= exit_, int(Signal.FLAT), int(Signal.HOLD))
    signals = np.where(probability >= enter, int(Signal.LONG), unless_long).astype(np.int64)
    return Signals(signals, np.full(len(signals), fraction))


@dataclass(frozen=True, slots=True)
class _Edge:
    p_value: float
    excess_return: float
    n_entries: int


def _edge(
    market: SignalMarket,
    signals: Signals,
    rules: KernelRules,
    free_rules: KernelRules | None,
    shuffles: Shuffles,
    widening: float,
) -> _Edge:
    """Test the signals at their own hours under ``rules`` against shuffled ones under ``free_rules``."""
    own = timing_of(market, signals, rules)
    if own.n_entries == 0:
        return _Edge(1.0, 0.0, 0)
    shuffled = timings_of_shuffles(market, signals, free_rules or rules, shuffles.shifts)
    excess = _BARS_PER_YEAR * (own.mean_excess - float(shuffled[:, _MEAN].mean()))
    is_enough = own.n_entries >= MINIMUM_ENTRIES
    p_value = share_at_least(shuffled[:, _T], own.t_value, widening) if is_enough else 1.0
    return _Edge(p_value, excess, own.n_entries)


def _signal_market(bars: pd.DataFrame, oos: pd.DataFrame, shuffles: Shuffles) -> SignalMarket:
    traded = bars.loc[oos.index[0] : oos.index[-1]]
    market = one_symbol_market(traded, oos["probability"])
    places = np.flatnonzero(~np.isnan(market.probabilities[0]))
    return SignalMarket.of(market.opens[0], market.closes[0], places, shuffles.edges)


def _rules(config: BacktestConfig) -> KernelRules:
    return KernelRules.from_config(config)._replace(max_drawdown=math.inf)
