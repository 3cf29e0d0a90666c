"""A person's own promotion: what is deployed, whether it may enter, what is refused, and who is written down."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from algo_pipeline.common.errors import BusyError, CorruptFileError, NotDeployableError, RegistryError
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.registry import hand_promotion
from algo_pipeline.registry.bundle import BundleStore, ChampionBundle
from algo_pipeline.registry.deployment import bundle_estimator
from algo_pipeline.registry.hand_promotion import HandPromoted, HandPromotion, promote_by_hand, rules_sha256
from algo_pipeline.registry.ledger import PromotionLedger
from algo_pipeline.registry.succession import Succession
from algo_pipeline.research.promotion import Policy
from algo_pipeline.strategy.catalog import threshold_strategy
from algo_pipeline.strategy.cost_aware import CostAwareStrategy
from algo_pipeline_tests.models.samples import planted_rows
from algo_pipeline_tests.registry.aliases import MODEL, MemoryRegistry
from algo_pipeline_tests.registry.samples import BTC, HISTORY_START, entry

CONFIG = BacktestConfig(enter_threshold=0.6, exit_threshold=0.4)
WISH = HandPromotion(
    symbol=BTC,
    version="1",
    reason="because I say so",
    who="anna",
    trade=None,
    label="direction_1h",
    source="file",
    config=CONFIG,
    strategy=threshold_strategy(CONFIG),
    policy=Policy.GATED,
    real_account=False,
)


class Shop:
    """Two registered versions, 1 logistic and 2 boosting, and a folder in which nothing is deployed yet."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.registry = folder, MemoryRegistry({"1": "logistic", "2": "boosting"})
        self.ledger = PromotionLedger(folder)

    def promote(self, version: str = "1", **changes: Any) -> HandPromoted:
        wish = replace(WISH, version=version, **changes)
        return promote_by_hand(wish, self.folder, self.registry)  # type: ignore[arg-type]

    def judged(self, version: str, may_trade: bool = True, **changes: object) -> None:
        """A line of the gate on a version that it did not deploy."""
        facts = {"run_id": f"run-{version}", "rules_sha256": rules_sha256(CONFIG, WISH.strategy)}
        line = entry(None, None, candidate_version=version, trading="unchanged", may_trade=may_trade)
        self.ledger.append(replace(line, **{**facts, **changes}))  # type: ignore[arg-type]

    def bundle(self) -> ChampionBundle | None:
        return BundleStore(self.folder).load(BTC)

    def version(self) -> str | None:
        found = self.bundle()
        return found.model_version if found else None


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_the_version_is_deployed_with_all_that_its_run_recorded(shop: Shop) -> None:
    done = shop.promote("1")
    bundle = shop.bundle()
    assert bundle is not None
    recorded = shop.registry.stored["1"].parameters
    assert (done.version, done.from_version, done.deployed, done.found) == ("1", None, True, ())
    assert (bundle.symbol, bundle.label, bundle.source, bundle.venue_symbol) == (
        "BTC/USD",
        "direction_1h",
        "file",
        "BTC/USD",
    )
    assert (bundle.model_name, bundle.model_version, bundle.run_id) == (MODEL, "1", "run-1")
    assert bundle.training_end == recorded["training_end"] == done.training_end
    assert bundle.history_start == HISTORY_START.isoformat()
    assert repr(bundle.base_rate) == recorded["base_rate"]
    assert (bundle.recipe, bundle.recipe_hash) == ("logistic+platt", recorded["recipe_hash"])
    assert bundle.recipe_document == shop.registry.stored["1"].recipe_document
    assert (bundle.enter_threshold, bundle.exit_threshold) == (0.6, 0.4)
    assert shop.registry.aliases == {MODEL: "1"}


