from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from algo_pipeline.common.errors import CorruptFileError
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.data.features import FEATURE_NAMES
from algo_pipeline.interfaces.strategy import StrategyInterface
from algo_pipeline.models.linear_scorer import LinearScorer
from algo_pipeline.registry.bundle import BundleStore
from algo_pipeline.registry.deployment import bundle_estimator
from algo_pipeline.strategy.cost_aware import CostAwareStrategy
from algo_pipeline.strategy.signal_to_trade import ThresholdStrategy
from algo_pipeline_tests.models.samples import fitted, planted_rows
from algo_pipeline_tests.registry.samples import BTC, sample_bundle
from algo_pipeline_tests.research.samples import planted_dataset


@pytest.mark.parametrize("calibrator", ["platt", "isotonic"])
def test_a_linear_bundle_scores_as_the_linear_scorer_to_the_bit(tmp_path: Path, calibrator: str) -> None:
    estimator = fitted("logistic", calibrator)
    store = BundleStore(tmp_path)
    store.deploy(sample_bundle("logistic", calibrator, estimator))
    bundle = store.load(BTC)
    assert bundle is not None
    assert bundle.estimator_skops is None
    features, _ = planted_rows(500, seed=5)
    scored = bundle_estimator(bundle).probability(features)
    assert scored.tobytes() == LinearScorer.from_estimator(estimator).predict_proba(features.to_numpy()).tobytes()
    np.testing.assert_allclose(scored, estimator.predict_proba(features)[:, 1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("calibrator", ["platt", "isotonic"])
def test_a_boosting_bundle_scores_as_its_estimator(tmp_path: Path, calibrator: str) -> None:
    estimator = fitted("boosting", calibrator)
    store = BundleStore(tmp_path)
    store.deploy(sample_bundle("boosting", calibrator, estimator))
    bundle = store.load(BTC)
    assert bundle is not None
    features, _ = planted_rows(500, seed=5)
    scored = bundle_estimator(bundle).probability(features)
    np.testing.assert_allclose(scored, estimator.predict_proba(features)[:, 1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["logistic", "boosting"])
def test_rows_scored_alone_have_the_probabilities_of_rows_scored_together(kind: str) -> None:
    scorer = bundle_estimator(sample_bundle(kind))
    features, _ = planted_rows(40, seed=6)
    alone = np.concatenate([scorer.probability(features.iloc[[row]]) for row in range(len(features))])
    np.testing.assert_allclose(alone, scorer.probability(features), rtol=0, atol=0 if kind == "logistic" else 1e-12)


@pytest.mark.parametrize(
    ("strategy", "document"),
    [
        (None, None),
        (ThresholdStrategy(0.6, 0.4), None),
        (
            CostAwareStrategy(24, 1.5, 0.25),
            {"name": "cost_aware", "horizon_bars": 24, "edge_multiple": 1.5, "kelly_fraction": 0.25},
        ),
    ],
)
def test_a_bundle_names_its_strategy_unless_it_is_its_thresholds(
    strategy: StrategyInterface | None, document: dict | None
) -> None:
    bundle = sample_bundle(strategy=strategy)
    assert bundle.strategy == document
    assert bundle.base_rate == planted_dataset(100).target.mean()


def test_a_bundle_says_what_was_learnt_from_which_bars() -> None:
    config = BacktestConfig(enter_threshold=0.61, exit_threshold=0.39)
    bundle = sample_bundle(config=config)
    dataset = planted_dataset(100)
    assert (bundle.symbol, bundle.label, bundle.source, bundle.venue_symbol) == (
        "BTC/USD",
        "direction_1h",
        "file",
        "BTC/USD",
    )
    assert bundle.feature_names == FEATURE_NAMES
    assert (bundle.enter_threshold, bundle.exit_threshold) == (0.61, 0.39)
    assert bundle.history_start == "2021-12-01T05:00:00+00:00"
    # The label of the last row t reads the open of bar t + 2, which closes at t + 3 h.
    assert bundle.training_end == (dataset.last_bar + 3 * np.timedelta64(1, "h")).isoformat()
    assert set(bundle.versions) >= {"algo-pipeline", "numpy", "scikit-learn"}
    assert (bundle.model_name, bundle.model_version, bundle.run_id) == (
        "algo-pipeline-BTC-USD-direction_1h",
        "3",
        "run-7",
    )


def test_a_bundle_without_a_model_is_refused() -> None:
    empty = dataclasses.replace(sample_bundle(), scorer=None)
    with pytest.raises(CorruptFileError, match="neither coefficients nor an estimator"):
        bundle_estimator(empty)


def test_a_bundle_whose_skops_holds_a_foreign_type_is_refused() -> None:
    from types import SimpleNamespace

    import skops.io

    foreign = skops.io.dumps(SimpleNamespace(estimator=1))
    with pytest.raises(CorruptFileError, match="types that are not ours"):
        bundle_estimator(dataclasses.replace(sample_bundle(), scorer=None, estimator_skops=foreign))


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\x03\x04broken"])
def test_a_bundle_whose_skops_is_damaged_is_a_clear_error(data: bytes) -> None:
    broken = dataclasses.replace(sample_bundle(), scorer=None, estimator_skops=data)
    with pytest.raises(CorruptFileError) as caught:
        bundle_estimator(broken)
    assert "BTC/USD" in caught.value.message
    assert caught.value.remedy


_SCORE_ONE_ROW = """
import sys
from pathlib import Path
import numpy as np
import pandas as pd
from algo_pipeline.common.types import Symbol
from algo_pipeline.registry.bundle import BundleStore
from algo_pipeline.registry.deployment import bundle_estimator
from algo_pipeline.strategy.cost_aware import CostAwareStrategy
from algo_pipeline.strategy.signal_to_trade import ThresholdStrategy

bundle = BundleStore(Path(sys.argv[1])).load(Symbol("BTC", "USD"))
row = pd.DataFrame([np.linspace(-1, 1, 37)], columns=list(bundle.feature_names))
print(bundle_estimator(bundle).probability(row)[0].hex())
heavy = {"sklearn", "skops", "mlflow", "ccxt", "matplotlib", "dagster"}
print(sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
"""


def test_a_linear_bundle_is_scored_without_any_heavy_package(tmp_path: Path) -> None:
    bundle = sample_bundle()
    BundleStore(tmp_path).deploy(bundle)
    row = np.linspace(-1, 1, 37).reshape(1, -1)
    assert bundle.scorer is not None
    expected = LinearScorer.from_document(bundle.scorer).predict_proba(row)[0]
    done = subprocess.run(
        [sys.executable, "-c", _SCORE_ONE_ROW, str(tmp_path)], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.splitlines() == [float(expected).hex(), "[]"]
