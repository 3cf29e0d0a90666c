"""A user's own classes, named in settings as ``module:Class``: imported, checked, and told apart by their source.

Only settings are followed to code. A file (a bundle, a report, a logged run) may say what made it; that is compared
with what the settings name, and never imported because the file says so.
"""

from __future__ import annotations

import hashlib
import inspect
import re
import sys
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from types import ModuleType
from typing import TypeGuard, TypeVar

from algo_pipeline.common.errors import AlgoPipelineError, ConfigValueError, OtherCodeError, SettingsError
from algo_pipeline.common.time_limit import time_limit
from algo_pipeline.common.user_modules import IMPORT_LIMIT_S, LOADED_SOURCE, import_user_module, line_of, read_source

T = TypeVar("T")

REFERENCE_KEY = "reference"
"""What documents call the ``module:Class`` of a user's class."""

SOURCE_KEY = "source_sha256"
"""What documents call the digest of a user's class."""

_REFERENCE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
_SHOWN_DIGITS = 12


def is_reference(text: object) -> TypeGuard[str]:
    """Whether a text has the form ``module:Class`` or ``package.module:Class``."""
    return isinstance(text, str) and _REFERENCE.fullmatch(text) is not None


def load_user_class(reference: str, base: type[T], setting: str) -> type[T]:
    """Import a class that settings name, from what is installed or else from the working folder.

    Parameters
    ----------
    reference : str
        ``module:Class``.
    base : type
        The interface that it has to implement.
    setting : str
        Which setting names it, for messages.

    Raises
    ------
    SettingsError
        If there is no such module or class, importing it fails, or the class does not implement all of ``base``.
    """
    if not is_reference(reference):
        raise SettingsError(f"{setting} must have the form module:Class; it was {reference!r}.", f"Correct {setting}.")
    module_name, _, class_name = reference.partition(":")
    module = import_user_module(module_name, setting)
    return _implementation(module, class_name, base, setting)


def load_recorded_class(
    reference: str, source_sha256: object, base: type[T], setting: str, own: Collection[str]
) -> type[T]:
    """The class that a record names: only if the settings of this machine name it too, and its source is unchanged.

    Parameters
    ----------
    reference : str
        ``module:Class``, as the record says.
    source_sha256 : str
        Digest of its source when the record was made.
    base, setting
        As in :func:`load_user_class`.
    own : collection of str
        The references that the settings of this machine name: ``Settings.own_classes()``.

    Raises
    ------
    OtherCodeError
        If the settings name no such class, in which case nothing is imported; or it can't be loaded, or its source is
        another one now.
    """
    if reference not in own:
        named = ", ".join(sorted(own)) or "none"
        raise OtherCodeError(
            f"It was made by {reference!r}, which the settings of this machine do not name; own classes in them: "
            f"{named}.",
            f"If that is your own, set {setting}={reference} or name it in ALGO_TRADER_FORMER_CLASSES; else run the "
            "research again.",
        )
    try:
        found = load_user_class(reference, base, setting)
    except SettingsError as error:
        raise OtherCodeError(error.message, error.remedy) from error
    if (digest := user_class_digest(found)) != source_sha256:
        raise OtherCodeError(
            f"It was made by {reference!r} from a file of SHA-256 {str(source_sha256)[:_SHOWN_DIGITS]}; the file has "
            f"changed since, to {digest[:_SHOWN_DIGITS]}.",
            "Run the research again to train anew, or restore the file: its run in MLflow keeps it, in own/.",
        )
    return found


def made_with(cls: type[T], parameters: Mapping[str, object]) -> T:
    """An instance of a user's class; ConfigValueError, naming what went wrong, if it can't be made with these."""
    try:
        return cls(**parameters)
    except AlgoPipelineError:
        raise
    except Exception as error:
        given = ", ".join(f"{name}={value!r}" for name, value in parameters.items()) or "no parameters"
        raise ConfigValueError(
            f"{user_class_reference(cls)} can't be made with {given}: {line_of(error)}{type(error).__name__}: {error}.",
            "Correct the parameters in the settings, or the class.",
        ) from error