@pytest.mark.parametrize("version", ["1", "2"])
def test_it_scores_as_the_registered_estimator(shop: Shop, version: str) -> None:
    shop.promote(version)
    bundle = shop.bundle()
    assert bundle is not None
    features, _ = planted_rows(100, seed=5)
    expected = shop.registry.estimators[version].predict_proba(features)[:, 1]
    np.testing.assert_allclose(bundle_estimator(bundle).probability(features), expected, rtol=0, atol=1e-12)


def test_the_ledger_says_who_and_why(shop: Shop) -> None:
    shop.promote("1")
    shop.promote("2", who="bert", reason="newer")
    first, second = shop.ledger.lines()
    assert (first["who"], first["reason"], first["policy"]) == ("anna", "because I say so", "by_hand")
    assert (second["who"], second["reason"]) == ("bert", "newer")
    assert (second["from_version"], second["to_version"], second["run_id"]) == ("1", "2", "run-2")
    assert second["bundle_sha256"] == BundleStore(shop.folder).fingerprint(BTC)


def test_back_to_an_earlier_version_gives_the_very_bundle_of_before(shop: Shop) -> None:
    shop.promote("1")
    before = shop.bundle()
    shop.promote("2")
    done = shop.promote("1")
    assert (done.from_version, done.deployed) == ("2", True)
    assert shop.bundle() == before
    assert shop.registry.aliases == {MODEL: "1"}


class TestTrading:
    def test_the_gates_evidence_lets_it_trade(self, shop: Shop) -> None:
        shop.judged("1")
        done = shop.promote("1")
        assert (done.trading, done.because) == ("on", "the gate's evidence of 2024-01-01 is enough to trade")

    @pytest.mark.parametrize(
        ("judged", "because"),
        [
            ({"may_trade": False}, "is not enough to trade"),
            ({"rules_sha256": "of others"}, "was measured with other trading rules"),
            ({"run_id": "of another store"}, "the gate has not judged this version"),
            ({"label": "direction_4h"}, "the gate has not judged this version"),
            ({"symbol": "ETH/USD"}, "the gate has not judged this version"),
            ({"candidate_version": "2"}, "the gate has not judged this version"),
            ({"who": "anna"}, "the gate has not judged this version"),
            ({"who": "gate", "policy": "by_hand"}, "the gate has not judged this version"),
        ],
    )
    def test_other_evidence_does_not(self, shop: Shop, judged: dict[str, Any], because: str) -> None:
        shop.judged("1", **judged)
        done = shop.promote("1")
        assert done.trading == "flat"
        assert because in done.because
        assert because in shop.ledger.lines()[-1]["figures"]["trading_because"]

    def test_the_gates_last_word_counts(self, shop: Shop) -> None:
        shop.judged("1", may_trade=True)
        shop.judged("1", may_trade=False)
        assert shop.promote("1").trading == "flat"

    @pytest.mark.parametrize(
        "changes", [{"config": replace(CONFIG, fee_bps=10.0)}, {"strategy": CostAwareStrategy(1, 1.0, 0.5)}]
    )
    def test_evidence_holds_for_the_rules_it_was_measured_with(self, shop: Shop, changes: dict[str, Any]) -> None:
        shop.judged("1")
        assert shop.promote("1", **changes).trading == "flat"

    @pytest.mark.parametrize(("trade", "trading"), [(True, "on"), (False, "flat")])
    @pytest.mark.parametrize("may_trade", [True, False])
    def test_a_persons_own_choice_wins_and_is_written_down(
        self, shop: Shop, trade: bool, trading: str, may_trade: bool
    ) -> None:
        shop.judged("1", may_trade)
        done = shop.promote("1", trade=trade)
        assert (done.trading, done.because) == (trading, "by your own choice, whatever the evidence says")
        assert shop.ledger.lines()[-1]["trading"] == trading

    def test_the_policy_always_trades_and_says_so(self, shop: Shop) -> None:
        done = shop.promote("1", policy=Policy.ALWAYS)
        assert (done.trading, "`always`" in done.because) == ("on", True)


