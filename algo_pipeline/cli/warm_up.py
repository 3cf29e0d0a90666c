"""Compile every kernel once, so that the first run does not wait for it: ``python -m algo_pipeline.cli.warm_up``.

Numba keeps what it compiled on disk, beside the sources; a later start loads it in milliseconds. So does Python with
the modules of large packages, which every hourly run imports in a process of its own: installers need not compile
them, and a machine may be told to write no compiled modules (``PYTHONDONTWRITEBYTECODE``).
"""

from __future__ import annotations

import dataclasses
import importlib
import sys

import pandas as pd

from algo_pipeline.common.types import Symbol

_HOURS = 3_000
_IMPORTED_BY_EVERY_RUN = (
    "algo_pipeline.definitions",
    "algo_pipeline.defs.live_session",
    "algo_pipeline.defs.registration",
    "alpaca.trading.client",
    "ccxt",
    "dagster_webserver.cli",
    "mlflow.server",
    "skops.io",
)


def compile_modules() -> None:
    """Import what every run and every service imports, and keep the compiled modules."""
    sys.dont_write_bytecode = False
    for name in _IMPORTED_BY_EVERY_RUN:
        importlib.import_module(name)


def main() -> None:
    """Run the whole pure research path and its backtests on a small simulated market."""
    from algo_pipeline.backtest.evidence import gather_evidence
    from algo_pipeline.backtest.performance_intervals import performance_intervals
    from algo_pipeline.backtest.variants import run_variants
    from algo_pipeline.common.trading_rules import BacktestConfig
    from algo_pipeline.data.simulation import simulate_bars
    from algo_pipeline.interfaces.strategy import Outlook
    from algo_pipeline.research.pipeline import run_research
    from algo_pipeline.research.promotion import Candidate, judge
    from algo_pipeline.research.splits import SplitRule
    from algo_pipeline.research.train import Recipe
    from algo_pipeline.strategy.cost_aware import CostAwareStrategy

    start = pd.Timestamp("2020-01-01T00:00Z")
    bars = simulate_bars(Symbol("BTC", "USD"), start, start + pd.Timedelta(hours=_HOURS), seed=0, signal_strength=0.3)
    recipe = dataclasses.replace(Recipe(), split=SplitRule(n_folds=2))
    result = run_research(bars, recipe, n_resamples=2)
    performance_intervals(run_variants(bars, result.oos["probability"], BacktestConfig()).strategy, n_resamples=2)
    run_variants(bars, result.oos["probability"], BacktestConfig(), strategy=CostAwareStrategy(horizon_bars=1))
    CostAwareStrategy(horizon_bars=1).explain(Outlook(0.6, volatility=0.01), round_trip_cost=0.006)
    gather_evidence(bars, result.oos, n_shuffles=1, evaluation=result.evaluation)
    judge(Candidate(recipe.hash, result.oos), None)


if __name__ == "__main__":
    sys.stderr.write("Compiling kernels (first time only) …\n")
    compile_modules()
    main()
