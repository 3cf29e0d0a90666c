"""Handing a champion on: interrupted anywhere, ledger, alias and bundle tell one story after the next run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from algo_pipeline.common.errors import BusyError, CorruptFileError
from algo_pipeline.registry.bundle import BundleStore, ChampionBundle
from algo_pipeline.registry.ledger import PromotionLedger
from algo_pipeline.registry.reigns import champion_at
from algo_pipeline.registry.succession import Succession
from algo_pipeline.research.promotion import Trading
from algo_pipeline_tests.registry.aliases import MODEL, MemoryRegistry
from algo_pipeline_tests.registry.samples import BTC, entry, sample_bundle

LATER = pd.Timestamp("2100-01-01", tz="UTC")


class Killed(BaseException):
    """The process died here."""


def bundle(version: str, trading: Trading = Trading.FLAT) -> ChampionBundle:
    return replace(sample_bundle(), model_version=version, trading=trading)


class Shop:
    """A folder, a registry, and the champion in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.registry = folder, MemoryRegistry()
        self.ledger, self.bundles = PromotionLedger(folder), BundleStore(folder)

    @property
    def succession(self) -> Succession:
        """As a new process has it."""
        return Succession(self.folder, self.registry, BTC)  # type: ignore[arg-type]

    def hand_over(self, made: ChampionBundle, before: str | None = None, **changes: Any) -> None:
        line = entry(made.model_version, before, trading=made.trading.value, **changes)
        self.succession.hand_over(line, made)

    def in_place(self) -> tuple[str, str] | None:
        found = self.bundles.load(BTC)
        return (found.model_version, found.trading.value) if found else None

    def recorded(self) -> tuple[str, str] | None:
        found = champion_at(self.ledger.lines(), str(BTC), LATER)
        return (found.line["to_version"], found.line["trading"]) if found else None

    def who(self) -> list[str]:
        return [line["who"] for line in self.ledger.lines()]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    made = Shop(tmp_path)
    made.hand_over(bundle("1"))
    return made


def test_ledger_alias_and_bundle_say_the_same_afterwards(shop: Shop) -> None:
    shop.hand_over(bundle("2", Trading.ON), "1")
    assert shop.in_place() == shop.recorded() == ("2", "on")
    assert shop.registry.aliases == {MODEL: "2"}
    assert shop.ledger.lines()[-1]["bundle_sha256"] == shop.bundles.fingerprint(BTC) == bundle("2", Trading.ON).sha256
    assert shop.succession.settle() == ()
    assert shop.who() == ["gate", "gate"]


STEPS: dict[str, tuple[object, str]] = {
    "the ledger": (PromotionLedger, "append"),
    "the alias": (MemoryRegistry, "set_alias"),
    "the bundle": (BundleStore, "deploy"),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("new", "before"), [(bundle("2"), "1"), (bundle("1", Trading.ON), "1")], ids=["another version", "another leave"]
)
def test_killed_between_any_two_steps_the_next_run_makes_them_agree(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, step: str, after: bool, new: ChampionBundle, before: str
) -> None:
    owner, name = STEPS[step]
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, _dying(getattr(owner, name), after))
        with pytest.raises(Killed):
            shop.hand_over(new, before)
    told = shop.succession.settle()
    deployed = (step, after) == ("the bundle", True)
    assert shop.in_place() == ((new.model_version, new.trading.value) if deployed else ("1", "flat"))
    assert shop.recorded() == shop.in_place()
    assert shop.registry.aliases == {MODEL: shop.in_place()[0]}  # type: ignore[index]
    recorded_too_much = not deployed and (step, after) != ("the ledger", False)
    assert ("recovery" in shop.who()) == recorded_too_much
    assert bool(told) == recorded_too_much
    assert shop.succession.settle() == ()
    shop.hand_over(bundle("3"), shop.in_place()[0])  # type: ignore[index]
    assert shop.in_place() == shop.recorded() == ("3", "flat")


def _dying(step: Callable[..., Any], after: bool) -> Callable[..., Any]:
    def die(*arguments: Any, **options: Any) -> None:
        if after:
            step(*arguments, **options)
        raise Killed

    return die