class TestAskedAgain:
    @pytest.mark.parametrize("version", ["1", "2"])
    def test_it_changes_nothing(self, shop: Shop, version: str) -> None:
        shop.promote(version, trade=True)
        path = BundleStore(shop.folder).path(BTC)
        before = (path.read_bytes(), shop.ledger.path.read_bytes())
        done = shop.promote(version)
        assert (done.deployed, done.trading, done.because) == (False, "on", "as before")
        assert (path.read_bytes(), shop.ledger.path.read_bytes()) == before

    def test_what_the_training_rows_looked_like_stays_in_the_bundle_but_goes_with_another_version(
        self, shop: Shop
    ) -> None:
        shop.promote("1")
        deployed = shop.bundle()
        assert deployed is not None
        reference = {"names": [], "edges": [], "shares": [], "limits": []}
        BundleStore(shop.folder).deploy(replace(deployed, feature_reference=reference))
        assert not shop.promote("1").deployed
        assert shop.promote("1", trade=True).deployed
        assert (found := shop.bundle()) is not None
        assert found.feature_reference == reference
        shop.promote("2")
        assert (found := shop.bundle()) is not None
        assert found.feature_reference is None

    def test_the_other_leave_to_trade_is_a_deployment(self, shop: Shop) -> None:
        shop.promote("1", trade=True)
        done = shop.promote("1", trade=False)
        assert (done.deployed, done.from_version, done.trading) == (True, "1", "flat")

    def test_other_thresholds_are_a_deployment_that_needs_its_own_evidence(self, shop: Shop) -> None:
        shop.judged("1")
        assert shop.promote("1").trading == "on"
        other = replace(CONFIG, enter_threshold=0.7)
        done = shop.promote("1", config=other, strategy=threshold_strategy(other))
        assert (done.deployed, done.trading) == (True, "flat")

    def test_an_alias_that_was_moved_is_put_back_and_written_down(self, shop: Shop) -> None:
        shop.promote("1")
        shop.registry.aliases[MODEL] = "2"
        done = shop.promote("1")
        assert (done.deployed, done.alias_before) == (False, "2")
        assert shop.registry.aliases == {MODEL: "1"}
        assert [(line["who"], line["trading"]) for line in shop.ledger.lines()] == [
            ("anna", "flat"),
            ("mlflow", "unchanged"),
            ("anna", "unchanged"),
        ]

    def test_an_alias_that_was_moved_can_be_made_true(self, shop: Shop) -> None:
        shop.promote("1")
        shop.registry.aliases[MODEL] = "2"
        done = shop.promote("2")
        assert (done.deployed, done.alias_before, shop.version()) == (True, "2", "2")
        assert "points at version 2" in done.found[0]


