"""Modules of a user's own: found, compiled from their file, and their failures told by the line."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from algo_pipeline.common.errors import SettingsError
from algo_pipeline.common.time_limit import time_limit

LOADED_SOURCE = "__algo_pipeline_source__"
"""Attribute of a loaded module that holds the source that it runs."""

IMPORT_LIMIT_S = 30.0  # an hour of live trading, its exits included, waits for it
_PROGRAM = Path(__file__).parents[1]
_LOADERS = (__file__, str(Path(__file__).with_name("user_classes.py")), importlib.__file__)


def import_user_module(name: str, setting: str) -> ModuleType:
    """A module from what is installed or else from the working folder, compiled from its file, its source kept.

    Raises
    ------
    SettingsError
        If there is no such module, or importing it fails or takes longer than 30 s.
    """
    with _working_folder_if_needed(name):
        is_known = hasattr(sys.modules.get(name), LOADED_SOURCE)
        try:
            source = None if is_known else _source_of(name)
            with _compiled_anew(name), time_limit(IMPORT_LIMIT_S):
                module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
                raise _no_module(name, setting) from None
            raise _failed(name, setting, error) from error
        except (Exception, SystemExit) as error:
            raise _failed(name, setting, error) from error
    if source is not None:
        # A process may outlive an edit of the file: what counts is the source that it runs.
        setattr(module, LOADED_SOURCE, source)
    return module


@contextmanager
def _working_folder_if_needed(name: str) -> Iterator[None]:
    """Let imports look into the working folder last, and only where the module is installed nowhere."""
    root, folder = name.partition(".")[0], str(Path.cwd())
    if root in sys.modules or importlib.util.find_spec(root) is not None or folder in sys.path:
        yield
        return
    importlib.invalidate_caches()
    sys.path.append(folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


@contextmanager
def _compiled_anew(name: str) -> Iterator[None]:
    """Let a module be compiled from its file: a kept compilation may be of another source of the same time and size."""
    finder = _Anew(name)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Anew(MetaPathFinder):
    """Finds one module as Python does, and has it compiled."""

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """That of the module; None for every other."""
        spec = PathFinder.find_spec(fullname, path, target) if fullname == self._name else None
        if spec is None or spec.origin is None or type(spec.loader) is not SourceFileLoader:
            return None
        spec.loader = _Compiling(fullname, spec.origin)
        return spec


class _Compiling(SourceFileLoader):
    """Loads a file without a look at what was compiled of it before."""

    def get_code(self, fullname: str) -> CodeType:
        """Of the file as it is."""
        return self.source_to_code(self.get_data(self.path), self.path)


def _source_of(name: str) -> str | None:
    spec = importlib.util.find_spec(name)
    return None if spec is None else read_source(spec.origin)


def read_source(path: str | None) -> str | None:
    """The text of a Python file; None where there is none."""
    if path is None or not path.endswith(".py") or not Path(path).is_file():
        return None
    return Path(path).read_text(encoding="utf-8", errors="replace")


def _no_module(name: str, setting: str) -> SettingsError:
    *packages, last = name.split(".")
    folder = Path.cwd().joinpath(*packages)
    known = sorted(path.stem for path in folder.glob("*.py")) if folder.is_dir() else []
    nearest = get_close_matches(last, known, n=1, cutoff=0.6)
    hint = f"Did you mean {'.'.join([*packages, nearest[0]])!r}? " if nearest else ""
    return SettingsError(
        f"{setting} names the module {name!r}, which is neither installed nor a file of the working folder "
        f"{Path.cwd()}.",
        f"{hint}Correct {setting}, or start the command where the file lies.",
    )


def _failed(name: str, setting: str, error: BaseException) -> SettingsError:
    return SettingsError(
        f"{setting} names the module {name!r}, which can't be imported: {line_of(error)}{type(error).__name__}: "
        f"{error}.",
        "Correct it there.",
    )


def line_of(error: BaseException) -> str:
    """Where a user's code broke: its innermost line, in front of those of the packages that it called."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}, line {error.lineno}: "
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<frozen") and frame.filename not in _LOADERS
    ]
    written = [frame for frame in frames if not _is_installed(frame.filename)]
    innermost = (written or frames)[-1:]
    return "".join(f"{frame.filename}, line {frame.lineno}: " for frame in innermost)


def _is_installed(filename: str) -> bool:
    """Whether a file is of a package or of this program, and not what a user writes."""
    return "site-packages" in Path(filename).parts or Path(filename).is_relative_to(_PROGRAM)
