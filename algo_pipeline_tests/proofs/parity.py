"""Live equals backtest: hours after a bundle's training, through the live path, against the account backtest.

The live path runs with the real ccxt and alpaca-py clients over HTTP against a sandbox in a process of its own; the
backtest with the same bundle over the same bars.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from algo_pipeline.backtest.conditions import market_conditions
from algo_pipeline.backtest.engine import AccountResult, run_account_backtest
from algo_pipeline.common.config import PREFIX, load_settings
from algo_pipeline.common.time import BAR, to_utc
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.features import build_features
from algo_pipeline.defs.replay import Replay, replay
from algo_pipeline.interfaces.strategy import StrategyInterface
from algo_pipeline.live.events import Event
from algo_pipeline.live.journal import Journal
from algo_pipeline.live.lines import JournalLine
from algo_pipeline.registry.bundle import BundleStore, ChampionBundle
from algo_pipeline.registry.deployment import bundle_estimator
from algo_pipeline.strategy.catalog import strategy_document
from algo_pipeline.strategy.cost_aware import CostAwareStrategy
from algo_pipeline_tests.proofs.sandbox_process import read_bars, sandbox_process

LIVE = BacktestConfig(fee_in_base=True, cash_buffer_bps=50.0)
_URLS = ("alpaca_trading_url", "alpaca_data_url", "binance_url", "coingecko_url")


@dataclass(frozen=True)
class Scenario:
    """One replay: which symbols, under which rules; without a strategy, by the bundles' thresholds."""

    name: str
    symbols: tuple[Symbol, ...]
    rules: BacktestConfig
    least_fills: int = 0
    strategy: StrategyInterface | None = None


@dataclass(frozen=True)
class Verdict:
    """How far live and backtest agree."""

    scenario: Scenario
    hours: int
    fills: int
    probabilities_differ: int
    fills_differ: int
    buys_differ: int
    largest_sell_difference: float
    largest_equity_difference_usd: float
    kill_switch_agrees: bool
    killed_at: pd.Timestamp | None
    ms_per_hour: float

    @property
    def holds(self) -> bool:
        """Whether every figure is what the promise says."""
        exact = self.probabilities_differ == self.fills_differ == self.buys_differ == 0
        close = self.largest_equity_difference_usd < 0.01 and self.largest_sell_difference < 1e-12
        return exact and close and self.kill_switch_agrees and self.fills >= self.scenario.least_fills


def scenarios(symbols: Sequence[Symbol]) -> tuple[Scenario, ...]:
    """One symbol and all; default rules, none that stops trading, cash that binds, and a strategy that counts costs."""
    first, every = (symbols[0],), tuple(symbols)
    on = replace(LIVE, max_drawdown=1.0)
    binding = replace(on, position_fraction=0.6, max_position_fraction=0.6)
    cheap = replace(on, fee_bps=1.0, slippage_bps=0.5)
    return (
        Scenario(f"{first[0]}, defaults", first, LIVE),
        Scenario(f"{first[0]}, no kill switch", first, on, least_fills=300),
        Scenario(f"{len(every)} symbols, defaults", every, LIVE),
        Scenario(f"{len(every)} symbols, no kill switch", every, on, least_fills=300),
        Scenario(f"{len(every)} symbols, cash binds", every, binding, least_fills=300),
        Scenario(f"{len(every)} symbols, cost-aware at 3 bps", every, cheap, 300, CostAwareStrategy(horizon_bars=1)),
    )


def train(files: Mapping[Symbol, Path], until: pd.Timestamp, folder: Path) -> None:
    """Deploy a bundle of every symbol by ``research --until`` with the promotion policy ``always``."""
    environment = {
        **os.environ,
        f"{PREFIX}ARTIFACTS_DIR": str(folder),
        f"{PREFIX}MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlruns/mlflow.db",
        f"{PREFIX}PROMOTION_POLICY": "always",
        f"{PREFIX}CHALLENGER": "false",
    }
    program = str(Path(sys.executable).with_name("algo-pipeline"))
    for symbol, path in files.items():
        command = (program, "research", "--path", str(path), "--symbol", str(symbol), "--until", until.isoformat())
        subprocess.run(command, env=environment, check=True, capture_output=True)


def prove(scenario: Scenario, files: Mapping[Symbol, Path], trained: Path, hours: int, folder: Path) -> Verdict:
    """Replay ``hours`` after the training end and compare with the account backtest."""
    files = {symbol: files[symbol] for symbol in scenario.symbols}
    _deploy(scenario, trained, folder)
    first = max(to_utc(_bundle(trained, symbol).training_end) for symbol in scenario.symbols)
    last = first + (hours - 1) * BAR
    live = _replayed(scenario, files, first, last, folder)
    lines = Journal(folder / "live").read()
    return _compared(scenario, lines, *_backtest(scenario, files, trained, first, last), live)


