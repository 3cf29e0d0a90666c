"""The champion bundle: the one file that live trading reads, whole and verified, without MLflow."""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from algo_pipeline.common.errors import CorruptFileError, StorageError
from algo_pipeline.common.storage import json_hash, read_checked_json, read_json, write_checked_json
from algo_pipeline.common.types import Symbol
from algo_pipeline.research.promotion import Trading

FORMAT_VERSION = 1
_FILE_NAME = "bundle.json"
_SHA256 = re.compile("[0-9a-f]{64}")
_OPTIONAL = ("strategy", "base_rate", "feature_reference", "feature_check")
"""Fields that older bundles lack; left out where they are None, so that such a bundle keeps its hash."""


@dataclass(frozen=True, slots=True)
class ChampionBundle:
    """A deployed model with all that a decision needs.

    Attributes
    ----------
    symbol, label, source, venue_symbol : str
        What is traded, what was learnt, and where the training bars came from.
    recipe, recipe_hash, recipe_document : str, str, mapping
        The recipe's name, identity and definition.
    feature_names : tuple of str
        The inputs in order.
    scorer : mapping or None
        A linear model's coefficients and calibrator; None for other kinds.
    estimator_skops : bytes or None
        The estimator's skops file; None for a linear model.
    enter_threshold, exit_threshold : float
        Where a probability becomes LONG or FLAT, for fixed thresholds.
    history_start, training_end : str
        ISO times: the open of the first bar, and the close of the last bar that any fit or label read.
    trading : Trading
        ``on`` or ``flat``.
    model_name, model_version, run_id : str
        Where the model is registered.
    versions : mapping of str to str
        Versions of the packages that made it.
    strategy : mapping or None
        Another strategy than fixed thresholds, by name and parameters; left out of the document where there is none.
    base_rate : float or None
        Share of ones in the rows that the model learnt from; left out likewise where it is not recorded.
    feature_reference : mapping or None
        What the features of those rows looked like, for the watch over their drift; left out likewise.
    feature_check : mapping or None
        What the user's own features were of the last of those rows; left out where there are none.
    """

    symbol: str
    label: str
    source: str
    venue_symbol: str
    recipe: str
    recipe_hash: str
    recipe_document: Mapping[str, Any]
    feature_names: tuple[str, ...]
    scorer: Mapping[str, Any] | None
    estimator_skops: bytes | None
    enter_threshold: float
    exit_threshold: float
    history_start: str
    training_end: str
    trading: Trading
    model_name: str
    model_version: str
    run_id: str
    versions: Mapping[str, str]
    strategy: Mapping[str, Any] | None = None
    base_rate: float | None = None
    feature_reference: Mapping[str, Any] | None = None
    feature_check: Mapping[str, Any] | None = None

    def to_document(self) -> dict[str, Any]:
        """A JSON document; floats survive exactly."""
        document = asdict(self)
        document["trading"] = self.trading.value
        document["estimator_skops"] = base64.b64encode(self.estimator_skops).decode() if self.estimator_skops else None
        for name in _OPTIONAL:
            if document[name] is None:
                del document[name]
        return {"format_version": FORMAT_VERSION, **document}

    @classmethod
    def from_document(cls, document: Any) -> ChampionBundle:
        """Inverse of :meth:`to_document`.

        Raises
        ------
        CorruptFileError
            For another format version, missing or unknown fields, or a value that no bundle has.
        """
        fields = dict(document) if isinstance(document, Mapping) else {}
        version = fields.pop("format_version", None)
        expected = set(cls.__dataclass_fields__)
        if version != FORMAT_VERSION or not expected - set(_OPTIONAL) <= set(fields) <= expected:
            raise _corrupt(f"has format version {version} or other fields; this program reads {FORMAT_VERSION}")
        try:
            encoded = fields["estimator_skops"]
            fields["estimator_skops"] = base64.b64decode(encoded, validate=True) if encoded else None
            fields["feature_names"] = tuple(fields["feature_names"])
            fields["trading"] = Trading(fields["trading"])
        except (ValueError, TypeError) as error:
            raise _corrupt(f"holds a value that no bundle has: {error}") from error
        return cls(**fields)

    @property
    def sha256(self) -> str:
        """Hash of the bundle's content, as stored with it."""
        return json_hash(self.to_document())


