"""``python -m benchmarks.strategies``: fixed thresholds beside the cost-aware strategy, by the same statistics.

Both trade the same walk-forward probabilities under the same caps, kill switch off. Nothing is tuned: both run with
their defaults. The p-value is that of an edge after costs, by signal shuffling; "–" where nothing was traded.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from algo_pipeline.backtest.evidence import gather_evidence
from algo_pipeline.backtest.performance_intervals import performance_intervals
from algo_pipeline.backtest.strategy_signals import strategy_signals
from algo_pipeline.backtest.variants import run_variants
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.data.labels import LABELS
from algo_pipeline.interfaces.strategy import StrategyInterface
from algo_pipeline.research.evaluate import Evaluation
from algo_pipeline.research.pipeline import run_research
from algo_pipeline.research.statistics import Interval
from algo_pipeline.research.train import Recipe
from algo_pipeline.strategy.cost_aware import CostAwareStrategy
from algo_pipeline.strategy.signal_to_trade import ThresholdStrategy
from benchmarks.markets import read_bars, real_bars_dir

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
HORIZONS = {spec.name: spec.horizon_bars for spec in LABELS if spec.is_binary}
COSTS = {"60 bps": (25.0, 5.0), "20 bps": (5.0, 5.0), "none": (0.0, 0.0)}
"""Fee and slippage of a side in bps, by what a round trip costs."""
_HEADER = ("symbol", "label", "round trip", "strategy", "return", "Sharpe (95 %)", "trades", "invested", "p")


@dataclass(frozen=True)
class Outcome:
    """How one strategy did on one symbol's probabilities at one cost."""

    symbol: str
    label: str
    cost: str
    strategy: str
    total_return: float
    sharpe: float
    interval: Interval
    n_trades: int
    exposure: float
    p_value: float

    def cells(self) -> tuple[str, ...]:
        """The outcome in the columns of the table."""
        sharpe = p_value = "–"
        if self.n_trades > 0:
            sharpe = f"{self.sharpe:.2f} ({self.interval.lower:.2f} to {self.interval.upper:.2f})"
            p_value = f"{self.p_value:.3f}"
        name = self.symbol.removesuffix("USDT")
        traded = (f"{self.total_return:.1%}", sharpe, f"{self.n_trades:,}", f"{self.exposure:.0%}", p_value)
        return (name, self.label, self.cost, self.strategy, *traded)


def outcomes(symbol: str, bars: pd.DataFrame, label: str) -> Iterator[Outcome]:
    """Both strategies at every cost."""
    research = run_research(bars, dataclasses.replace(Recipe(), label=label), n_resamples=2)
    for cost, (fee, slippage) in COSTS.items():
        config = BacktestConfig(fee_bps=fee, slippage_bps=slippage)
        for strategy in (ThresholdStrategy(), CostAwareStrategy(HORIZONS[label])):
            yield _outcome(symbol, label, cost, bars, research.oos, research.evaluation, config, strategy)


def _outcome(
    symbol: str,
    label: str,
    cost: str,
    bars: pd.DataFrame,
    oos: pd.DataFrame,
    evaluation: Evaluation,
    config: BacktestConfig,
    strategy: StrategyInterface,
) -> Outcome:
    runs = run_variants(bars, oos["probability"], config, strategy=strategy, base_rate=oos["base_rate"])
    signals = strategy_signals(bars, oos, config, strategy)
    evidence = gather_evidence(bars, oos, config, evaluation=evaluation, signals=signals)
    metrics = runs.strategy.metrics
    return Outcome(
        symbol=symbol,
        label=label,
        cost=cost,
        strategy=strategy.name,
        total_return=metrics["total_return"],
        sharpe=metrics["sharpe"],
        interval=performance_intervals(runs.strategy)["sharpe"],
        n_trades=int(metrics["n_trades"]),
        exposure=metrics["exposure"],
        p_value=evidence.after_cost_edge_p_value,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table in Markdown, a line as soon as it is known."""
    options = _parser().parse_args(arguments)
    print(f"| {' | '.join(_HEADER)} |\n|{'---|' * len(_HEADER)}")
    for symbol in options.symbols:
        bars = read_bars(real_bars_dir() / f"{symbol}_1h.parquet")
        for label in options.labels:
            for outcome in outcomes(symbol, bars, label):
                print(f"| {' | '.join(outcome.cells())} |", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.strategies", description=__doc__.splitlines()[0])
    parser.add_argument("--symbols", nargs="+", default=SYMBOLS, help=f"of {', '.join(SYMBOLS)}")
    parser.add_argument("--labels", nargs="+", default=[*HORIZONS], choices=[*HORIZONS], help="labels to learn")
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])
