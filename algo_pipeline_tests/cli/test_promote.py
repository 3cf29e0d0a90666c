"""promote and champion at the shell, on a store that MLflow made."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from algo_pipeline.cli.checks import Level
from algo_pipeline.cli.checks_registry import alias, promotion_ledger
from algo_pipeline.common.config import Settings
from algo_pipeline.common.types import Symbol
from algo_pipeline.data.features import build_features
from algo_pipeline.models.calibration import TRUSTED_TYPES
from algo_pipeline.registry.bundle import BundleStore, ChampionBundle
from algo_pipeline.registry.deployment import bundle_estimator
from algo_pipeline.registry.ledger import PromotionLedger
from algo_pipeline.registry.mlflow_registry import CHAMPION, MlflowRegistry
from algo_pipeline.registry.records import RegisteredVersion
from algo_pipeline_tests.cli.ended import Command, Ended, assert_says
from algo_pipeline_tests.live_shop import exit_code
from algo_pipeline_tests.market import random_bars
from algo_pipeline_tests.workshop import Workshop

BTC = Symbol("BTC", "USD")
MODEL = "algo-pipeline-BTC-USD-direction_1h"


@pytest.fixture(scope="module")
def workshop(materialized: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    """A copy with a champion and a challenger, versions 1 and 2, in which this process works."""
    made = materialized.copy(tmp_path_factory.mktemp("promote") / "work")
    environment = {name: value for name, value in made.environment.items() if "ALPACA" not in name}
    made = Workshop(made.root, environment)
    with made.active():
        yield made


@pytest.fixture
def shop(workshop: Workshop, materialized: Workshop) -> Workshop:
    """With what the gate deployed, whatever the test before has left."""
    for name in ("registry", "live"):
        shutil.rmtree(workshop.artifacts / name)
        shutil.copytree(materialized.artifacts / name, workshop.artifacts / name)
    MlflowRegistry(workshop.mlflow_uri).set_alias(MODEL, CHAMPION, _bundle(workshop).model_version)
    return workshop


@pytest.fixture
def command(shop: Workshop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*arguments: str, **settings: str) -> Ended:
        capsys.readouterr()
        return Ended(exit_code(monkeypatch, *arguments, **settings), *capsys.readouterr())

    return run


def _bundle(shop: Workshop) -> ChampionBundle:
    found = BundleStore(shop.artifacts).load(BTC)
    assert found is not None
    return found


def _other(shop: Workshop) -> str:
    return "1" if _bundle(shop).model_version == "2" else "2"


def test_another_version_and_back_again(shop: Workshop, command: Command) -> None:
    before, other = _bundle(shop), _other(shop)
    there = command("promote", other, "--reason", "try the challenger", "--json").json()
    assert (there["version"], there["from_version"], there["deployed"]) == (other, before.model_version, True)
    assert (there["trading"], there["because"]) == ("flat", "the gate has not judged this version")
    bundle = _bundle(shop)
    assert (bundle.model_version, bundle.recipe.split("+")[0]) == (other, "logistic")
    features = build_features(random_bars(900, seed=4)).dropna().iloc[-50:]
    registry = MlflowRegistry(shop.mlflow_uri)
    estimator = registry.load_estimator(RegisteredVersion(MODEL, other, bundle.run_id, ""), TRUSTED_TYPES)
    expected = estimator.predict_proba(features)[:, 1]
    np.testing.assert_allclose(bundle_estimator(bundle).probability(features), expected, rtol=0, atol=1e-12)

    back = command("promote", before.model_version, "--symbol", "BTC/USD", "--reason", "it was better")
    assert back.code == 0
    assert f"version {before.model_version} is the champion now; before, it was version {other}." in back.out
    # The run's record suffices: the bundle is the very one that the gate deployed, but for its leave to trade.
    assert _bundle(shop) == before
    assert registry.alias_version(MODEL, CHAMPION) == before.model_version


def test_the_choice_to_trade_is_the_persons(shop: Workshop, command: Command) -> None:
    other = _other(shop)
    assert "Trading on (it may enter)" in command("promote", other, "--reason", "x", "--trade").out
    assert _bundle(shop).trading.value == "on"
    again = command("promote", other, "--reason", "x")
    assert "is the champion already, and stays as it is" in again.out
    assert "Trading flat" in command("promote", other, "--reason", "x", "--flat").out
    assert _bundle(shop).trading.value == "flat"


def test_what_went_wrong_is_told_with_a_way_out(shop: Workshop, command: Command) -> None:
    assert_says(command("promote", "9", "--reason", "x"), 1, "Version 9", "registered: 1, 2")
    assert_says(command("promote", "1", "--reason", "  "), 2, "reason")
    assert_says(command("promote", "1"), 2, "--reason")
    assert_says(command("promote", "one", "--reason", "x"), 2, "one")
    assert_says(command("promote", "1", "--reason", "x", "--symbol", "BTC"), 2, "BTC")
    failed = command("promote", "1", "--reason", "x", "--symbol", "ETH/USD", "--json")
    assert (failed.code, failed.error["code"]) == (1, "registry")
    assert len(PromotionLedger(shop.artifacts).lines()) == 1


def test_with_several_pairs_it_asks_which(command: Command) -> None:
    several = command("promote", "1", "--reason", "x", ALGO_TRADER_SYMBOLS="BTC/USD,ETH/USD")
    assert_says(several, 2, "--symbol is needed", "BTC/USD, ETH/USD")


def test_a_model_of_other_bars_than_the_settings_is_refused(command: Command, shop: Workshop) -> None:
    failed = command("promote", _other(shop), "--reason", "x", "--json", ALGO_TRADER_DATA_SOURCE="binance")
    assert (failed.code, failed.error["code"]) == (1, "not_deployable")
    assert "from simulated" in failed.error["message"]


def test_a_model_of_simulated_bars_never_goes_to_a_paper_account(command: Command, shop: Workshop) -> None:
    keys = {"ALGO_TRADER_ALPACA_API_KEY": "PKtest", "ALGO_TRADER_ALPACA_SECRET_KEY": "secret"}
    failed = command("promote", _other(shop), "--reason", "x", "--trade", "--json", **keys)
    assert (failed.code, failed.error["code"]) == (1, "not_deployable")
    assert "sandbox" in failed.error["remedy"]


@pytest.mark.parametrize("name", ["promote", "champion"])
def test_help_teaches(command: Command, name: str) -> None:
    ended = command(name, "--help")
    assert ended.code == 0
    assert "Examples:" in ended.out
    assert "ledger" in ended.out


class TestChampion:
    def test_now_and_then(self, shop: Workshop, command: Command) -> None:
        first, other = _bundle(shop), _other(shop)
        (line,) = PromotionLedger(shop.artifacts).lines()
        command("promote", other, "--reason", "try it")
        (now,) = command("champion", "--json").json()["symbols"]
        assert (now["champion"]["version"], now["champion"]["policy"], now["note"]) == (other, "by_hand", None)
        assert (now["champion"]["reason"], now["champion"]["until"]) == ("try it", None)
        (then,) = command("champion", "--at", line["at"], "--json").json()["symbols"]
        assert (then["champion"]["version"], then["champion"]["who"]) == (first.model_version, "gate")
        assert then["champion"]["until"] == now["champion"]["since"]
        assert then["champion"]["figures"]["rule"] == "first"
        assert then["champion"]["reason"] == line["reason"]
        (before,) = command("champion", "--at", "2020-01-01", "--json").json()["symbols"]
        assert before["champion"] is None

    def test_history_lists_every_one(self, shop: Workshop, command: Command) -> None:
        first, other = _bundle(shop).model_version, _other(shop)
        command("promote", other, "--reason", "try it")
        (found,) = command("champion", "--history", "--json").json()["symbols"]
        assert [each["version"] for each in found["history"]] == [first, other]
        told = command("champion", "--history").out
        assert told.index(f"version {first}") < told.index(f"version {other}")
        assert "try it" in told

    def test_a_pair_without_any(self, command: Command) -> None:
        ended = command("champion", "--symbol", "DOGE/USD")
        assert (ended.code, "DOGE/USD: no champion" in ended.out) == (0, True)

    def test_a_bundle_that_the_ledger_does_not_know_is_told(self, shop: Workshop, command: Command) -> None:
        BundleStore(shop.artifacts).path(BTC).unlink()
        assert "The ledger is not up to date: nothing is deployed" in command("champion").out

    def test_a_damaged_ledger_is_named(self, shop: Workshop, command: Command) -> None:
        path = PromotionLedger(shop.artifacts).path
        path.write_bytes(path.read_bytes().replace(b'"gate"', b'"hand"', 1))
        failed = command("champion", "--json")
        assert (failed.code, failed.error["code"]) == (1, "corrupt_file")


class TestDoctor:
    @staticmethod
    def settings() -> Settings:
        from algo_pipeline.common.config import load_settings

        return load_settings(env_file=None)

    def test_what_agrees_is_fine(self, shop: Workshop) -> None:
        checks = [*promotion_ledger(self.settings()), *alias(self.settings(), BTC)]
        assert [check.level for check in checks] == [Level.OK, Level.OK]

    def test_a_moved_alias_is_told_with_the_commands_that_settle_it(self, shop: Workshop, command: Command) -> None:
        deployed, other = _bundle(shop).model_version, _other(shop)
        MlflowRegistry(shop.mlflow_uri).set_alias(MODEL, CHAMPION, other)
        (check,) = alias(self.settings(), BTC)
        assert check.level is Level.WARN
        assert f"points at version {other}, but version {deployed} is deployed" in check.message
        assert f"promote {other} --symbol BTC/USD" in check.remedy
        assert f"promote {deployed} --symbol BTC/USD" in check.remedy
        assert "now it points at" in command("promote", deployed, "--reason", "keep it").out
        assert [each.level for each in alias(self.settings(), BTC)] == [Level.OK]

    def test_a_bundle_that_the_ledger_does_not_know_is_told(self, shop: Workshop) -> None:
        BundleStore(shop.artifacts).path(BTC).unlink()
        whole, difference = promotion_ledger(self.settings())
        assert (whole.level, difference.level) == (Level.OK, Level.WARN)
        assert "nothing is deployed" in difference.message

    def test_without_a_bundle_or_a_store_nothing_is_compared(self, shop: Workshop, tmp_path: Path) -> None:
        fresh = self.settings().model_copy(update={"artifacts_dir": tmp_path})
        assert list(alias(fresh, BTC)) == []
        (empty,) = promotion_ledger(fresh)
        assert (empty.level, "empty" in empty.message) == (Level.OK, True)
