"""URLs of databases and servers, which may hold a password: how they are told."""

from __future__ import annotations

import re
from urllib.parse import unquote

from algo_pipeline.common.logger import MASK

# A password stands between user and host, or is an option of the database's client. In a database's URL any sign may be
# in it unescaped, as SQLAlchemy reads it; before a web server's host no slash may.
_PASSWORDS = (
    re.compile(r"(?<=://)(?<!http://)(?<!https://)(?P<before>[^/:]*:)(?P<password>[^@]+(?:@[^@/?#]+)*)(?P<after>@)"),
    re.compile(r"(?:(?<=http://)|(?<=https://))(?P<before>[^/?#@:]*:)(?P<password>[^/?#]+)(?P<after>@)"),
    re.compile(r"(?<=[?&])(?P<before>(?:ssl)?password=)(?P<password>[^&#]+)(?P<after>)"),
)


def masked_url(url: str) -> str:
    """The URL with ``**********`` in the place of every password."""
    for pattern in _PASSWORDS:
        url = pattern.sub(lambda found: f"{found['before']}{MASK}{found['after']}", url)
    return url


def secrets_of_url(url: str) -> tuple[str, ...]:
    """Each password of a URL with what surrounds it there, for a filter of everyday text.

    The password alone would not do: where it is a common word (``mlflow``), that word would be masked everywhere.
    """
    return tuple(found[0] for pattern in _PASSWORDS for found in pattern.finditer(url))


def without_passwords(text: str, url: str) -> str:
    """A text about a URL with the URL masked, and its passwords wherever else they stand."""
    text = text.replace(url, masked_url(url))
    for pattern in _PASSWORDS:
        for found in pattern.finditer(url):
            text = text.replace(found["password"], MASK).replace(unquote(found["password"]), MASK)
    return text
