"""Where each asset rests and where it is explained: what its page in the web UI says below its description."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import dagster as dg

STAGES = MappingProxyType(
    {
        "market_data": 1,
        "features": 2,
        "dataset": 3,
        "training": 4,
        "comparison": 5,
        "backtesting": 6,
        "promotion": 7,
        "live": 8,
    }
)
"""The groups in the order of the work: the web UI lists them by name."""

_CADENCE = MappingProxyType({"market_data": "daily", "live": "hourly", "comparison": "on-demand"})


@dataclass(frozen=True, slots=True)
class Home:
    """Where an asset rests below the artifacts folder, and the page of the documentation that tells of it."""

    path: str
    page: str

    def markdown(self) -> str:
        """Two lines for people."""
        return f"**Stored** under the artifacts folder as `{self.path}`\n\n**Explained** in `docs/{self.page}`"


def _derived(name: str, extension: str, page: str) -> Home:
    return Home(f"research/<source>/{name}/<symbol>.{extension}", page)


HOMES: Mapping[str, Home] = MappingProxyType(
    {
        "raw_ohlcv": Home("data/<source>/<symbol>/bars.parquet", "data.md"),
        "features": _derived("features", "parquet", "features.md"),
        "labels": _derived("labels", "parquet", "features.md"),
        "dataset": _derived("dataset", "parquet", "research.md"),
        "splits": _derived("splits", "json", "research.md"),
        "model": _derived("model", "skops", "research.md"),
        "calibrator": _derived("calibrator", "skops", "research.md"),
        "oos_probabilities": _derived("oos_probabilities", "parquet", "research.md"),
        "evaluation": _derived("evaluation", "json", "statistics.md"),
        "registered_model": Home("reports/<symbol>/metrics.md", "research.md"),
        "challenger": _derived("challenger", "parquet", "research.md"),
        "leaderboard": _derived("leaderboard", "json", "research.md"),
        "searched_recipe": _derived("searched_recipe", "json", "research.md"),
        "backtest_report": Home("backtest/<symbol>/report.html", "backtest.md"),
        "promotion": Home("registry/promotions.jsonl", "research.md"),
        "live_decision": Home("live/decisions.jsonl", "live.md"),
        "paper_order": Home("live/decisions.jsonl", "live.md"),
    }
)


def with_home(spec: dg.AssetSpec) -> dg.AssetSpec:
    """The spec with its home below the description, and tags by which the web UI can select.

    ``domain`` is research or trading, ``stage`` the place in the order of the work, ``cadence`` how often it is made.
    """
    group, home = str(spec.group_name), HOMES.get(spec.key.to_user_string())
    tags = {
        "domain": "trading" if group == "live" else "research",
        "stage": f"{STAGES.get(group, 0)}-{group}",
        "cadence": _CADENCE.get(group, "weekly"),
    }
    told = spec.description if home is None else f"{spec.description}\n\n{home.markdown()}"
    return spec.replace_attributes(description=told, tags={**spec.tags, **tags})