class BundleStore:
    """The deployed bundles under ``live/champion/<slug>/``; in the role ``challenger`` those only listened to.

    ``archive/<sha256>.json`` there keeps every bundle that was deployed, so that any hour it decided can be explained.
    """

    def __init__(self, artifacts_dir: Path, role: str = "champion") -> None:
        self._root = artifacts_dir / "live" / role

    def path(self, symbol: Symbol) -> Path:
        """Where a symbol's bundle lies."""
        return self._root / symbol.slug / _FILE_NAME

    def deploy(self, bundle: ChampionBundle) -> Path:
        """Replace the symbol's bundle atomically; this one, and the one before it, stay in the archive."""
        symbol = Symbol.parse(bundle.symbol)
        with contextlib.suppress(StorageError):  # one that can't be read decides nothing, and explains nothing
            if (before := self.load(symbol)) is not None:
                self._archive(before)
        self._archive(bundle)
        path = self.path(symbol)
        write_checked_json(path, bundle.to_document())
        return path

    def of_hash(self, symbol: Symbol, sha256: str) -> ChampionBundle | None:
        """The bundle of this hash, deployed now or once; None if it is not kept.

        Raises
        ------
        CorruptFileError
            If the kept file was altered or is another bundle.
        """
        if _SHA256.fullmatch(sha256) is None:  # it names a file
            return None
        path = self._archive_path(symbol, sha256)
        if not path.exists():
            deployed = self.load(symbol)
            return deployed if deployed is not None and deployed.sha256 == sha256 else None
        bundle = ChampionBundle.from_document(read_checked_json(path))
        if (bundle.symbol, bundle.sha256) != (str(symbol), sha256):
            raise _corrupt(f"in {path} is not the one that its name says")
        return bundle

    def of_run(self, symbol: Symbol, run_id: str) -> ChampionBundle | None:
        """A bundle that was made from this MLflow run, deployed now or once; None if none is kept.

        Kept files that can't be read are passed over.
        """
        kept = (path.stem for path in sorted(self._archive_path(symbol, "").parent.glob("*.json")))
        for sha256 in (self.fingerprint(symbol) or "", *kept):
            with contextlib.suppress(StorageError):
                bundle = self.of_hash(symbol, sha256)
                if bundle is not None and bundle.run_id == run_id:
                    return bundle
        return None

    def fingerprint(self, symbol: Symbol) -> str | None:
        """The checksum in the deployed file, whatever wrote it; None if none that can be read is deployed."""
        try:
            read_checked_json(self.path(symbol))
            return str(read_json(self.path(symbol))["sha256"])
        except StorageError:
            return None

    def load(self, symbol: Symbol) -> ChampionBundle | None:
        """The deployed bundle, verified against its checksum; None if nothing is deployed.

        Raises
        ------
        CorruptFileError
            If the file was altered or truncated, or is another symbol's.
        """
        path = self.path(symbol)
        if not path.exists():
            return None
        bundle = ChampionBundle.from_document(read_checked_json(path))
        if bundle.symbol != str(symbol):
            raise _corrupt(f"of {symbol}, {path}, is that of {bundle.symbol}")
        return bundle

    def _archive(self, bundle: ChampionBundle) -> None:
        path = self._archive_path(Symbol.parse(bundle.symbol), bundle.sha256)
        if not path.exists():
            write_checked_json(path, bundle.to_document())

    def _archive_path(self, symbol: Symbol, sha256: str) -> Path:
        return self._root / symbol.slug / "archive" / f"{sha256}.json"


def _corrupt(what: str) -> CorruptFileError:
    return CorruptFileError(f"The champion bundle {what}.", "Run the research again to deploy a new bundle.")
