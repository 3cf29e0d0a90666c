"""Paper only: who may trade, and where; decided on text alone, before any file, lock or socket is touched."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import SecretStr

from algo_pipeline.common.errors import PaperOnlyError, SettingsError
from algo_pipeline.common.paper import is_loopback, require_paper_url

_API_KEY, _SECRET_KEY = "ALGO_TRADER_ALPACA_API_KEY", "ALGO_TRADER_ALPACA_SECRET_KEY"
_LIVE_KEY_PREFIX = "AK"
_SANDBOX_KEY = "sandbox"
_HEADER_SAFE = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class PaperAccess:
    """A trading root that was found to be paper or loopback, and the keys for it.

    Parameters
    ----------
    trading_url : str
        Scheme, host and port, without a path.
    api_key, secret_key : SecretStr
        Shown as asterisks wherever they are printed.

    Raises
    ------
    PaperOnlyError
        If the root is any other: no broker can be made for a live account.
    """

    trading_url: str
    api_key: SecretStr
    secret_key: SecretStr

    def __post_init__(self) -> None:
        object.__setattr__(self, "trading_url", require_paper_url(self.trading_url))

    @property
    def is_loopback(self) -> bool:
        """Whether orders go to a sandbox on this machine."""
        return is_loopback(self.trading_url)


def require_paper(trading_url: str, api_key: SecretStr | None, secret_key: SecretStr | None) -> PaperAccess:
    """Check where orders would go and with which keys.

    Parameters
    ----------
    trading_url : str
        ``https://paper-api.alpaca.markets`` or a loopback root.
    api_key, secret_key : SecretStr or None
        Needed for Alpaca's host; a sandbox takes any, so that none are needed there.

    Raises
    ------
    PaperOnlyError
        If the URL is any other, or the key is one of a live account: a tunnel could lead from loopback to anywhere.
    SettingsError
        If Alpaca's host is meant and a key is missing, or a key can't be one.
    """
    root = require_paper_url(trading_url)
    key, secret = _text(api_key), _text(secret_key)
    _require_no_live_key(key)
    _require_sendable({_API_KEY: key, _SECRET_KEY: secret})
    if is_loopback(root):
        key, secret = key or _SANDBOX_KEY, secret or _SANDBOX_KEY
    missing = [name for name, value in ((_API_KEY, key), (_SECRET_KEY, secret)) if not value]
    if missing:
        raise SettingsError(
            f"Paper trading needs both keys of an Alpaca paper account; missing: {', '.join(missing)}.",
            "Set them in .env, or rehearse without keys: `algo-pipeline sandbox`.",
        )
    return PaperAccess(root, SecretStr(key), SecretStr(secret))


def can_trade(trading_url: str, api_key: SecretStr | None, secret_key: SecretStr | None) -> bool:
    """Whether a paper account or a sandbox is configured at all."""
    return is_loopback(trading_url) or bool(_text(api_key) and _text(secret_key))


def _text(value: SecretStr | None) -> str:
    return value.get_secret_value().strip() if value else ""


def _require_no_live_key(key: str) -> None:
    if key.upper().startswith(_LIVE_KEY_PREFIX):
        raise PaperOnlyError(
            f"{_API_KEY} looks like the key of a live account (paper keys start with PK).",
            "Create keys in Alpaca's paper account; a live key has no business here.",
        )


def _require_sendable(keys: dict[str, str]) -> None:
    """Refuse what no HTTP header can carry here: the HTTP library's own error would show the key."""
    broken = [name for name, value in keys.items() if value and not _HEADER_SAFE.fullmatch(value)]
    if broken:
        raise SettingsError(
            f"{' and '.join(broken)} must be plain letters, digits and signs without blanks; something else is there.",
            "Copy the key again from Alpaca's page; look for blanks, line breaks and quotation marks.",
        )
