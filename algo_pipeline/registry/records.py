"""What is handed to and received from the model registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from algo_pipeline.common.types import Symbol

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator


@dataclass(frozen=True, slots=True)
class DatasetReference:
    """The training data of a run: its name, content hash, size and span."""

    name: str
    digest: str
    n_rows: int
    first_bar: str
    last_bar: str
    feature_names: tuple[str, ...]
    origin: str


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """Everything that one training leaves in the experiment store.

    Attributes
    ----------
    symbol, label : Symbol, str
        What was learnt.
    run_name, description : str
        The run's name and its model card in Markdown.
    parameters : mapping of str to str
        The recipe and the data's span, comparable between runs.
    metrics : mapping of str to float
        Finite figures only; undefined ones are left out.
    fold_metrics : mapping of str to mapping of int to float
        Finite figures by the fold's number, the oldest first.
    tags : mapping of str to str
        Searchable facts: source, recipe hash, verdict, Dagster run.
    dataset : DatasetReference
        Logged as the run's input.
    estimator : BaseEstimator
        The one fitted estimator that is registered.
    trusted_types : tuple of str
        The reviewed types that its file may hold.
    files : mapping of str to bytes
        Artifacts by their path within the run.
    """

    symbol: Symbol
    label: str
    run_name: str
    description: str
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    fold_metrics: Mapping[str, Mapping[int, float]]
    tags: Mapping[str, str]
    dataset: DatasetReference
    estimator: BaseEstimator
    trusted_types: tuple[str, ...]
    files: Mapping[str, bytes]

    @property
    def model_name(self) -> str:
        """``algo-pipeline-<slug>-<label>``."""
        return registered_model_name(self.symbol, self.label)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run that registers nothing: parameters and finite metrics to compare, tags to find it by, files by path."""

    run_name: str
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    files: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class RunGroup:
    """Runs that belong together, shown below a run of their own."""

    symbol: Symbol
    parent: RunRecord
    children: tuple[RunRecord, ...]


@dataclass(frozen=True, slots=True)
class LoggedGroup:
    """Where a group of runs is found in the experiment store."""

    experiment_id: str
    parent_run_id: str


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A version in the registry, the run that made it, and what it was made from."""

    model_name: str
    version: str
    run_id: str
    experiment_id: str
    recipe_hash: str = ""
    dataset_hash: str = ""


@dataclass(frozen=True, slots=True)
class StoredModel:
    """What the experiment store says of how a registered version was made.

    Attributes
    ----------
    version : RegisteredVersion
        Which one.
    parameters : mapping of str to str
        Of its run.
    recipe_document : mapping
        Its recipe, as ``config.json`` holds it.
    feature_names : tuple of str
        Its inputs in order, as ``feature_list.json`` holds them.
    """

    version: RegisteredVersion
    parameters: Mapping[str, str]
    recipe_document: Mapping[str, Any]
    feature_names: tuple[str, ...]


def experiment_name(symbol: Symbol) -> str:
    """The experiment that holds the runs of a symbol."""
    return f"algo-pipeline/{symbol.slug}"


def registered_model_name(symbol: Symbol, label: str) -> str:
    """The registry's name for a symbol and label; MLflow allows no slash in it."""
    return f"algo-pipeline-{symbol.slug}-{label}"
