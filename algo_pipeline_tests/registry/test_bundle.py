from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from algo_pipeline.common.errors import CorruptFileError, StorageError
from algo_pipeline.common.storage import json_hash, write_checked_json
from algo_pipeline.common.types import Symbol
from algo_pipeline.registry.bundle import FORMAT_VERSION, BundleStore, ChampionBundle
from algo_pipeline.registry.deployment import bundle_strategy
from algo_pipeline.research.drift import reference_of
from algo_pipeline.research.promotion import Trading
from algo_pipeline.strategy.catalog import strategy_document
from algo_pipeline.strategy.cost_aware import CostAwareStrategy
from algo_pipeline.strategy.signal_to_trade import ThresholdStrategy
from algo_pipeline_tests.registry.samples import BTC, sample_bundle
from algo_pipeline_tests.research.samples import planted_dataset


@pytest.fixture(scope="module")
def bundle() -> ChampionBundle:
    return sample_bundle()


@pytest.fixture
def store(tmp_path: Path) -> BundleStore:
    return BundleStore(tmp_path)


def test_what_is_deployed_is_loaded_bit_for_bit(store: BundleStore, bundle: ChampionBundle) -> None:
    path = store.deploy(bundle)
    loaded = store.load(BTC)
    assert loaded is not None
    assert loaded.enter_threshold.hex() == (0.1 + 0.2 + 0.25).hex()
    assert loaded.exit_threshold.hex() == (1 / 3).hex()
    assert loaded.trading is Trading.FLAT
    assert json.dumps(loaded.to_document()) == json.dumps(bundle.to_document())
    assert json.loads(path.read_text())["sha256"] == bundle.sha256 == loaded.sha256


def test_a_bundle_written_before_there_were_strategies_trades_by_its_thresholds(store: BundleStore) -> None:
    old = replace(sample_bundle(), base_rate=None)
    document = old.to_document()
    assert not {"strategy", "base_rate", "feature_reference"} & set(document)
    write_checked_json(store.path(BTC), document)
    loaded = store.load(BTC)
    assert loaded is not None
    assert loaded.sha256 == old.sha256 == json_hash(document)
    assert bundle_strategy(loaded) == ThresholdStrategy(0.1 + 0.2 + 0.25, 1 / 3)


def test_a_bundle_keeps_its_strategy_and_base_rate(store: BundleStore, bundle: ChampionBundle) -> None:
    strategy = CostAwareStrategy(24, edge_multiple=1 / 3, kelly_fraction=0.1)
    store.deploy(replace(bundle, strategy=strategy_document(strategy), base_rate=0.1 + 0.2))
    loaded = store.load(BTC)
    assert loaded is not None
    assert bundle_strategy(loaded) == strategy
    assert loaded.base_rate == 0.1 + 0.2


def test_a_bundle_keeps_what_its_training_rows_looked_like_bit_for_bit(store: BundleStore) -> None:
    bundle = sample_bundle(dataset=planted_dataset(5000))
    expected = reference_of(planted_dataset(5000).features)
    assert expected is not None
    assert bundle.feature_reference == expected.to_document()
    store.deploy(bundle)
    loaded = store.load(BTC)
    assert loaded is not None
    assert loaded.feature_reference == expected.to_document()
    assert loaded.sha256 == bundle.sha256


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"strategy": {"name": "martingale"}}, "martingale"),
        ({"strategy": strategy_document(CostAwareStrategy(24)), "base_rate": None}, "base rate"),
    ],
)
def test_a_strategy_that_cannot_be_used_is_refused(bundle: ChampionBundle, changes: dict, told: str) -> None:
    with pytest.raises(CorruptFileError, match=told):
        bundle_strategy(replace(bundle, **changes))


def test_a_boosting_bundle_keeps_its_skops_bytes(store: BundleStore) -> None:
    bundle = sample_bundle("boosting")
    store.deploy(bundle)
    loaded = store.load(BTC)
    assert loaded is not None
    assert loaded.scorer is None
    assert loaded.estimator_skops == bundle.estimator_skops


def test_a_bundle_lies_under_live_by_slug(store: BundleStore, bundle: ChampionBundle, tmp_path: Path) -> None:
    assert store.deploy(bundle) == tmp_path / "live" / "champion" / "BTC-USD" / "bundle.json"


