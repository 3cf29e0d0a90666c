from __future__ import annotations

import json
from dataclasses import asdict

from algo_pipeline.common.types import Symbol
from algo_pipeline.research.report import metrics_document, metrics_markdown
from algo_pipeline_tests.backtest.report_samples import NO_EVALUATION, sample_inputs

SYMBOL = Symbol("BTC", "USD")
SCORES = ["n", "auc", "log_loss", "log_loss_skill", "brier", "brier_skill", "ece"]


def test_the_metrics_have_exactly_the_documented_shape() -> None:
    evaluation = sample_inputs().evaluation
    document = metrics_document(SYMBOL, "direction_1h", "file", "algo-pipeline-BTC-USD-direction_1h/3", evaluation)
    assert list(document) == ["symbol", "label", "source", "model", "oos", "folds", "intervals"]
    assert document["symbol"] == "BTC/USD"
    assert list(document["oos"]) == SCORES
    assert [list(fold) for fold in document["folds"]] == [SCORES] * 4
    assert document["oos"] == {name: getattr(evaluation.oos, name) for name in SCORES}
    assert document["intervals"]["auc"] == asdict(evaluation.intervals["auc"])
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def test_undefined_scores_are_null_and_no_model_is_null() -> None:
    document = metrics_document(SYMBOL, "direction_1h", "file", None, NO_EVALUATION)
    assert document["model"] is None
    assert document["oos"]["auc"] is None
    assert (document["folds"], document["intervals"]) == ([], {})


def test_the_page_shows_the_same_numbers() -> None:
    evaluation = sample_inputs().evaluation
    text = metrics_markdown(SYMBOL, "direction_1h", "file", None, evaluation)
    assert f"| AUC | {evaluation.oos.auc:.4f} |" in text
    assert f"| 2 | 500 | {evaluation.folds[2].auc:.4f} |" in text
    assert text.count(" to ") > len(evaluation.reliability)
    assert "–" in metrics_markdown(SYMBOL, "direction_1h", "file", None, NO_EVALUATION)
