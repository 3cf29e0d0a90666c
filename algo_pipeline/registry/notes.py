"""Descriptions in the experiment store: of experiments, registered models and versions; written through its client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from algo_pipeline.common.types import Symbol
from algo_pipeline.registry.model_card import experiment_note, registered_model_note, with_sections
from algo_pipeline.registry.records import RegisteredVersion, TrainingRecord

NOTE_TAG = "mlflow.note.content"
# The client is handed in untyped: MLflow is imported by one module only.


def describe_experiment(client: Any, experiment_id: str, tags: Mapping[str, str], symbol: Symbol) -> None:
    """Give an experiment its description, unless somebody has written one."""
    if NOTE_TAG not in tags:
        client.set_experiment_tag(experiment_id, NOTE_TAG, experiment_note(symbol))


def describe_model(client: Any, record: TrainingRecord, version: str) -> None:
    """Describe a registered model by what its versions share, and the version by its card."""
    name = record.model_name
    client.update_registered_model(name, registered_model_note(record.symbol, record.label))
    for key, value in (("symbol", str(record.symbol)), ("label", record.label)):
        client.set_registered_model_tag(name, key, value)
    client.update_model_version(name, version, record.description)


def extend_card(client: Any, version: RegisteredVersion, sections: Mapping[str, str]) -> None:
    """Write sections into the card of a version and of its run."""
    card = with_sections(client.get_run(version.run_id).data.tags.get(NOTE_TAG, ""), sections)
    client.set_tag(version.run_id, NOTE_TAG, card)
    client.update_model_version(version.model_name, version.version, card)
