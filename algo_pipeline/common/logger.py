"""Logging with loguru: coloured console, rotating file, secrets masked, forwarded where a caller asks.

The file keeps everything from DEBUG up; the console shows what the reader asked for. Any secret handed to
:func:`configure_logging` is replaced in the message, in extras and in the text of exceptions.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from loguru import logger

from algo_pipeline.common.errors import StorageError

if TYPE_CHECKING:
    from loguru import Message, Record

MASK = "**********"
_CONSOLE_FORMAT = "<dim>{time:HH:mm:ss}</dim> <level>{level: <8}</level> {message}"
_FILE_FORMAT = "{time:YYYY-MM-DDTHH:mm:ss.SSSZ} {level: <8} {name}:{line} {message}"
_SHORTEST_MASKED = 4


def configure_logging(
    level: str = "INFO",
    folder: Path | None = None,
    secrets: Iterable[str] = (),
    console: bool = True,
) -> None:
    """Replace all sinks by a console sink on stderr and a file ``algo_pipeline.log`` in ``folder``.

    Parameters
    ----------
    level : str
        Lowest level shown on the console.
    folder : Path or None
        Where the log file lives (10 MB a file, ten kept); None writes no file.
    secrets : iterable of str
        Values that must never be written.
    console : bool
        False keeps the console for the command's own output.

    Raises
    ------
    StorageError
        If the folder can't be written.
    """
    masker = SecretMasker(secrets)
    logger.remove()
    logger.configure(patcher=lambda record: _mask_record(record, masker))
    if console:
        logger.add(_write_to_stderr, level=level, format=_CONSOLE_FORMAT, colorize=sys.stderr.isatty())
    if folder is not None:
        _add_file_sink(folder)


class SecretMasker:
    """Replaces every occurrence of a secret in a text."""

    def __init__(self, secrets: Iterable[str]) -> None:
        parts = (part.strip() for secret in secrets for part in (secret, *secret.split(",")))
        self._secrets = sorted({part for part in parts if len(part) >= _SHORTEST_MASKED}, key=len, reverse=True)

    def mask(self, text: str) -> str:
        """The text with each secret replaced by asterisks."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text


@contextmanager
def forward_logs(receive: Callable[[str, str], None], level: str = "INFO") -> Iterator[None]:
    """Hand every message, with the name of its level, to ``receive`` while the context lasts."""

    def sink(message: Message) -> None:
        receive(message.record["level"].name, message.record["message"])

    handle = logger.add(sink, level=level, format="{message}", catch=True)
    try:
        yield
    finally:
        logger.remove(handle)


def _mask_record(record: Record, masker: SecretMasker) -> None:
    message = record["message"]
    if record["exception"] is not None:
        # loguru would format the traceback after this point, unmasked: it becomes part of the message instead.
        kind, value, trace = record["exception"]
        message += "\n" + "".join(traceback.format_exception(kind, value, trace)).rstrip()
        record["exception"] = None
    record["message"] = masker.mask(message)
    for key, extra in record["extra"].items():
        if isinstance(extra, str):
            record["extra"][key] = masker.mask(extra)


def _write_to_stderr(message: str) -> None:
    sys.stderr.write(message)


def _add_file_sink(folder: Path) -> None:
    path = folder / "algo_pipeline.log"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        logger.add(path, level="DEBUG", format=_FILE_FORMAT, rotation="10 MB", retention=10, diagnose=False)
    except OSError as error:
        raise StorageError(
            f"The log file {path} could not be written: {error.strerror or error}.",
            "Make the folder writable, or set ALGO_TRADER_ARTIFACTS_DIR to another one.",
        ) from error
