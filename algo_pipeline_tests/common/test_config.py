from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from algo_pipeline.common.config import Settings, load_settings
from algo_pipeline.common.errors import SettingsError
from algo_pipeline.common.trading_rules import BacktestConfig


def test_environment_wins_over_env_file_and_env_file_over_defaults(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("ALGO_TRADER_FEE_BPS=11\nALGO_TRADER_SLIPPAGE_BPS=2\n")
    monkeypatch.setenv("ALGO_TRADER_FEE_BPS", "7")
    settings = load_settings(env_file)
    assert (settings.fee_bps, settings.slippage_bps, settings.enter_threshold) == (7.0, 2.0, 0.55)


def test_an_override_wins_over_the_environment_and_none_is_no_override(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALGO_TRADER_SYMBOLS", "SOL/USD")
    assert load_settings(None, symbols="BTC/USD").symbols == ("BTC/USD",)
    assert load_settings(None, symbols=None).symbols == ("SOL/USD",)


def test_a_misspelt_name_suggests_the_nearest_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALGO_TRADER_SYMBOL", "BTC/USD")
    with pytest.raises(SettingsError, match=r"ALGO_TRADER_SYMBOL in the environment.*ALGO_TRADER_SYMBOLS"):
        load_settings(None)


def test_a_misspelt_name_in_the_env_file_names_the_file(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("ALGO_TRADER_FEE_BSP=11\n")
    with pytest.raises(SettingsError, match=r"FEE_BSP in .*\.env is not a setting.*ALGO_TRADER_FEE_BPS"):
        load_settings(env_file)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("FEE_BPS", "abc", "ALGO_TRADER_FEE_BPS: .*valid number.*'abc'"),
        ("MAX_DECISION_DELAY", "0", "ALGO_TRADER_MAX_DECISION_DELAY: .*greater than 0"),
        ("MAX_DECISION_DELAY", "3601", "less than or equal to 3600"),
        ("SYMBOLS", "btc", "BASE/QUOTE.*'btc'"),
        ("SYMBOLS", "BTC/USD,btc/usd", "every symbol is expected once"),
        ("EXIT_THRESHOLD", "0.9", "exit_threshold must be"),
        ("QUANTITY_STEP", "0.3", "quantity_step must be 10"),
        ("DATA_SOURCE", "kraken", "ALGO_TRADER_DATA_SOURCE: .*'binance'"),
        ("DATA_SOURCE", "file", "ALGO_TRADER_DATA_PATH"),
        ("HISTORY_START", "yesterday-ish", "A time is expected"),
        ("LABEL", "fwd_return_1h", "direction_1h"),
        ("STRATEGY", "martingale", "ALGO_TRADER_STRATEGY: .*'cost_aware'"),
        ("STRATEGY", "my strategy:Breakout", "ALGO_TRADER_STRATEGY: .*module:Class"),
        ("STRATEGY_PARAMETERS", '{"fast": 3}', "ALGO_TRADER_STRATEGY_PARAMETERS are those of a strategy of your own"),
        ("FORMER_CLASSES", "my_model", "ALGO_TRADER_FORMER_CLASSES: .*module:Class"),
        ("MODEL", "logistics", "ALGO_TRADER_MODEL: .*module:Class.*did you mean 'logistic'"),
        ("EDGE_MULTIPLE", "-1", "ALGO_TRADER_EDGE_MULTIPLE: .*greater than or equal to 0"),
        ("EDGE_MULTIPLE", "inf", "ALGO_TRADER_EDGE_MULTIPLE: .*finite"),
        ("KELLY_FRACTION", "0", "ALGO_TRADER_KELLY_FRACTION: .*greater than 0"),
        ("KELLY_FRACTION", "nan", "ALGO_TRADER_KELLY_FRACTION"),
    ],
)
def test_an_impossible_value_names_setting_expectation_and_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(f"ALGO_TRADER_{name}", value)
    with pytest.raises(SettingsError, match=expected):
        load_settings(None)


def test_secrets_show_in_no_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALGO_TRADER_ALPACA_API_KEY", "PKVERYSECRET")
    monkeypatch.setenv("ALGO_TRADER_ALERT_URLS", "tgram://123:TOKEN/42")
    settings = load_settings(None)
    shown = f"{settings!r} {settings} {settings.public_values()} {settings.model_dump_json()}"
    assert "PKVERYSECRET" not in shown
    assert "TOKEN" not in shown
    assert set(settings.secret_values()) == {"PKVERYSECRET", "tgram://123:TOKEN/42"}


@pytest.mark.parametrize(
    ("uri", "shown", "secret"),
    [
        ("postgresql+psycopg2://mlflow:p%40ss:w@db/mlflow", "postgresql+psycopg2://mlflow:**********@db/mlflow",
         "mlflow:p%40ss:w@"),
        ("postgresql:///mlflow?service=m&password=hunter2", "postgresql:///mlflow?service=m&password=**********",
         "password=hunter2"),
    ],
)  # fmt: skip
def test_a_password_in_the_address_of_mlflows_store_is_a_secret(
    monkeypatch: pytest.MonkeyPatch, uri: str, shown: str, secret: str
) -> None:
    monkeypatch.setenv("ALGO_TRADER_MLFLOW_TRACKING_URI", uri)
    settings = load_settings(None)
    assert settings.mlflow_uri() == uri
    assert settings.public_values()["mlflow_tracking_uri"] == shown
    assert settings.secret_values() == (secret,)
    assert uri not in repr(settings)


def test_files_of_mlflows_runs_lie_beside_a_sqlite_store_and_among_the_artifacts_of_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(None).mlflow_artifacts() == tmp_path / "mlruns" / "artifacts"
    monkeypatch.setenv("ALGO_TRADER_MLFLOW_TRACKING_URI", "postgresql+psycopg2://db/mlflow")
    assert load_settings(None).mlflow_artifacts() == tmp_path / "artifacts" / "mlflow"


def test_a_bad_value_of_a_secret_is_not_echoed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALGO_TRADER_ALPACA_API_KEY", "PKVERYSECRET")
    monkeypatch.setenv("ALGO_TRADER_FEE_BPS", "x")
    with pytest.raises(SettingsError) as caught:
        load_settings(None)
    assert "PKVERYSECRET" not in str(caught.value)


@pytest.mark.parametrize("name", ["BINANCE", "COINGECKO"])
def test_a_venue_url_with_a_password_is_refused_and_not_echoed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"ALGO_TRADER_{name}_URL", "http://anna:hunter2@127.0.0.1:9")
    with pytest.raises(SettingsError, match=f"ALGO_TRADER_{name}_URL") as caught:
        load_settings(None)
    assert "hunter2" not in str(caught.value)
    monkeypatch.setenv(f"ALGO_TRADER_{name}_URL", "http://127.0.0.1:9")
    assert getattr(load_settings(None), f"{name.lower()}_url") == "http://127.0.0.1:9"


