"""The research path as replaceable functions, so that a leak can take the place of exactly one of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from algo_pipeline.backtest.engine import run_backtest
from algo_pipeline.backtest.leakage import Trade, judge_rules, judge_trades
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.data.causality import Build
from algo_pipeline.data.features import build_features
from algo_pipeline.data.labels import LabelSpec, build_labels
from algo_pipeline.research.dataset import Dataset, build_dataset
from algo_pipeline.research.leakage import Code, Finding, ResearchRun, judge_research
from algo_pipeline.research.leakage_of_fits import FitCalibrators, FitModels
from algo_pipeline.research.recipe import Recipe
from algo_pipeline.research.splits import SplitPlan, SplitRule, walk_forward
from algo_pipeline.research.train import fit_calibrators, fit_models, stitch_probabilities

RULES = BacktestConfig(enter_threshold=0.52, exit_threshold=0.48, max_drawdown=1e9)


def trade_by(config: BacktestConfig) -> Trade:
    """Backtests under these rules, on the bars that have a probability."""

    def trade(bars: pd.DataFrame, oos: pd.DataFrame) -> pd.DataFrame:
        window = bars.loc[oos.index[0] : oos.index[-1]]
        return run_backtest(window, oos["probability"], config).curve

    return trade


def _unchanged(features: pd.DataFrame) -> pd.DataFrame:
    return features


@dataclass(frozen=True)
class Stages:
    """What each step of a run is done by; the defaults are the pipeline's own functions."""

    build_features: Build = build_features
    store_features: Callable[[pd.DataFrame], pd.DataFrame] = _unchanged
    build_labels: Build = build_labels
    build_dataset: Callable[[pd.DataFrame, pd.DataFrame, LabelSpec], Dataset] = build_dataset
    walk_forward: Callable[[int, LabelSpec, SplitRule], SplitPlan] = walk_forward
    fit_models: FitModels = fit_models
    fit_calibrators: FitCalibrators = fit_calibrators
    stitch: Callable[..., pd.DataFrame] = stitch_probabilities
    trade: Trade = dataclasses.field(default_factory=lambda: trade_by(RULES))

    @property
    def code(self) -> Code:
        """Those that predicates call again."""
        return Code(self.build_features, self.fit_models, self.fit_calibrators)


@dataclass(frozen=True)
class Run:
    """A research run and the curve that came of it."""

    research: ResearchRun
    curve: pd.DataFrame


def run(bars: pd.DataFrame, recipe: Recipe, stages: Stages) -> Run:
    """Take bars to a curve."""
    features, labels = stages.store_features(stages.build_features(bars)), stages.build_labels(bars)
    dataset = stages.build_dataset(features, labels, recipe.label_spec)
    plan = stages.walk_forward(len(dataset), dataset.label, recipe.split)
    models = stages.fit_models(dataset, plan, recipe)
    calibrated = stages.fit_calibrators(dataset, plan, recipe, models)
    oos = stages.stitch(dataset, plan, calibrated)
    made = ResearchRun(bars, features, labels, dataset, recipe, plan, models, calibrated, oos)
    return Run(made, stages.trade(bars, oos))


def findings(done: Run, stages: Stages) -> tuple[Finding, ...]:
    """Judge every claim; a predicate that computes something again does it with the stages' own functions."""
    bars, oos = done.research.bars, done.research.oos
    return (
        *judge_research(done.research, stages.code),
        judge_rules(trade_by(RULES), bars, oos, done.curve),
        judge_trades(stages.trade, bars, oos, done.curve),
    )


def alarms(bars: pd.DataFrame, recipe: Recipe, stages: Stages | None = None) -> tuple[Finding, ...]:
    """The claims that do not hold of a run."""
    stages = stages or Stages()
    return tuple(finding for finding in findings(run(bars, recipe, stages), stages) if not finding.holds)
