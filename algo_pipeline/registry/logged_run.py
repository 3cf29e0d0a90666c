"""A training as the experiment store, or an audit bundle, holds it: parameters, tags and files by their path."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd

from algo_pipeline.common.errors import CorruptFileError, RegistryError
from algo_pipeline.common.schemas import INDEX_NAME
from algo_pipeline.common.storage import frame_hash, json_hash
from algo_pipeline.common.time import to_utc
from algo_pipeline.common.types import IntArray
from algo_pipeline.research.lineage import Lineage

LINEAGE_FILE = "lineage/lineage.json"
FINGERPRINTS_FILE = "lineage/bar_fingerprints.bin"
PARAMETERS_FILE = "lineage/parameters.json"
RECIPE_FILE = "config.json"
PREDICTIONS_FILE = "tables/oos_probabilities.csv"
REPORT_FILE = "backtest/report.json"
METRICS_FILE = "metrics.json"
FILES = (
    LINEAGE_FILE,
    FINGERPRINTS_FILE,
    PARAMETERS_FILE,
    RECIPE_FILE,
    PREDICTIONS_FILE,
    REPORT_FILE,
    METRICS_FILE,
)
"""What is read of a run to make it again."""
OWN_FOLDER = "own"
"""Where a run keeps the source of the user's own classes; it is read by people, and never run from there."""
REPORT_TAG = "report_hash"
_NEEDED = ("symbol", "source", "venue_symbol", "label", "history_start", "training_end", "last_bar", "recipe_hash")
_AGAIN = "Train anew, and reproduce that run: `algo-pipeline research`."


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """What is kept of a training run.

    Attributes
    ----------
    run_id : str
        MLflow's.
    parameters, tags : mapping of str to str
        As MLflow has them.
    files : mapping of str to bytes
        Those of :data:`FILES` and below :data:`OWN_FOLDER` that the run has, by path.
    """

    run_id: str
    parameters: Mapping[str, str]
    tags: Mapping[str, str]
    files: Mapping[str, bytes]

    def document(self, path: str) -> Any:
        """A JSON file of the run, or None if it has none; CorruptFileError if it is damaged."""
        if path not in self.files:
            return None
        try:
            return json.loads(self.files[path])
        except (ValueError, RecursionError) as error:
            raise self._damaged(path, error) from error

    def lineage(self) -> Lineage:
        """What it was made from; of a run that was logged before there was a lineage, what its parameters tell.

        Raises
        ------
        RegistryError
            If the run is no training, or does not even record whose bars and which recipe it learnt from.
        CorruptFileError
            If its files are damaged or were changed: the recipe is not the one whose hash is recorded.
        """
        missing = [name for name in _NEEDED if name not in self.parameters]
        recipe = self.document(RECIPE_FILE)
        if missing or recipe is None:
            lacking = ", ".join([*missing, *([RECIPE_FILE] if recipe is None else [])])
            raise RegistryError(f"Run {self.run_id} can't be made again: it does not record {lacking}.", _AGAIN)
        if json_hash(recipe) != self.parameters["recipe_hash"]:
            raise CorruptFileError(
                f"The recipe in {RECIPE_FILE} of run {self.run_id} is not the one that was trained: its hash differs.",
                "Restore the run's files from a backup.",
            )
        document = self.document(LINEAGE_FILE)
        lineage = self._from_parameters(recipe) if document is None else Lineage.from_document(document)
        if document is not None and self.parameters.get("lineage_hash", "") != json_hash(document):
            raise CorruptFileError(
                f"{LINEAGE_FILE} of run {self.run_id} is not what was logged: its hash differs.",
                "Restore the run's files from a backup.",
            )
        return lineage

    def fingerprints(self) -> IntArray | None:
        """Four bytes for each hour of its bars; None if it has none."""
        data = self.files.get(FINGERPRINTS_FILE)
        return None if data is None else np.frombuffer(data[: len(data) // 4 * 4], dtype="<u4").astype(np.int64)

    def predictions(self) -> pd.DataFrame | None:
        """Its out-of-sample rows, to the bit; None if it has none."""
        if PREDICTIONS_FILE not in self.files:
            return None
        try:
            frame = pd.read_csv(BytesIO(self.files[PREDICTIONS_FILE]), float_precision="round_trip")
            index = pd.DatetimeIndex(pd.to_datetime(frame.pop(INDEX_NAME), utc=True)).as_unit("ns")
            frame.index = index.rename(INDEX_NAME)
            kinds = {"probability": np.float64, "outcome": np.float64, "base_rate": np.float64, "fold": np.int64}
            return frame[list(kinds)].astype(kinds)
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged(PREDICTIONS_FILE, error) from error

    def _from_parameters(self, recipe: Mapping[str, Any]) -> Lineage:
        known = self.parameters
        until = to_utc(known["training_end"]) - pd.Timedelta(hours=1)
        return Lineage(
            symbol=known["symbol"],
            label=known["label"],
            source=known["source"],
            venue_symbol=known["venue_symbol"],
            first_bar=known["history_start"],
            last_bar=until.isoformat(),
            n_bars=0,
            bars_hash="",
            dataset_hash=known.get("dataset_hash", ""),
            parameters_hash="",
            predictions_hash="",
            dataset_columns={},
            recipe=recipe,
            config={},
            strategy={},
            environment={},
        )

    def _damaged(self, path: str, error: Exception) -> CorruptFileError:
        return CorruptFileError(
            f"{path} of run {self.run_id} can't be read: {error}.", "Restore the run's files from a backup."
        )


def predictions_hash(oos: pd.DataFrame) -> str:
    """SHA-256 of an out-of-sample frame's rows and values."""
    return frame_hash(oos)
