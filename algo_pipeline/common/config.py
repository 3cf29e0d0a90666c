"""Settings: environment variables over ``.env`` over defaults, every name prefixed ``ALGO_TRADER_``.

A name under the prefix that no setting has is an error that suggests the nearest one, so that a typing mistake
never silently leaves a default in force. Secrets are ``SecretStr``: their values appear in no repr, log or record.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_args

import pandas as pd
from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from algo_pipeline.common.errors import AlgoPipelineError, SettingsError
from algo_pipeline.common.paper import require_no_user_info
from algo_pipeline.common.sqlite import SQLITE, sqlite_file
from algo_pipeline.common.time import to_utc
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import STANDARD_FEATURES, Symbol
from algo_pipeline.common.urls import masked_url, secrets_of_url
from algo_pipeline.common.user_classes import is_reference

PREFIX = "ALGO_TRADER_"
_ENV_FILE = Path(".env")

SourceName = Literal["binance", "alpaca", "file", "simulated"]
ModelKind = Literal["logistic", "scaled_logistic", "boosting", "lightgbm", "ensemble"]
StrategyName = Literal["thresholds", "cost_aware"]
LabelName = Literal["direction_1h", "direction_4h", "direction_24h", "triple_barrier_24h"]
OWN_OR: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"label": get_args(LabelName), "model": get_args(ModelKind), "strategy": get_args(StrategyName)}
)
"""Settings that name something built in, or else a class of the user's own as ``module:Class``."""
_RULES = BacktestConfig()
_LIVE_DEFAULTS: Mapping[str, Any] = MappingProxyType({"fee_in_base": True, "cash_buffer_bps": 50.0})
_FILE_HISTORY_START = "1970-01-01"
_VENUE_HISTORY_START = "2020-01-01"


