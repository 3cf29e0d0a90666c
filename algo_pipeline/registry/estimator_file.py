"""Fitted estimators as skops files, read with our own reviewed list of types and never the file's."""

from __future__ import annotations

from typing import Any

from algo_pipeline.common.errors import CorruptFileError

_REQUIREMENTS = ("scikit-learn", "skops", "numpy", "pandas", "scipy")


def dump_estimators(estimators: Any) -> bytes:
    """One estimator, or a list of them, as the bytes of a skops file."""
    import skops.io

    data: bytes = skops.io.dumps(estimators)
    return data


def load_estimators(
    data: bytes, what: str, remedy: str = "Run the research again.", trusted_types: tuple[str, ...] | None = None
) -> Any:
    """Inverse of :func:`dump_estimators`.

    Parameters
    ----------
    data : bytes
        The file's content.
    what, remedy : str
        The file's name for a message, and what to do when it is bad.
    trusted_types : tuple of str, optional
        Replaces our own list.

    Raises
    ------
    CorruptFileError
        If it is damaged or holds a type that is not on the list.
    """
    import zipfile

    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    from algo_pipeline.models.calibration import TRUSTED_TYPES

    try:
        return skops.io.loads(data, trusted=list(TRUSTED_TYPES if trusted_types is None else trusted_types))
    except UntrustedTypesFoundException as error:
        raise CorruptFileError(f"{what} holds types that are not ours: {error}", remedy) from error
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError, OSError, ImportError) as error:
        raise CorruptFileError(f"{what} can't be read as estimators: {error!r}.", remedy) from error


def pinned_requirements() -> list[str]:
    """Versions of what an estimator needs; given explicitly, for MLflow's inferring them starts a subprocess."""
    from importlib.metadata import version

    return [f"{name}=={version(name)}" for name in (*_REQUIREMENTS, "algo-pipeline")]
