"""A model registry in memory: aliases, and registered versions with what their runs recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from algo_pipeline.common.errors import RegistryError
from algo_pipeline.models.calibration import CalibratedClassifier
from algo_pipeline.registry.records import RegisteredVersion, StoredModel
from algo_pipeline_tests.models.samples import fitted
from algo_pipeline_tests.registry.samples import sample_record

MODEL = "algo-pipeline-BTC-USD-direction_1h"


class MemoryRegistry:
    """What promotions ask of MLflow."""

    def __init__(self, versions: Mapping[str, str] | None = None) -> None:
        self.aliases: dict[str, str] = {}
        self.estimators = {version: fitted(kind, "platt") for version, kind in (versions or {}).items()}
        self.stored = {version: stored(version, kind) for version, kind in (versions or {}).items()}

    def alias_version(self, model_name: str, alias: str) -> str | None:
        return self.aliases.get(model_name)

    def set_alias(self, model_name: str, alias: str, version: str) -> None:
        self.aliases[model_name] = version

    def stored_model(self, model_name: str, version: str) -> StoredModel:
        if model_name != MODEL or version not in self.stored:
            raise RegistryError(f"Version {version} of {model_name} is not registered.", "Choose another.")
        return self.stored[version]

    def load_estimator(self, version: RegisteredVersion, trusted_types: tuple[str, ...]) -> CalibratedClassifier:
        return self.estimators[version.version]

    def alter(self, version: str, **changes: Any) -> None:
        self.stored[version] = replace(self.stored[version], **changes)


def stored(version: str, kind: str) -> StoredModel:
    """What the run of a sample record keeps."""
    record = sample_record(fitted(kind, "platt"), kind)
    registered = RegisteredVersion(MODEL, version, f"run-{version}", "1", record.parameters["recipe_hash"])
    recipe, features = (json.loads(record.files[name]) for name in ("config.json", "feature_list.json"))
    return StoredModel(registered, record.parameters, recipe, tuple(features))
