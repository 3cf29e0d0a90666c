"""What a training run logs so that it can be made again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

import pandas as pd

from algo_pipeline.common.machine import environment
from algo_pipeline.common.storage import frame_hash, json_hash, to_json
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.user_classes import loaded_sources
from algo_pipeline.interfaces.strategy import StrategyInterface
from algo_pipeline.models.linear_scorer import LinearScorer, is_linear
from algo_pipeline.models.parameter_hash import parameter_hash
from algo_pipeline.registry.logged_run import (
    FINGERPRINTS_FILE,
    LINEAGE_FILE,
    OWN_FOLDER,
    PARAMETERS_FILE,
    predictions_hash,
)
from algo_pipeline.registry.records import TrainingRecord
from algo_pipeline.research.lineage import Lineage, bar_fingerprints, column_hashes
from algo_pipeline.strategy.catalog import strategy_document

if TYPE_CHECKING:
    from algo_pipeline.registry.training_record import Training


def with_lineage(
    record: TrainingRecord,
    training: Training,
    bars: pd.DataFrame,
    config: BacktestConfig,
    strategy: StrategyInterface,
) -> TrainingRecord:
    """Add to a training's record where it came from, and the hashes of all that it made.

    Parameters
    ----------
    record, training : TrainingRecord, Training
        What was trained.
    bars : pd.DataFrame
        All bars that its features were computed from.
    config, strategy : BacktestConfig, StrategyInterface
        The rules that its probabilities are traded by.
    """
    lineage = training_lineage(training, bars, config, strategy)
    document = lineage.to_document()
    hashes = {
        "bars_hash": lineage.bars_hash,
        "parameters_hash": lineage.parameters_hash,
        "predictions_hash": lineage.predictions_hash,
        "lineage_hash": json_hash(document),
    }
    files = {
        LINEAGE_FILE: to_json(document).encode(),
        FINGERPRINTS_FILE: bar_fingerprints(bars).astype("<u4").tobytes(),
    }
    if is_linear(training.estimator):
        scorer = LinearScorer.from_estimator(training.estimator)
        files[PARAMETERS_FILE] = to_json(scorer.to_document()).encode()
    return dataclasses.replace(record, parameters={**record.parameters, **hashes}, files={**record.files, **files})


def with_own_sources(record: TrainingRecord, own: Iterable[str]) -> TrainingRecord:
    """Add the source of the user's own classes, so that what made a model can be read, and restored."""
    sources = {f"{OWN_FOLDER}/{name}": source.encode() for name, source in loaded_sources(own).items()}
    return dataclasses.replace(record, files={**record.files, **sources})


def training_lineage(
    training: Training, bars: pd.DataFrame, config: BacktestConfig, strategy: StrategyInterface
) -> Lineage:
    """Inputs and identities of one training; parameters as in :func:`with_lineage`."""
    return Lineage(
        symbol=str(training.symbol),
        label=training.recipe.label,
        source=training.source,
        venue_symbol=training.venue_symbol,
        first_bar=bars.index[0].isoformat(),
        last_bar=bars.index[-1].isoformat(),
        n_bars=len(bars),
        bars_hash=frame_hash(bars),
        dataset_hash=training.dataset.content_hash,
        parameters_hash=parameter_hash(training.estimator),
        predictions_hash=predictions_hash(training.oos),
        dataset_columns=column_hashes(training.dataset),
        recipe=training.recipe.to_document(),
        config=asdict(config),
        strategy=strategy_document(strategy),
        environment=environment(),
    )