class Settings(BaseSettings):
    """Every setting of the pipeline, validated and frozen.

    Raises
    ------
    SettingsError
        From :func:`load_settings`, for an unknown name or an impossible value.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", env_file_encoding="utf-8")

    symbols: Annotated[tuple[str, ...], NoDecode] = Field(
        ("BTC/USD", "ETH/USD"), description="Pairs to research and trade, separated by commas."
    )
    data_source: SourceName = Field("binance", description="Where bars come from.")
    data_path: Path | None = Field(None, description="The user's own bars (CSV or Parquet) for the source `file`.")
    history_start: str | None = Field(
        None, description="First bar to ask a source for, UTC; unset: all of a `file`, 2020-01-01 for the others."
    )
    features: Annotated[tuple[str, ...], NoDecode] = Field(
        (STANDARD_FEATURES,), description="Sets of features, separated by commas: the standard ones, your own classes."
    )
    label: str = Field(
        "direction_1h", description="The label that is trained, evaluated and traded, or your own class."
    )
    model: str = Field("scaled_logistic", description="Kind of the base model, or your own class.")
    calibrator: Literal["platt", "isotonic", "shrunk"] = Field("shrunk", description="How scores become probabilities.")
    model_parameters: Annotated[dict[str, float | int | str | bool], NoDecode] = Field(
        {}, description="Parameters of the model that replace its own, as a search offers them."
    )
    former_classes: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Your own classes that a champion in place may be made of, while settings name others."
    )
    sample_weight: Literal["none", "uniqueness", "recency", "uniqueness+recency"] = Field(
        "uniqueness", description="How rows count in the fits: overlapping labels for less, old rows for less."
    )
    challenger: bool = Field(True, description="Also train the other kind of model on the same folds and compare.")
    n_folds: int = Field(8, ge=2, le=100, description="Walk-forward test blocks.")
    rolling_window_bars: int | None = Field(
        None, ge=1, description="Rows of a rolling training window; unset: it expands."
    )
    promotion_policy: Literal["gated", "always"] = Field(
        "gated", description="`always` skips the gate and deploys `trading: on`, whatever the evidence says."
    )

    artifacts_dir: Path = Field(Path("artifacts"), description="Everything the pipeline writes, but MLflow's store.")
    data_dir: Path | None = Field(None, description="Bars; default: `data` under the artifacts folder.")
    mlflow_tracking_uri: str = Field("sqlite:///mlruns/mlflow.db", repr=False, description="MLflow's backend store.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        "INFO", description="Lowest level in the console log of a run that the daemon started."
    )

    dagster_port: int = Field(3000, ge=1, le=65535, description="Port of the Dagster web UI on 127.0.0.1.")
    mlflow_port: int = Field(5000, ge=1, le=65535, description="Port of the MLflow UI on 127.0.0.1.")
    dashboard_port: int = Field(8800, ge=1, le=65535, description="Port of the live dashboard.")

    binance_url: str = Field("https://data-api.binance.vision", description="Root of Binance's public API.")
    coingecko_url: str = Field("https://api.coingecko.com", description="Root of CoinGecko's API.")
    alpaca_data_url: str = Field("https://data.alpaca.markets", description="Root of Alpaca's market data API.")
    alpaca_trading_url: str = Field("https://paper-api.alpaca.markets", description="Root of Alpaca's paper API.")
    alpaca_api_key: SecretStr | None = Field(None, description="Key of an Alpaca paper account.")
    alpaca_secret_key: SecretStr | None = Field(None, description="Secret of an Alpaca paper account.")
    alert_urls: SecretStr | None = Field(None, description="Where alerts go, as apprise URLs separated by commas.")

    live_bars_source: SourceName | None = Field(
        None, description="Where live bars come from; unset: the bundle's training source."
    )
    max_decision_delay: int = Field(
        600, gt=0, le=3600, description="Seconds after a bar's close within which a decision may still trade."
    )

    max_orders_per_day: int = Field(
        100, ge=1, description="Orders of one UTC day after which no entry is sent; exits always pass."
    )
    price_band_bps: float = Field(
        2500.0, gt=0, description="A close further than this from the close before is traded on only if confirmed."
    )
    price_check_bps: float = Field(
        500.0, gt=0, description="How far the second source's price may lie from the close of an entry."
    )
    drift_abstention: bool = Field(
        True, description="Buy nothing of a symbol whose probabilities or features raise an alarm, until resumed."
    )
    sandbox_port: int = Field(8900, ge=1, le=65535, description="Port of the sandbox on 127.0.0.1.")

    simulated_seed: int = Field(7, ge=0, description="Seed of the simulated market.")
    simulated_signal_strength: float = Field(
        0.0, ge=0, le=1, description="Planted predictability of the simulated market; 0 is a true null."
    )
    simulated_years: int = Field(4, ge=1, le=20, description="Length of the simulated history.")

    strategy: str = Field(
        "thresholds",
        description="`thresholds` on the probability; `cost_aware` trades what pays for its round trip; or your own "
        "class.",
    )
    strategy_parameters: Annotated[dict[str, float | int | str | bool], NoDecode] = Field(
        {}, description="Parameters of a strategy of your own."
    )
    edge_multiple: float = Field(
        1.0, ge=0, allow_inf_nan=False, description="`cost_aware`: round trips that an entry's edge must pay for."
    )
    kelly_fraction: float = Field(
        0.5, gt=0, le=1, description="`cost_aware`: largest entry, as a part of the growth-optimal bet."
    )
    initial_cash: float = Field(_RULES.initial_cash, description="Start cash of a backtest, in quote currency.")
    enter_threshold: float = Field(_RULES.enter_threshold, description="Probability at or above which to be long.")
    exit_threshold: float = Field(_RULES.exit_threshold, description="Probability at or below which to be flat.")
    position_fraction: float = Field(_RULES.position_fraction, description="Target notional, as a share of equity.")
    max_position_fraction: float = Field(_RULES.max_position_fraction, description="Cap of the target notional.")
    max_drawdown: float = Field(_RULES.max_drawdown, description="Drawdown at which the kill switch latches.")
    cooldown_bars: int = Field(_RULES.cooldown_bars, description="Bars between an exit and the next entry.")
    fee_bps: float = Field(_RULES.fee_bps, description="Taker fee on quote notional.")
    slippage_bps: float = Field(_RULES.slippage_bps, description="Half spread plus slippage.")
    fee_in_base: bool = Field(_RULES.fee_in_base, description="Take a buy's fee from the coin received.")
    quantity_step: float = Field(_RULES.quantity_step, description="Smallest quantity increment, a power of ten.")
    min_notional: float = Field(_RULES.min_notional, description="Smallest order, in quote currency.")
    cash_buffer_bps: float | None = Field(_RULES.cash_buffer_bps, description="Cash margin of a buy at the decision.")

    @field_validator("symbols", mode="before")
    @classmethod
    def _split_symbols(cls, value: Any) -> Any:
        parts = value.split(",") if isinstance(value, str) else value
        symbols = tuple(str(Symbol.parse(str(part))) for part in parts if str(part).strip())
        if not symbols:
            raise ValueError("at least one symbol is expected, for example BTC/USD")
        if len(set(symbols)) != len(symbols):
            raise ValueError(f"every symbol is expected once; found {', '.join(symbols)}")
        return symbols

    @field_validator("features", mode="before")
    @classmethod
    def _split_features(cls, value: Any) -> Any:
        parts = value.split(",") if isinstance(value, str) else value
        names = tuple(name for part in parts if (name := str(part).strip()))
        wrong = [name for name in names if name != STANDARD_FEATURES and not is_reference(name)]
        if wrong or not names:
            found = repr(wrong[0]) if wrong else "nothing"
            raise ValueError(
                f"{STANDARD_FEATURES!r} and classes of your own as module:Class are expected, separated by commas; "
                f"found {found}"
            )
        if len(set(names)) != len(names):
            raise ValueError("every set of features is expected once")
        return names

    @field_validator("former_classes", mode="before")
    @classmethod
    def _split_classes(cls, value: Any) -> Any:
        parts = value.split(",") if isinstance(value, str) else value
        classes = tuple(str(part).strip() for part in parts if str(part).strip())
        if not all(is_reference(name) for name in classes):
            raise ValueError("classes of your own are expected, as module:Class, separated by commas")
        return classes

    @field_validator(*OWN_OR)
    @classmethod
    def _check_own_or_built_in(cls, value: str, info: ValidationInfo) -> str:
        known = OWN_OR[str(info.field_name)]
        if value in known or is_reference(value):
            return value
        nearest = difflib.get_close_matches(value, known, n=1)
        meant = f"; did you mean {nearest[0]!r}?" if nearest else ""
        names = ", ".join(map(repr, known))
        raise ValueError(f"one of {names}, or a class of your own as module:Class, is expected{meant}")

    @field_validator("model_parameters", "strategy_parameters", mode="before")
    @classmethod
    def _read_parameters(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            found = json.loads(value or "{}")
        except json.JSONDecodeError:
            found = None
        if not isinstance(found, dict) or not all(isinstance(each, float | int | str) for each in found.values()):
            raise ValueError('a JSON object of numbers, words, true and false is expected, for example {"C": 0.01}')
        return found

    @field_validator("history_start")
    @classmethod
    def _check_history_start(cls, value: str | None) -> str | None:
        if value is not None:
            to_utc(value)
        return value

    @field_validator("binance_url", "coingecko_url")
    @classmethod
    def _check_venue_url(cls, value: str, info: ValidationInfo) -> str:
        return require_no_user_info(value, f"{PREFIX}{str(info.field_name).upper()}")

    @model_validator(mode="after")
    def _check_trading_rules(self) -> Settings:
        self.backtest_config()
        if self.strategy_parameters and not is_reference(self.strategy):
            raise ValueError(
                f"{PREFIX}STRATEGY_PARAMETERS are those of a strategy of your own; {self.strategy} has settings by name"
            )
        if self.data_source == "file" and self.data_path is None:
            raise ValueError("the source `file` needs a file: set ALGO_TRADER_DATA_PATH or pass --path")
        return self

    def backtest_config(self) -> BacktestConfig:
        """The trading rules among the settings."""
        return BacktestConfig(**{name: getattr(self, name) for name in BacktestConfig.__dataclass_fields__})

    def live_config(self) -> BacktestConfig:
        """The trading rules of the live account: Alpaca takes a buy's fee from the coin, and cash keeps a margin."""
        fields_set = self.model_fields_set
        changes = {name: value for name, value in _LIVE_DEFAULTS.items() if name not in fields_set}
        return dataclasses.replace(self.backtest_config(), **changes)

    def own_classes(self) -> frozenset[str]:
        """The user's own classes, as ``module:Class``: the only ones that anything may be loaded with here."""
        named = (*self.features, *self.former_classes, *(getattr(self, name) for name in OWN_OR))
        return frozenset(name for name in named if is_reference(name))

    def history_start_at(self) -> pd.Timestamp:
        """The first bar to ask the source for: a file is used whole unless the setting says otherwise."""
        default = _FILE_HISTORY_START if self.data_source == "file" else _VENUE_HISTORY_START
        return to_utc(self.history_start or default)

    def parsed_symbols(self) -> tuple[Symbol, ...]:
        """The configured pairs."""
        return tuple(Symbol.parse(text) for text in self.symbols)

    def bars_dir(self) -> Path:
        """Folder of the stored bars."""
        return self.data_dir or self.artifacts_dir / "data"

    def mlflow_uri(self) -> str:
        """The tracking URI with a relative SQLite path made absolute, so that it survives a change of folder."""
        file = self.mlflow_file()
        return self.mlflow_tracking_uri if file is None else f"{SQLITE}{file}"

    def mlflow_file(self) -> Path | None:
        """MLflow's SQLite file, absolute; None for another database or a server."""
        file = sqlite_file(self.mlflow_tracking_uri)
        return None if file is None else file.absolute()

    def mlflow_artifacts(self) -> Path:
        """Folder of the files of MLflow's runs: beside a SQLite store, below the artifacts folder for another one."""
        file = self.mlflow_file()
        return (self.artifacts_dir / "mlflow").absolute() if file is None else file.parent / "artifacts"

    def secret_values(self) -> tuple[str, ...]:
        """The secrets in clear, for the log filter that must never let them through."""
        fields = (getattr(self, name) for name in type(self).model_fields)
        secrets = [field.get_secret_value() for field in fields if isinstance(field, SecretStr) if field]
        return (*secrets, *secrets_of_url(self.mlflow_tracking_uri))

    def public_values(self) -> dict[str, Any]:
        """Every setting in a form that may be shown or recorded; secrets read ``**********``."""
        return {**self.model_dump(mode="json"), "mlflow_tracking_uri": masked_url(self.mlflow_tracking_uri)}


