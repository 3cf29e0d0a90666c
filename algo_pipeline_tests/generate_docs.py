"""Write the tables of the documentation that follow from the code: features, labels, settings, claims, leaks, commands.

``python -m algo_pipeline_tests.generate_docs`` rewrites them between their markers; a test holds the files to them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from algo_pipeline.common.config import OWN_OR, PREFIX, Settings
from algo_pipeline.data.feature_registry import FEATURES
from algo_pipeline.data.labels import LABELS, LabelKind, LabelSpec
from algo_pipeline.research.claims import CLAIMS
from algo_pipeline_tests import command_reference
from algo_pipeline_tests.research.leaks.catalogue import LEAKS

DOCS = Path(__file__).parents[1] / "docs"

SETTING_GROUPS: Mapping[str, tuple[str, ...]] = {
    "data": (
        *("symbols", "data_source", "data_path", "history_start"),
        *("simulated_seed", "simulated_signal_strength", "simulated_years"),
    ),
    "research": (
        *("features", "label", "model", "calibrator", "model_parameters", "sample_weight", "challenger"),
        "former_classes",
        *("n_folds", "rolling_window_bars", "promotion_policy"),
    ),
    "trading-rules": (
        *("strategy", "strategy_parameters", "enter_threshold", "exit_threshold", "edge_multiple", "kelly_fraction"),
        *("initial_cash", "position_fraction", "max_position_fraction"),
        *("max_drawdown", "cooldown_bars", "fee_bps", "slippage_bps", "fee_in_base", "quantity_step"),
        *("min_notional", "cash_buffer_bps"),
    ),
    "places": (
        *("artifacts_dir", "data_dir", "mlflow_tracking_uri", "log_level"),
        *("dagster_port", "mlflow_port", "dashboard_port"),
    ),
    "venues": (
        *("binance_url", "alpaca_data_url", "coingecko_url", "alpaca_trading_url"),
        *("alpaca_api_key", "alpaca_secret_key"),
    ),
    "live": (
        *("live_bars_source", "max_decision_delay", "max_orders_per_day", "price_band_bps", "price_check_bps"),
        "drift_abstention",
        *("alert_urls", "sandbox_port"),
    ),
}

ALLOWED: Mapping[str, str] = {
    "symbols": "`BASE/QUOTE`, each once",
    "history_start": "a time, ISO 8601",
    "features": "`standard`, `module:Class`, each once",
    **{name: ", ".join(f"`{each}`" for each in (*known, "module:Class")) for name, known in OWN_OR.items()},
    "former_classes": "`module:Class`, separated by commas",
    "model_parameters": "a JSON object; names and types as the model's own",
    "strategy_parameters": "a JSON object; what its constructor takes",
    "mlflow_tracking_uri": "`sqlite:///FILE`, `postgresql+psycopg2://…` or a server's URL",
    "binance_url": "a root URL",
    "coingecko_url": "a root URL",
    "alpaca_data_url": "Alpaca's data host or loopback",
    "alpaca_trading_url": "Alpaca's paper host or loopback",
    "initial_cash": "> 0",
    "enter_threshold": "exit threshold to 1",
    "exit_threshold": "0 to enter threshold",
    "position_fraction": "≥ 0; above the cap it is clamped",
    "max_position_fraction": "> 0, ≤ 1",
    "max_drawdown": "> 0; 1 or more switches it off",
    "cooldown_bars": "whole number ≥ 0",
    "fee_bps": "≥ 0, < 10000",
    "slippage_bps": "≥ 0, < 10000",
    "quantity_step": "1, 0.1, … 10⁻¹²",
    "min_notional": "≥ 0",
    "cash_buffer_bps": "≥ 0, or unset",
}
"""What a setting accepts where its field does not say so; the trading rules are enforced by ``BacktestConfig``."""

_LABEL_FORMULAS: Mapping[LabelKind, str] = {
    LabelKind.RETURN: "`open[t+{end}] / open[t+1] − 1`",
    LabelKind.DIRECTION: "1 if `fwd_return_{h}h` > 0, else 0",
    LabelKind.TRIPLE_BARRIER: "1 if the upper barrier is touched before the lower within bars t+1 … t+{h}, else 0",
}


def features_table() -> str:
    """A row per feature, in the order of the columns."""
    rows = [
        (str(number), f"`{spec.name}`", spec.formula, spec.source, str(spec.window_bars), str(spec.warmup_bars))
        for number, spec in enumerate(FEATURES, start=1)
    ]
    return _table(("", "feature", "formula", "source", "window", "warm-up"), rows)


def labels_table() -> str:
    """A row per label, in the order of the columns."""
    return _table(("label", "value", "span", "can be trained"), map(_label_row, LABELS))


def settings_table(names: Iterable[str]) -> str:
    """A row per setting."""
    rows = [_setting_row(name, Settings.model_fields[name]) for name in names]
    return _table(("setting", "default", "allowed", "meaning"), rows)


def claims_table() -> str:
    """A row per claim that is checked on every materialization, in the order of the graph."""
    return _table(
        ("asset", "check", "what holds"), [(f"`{each.asset}`", f"`{each.name}`", each.statement) for each in CLAIMS]
    )


def leaks_table() -> str:
    """A row per seeded leak, with every check that it must make fail."""
    rows = [
        (each.name, each.story.replace("``", "`"), ", ".join(f"`{claim.name}`" for claim in each.caught_by))
        for each in LEAKS
    ]
    return _table(("leak", "what is done wrong", "caught by"), rows)


def tables() -> dict[str, dict[str, str]]:
    """Every generated table: file name, name of its place, text."""
    return {
        "features.md": {"features": features_table(), "labels": labels_table()},
        "reference/commands.md": {
            "overview": command_reference.overview(),
            "commands": command_reference.reference(),
        },
        "research.md": {"claims": claims_table(), "leaks": leaks_table()},
        "settings.md": {name: settings_table(fields) for name, fields in SETTING_GROUPS.items()},
    }


def filled(text: str, places: Mapping[str, str]) -> str:
    """``text`` with each table between its two markers.

    Raises
    ------
    ValueError
        If a marker is missing.
    """
    for name, table in places.items():
        start, end = f"<!-- {name}: generated by make docs -->", f"<!-- end of {name} -->"
        before, found_start, rest = text.partition(start)
        _, found_end, after = rest.partition(end)
        if not found_start or not found_end:
            raise ValueError(f"The markers {start} and {end} are expected, in this order.")
        text = f"{before}{start}\n\n{table}\n\n{end}{after}"
    return text


def main(write: Callable[[str], object] = sys.stdout.write) -> None:
    """Rewrite the tables in place and name the files that changed."""
    for name, places in tables().items():
        path = DOCS / name
        old = path.read_text("utf-8")
        new = filled(old, places)
        if new != old:
            path.write_text(new, "utf-8")
            write(f"{path.relative_to(DOCS.parent)} rewritten\n")


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _label_row(spec: LabelSpec) -> tuple[str, ...]:
    end = "bar" if spec.kind is LabelKind.TRIPLE_BARRIER else "the open of bar"
    span = f"`open[t+1]` to {end} t+{spec.last_bar_read}"
    formula = _LABEL_FORMULAS[spec.kind].format(h=spec.horizon_bars, end=spec.horizon_bars + 1)
    return f"`{spec.name}`", formula, span, "yes" if spec.is_binary else "no"


def _setting_row(name: str, field: FieldInfo) -> tuple[str, ...]:
    allowed = ALLOWED.get(name) or _allowed(field)
    return f"`{PREFIX}{name.upper()}`", _default(field.default), allowed, str(field.description)


def _default(value: Any) -> str:
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return f"`{','.join(map(str, value))}`"
    return f"`{value:.12g}`" if isinstance(value, float) else f"`{value}`"


def _allowed(field: FieldInfo) -> str:
    kinds = _kinds(field.annotation)
    if SecretStr in kinds:
        return "secret"
    words = [f"`{kind}`" for kind in kinds if isinstance(kind, str)]
    if words:
        return ", ".join(words)
    if bool in kinds:
        return "`true`, `false`"
    bounds = ", ".join(_bounds(field))
    return bounds or ("a path" if Path in kinds else "")


def _bounds(field: FieldInfo) -> Iterable[str]:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    found = ((name, getattr(bound, name, None)) for bound in field.metadata for name in signs)
    return (f"{signs[name]} {limit}" for name, limit in found if limit is not None)


def _kinds(annotation: Any) -> tuple[Any, ...]:
    """The types and literal words that an annotation allows."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    if get_origin(annotation) is Union or type(annotation).__name__ == "UnionType":
        return tuple(kind for part in get_args(annotation) for kind in _kinds(part))
    return (annotation,)


if __name__ == "__main__":
    main()