def test_a_first_deployment_that_was_interrupted_never_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Shop(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(BundleStore, "deploy", _dying(BundleStore.deploy, after=False))
        with pytest.raises(Killed):
            shop.hand_over(bundle("1"))
    (told,) = shop.succession.settle()
    assert "nothing is deployed: its promotion was interrupted" in told
    assert shop.recorded() is None


def test_a_registry_that_fails_leaves_the_champion_in_place(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(MemoryRegistry, "set_alias", _dying(MemoryRegistry.set_alias, after=False))
        with pytest.raises(Killed):
            shop.hand_over(bundle("2"), "1")
    assert shop.in_place() == ("1", "flat")
    shop.succession.settle()
    assert shop.recorded() == ("1", "flat")


@pytest.mark.parametrize("damaged", [False, True], ids=["taken away", "damaged"])
def test_a_bundle_that_a_person_took_away_is_recorded_as_such(shop: Shop, damaged: bool) -> None:
    path = shop.bundles.path(BTC)
    if damaged:
        path.write_text("{}")
    else:
        path.unlink()
    (told,) = shop.succession.settle()
    assert "nothing is deployed: the bundle was changed by hand or is damaged" in told
    assert shop.ledger.lines()[-1]["figures"] == {"interrupted": False}
    # It did reign until then.
    now, then = (champion_at(shop.ledger.lines(), str(BTC), at) for at in (LATER, pd.Timestamp("2024-06-01", tz="UTC")))
    assert now is None
    assert then is not None
    assert then.line["to_version"] == "1"
    assert shop.succession.settle() == ()


def test_a_bundle_that_a_person_put_there_is_recorded(shop: Shop) -> None:
    shop.bundles.deploy(bundle("7", Trading.ON))
    told = shop.succession.settle()
    assert "version 7 (on) is deployed: the bundle was changed by hand" in told[0]
    assert shop.recorded() == ("7", "on")
    assert shop.registry.aliases == {MODEL: "1"}  # a hand on the file is no word on the alias: told, not followed
    assert "points at version 1, but version 7 is deployed" in told[1]


class TestAliasMovedByHand:
    def test_it_is_told_every_time_recorded_once_and_not_followed(self, shop: Shop) -> None:
        shop.registry.aliases[MODEL] = "4"
        for _ in range(3):
            (told,) = shop.succession.settle()
            assert "points at version 4, but version 1 is deployed and stays" in told
        assert shop.who() == ["gate", "mlflow"]
        assert (shop.ledger.lines()[-1]["candidate_version"], shop.recorded()) == ("4", ("1", "flat"))
        assert shop.registry.aliases == {MODEL: "4"}
        assert shop.in_place() == ("1", "flat")

    def test_every_other_place_is_recorded(self, shop: Shop) -> None:
        for alias in ("4", "5", "4"):
            shop.registry.aliases[MODEL] = alias
            shop.succession.settle()
        del shop.registry.aliases[MODEL]
        (told,) = shop.succession.settle()
        assert "is gone, but version 1 is deployed" in told
        assert [line["figures"]["alias"] for line in shop.ledger.lines()[1:]] == ["4", "5", "4", None]

    def test_the_gates_refusals_do_not_make_it_new(self, shop: Shop) -> None:
        shop.registry.aliases[MODEL] = "4"
        shop.succession.settle()
        shop.succession.record(entry("1", "1", candidate_version="9", trading="unchanged", passed=False))
        shop.succession.settle()
        assert shop.who() == ["gate", "mlflow", "gate"]

    def test_the_next_deployment_sets_it_and_a_move_after_that_is_new(self, shop: Shop) -> None:
        shop.registry.aliases[MODEL] = "4"
        shop.succession.settle()
        shop.hand_over(bundle("2"), "1")
        assert shop.succession.settle() == ()
        shop.registry.aliases[MODEL] = "4"
        shop.succession.settle()
        assert shop.who() == ["gate", "mlflow", "gate", "mlflow"]

    def test_without_a_champion_there_is_nothing_to_tell(self, tmp_path: Path) -> None:
        shop = Shop(tmp_path)
        shop.registry.aliases[MODEL] = "4"
        assert shop.succession.settle() == ()
        assert shop.who() == []


def test_a_ledger_without_checksums_of_bundles_is_understood(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.ledger.append(entry("1"))
    shop.bundles.deploy(bundle("1"))
    shop.registry.aliases[MODEL] = "1"
    assert shop.succession.settle() == ()


def test_a_damaged_ledger_stops_everything(shop: Shop) -> None:
    shop.ledger.path.write_bytes(shop.ledger.path.read_bytes().replace(b"gate", b"hand", 1))
    with pytest.raises(CorruptFileError):
        shop.succession.settle()
    with pytest.raises(CorruptFileError):
        shop.hand_over(bundle("2"), "1")
    assert shop.in_place() == ("1", "flat")
    assert shop.registry.aliases == {MODEL: "1"}


def test_a_torn_last_line_is_no_line(shop: Shop) -> None:
    with shop.ledger.path.open("ab") as file:
        file.write(b'{"at": "2024')
    assert shop.succession.settle() == ()
    shop.hand_over(bundle("2"), "1")
    assert shop.recorded() == ("2", "flat")


def test_two_promotions_of_a_symbol_keep_each_other_out(shop: Shop) -> None:
    with shop.succession.alone(0), pytest.raises(BusyError, match="Another promotion of BTC/USD"):
        shop.succession.alone(0).__enter__()
