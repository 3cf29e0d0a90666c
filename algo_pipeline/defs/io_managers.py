"""How assets rest on disk: frames as checksummed Parquet, documents as JSON, estimators as skops. Never pickles.

Derived assets live under ``<artifacts>/research/<source>/<asset>/<slug>.<extension>``: the source is part of the path,
so that what was made from one source's bars is never read together with another's.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd
from pydantic import TypeAdapter, ValidationError
from upath import UPath

from algo_pipeline.common.errors import CorruptFileError, StaleInputError, StorageError
from algo_pipeline.common.storage import (
    read_bytes,
    read_checked_json,
    read_frame,
    write_bytes,
    write_checked_json,
    write_frame,
)
from algo_pipeline.defs.partitions import partition_symbol
from algo_pipeline.defs.resources import Pipeline
from algo_pipeline.defs.stage import loading
from algo_pipeline.registry.estimator_file import dump_estimators, load_estimators
from algo_pipeline.research.splits import SplitPlan

if TYPE_CHECKING:
    from algo_pipeline.research.dataset import Dataset
    from algo_pipeline.research.train import Recipe


@dataclass(frozen=True, slots=True)
class Estimators:
    """Fitted estimators, one per fold and last the production one, with what they were made from."""

    items: tuple[Any, ...]
    recipe_hash: str
    dataset_hash: str

    @property
    def production(self) -> Any:
        """The one for the hours to come."""
        return self.items[-1]

    def require(self, recipe: "Recipe", dataset: "Dataset") -> None:
        """Refuse estimators of another recipe or dataset than the run's: the stored ones may be older than it."""
        if (self.recipe_hash, self.dataset_hash) != (recipe.hash, dataset.content_hash):
            raise StaleInputError(
                f"The stored models were not made by {recipe.describe()} from the stored dataset.",
                "Materialize model and calibrator again, or the whole graph.",
            )


class _AtomicIOManager(dg.UPathIOManager):
    """Writes and reads whole files through the functions it is given."""

    def __init__(
        self,
        base_path: UPath,
        extension: str,
        write: Callable[[Path, Any], object],
        read: Callable[[Path, type], Any],
    ) -> None:
        self.extension = extension
        self._write, self._read = write, read
        super().__init__(base_path=base_path)

    def dump_to_path(self, context: dg.OutputContext, obj: Any, path: UPath) -> None:
        """Write ``obj`` atomically."""
        self._write(Path(str(path)), obj)

    def load_from_path(self, context: dg.InputContext, path: UPath) -> Any:
        """Read and verify; the consumer's annotation says what a document is read as."""
        what = f"{context.asset_key.to_user_string()} of {path.stem}"
        with loading(what):
            if not path.exists():
                raise StorageError(f"{path} does not exist.", f"Materialize {what} first.")
            return self._read(Path(str(path)), context.dagster_type.typing_type)

    def get_metadata(self, context: dg.OutputContext, obj: Any) -> dict[str, dg.MetadataValue]:
        """Row count and size of a frame."""
        if not isinstance(obj, pd.DataFrame):
            return {}
        return {
            "dagster/row_count": dg.MetadataValue.int(len(obj)),
            "columns": dg.MetadataValue.int(len(obj.columns)),
        }


class FrameIOManager(dg.ConfigurableIOManagerFactory):  # type: ignore[type-arg]
    """Frames as Parquet that carries its own checksum."""

    pipeline: dg.ResourceDependency[Pipeline]

    def create_io_manager(self, context: dg.InitResourceContext) -> _AtomicIOManager:
        """Build it for the run's source."""
        return _AtomicIOManager(_base(self.pipeline), ".parquet", write_frame, lambda path, _: read_frame(path))


class DocumentIOManager(dg.ConfigurableIOManagerFactory):  # type: ignore[type-arg]
    """Frozen dataclasses as checksummed JSON, read back as the type that the consumer's annotation names."""

    pipeline: dg.ResourceDependency[Pipeline]

    def create_io_manager(self, context: dg.InitResourceContext) -> _AtomicIOManager:
        """Build it for the run's source."""
        return _AtomicIOManager(_base(self.pipeline), ".json", _write_document, read_document)


class EstimatorsIOManager(dg.ConfigurableIOManagerFactory):  # type: ignore[type-arg]
    """Fitted estimators as one skops file, loaded with our own list of trusted types and the user's own model's."""

    pipeline: dg.ResourceDependency[Pipeline]

    def create_io_manager(self, context: dg.InitResourceContext) -> _AtomicIOManager:
        """Build it for the run's source."""
        pipeline = self.pipeline
        return _AtomicIOManager(
            _base(pipeline),
            ".skops",
            _write_estimators,
            lambda path, _: _read_estimators(path, pipeline.trusted_types()),
        )


class BarsIOManager(dg.ConfigurableIOManager):
    """Bars are written by the ingest itself; here they are only read, cut to the run's span."""

    pipeline: dg.ResourceDependency[Pipeline]

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Nothing is left to write: the ingest has stored the bars."""

    def load_input(self, context: dg.InputContext) -> pd.DataFrame:
        """The symbol's bars from ``history_start`` to ``until``."""
        with loading(f"raw_ohlcv of {context.partition_key}"):
            return self.pipeline.bars(partition_symbol(context.partition_key))


def _base(pipeline: Pipeline) -> UPath:
    settings = pipeline.settings()
    return UPath(settings.artifacts_dir / "research" / settings.data_source)


def _write_document(path: Path, document: Any) -> None:
    if isinstance(document, SplitPlan):
        write_checked_json(path, document.to_json())
    else:
        write_checked_json(path, _undefined_as_text(TypeAdapter(type(document)).dump_python(document)))


def read_document(path: Path, kind: Any) -> Any:
    """Read a stored document as ``kind``; CorruptFileError if it is none, StorageError if it can't be read."""
    content = read_checked_json(path)
    try:
        return kind.from_json(content) if kind is SplitPlan else TypeAdapter(kind).validate_python(content)
    except (ValidationError, KeyError, TypeError) as error:
        raise CorruptFileError(
            f"{path} is no {kind.__name__}: {error}.", f"Remove {path} and materialize it again."
        ) from error


def _undefined_as_text(value: Any) -> Any:
    """NaN as "NaN", which is read back as such; plain JSON has no word for it."""
    if isinstance(value, dict):
        return {key: _undefined_as_text(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_undefined_as_text(item) for item in value]
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


def _write_estimators(path: Path, estimators: Estimators) -> None:
    provenance = {"recipe_hash": estimators.recipe_hash, "dataset_hash": estimators.dataset_hash}
    write_bytes(path, dump_estimators({**provenance, "items": list(estimators.items)}))


def _read_estimators(path: Path, trusted_types: tuple[str, ...]) -> Estimators:
    remedy = f"Remove {path} and materialize it again."
    stored = load_estimators(read_bytes(path), str(path), remedy, trusted_types)
    if not isinstance(stored, dict) or set(stored) != {"items", "recipe_hash", "dataset_hash"}:
        raise CorruptFileError(f"{path} does not say what its estimators were made from.", remedy)
    return Estimators(tuple(stored["items"]), stored["recipe_hash"], stored["dataset_hash"])
