"""The connection to the one host that orders go to: one request at a time, each sent once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import requests
from urllib3 import Timeout
from urllib3.response import BaseHTTPResponse

_JSON = {"Content-Type": "application/json"}


class OneHostLine:
    """Requests over the connection pool that ``requests`` would use for the host, without what it adds to each.

    A request is never repeated, follows no redirect and carries no cookie and nothing of a ``.netrc``. Which proxy and
    which certificates lead to the host is what ``requests`` finds in the environment when the line is made.

    Parameters
    ----------
    session : requests.Session
        Its adapter for the host gives the pool, its headers go with every request.
    root : str
        Scheme, host and port.
    timeout_s : tuple of float
        Limits of connecting and of one silence.
    """

    def __init__(self, session: requests.Session, root: str, timeout_s: tuple[float, float]) -> None:
        self._root, self._headers = root, dict(session.headers)
        self._timeout = Timeout(connect=timeout_s[0], read=timeout_s[1])
        self._pool = _pool(session, root)

    def ask(self, method: str, url: str, options: Mapping[str, Any]) -> BaseHTTPResponse:
        """Send one request and return its whole answer, whatever its status; raises as urllib3 does.

        Parameters
        ----------
        method, url : str
            The URL must begin with the root.
        options : mapping
            ``headers``, and ``params`` of the query or ``json`` for the body.
        """
        target, body, headers = url.removeprefix(self._root), None, {**self._headers, **options["headers"]}
        if options.get("params"):
            target += f"?{urlencode(options['params'], doseq=True)}"
        if options.get("json") is not None:
            body, headers = json.dumps(options["json"], allow_nan=False).encode(), {**headers, **_JSON}
        answer: BaseHTTPResponse = self._pool.urlopen(
            method, target, body=body, headers=headers, timeout=self._timeout, retries=False, redirect=False
        )
        return answer


def _pool(session: requests.Session, root: str) -> Any:
    route: Any = session.merge_environment_settings(root, {}, False, None, None)
    adapter: Any = session.get_adapter(root)
    request = requests.Request("GET", root).prepare()
    pool = adapter.get_connection_with_tls_context(
        request, route["verify"], proxies=route["proxies"], cert=route["cert"]
    )
    adapter.cert_verify(pool, root, route["verify"], route["cert"])
    return pool