def load_settings(env_file: Path | None = _ENV_FILE, **overrides: Any) -> Settings:
    """Read the settings; ``overrides`` (from a command line) win over environment and ``.env``.

    Raises
    ------
    SettingsError
        For a name under the prefix that no setting has, or a value outside its domain.
    """
    _refuse_unknown_names(os.environ, "the environment")
    if env_file is not None and env_file.is_file():
        _refuse_unknown_names(dotenv_values(env_file, encoding="utf-8"), str(env_file))
    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(_env_file=env_file, **given)
    except ValidationError as error:
        raise SettingsError(_describe(error), "Correct it in the environment or in .env.") from None
    except AlgoPipelineError as error:
        raise SettingsError(error.message, error.remedy) from None


def _refuse_unknown_names(names: Mapping[str, Any], where: str) -> None:
    known = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}
    for name in sorted(names):
        if not name.upper().startswith(PREFIX) or name.upper() in known:
            continue
        nearest = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.0)
        raise SettingsError(f"{name} in {where} is not a setting.", f"Did you mean {nearest[0]}? Rename or remove it.")


def _describe(error: ValidationError) -> str:
    problems = []
    for item in error.errors(include_url=False, include_context=False):
        field = str(item["loc"][0]) if item["loc"] else ""
        reason = item["msg"].removeprefix("Value error, ")
        name = f"{PREFIX}{field.upper()}: " if field else ""
        found = "" if not field or _is_secret(field) else f" (found {item['input']!r})"
        problems.append(f"{name}{reason}{found}")
    return "; ".join(problems)


def _is_secret(field: str) -> bool:
    return field in Settings.model_fields and "SecretStr" in str(Settings.model_fields[field].annotation)
