"""Paper only: who may trade, and where; decided on text alone, before any file, lock or socket is touched."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import SecretStr

from algo_pipeline.common.errors import PaperOnlyError, SettingsError
from algo_pipeline.common.paper import is_loopback, require_paper_url

_LIVE_KEY_PREFIX = "AK"
_SANDBOX_KEY = "sandbox"


@dataclass(frozen=True, slots=True)
class PaperAccess:
    """A trading root that was found to be paper or loopback, and the keys for it.

    Attributes
    ----------
    trading_url : str
        Scheme, host and port, without a path.
    api_key, secret_key : SecretStr
        Shown as asterisks wherever they are printed.
    """

    trading_url: str
    api_key: SecretStr
    secret_key: SecretStr

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
        If the URL is any other, or the key is one of a live account.
    SettingsError
        If Alpaca's host is meant and a key is missing.
    """
    root = require_paper_url(trading_url)
    key, secret = (value.get_secret_value().strip() if value else "" for value in (api_key, secret_key))
    if is_loopback(root):
        return PaperAccess(root, SecretStr(key or _SANDBOX_KEY), SecretStr(secret or _SANDBOX_KEY))
    missing = [name for name, value in (("API_KEY", key), ("SECRET_KEY", secret)) if not value]
    if missing:
        raise SettingsError(
            "Paper trading needs both keys of an Alpaca paper account; missing: "
            f"{', '.join(f'ALGO_TRADER_ALPACA_{name}' for name in missing)}.",
            "Set them in .env, or rehearse without keys: `algo-pipeline sandbox`.",
        )
    if key.upper().startswith(_LIVE_KEY_PREFIX):
        raise PaperOnlyError(
            "The API key looks like one of a live account (paper keys start with PK).",
            "Create keys in Alpaca's paper account; a live key has no business here.",
        )
    return PaperAccess(root, SecretStr(key), SecretStr(secret))


def can_trade(trading_url: str, api_key: SecretStr | None, secret_key: SecretStr | None) -> bool:
    """Whether a paper account or a sandbox is configured at all."""
    return is_loopback(trading_url) or bool(api_key and secret_key)
