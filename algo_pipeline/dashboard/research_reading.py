"""What research has left for the live account: champions, why they trade, and how their backtests went."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import CorruptFileError
from algo_pipeline.common.storage import read_json
from algo_pipeline.common.time import to_utc
from algo_pipeline.common.types import Symbol
from algo_pipeline.dashboard.file_cache import FileCache
from algo_pipeline.dashboard.view import ChampionView
from algo_pipeline.registry.bundle import BundleStore
from algo_pipeline.registry.ledger import PromotionLedger

_RESEARCH = "Run `algo-pipeline research`: it makes all of it again."


class ResearchFiles:
    """Reads bundles, promotion ledger and backtests under an artifacts folder, again when they change.

    Every method raises an ``AlgoPipelineError`` for a file that can't be read.
    """

    def __init__(self, artifacts_dir: Path) -> None:
        self._bundles, self._ledger = BundleStore(artifacts_dir), PromotionLedger(artifacts_dir)
        self._backtests = artifacts_dir / "backtest"
        self._cache = FileCache()

    def report_path(self, symbol: Symbol) -> Path:
        """Where the page of a symbol's backtest is, or would be."""
        return self._backtests / symbol.slug / "report.html"

    def curve_path(self, symbol: Symbol) -> Path:
        """Where its equity curve is, or would be."""
        return self._backtests / symbol.slug / "equity_curve.csv"

    def champion(self, symbol: Symbol, now: pd.Timestamp) -> ChampionView:
        """The deployed model as far as its own file tells; its age is at ``now``."""
        bundle = self._cache.get(self._bundles.path(symbol), "bundle", lambda: self._bundles.load(symbol))
        has_report = self.report_path(symbol).is_file()
        if bundle is None:
            return ChampionView(str(symbol), has_report=has_report)
        end = to_utc(bundle.training_end)
        has_thresholds = bundle.strategy is None
        return ChampionView(
            symbol=str(symbol),
            recipe=bundle.recipe,
            recipe_hash=bundle.recipe_hash,
            label=bundle.label,
            version=bundle.model_version,
            source=bundle.source,
            trading=bundle.trading.value,
            training_end=end,
            age_days=max(0, (now - end).days),
            enter_threshold=bundle.enter_threshold if has_thresholds else None,
            exit_threshold=bundle.exit_threshold if has_thresholds else None,
            has_report=has_report,
        )

    def gate_reason(self, symbol: Symbol, version: str) -> str:
        """Why this version was deployed, as the ledger has it; empty if it does not say."""
        lines = self._cache.get(self._ledger.path, "lines", self._ledger.lines)
        said = [
            str(line["reason"])
            for line in lines
            if (line["symbol"], line["to_version"]) == (str(symbol), version) and "reason" in line
        ]
        return said[-1] if said else ""

    def report(self, symbol: Symbol) -> Mapping[str, Any]:
        """The document of a symbol's last backtest; empty if there is none."""
        path = self._backtests / symbol.slug / "report.json"
        return self._cache.get(path, "report", lambda: _report(path))

    def curve(self, symbol: Symbol) -> pd.Series[float] | None:
        """Equity at close of a symbol's last backtest by the bar's open time; None if there is none."""
        path = self.curve_path(symbol)
        return self._cache.get(path, "curve", lambda: _curve(path))


def _report(path: Path) -> Mapping[str, Any]:
    if not path.exists():
        return {}
    document = read_json(path)
    if not isinstance(document, dict) or not isinstance(document.get("verdict"), str):
        raise CorruptFileError(f"{path} is not a backtest's report.", _RESEARCH)
    return document


def _curve(path: Path) -> pd.Series[float] | None:
    if not path.exists():
        return None
    try:
        frame = pd.read_csv(path, usecols=["timestamp", "equity"], dtype={"equity": "float64"}, engine="c")
        index = pd.DatetimeIndex(pd.to_datetime(frame["timestamp"], utc=True))
        curve = pd.Series(frame["equity"].to_numpy(), index=index)
    except (OSError, ValueError, KeyError) as error:
        raise CorruptFileError(f"{path} can't be read: {type(error).__name__}.", _RESEARCH) from error
    if not ((curve > 0) & np.isfinite(curve)).all() or not (index.is_monotonic_increasing and index.is_unique):
        raise CorruptFileError(f"{path} is not an equity curve: it must be positive and in order of time.", _RESEARCH)
    return curve
