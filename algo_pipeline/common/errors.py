"""Errors, grouped by what the person or the caller should do next.

Every error a user can meet carries three things: what was expected and found (the message), what to do
about it (the remedy), and a stable machine-readable code (used by ``--json``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar


class AlgoPipelineError(Exception):
    """Base of all foreseeable failures; never raised itself.

    Parameters
    ----------
    message : str
        What was expected and what was found.
    remedy : str
        What the reader can do about it; may be empty when the message says it all.
    """

    code: ClassVar[str] = "error"

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, what caused it, what caused that, …; each once, even where the chain bites its tail."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__


class SettingsError(AlgoPipelineError):
    """A setting is unknown, misspelt or has an impossible value: correct it."""

    code = "bad_setting"


class ConfigValueError(AlgoPipelineError, ValueError):
    """An argument of a public function is outside its domain: correct the call."""

    code = "bad_value"


class DataValidationError(AlgoPipelineError, ValueError):
    """A frame breaks its schema; the message names the first offending rows."""

    code = "bad_data"


class InsufficientHistoryError(AlgoPipelineError):
    """There are too few rows for what was asked: provide a longer history."""

    code = "too_little_history"


class UnknownSymbolError(AlgoPipelineError):
    """The venue does not list the symbol: check its spelling."""

    code = "unknown_symbol"


class SourceError(AlgoPipelineError):
    """A market-data source failed."""

    code = "source_failed"


class TransientSourceError(SourceError):
    """A failure that may pass (time-out, reset, 5xx, 429): the caller may try again later."""

    code = "source_unavailable"


class LongWaitError(TransientSourceError):
    """The venue asks for a longer wait than the caller has: do not call it again before that."""

    code = "source_wait"


class SourceBlockedError(SourceError):
    """The venue refuses this caller (ban, geo-block, firewall): do not call it again."""

    code = "source_blocked"


class StorageError(AlgoPipelineError):
    """A file or folder can't be written or read: fix the permissions, the path or the disk."""

    code = "storage"


class CorruptFileError(StorageError):
    """A file of ours does not match its checksum or format: the remedy names the way out."""

    code = "corrupt_file"


class StaleInputError(StorageError):
    """What an asset was given does not belong to what it is asked to make: materialize the input again."""

    code = "stale_input"


class BusyError(StorageError):
    """Another process is at work on the same thing: wait for it."""

    code = "busy"


class RegistryError(AlgoPipelineError):
    """The model registry can't be reached or holds something unexpected."""

    code = "registry"


class NotDeployableError(AlgoPipelineError):
    """A registered model does not fit what is deployed or configured here: choose another one, or another folder."""

    code = "not_deployable"


class OtherCodeError(AlgoPipelineError):
    """Something was made by a class of the user's own that is not at hand as it was: the remedy names the way out."""

    code = "other_code"


class PaperOnlyError(AlgoPipelineError):
    """A trading URL is not Alpaca's paper host or loopback; orders go nowhere else."""

    code = "not_paper_host"


class BrokerError(AlgoPipelineError):
    """The broker could not do what it was asked."""

    code = "broker"


class BrokerRefusedError(BrokerError):
    """The broker said no, and nothing happened: correct the request, the keys or the account."""

    code = "broker_refused"


class AmbiguousBrokerError(BrokerError):
    """The broker's answer is unknown, so that the request may have taken effect: look before asking again."""

    code = "broker_ambiguous"


class LiveStateError(AlgoPipelineError):
    """Journal, state and account do not tell one story: nothing trades until a person has looked."""

    code = "live_state"


class LeakageError(AlgoPipelineError):
    """A number would depend on the future: a defect of the code, never of the data."""

    code = "leakage"


class AccountingError(AlgoPipelineError):
    """Cash, holdings and fees do not add up to equity: a defect of the code."""

    code = "accounting"


class CheckFailedError(AlgoPipelineError):
    """A blocking check of the data or of the results failed; what depends on it was not made."""

    code = "check_failed"


class UnforeseenError(AlgoPipelineError):
    """Something broke that no rule foresees: a defect of the program."""

    code = "unexpected"