def _deploy(scenario: Scenario, trained: Path, folder: Path) -> None:
    """The trained bundles, with the scenario's strategy."""
    shutil.copytree(trained / "live" / "champion", folder / "live" / "champion")
    if scenario.strategy is not None:
        for symbol in scenario.symbols:
            made = replace(_bundle(trained, symbol), strategy=strategy_document(scenario.strategy))
            BundleStore(folder).deploy(made)


def _replayed(
    scenario: Scenario, files: Mapping[Symbol, Path], first: pd.Timestamp, last: pd.Timestamp, folder: Path
) -> Replay:
    rules = {name: getattr(scenario.rules, name) for name in BacktestConfig.__dataclass_fields__}
    with sandbox_process(files, first + BAR, scenario.rules) as url:
        settings = load_settings(
            None,
            **dict.fromkeys(_URLS, url),
            **rules,
            artifacts_dir=folder,
            symbols=",".join(map(str, scenario.symbols)),
            live_bars_source="binance",
            drift_abstention=False,  # a backtest does not abstain
        )
        return replay(settings, first, last)


def _backtest(
    scenario: Scenario, files: Mapping[Symbol, Path], trained: Path, first: pd.Timestamp, last: pd.Timestamp
) -> tuple[dict[Symbol, pd.Series], AccountResult]:
    bars, probability, conditions = {}, {}, {}
    for symbol in scenario.symbols:
        whole, bundle = read_bars(files[symbol]), _bundle(trained, symbol)
        values = bundle_estimator(bundle).probability(build_features(whole))
        probability[symbol] = pd.Series(values, index=whole.index).loc[first:last]
        conditions[symbol] = market_conditions(whole, 0.5 if bundle.base_rate is None else bundle.base_rate)
        bars[symbol] = whole.loc[first:last]
    return probability, run_account_backtest(
        bars, probability, scenario.rules, strategy=scenario.strategy, conditions_by_symbol=conditions
    )


def _compared(
    scenario: Scenario,
    lines: Sequence[JournalLine],
    probability: Mapping[Symbol, pd.Series],
    backtest: AccountResult,
    live: Replay,
) -> Verdict:
    decisions = [line for line in lines if line.event is Event.DECISION]
    differ = sum(line.prob != probability[line.symbol][line.timestamp] for line in decisions if line.symbol is not None)
    marks = pd.Series({line.timestamp: line.details["equity"] for line in lines if line.event is Event.MARK})
    known = backtest.fills[backtest.fills["timestamp"] <= marks.index[-1]]
    filled = [line for line in lines if line.event is Event.RESULT and _bar(line) <= marks.index[-1]]
    mine = sorted((_bar(line), str(line.symbol), line.details["side"], _quantity(line)) for line in filled)
    theirs = sorted(zip(known["timestamp"], known["symbol"].map(str), known["side"], known["quantity"], strict=True))
    pairs = list(zip(mine, theirs, strict=False))
    buys = sum(a[3] != b[3] for a, b in pairs if b[2] == "buy")
    sells = [abs(a[3] / b[3] - 1.0) for a, b in pairs if b[2] == "sell"]
    killed = next((line.timestamp for line in lines if line.event is Event.KILL_SWITCH), None)
    return Verdict(
        scenario=scenario,
        hours=live.hours,
        fills=len(mine),
        probabilities_differ=int(differ) + abs(len(decisions) - live.hours * len(scenario.symbols)),
        fills_differ=sum(a[:3] != b[:3] for a, b in pairs) + abs(len(mine) - len(theirs)),
        buys_differ=int(buys),
        largest_sell_difference=max(sells, default=0.0),
        largest_equity_difference_usd=float(np.abs(marks - backtest.equity).max()),
        kill_switch_agrees=killed == backtest.kill_switch_at,
        killed_at=killed,
        ms_per_hour=live.seconds / live.hours * 1e3,
    )


def _bar(line: JournalLine) -> pd.Timestamp:
    return to_utc(line.details["filled_bar"])


def _quantity(line: JournalLine) -> float:
    return float(line.details["filled_quantity"])


def _bundle(folder: Path, symbol: Symbol) -> ChampionBundle:
    bundle = BundleStore(folder).load(symbol)
    assert bundle is not None
    return bundle


def as_rows(verdicts: Sequence[Verdict]) -> list[dict[str, object]]:
    """The verdicts for a table."""
    return [
        {
            "scenario": each.scenario.name,
            "hours": each.hours,
            "fills": each.fills,
            "probabilities differing": each.probabilities_differ,
            "fills differing": each.fills_differ,
            "buys differing": each.buys_differ,
            "sells, largest relative": f"{each.largest_sell_difference:.1e}",
            "equity, largest USD": f"{each.largest_equity_difference_usd:.1e}",
            "kill switch": f"{'agrees' if each.kill_switch_agrees else 'DIFFERS'} ({each.killed_at or 'never'})",
            "ms an hour": f"{each.ms_per_hour:.1f}",
            "holds": each.holds,
        }
        for each in verdicts
    ]


def summary(verdicts: Sequence[Verdict]) -> str:
    """The verdicts as JSON lines."""
    return "\n".join(json.dumps(row) for row in as_rows(verdicts))