class TestRefusals:
    def test_an_unknown_version(self, shop: Shop) -> None:
        with pytest.raises(RegistryError, match="not registered"):
            shop.promote("9")
        assert shop.version() is None

    def test_another_source_than_the_settings(self, shop: Shop) -> None:
        said = "learnt direction_1h from file; the settings name direction_1h from binance"
        with pytest.raises(NotDeployableError, match=said):
            shop.promote("1", source="binance")
        assert (shop.version(), shop.ledger.lines(), shop.registry.aliases) == (None, [], {})

    def test_another_label_or_source_than_the_deployed_champions(self, shop: Shop) -> None:
        shop.promote("1")
        deployed = shop.bundle()
        assert deployed is not None
        for changes in ({"label": "direction_4h"}, {"source": "binance"}):
            BundleStore(shop.folder).deploy(replace(deployed, **changes))  # type: ignore[arg-type]
            with pytest.raises(NotDeployableError, match="the deployed champion learnt"):
                shop.promote("2")

    def test_simulated_bars_on_a_paper_account(self, shop: Shop) -> None:
        recorded = shop.registry.stored["1"].parameters
        shop.registry.alter("1", parameters={**recorded, "source": "simulated"})
        with pytest.raises(NotDeployableError, match="simulated bars"):
            shop.promote("1", source="simulated", real_account=True)
        assert shop.promote("1", source="simulated").deployed
        assert Shop(shop.folder / "other").promote("1", real_account=True).deployed  # real bars are what it is for

    def test_other_features(self, shop: Shop) -> None:
        names = shop.registry.stored["1"].feature_names
        shop.registry.alter("1", feature_names=names[::-1])
        with pytest.raises(NotDeployableError, match="other features"):
            shop.promote("1")

    def test_a_recipe_that_is_not_the_recorded_one(self, shop: Shop) -> None:
        document = shop.registry.stored["1"].recipe_document
        shop.registry.alter("1", recipe_document={**document, "calibrator": "isotonic"})
        with pytest.raises(RegistryError, match="hash differs"):
            shop.promote("1")

    @pytest.mark.parametrize("name", ["history_start", "training_end", "venue_symbol", "base_rate", "recipe"])
    def test_a_record_that_lacks_something(self, shop: Shop, name: str) -> None:
        recorded = shop.registry.stored["1"].parameters
        shop.registry.alter("1", parameters={key: value for key, value in recorded.items() if key != name})
        with pytest.raises(RegistryError, match=f"does not record {name}") as caught:
            shop.promote("1")
        assert "algo-pipeline research" in caught.value.remedy

    def test_an_estimator_that_is_damaged_or_not_ours(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> None:
            raise CorruptFileError("It holds types that are not ours.", "Train again.")

        shop.promote("2")
        monkeypatch.setattr(MemoryRegistry, "load_estimator", refuse)
        with pytest.raises(CorruptFileError):
            shop.promote("1")
        assert (shop.version(), shop.registry.aliases, len(shop.ledger.lines())) == ("2", {MODEL: "2"}, 1)

    def test_a_damaged_ledger(self, shop: Shop) -> None:
        shop.promote("1")
        shop.ledger.path.write_bytes(shop.ledger.path.read_bytes().replace(b"anna", b"bert", 1))
        with pytest.raises(CorruptFileError, match="Line 1"):
            shop.promote("2")
        assert (shop.version(), shop.registry.aliases) == ("1", {MODEL: "1"})


@pytest.mark.parametrize("step", ["append", "set_alias", "deploy"])
def test_interrupted_anywhere_running_it_again_finishes_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    owner = {"append": PromotionLedger, "set_alias": MemoryRegistry, "deploy": BundleStore}[step]
    shop.promote("1")

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(owner, step, die)
        with pytest.raises(KeyboardInterrupt):
            shop.promote("2")
    assert shop.version() == "1"
    done = shop.promote("2")
    assert (done.deployed, done.from_version, shop.version()) == (True, "1", "2")
    assert shop.registry.aliases == {MODEL: "2"}
    assert shop.ledger.lines()[-1]["to_version"] == "2"
    assert bool(done.found) == (step != "append")


def test_promotions_at_the_same_time_come_one_after_another(shop: Shop) -> None:
    start = threading.Barrier(4)

    def promote(version: str) -> None:
        start.wait()
        shop.promote(version)

    threads = [threading.Thread(target=promote, args=(version,)) for version in "1212"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = shop.ledger.lines()
    assert lines[-1]["to_version"] == shop.version() == shop.registry.aliases[MODEL]
    assert {line["who"] for line in lines} == {"anna"}
    assert [line["from_version"] for line in lines] == [None, *(line["to_version"] for line in lines[:-1])]


def test_while_another_promotion_is_at_work_it_waits_and_then_says_so(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hand_promotion, "_WAIT_S", 0.0)
    busy = Succession(shop.folder, shop.registry, BTC)  # type: ignore[arg-type]
    with busy.alone(0), pytest.raises(BusyError):
        shop.promote("1")
    assert shop.promote("1").deployed