def test_every_trading_rule_is_a_setting_with_the_same_default() -> None:
    defaults = BacktestConfig()
    for field in fields(BacktestConfig):
        assert Settings.model_fields[field.name].default == getattr(defaults, field.name), field.name


def test_symbols_are_normalized_and_paths_follow_the_artifacts_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALGO_TRADER_SYMBOLS", " btc/usd , ETH-USD ")
    monkeypatch.setenv("ALGO_TRADER_ARTIFACTS_DIR", "elsewhere")
    settings = load_settings(None)
    assert [s.slug for s in settings.parsed_symbols()] == ["BTC-USD", "ETH-USD"]
    assert settings.bars_dir() == Path("elsewhere/data")


def test_a_relative_sqlite_uri_becomes_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_settings(None).mlflow_uri() == f"sqlite:///{tmp_path}/mlruns/mlflow.db"


def test_live_rules_differ_by_the_fee_in_coin_and_a_cash_margin_unless_set(monkeypatch: pytest.MonkeyPatch) -> None:
    live = load_settings(None).live_config()
    assert (live.fee_in_base, live.cash_buffer_bps, live.max_drawdown) == (True, 50.0, 0.10)
    monkeypatch.setenv("ALGO_TRADER_FEE_IN_BASE", "false")
    monkeypatch.setenv("ALGO_TRADER_CASH_BUFFER_BPS", "10")
    chosen = load_settings(None).live_config()
    assert (chosen.fee_in_base, chosen.cash_buffer_bps) == (False, 10.0)


def test_model_parameters_are_read_from_json_with_their_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALGO_TRADER_MODEL_PARAMETERS", '{"n_trees": 50, "learning_rate": 0.5, "solver": "lbfgs"}')
    found = load_settings(None).model_parameters
    assert [(name, value, type(value)) for name, value in found.items()] == [
        ("n_trees", 50, int),
        ("learning_rate", 0.5, float),
        ("solver", "lbfgs", str),
    ]


@pytest.mark.parametrize("text", ["C=0.1", "[1]", '{"C": [1]}', "{"])
def test_model_parameters_that_are_no_object_of_plain_values_are_refused(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("ALGO_TRADER_MODEL_PARAMETERS", text)
    with pytest.raises(SettingsError, match="ALGO_TRADER_MODEL_PARAMETERS"):
        load_settings(None)


def test_every_kind_of_sample_weight_can_be_set() -> None:
    from algo_pipeline.research.weights import WEIGHT_KINDS

    assert get_args(Settings.model_fields["sample_weight"].annotation) == WEIGHT_KINDS


def test_model_and_strategy_may_be_classes_of_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings(env_file=None).own_classes() == frozenset()
    monkeypatch.setenv("ALGO_TRADER_MODEL", "my_model:Momentum")
    monkeypatch.setenv("ALGO_TRADER_STRATEGY", "my_strategy:Breakout")
    monkeypatch.setenv("ALGO_TRADER_STRATEGY_PARAMETERS", '{"hurdle": 0.1}')
    settings = load_settings(env_file=None)
    assert settings.own_classes() == {"my_model:Momentum", "my_strategy:Breakout"}
    assert settings.strategy_parameters == {"hurdle": 0.1}
    monkeypatch.setenv("ALGO_TRADER_FORMER_CLASSES", "my_model:Momentum, older:Model")
    assert load_settings(env_file=None).own_classes() == {*settings.own_classes(), "older:Model"}
