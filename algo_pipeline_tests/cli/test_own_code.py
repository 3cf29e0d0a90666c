"""An hour decided by a model and a strategy of the user's own, and what becomes of it when their files change."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.interfaces.strategy import StrategyInterface
from algo_pipeline.models.calibration import CalibratedClassifier, PlattCalibrator
from algo_pipeline.models.catalog import make_model
from algo_pipeline.models.threads import single_threaded
from algo_pipeline.registry.bundle import ChampionBundle
from algo_pipeline.strategy.catalog import configured_strategy
from algo_pipeline_tests.cli.ended import Command
from algo_pipeline_tests.example_parts import MODEL, STRATEGY, change, copy_parts, own_modules_forgotten
from algo_pipeline_tests.live_shop import LiveShop, hour
from algo_pipeline_tests.models.samples import planted_rows
from algo_pipeline_tests.registry.samples import sample_bundle

SETTINGS = {"ALGO_TRADER_MODEL": MODEL, "ALGO_TRADER_STRATEGY": STRATEGY}
EAGER = {"enter_edge": -1.0, "exit_edge": -1.0, "least_volatility": 0.0}


@pytest.fixture
def parts(live: LiveShop) -> Iterator[Path]:
    with own_modules_forgotten():
        yield copy_parts(live.shop.root)


def _strategy(parameters: dict[str, float]) -> StrategyInterface:
    facts = {"horizon_bars": 1, "edge_multiple": 1.0, "kelly_fraction": 0.5}
    return configured_strategy(STRATEGY, BacktestConfig(), **facts, parameters=parameters)  # type: ignore[arg-type]


def _own_bundle() -> ChampionBundle:
    (base, y), (tail, outcomes) = planted_rows(1200), planted_rows(600, 1)
    with single_threaded():
        model = make_model(MODEL).fit(base.to_numpy(), y)
        estimator = CalibratedClassifier(model, PlattCalibrator()).fit(tail, outcomes)
    return sample_bundle(MODEL, estimator=estimator, strategy=_strategy(EAGER))


def _deploy(live: LiveShop) -> None:
    own = _own_bundle()
    names = ("scorer", "estimator_skops", "recipe", "recipe_hash", "recipe_document", "strategy")
    live.deploy(**{name: getattr(own, name) for name in names})


def test_an_hour_is_decided_and_traded(live: LiveShop, command: Command, parts: Path) -> None:
    _deploy(live)
    document = command("decide", "--json", **SETTINGS).json()
    (decision,), (order,) = document["decisions"], document["orders"]
    assert (decision["action"], decision["signal"], order["outcome"]) == ("enter", "LONG", "filled")
    assert decision["reason"].startswith("enter: score ")
    checks = {check["name"]: check for check in command("doctor", "--json", **SETTINGS).json()["checks"]}
    assert checks["own classes"]["level"] == checks["champion BTC/USD"]["level"] == "OK"


@pytest.mark.parametrize("module", ["momentum_model", "breakout_strategy"])
def test_with_a_changed_file_it_holds_buys_nothing_and_says_what_to_do(
    live: LiveShop, command: Command, parts: Path, module: str
) -> None:
    _deploy(live)
    change(parts, module)
    with own_modules_forgotten():
        ended = command("decide", "--json", **SETTINGS)
    (decision,) = ended.json()["decisions"]
    assert (ended.code, decision["action"], decision["signal"], live.orders()) == (0, "none", "HOLD", 0)
    assert "changed since" in live.alerts()
    assert "Run the research again to train anew, or restore the file" in live.alerts()
    checks = {check["name"]: check for check in command("doctor", "--json", **SETTINGS).json()["checks"]}
    assert (checks["champion BTC/USD"]["level"], checks["champion BTC/USD"]["code"]) == ("FAIL", "other_code")


def test_what_is_held_is_kept_while_the_code_is_not_at_hand(live: LiveShop, command: Command, parts: Path) -> None:
    _deploy(live)
    command("decide", **SETTINGS)
    live.tick(hour(1))
    with own_modules_forgotten():
        (decision,) = command("decide", "--json", **{**SETTINGS, "ALGO_TRADER_MODEL": "logistic"}).json()["decisions"]
    assert (decision["action"], decision["signal"], live.orders()) == ("none", "HOLD", 1)
    assert "do not name" in live.alerts()


def test_a_strategy_that_breaks_holds_and_stops_nothing_else(live: LiveShop, command: Command, parts: Path) -> None:
    path = parts / "breakout_strategy.py"
    broken = "        raise ZeroDivisionError('no volume')\n        edge = outlook.probability - outlook.base_rate\n"
    text = path.read_text().replace("        edge = outlook.probability - outlook.base_rate\n", broken)
    path.write_text(text)
    _deploy(live)
    ended = command("decide", "--json", **SETTINGS)
    (decision,) = ended.json()["decisions"]
    assert (ended.code, decision["action"], decision["signal"]) == (0, "none", "HOLD")
    assert "no probability: ConfigValueError" in decision["reason"]
    assert "breakout_strategy.py, line" in live.alerts()
    halted = command("halt", "--reason", "it breaks", "--flatten", "--json", **SETTINGS)
    assert halted.code == 0