def test_without_a_deployment_there_is_no_bundle(store: BundleStore, bundle: ChampionBundle) -> None:
    store.deploy(bundle)
    assert store.load(Symbol("ETH", "USD")) is None


def test_any_altered_byte_of_the_content_is_refused(store: BundleStore, bundle: ChampionBundle) -> None:
    path = store.deploy(bundle)
    good = path.read_bytes()
    digits = [position for position, byte in enumerate(good) if chr(byte).isdigit()]
    for position in digits[:: max(1, len(digits) // 40)]:
        altered = bytearray(good)
        altered[position] = ord("1") if good[position] != ord("1") else ord("2")
        path.write_bytes(altered)
        if json.loads(altered) == json.loads(good):  # a digit beyond a float's precision
            continue
        with pytest.raises(CorruptFileError, match=r"bundle\.json|bundle has"):
            store.load(BTC)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.999])
def test_a_truncated_bundle_is_refused(store: BundleStore, bundle: ChampionBundle, share: float) -> None:
    path = store.deploy(bundle)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CorruptFileError, match=r"bundle\.json"):
        store.load(BTC)


def _without(name: str, document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != name}


@pytest.mark.parametrize(
    "change",
    [
        lambda document: {**document, "format_version": FORMAT_VERSION + 1},
        lambda document: _without("format_version", document),
        lambda document: _without("training_end", document),
        lambda document: {**document, "leverage": 3},
        lambda document: {**document, "trading": "maybe"},
        lambda document: {**document, "feature_names": None},
        lambda document: {**document, "estimator_skops": "no base64!"},
        lambda document: [],
        lambda document: None,
    ],
    ids=["newer", "unversioned", "missing", "extra", "trading", "features", "estimator", "list", "null"],
)
def test_an_intact_file_that_is_no_bundle_of_this_format_is_refused(
    store: BundleStore, bundle: ChampionBundle, change: Any
) -> None:
    write_checked_json(store.path(BTC), change(bundle.to_document()))
    with pytest.raises(CorruptFileError) as caught:
        store.load(BTC)
    assert "bundle" in caught.value.message
    assert caught.value.remedy


def test_a_deployment_that_fails_leaves_the_old_bundle_and_no_crumbs(
    store: BundleStore, bundle: ChampionBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store.deploy(bundle)
    before = path.read_bytes()

    def no_space(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(StorageError, match="No space left"):
        store.deploy(sample_bundle("logistic", "isotonic"))
    monkeypatch.undo()
    assert path.read_bytes() == before
    left = sorted(str(item.relative_to(path.parent)) for item in path.parent.rglob("*") if item.is_file())
    assert left == [f"archive/{bundle.sha256}.json", "bundle.json"]


def test_every_bundle_that_was_deployed_is_found_by_its_hash(store: BundleStore, bundle: ChampionBundle) -> None:
    second = sample_bundle("logistic", "isotonic")
    for each in (bundle, second, bundle):
        store.deploy(each)
    for each in (bundle, second):
        found = store.of_hash(BTC, each.sha256)
        assert found is not None
        assert found.sha256 == each.sha256
    assert store.of_hash(BTC, "0" * 64) is None
    assert store.of_hash(BTC, "../bundle") is None


def test_a_bundle_deployed_before_there_was_an_archive_is_archived_when_it_is_replaced(
    store: BundleStore, bundle: ChampionBundle
) -> None:
    write_checked_json(store.path(BTC), bundle.to_document())
    assert store.of_hash(BTC, bundle.sha256) is not None
    store.deploy(sample_bundle("logistic", "isotonic"))
    found = store.of_hash(BTC, bundle.sha256)
    assert found is not None
    assert found.sha256 == bundle.sha256


def test_an_archived_bundle_that_is_another_one_is_refused(store: BundleStore, bundle: ChampionBundle) -> None:
    path = store.deploy(bundle).parent / "archive" / f"{bundle.sha256}.json"
    write_checked_json(path, sample_bundle("logistic", "isotonic").to_document())
    with pytest.raises(CorruptFileError, match="not the one that its name says"):
        store.of_hash(BTC, bundle.sha256)