def loaded_anew(cls: type[T]) -> type[T]:
    """The same class of a module that has just begun: it remembers nothing of what was asked before.

    The module's source, as it was loaded, is run once more beside the one in use, which stays; what it imports is
    shared.

    Raises
    ------
    ConfigValueError
        If the class has no source file.
    """
    source, used = user_class_source(cls), sys.modules[cls.__module__]
    new = ModuleType(used.__name__, used.__doc__)
    for name in ("__file__", "__package__", "__path__", "__spec__"):
        if hasattr(used, name):
            setattr(new, name, getattr(used, name))
    sys.modules[used.__name__] = new  # where a dataclass looks while it is made
    try:
        with time_limit(IMPORT_LIMIT_S):
            exec(compile(source, str(used.__file__), "exec"), vars(new))  # noqa: S102 - what was imported already
    finally:
        sys.modules[used.__name__] = used
    found: type[T] = getattr(new, cls.__name__)
    return found


def user_class_reference(cls: type) -> str:
    """What settings call a class: ``module:Class``."""
    return f"{cls.__module__}:{cls.__qualname__}"


def user_class_digest(cls: type) -> str:
    """SHA-256 of the source of a class's module, whatever its line ends: as it was loaded, not as it is since.

    Raises
    ------
    ConfigValueError
        If the class has no source file.
    """
    return hashlib.sha256(user_class_source(cls).encode()).hexdigest()


def user_class_source(cls: type) -> str:
    """The source of a class's module; ConfigValueError if it has none."""
    module = sys.modules.get(cls.__module__)
    loaded = getattr(module, LOADED_SOURCE, None)
    if isinstance(loaded, str):
        return loaded
    source = read_source(getattr(module, "__file__", None))
    if source is None:
        raise ConfigValueError(
            f"The class {cls.__qualname__} of {cls.__module__} has no source file, so that a change of it could not "
            "be noticed.",
            "Put it into a .py file.",
        )
    return source


def loaded_sources(references: Iterable[str]) -> dict[str, str]:
    """Sources of the modules of these classes by file name, ``package.module.py``; of those not loaded none."""
    names = {name for reference in references if (name := reference.partition(":")[0]).isascii()}
    loaded = {name: getattr(sys.modules.get(name), LOADED_SOURCE, None) for name in sorted(names)}
    return {f"{name}.py": source for name, source in loaded.items() if isinstance(source, str)}


def _implementation(module: ModuleType, class_name: str, base: type[T], setting: str) -> type[T]:
    found = getattr(module, class_name, None)
    where = f"{setting} names the class {class_name!r} of {module.__name__}"
    if found is None:
        raise SettingsError(f"{where}, which has no such class.", _nearest_class(module, class_name, base))
    if not (inspect.isclass(found) and issubclass(found, base)):
        what = "is no class" if not inspect.isclass(found) else f"is no {base.__name__}"
        raise SettingsError(f"{where}, which {what}.", f"Derive it from {base.__module__}.{base.__name__}.")
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if missing:
        raise SettingsError(f"{where}, which lacks {', '.join(missing)} of {base.__name__}.", "Write what is missing.")
    if (reference := user_class_reference(found)) != f"{module.__name__}:{class_name}":
        raise SettingsError(f"{where}, which only hands it on.", f"Name it where it is written: {setting}={reference}.")
    return found


def _nearest_class(module: ModuleType, class_name: str, base: type) -> str:
    known = [
        name
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, base) and value is not base
    ]
    nearest = get_close_matches(class_name, known, n=1, cutoff=0.0)
    return f"Did you mean {nearest[0]!r}?" if nearest else f"Put a class derived from {base.__name__} there."
