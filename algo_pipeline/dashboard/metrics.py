"""The dashboard's figures for Prometheus: made anew for every scrape, from the same view as the page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pandas as pd
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from algo_pipeline.dashboard.view import View

PREFIX = "algo_pipeline"
_PACKAGE = "algo-pipeline"


def render_metrics(view: View, accept: str = "") -> tuple[str, bytes]:
    """Content type and text of the metrics, in the form that the scraper accepts."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_ViewCollector(view))
    encode, content_type = choose_encoder(accept)
    return content_type, encode(registry)


class _ViewCollector(Collector):
    """The metrics of one view; what is not known yet is left out."""

    def __init__(self, view: View) -> None:
        self._view = view

    def describe(self) -> Iterable[Metric]:
        """Nothing: a registry that asks would only compare names with those of other collectors."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All of them."""
        view = self._view
        yield InfoMetricFamily(f"{PREFIX}_build", "Version of the program.", value={"version": _version()})
        yield _gauge("journal_readable", "1 if the whole journal could be read.", view.is_journal_whole)
        yield from _clocks(view)
        yield from _counters(view)
        yield from _by_symbol(view)
        if view.status["as_of_bar"] is not None:
            yield from _account(view)


def _clocks(view: View) -> Iterator[Metric]:
    status = view.status
    yield _gauge("next_tick_timestamp_seconds", "When the schedule ticks next.", _seconds(status["next_tick"]))
    yield _gauge("overdue_hours", "Hours that nobody decided on and nobody can any more.", _hours(status["overdue"]))
    if view.last_decision_at is not None:
        at = _seconds(view.last_decision_at)
        yield _gauge("last_decision_timestamp_seconds", "When the newest decision was written.", at)


def _account(view: View) -> Iterator[Metric]:
    status, costs = view.status, view.costs
    yield _gauge("equity_usd", "Equity at the close of the newest marked bar.", status["equity"])
    yield _gauge("peak_usd", "Highest equity so far.", status["peak"])
    yield _gauge("cash_usd", "Cash that the account should hold.", float(status["cash"]))
    yield _gauge("drawdown_ratio", "Fall of equity from its peak.", status["drawdown"])
    limit = status["kill_switch"]["max_drawdown"]
    yield _gauge("drawdown_limit_ratio", "Drawdown at which the kill switch latches.", limit)
    yield _gauge("return_ratio", "Return since the first mark, without deposits.", view.equity.total_return)
    yield _gauge("last_bar_timestamp_seconds", "Open of the newest marked bar.", _seconds(status["as_of_bar"]))
    if costs.slippage.mean_bps is not None:
        yield _gauge("slippage_bps", "Mean slippage of all fills, by notional.", costs.slippage.mean_bps)
    if costs.fees.mean_bps is not None:
        yield _gauge("fees_bps", "Mean fee of all reconciled fills, by notional.", costs.fees.mean_bps)


def _counters(view: View) -> Iterator[Metric]:
    status, latched = view.status, view.status["kill_switch"]["latched_at"] is not None
    yield _gauge("kill_switch_latched", "1 if the kill switch latched.", latched)
    yield _gauge("halted", "1 if a person halted trading.", status["halted"] is not None)
    yield _gauge("stopped", "1 if a difference of the account stopped trading.", status["stopped"] is not None)
    yield _gauge("open_intents", "Orders whose outcome is not known.", len(status["open_intents"]))
    yield _count("decisions", "Decisions since the start.", view.n_decisions)
    yield _count("missed_hours", "Hours without a decision, as journalled.", status["session"]["missed_hours"])
    yield _count("skipped_hours", "Hours that came too late.", status["session"]["skipped_hours"])
    orders = {outcome.value: n for outcome, n in view.outcomes.items()}
    yield _counter("orders", "Orders by how they ended.", orders, "outcome")
    alerts = {severity.value: n for severity, n in view.alert_counts().items()}
    yield _counter("alerts", "Alerts so far.", alerts, "severity")


def _by_symbol(view: View) -> Iterator[Metric]:
    status = view.status
    held = {row["symbol"]: float(row["quantity"]) for row in status["positions"]}
    quantities = {champion.symbol: 0.0 for champion in view.champions} | held
    values = {row["symbol"]: row["value_usd"] for row in status["positions"] if row["value_usd"] is not None}
    watches = {watch["symbol"]: watch for watch in status["watch"]}
    evidence = {symbol: watch["evidence"] for symbol, watch in watches.items() if watch["evidence"] is not None}
    alarms = {symbol: float(watch["alarm"] is not None) for symbol, watch in watches.items()}
    trading = {champion.symbol: float(champion.trading == "on") for champion in view.champions}
    ends = {each.symbol: _seconds(each.training_end) for each in view.champions if each.training_end is not None}
    yield _per_symbol("position_quantity", "Coin held.", quantities)
    yield _per_symbol("position_value_usd", "Coin held, at its last close.", values)
    yield _per_symbol("watch_evidence_ratio", "Evidence against the probabilities, as odds.", evidence)
    yield _per_symbol("watch_alarm", "1 while an alarm of the watch is in force.", alarms)
    yield _per_symbol("champion_trading", "1 if the deployed model may buy.", trading)
    yield _per_symbol("champion_training_end_timestamp_seconds", "Close of the last bar it learnt from.", ends)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}_{name}", text, value=float(value))


def _per_symbol(name: str, text: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=("symbol",))
    for symbol, value in values.items():
        family.add_metric((symbol,), value)
    return family


def _counter(name: str, text: str, values: Mapping[str, int], label: str) -> Metric:
    family = CounterMetricFamily(f"{PREFIX}_{name}", text, labels=(label,))
    for key, value in values.items():
        family.add_metric((key,), value)
    return family


def _count(name: str, text: str, value: int) -> Metric:
    return CounterMetricFamily(f"{PREFIX}_{name}", text, value=value)


def _seconds(at: pd.Timestamp) -> float:
    return float(at.timestamp())


def _hours(overdue: Mapping[str, Any] | None) -> float:
    return 0.0 if overdue is None else float(overdue["hours"])


def _version() -> str:
    try:
        return version(_PACKAGE)
    except PackageNotFoundError:  # a source tree that was never installed
        return "unknown"
