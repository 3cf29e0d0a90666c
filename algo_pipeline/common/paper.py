"""Which hosts may ever see an order or a key: decided on the URL's text, before any socket opens.

The check is an exact list of allowed spellings, not a search for bad ones. Parsers disagree on backslashes, user
info, percent signs, control characters and non-ASCII hosts, so a URL with any of these is refused unread.
"""

from __future__ import annotations

import re

from algo_pipeline.common.errors import AlgoPipelineError, PaperOnlyError, SettingsError

PAPER_TRADING_URL = "https://paper-api.alpaca.markets"
ALPACA_DATA_URL = "https://data.alpaca.markets"

_ROOT_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9.-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?(?P<path>/|/v2/?)?",
    re.IGNORECASE,
)
_LOOPBACK_HOSTS = frozenset({"127.0.0.1", "[::1]", "localhost"})
_HTTPS_PORT = 443
_MAX_PORT = 65_535


def is_loopback(url: str) -> bool:
    """Whether ``url`` is the root of a server on this machine: 127.0.0.1, [::1] or localhost, over http or https.

    Other spellings of loopback (``127.1``, ``[::ffff:127.0.0.1]``, ``0.0.0.0``) are not accepted.
    """
    parts = _parse(url)
    return parts is not None and parts[1] in _LOOPBACK_HOSTS


def require_paper_url(url: str) -> str:
    """Return the trading root in its plain form, or refuse it.

    Parameters
    ----------
    url : str
        ``https://paper-api.alpaca.markets`` on the default port, or a loopback root. A trailing slash, or the ``/v2``
        that Alpaca's own pages show, is accepted and taken off; letter case does not matter.

    Returns
    -------
    str
        Scheme, host and port in lower case, without a path.

    Raises
    ------
    PaperOnlyError
        For anything else. The message never repeats the URL: it may hold a password.
    """
    error = PaperOnlyError(
        f"The trading URL must be {PAPER_TRADING_URL} or a loopback address; {_what_it_was(url)}.",
        "Correct ALGO_TRADER_ALPACA_TRADING_URL or remove it: orders go to Alpaca's paper account only.",
    )
    return _require(url, PAPER_TRADING_URL, error)


def require_alpaca_data_url(url: str) -> str:
    """Return the market-data root in its plain form, or refuse it: keys go to no other host.

    Raises
    ------
    SettingsError
        Unless it is ``https://data.alpaca.markets`` on the default port or a loopback root.
    """
    error = SettingsError(
        f"The Alpaca data URL must be {ALPACA_DATA_URL} or a loopback address; {_what_it_was(url)}.",
        "Correct ALGO_TRADER_ALPACA_DATA_URL or remove it.",
    )
    return _require(url, ALPACA_DATA_URL, error)


def require_no_user_info(url: str, setting: str) -> str:
    """Return the root of a venue that asks for no keys, unless it may hold a password: errors and records repeat it.

    Raises
    ------
    SettingsError
        If there is an ``@``. The message never repeats the URL.
    """
    if "@" in url:
        raise SettingsError(
            f"{setting} must be a root URL without a user name or password; it holds an '@'.",
            f"Correct {setting} or remove it.",
        )
    return url


def _require(url: str, allowed_root: str, error: AlgoPipelineError) -> str:
    parts = _parse(url)
    if parts is None:
        raise error
    scheme, host, port = parts
    if host in _LOOPBACK_HOSTS:
        return f"{scheme}://{host}" + (f":{port}" if port is not None else "")
    if f"{scheme}://{host}" != allowed_root or port not in (None, _HTTPS_PORT):
        raise error
    return allowed_root


def _parse(url: object) -> tuple[str, str, int | None] | None:
    """Scheme, host and port of a plain root URL; None if it is not one."""
    match = _ROOT_URL.fullmatch(url) if isinstance(url, str) and url.isascii() else None
    if match is None:
        return None
    port = None if match["port"] is None else int(match["port"])
    if port is not None and not 0 < port <= _MAX_PORT:
        return None
    return match["scheme"].lower(), match["host"].lower(), port


def _what_it_was(url: object) -> str:
    parts = _parse(url)
    if parts is None:
        return "it was not a plain http(s) root URL"
    scheme, host, port = parts
    return f"it was {scheme}://{host}" + (f":{port}" if port is not None else "")
