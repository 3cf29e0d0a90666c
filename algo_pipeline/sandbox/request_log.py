"""What was asked of the sandbox and how it ended; never a key."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

from algo_pipeline.sandbox.wire import WireRequest

_KEPT = 100_000
_SECRET = re.compile(r"key|secret|signature|authorization|password", re.IGNORECASE)
_CLIENT_ORDER_ID = re.compile(rb'"client_order_id"\s*:\s*"([^"\\]{1,128})"')


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request: its number, the virtual time, what was asked, and the status or the way the connection ended."""

    number: int
    at_ns: int
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    client_order_id: str | None
    status: int | str
    fault: str | None


class RequestLog:
    """The last 100,000 requests to the venues' endpoints."""

    def __init__(self) -> None:
        self._requests: deque[LoggedRequest] = deque(maxlen=_KEPT)
        self.n_requests = 0

    def note(self, at_ns: int, request: WireRequest, status: int | str, fault: str | None) -> None:
        """Keep a request without what may be a key."""
        self.n_requests += 1
        query = tuple((name, value) for name, value in request.query.items() if not _SECRET.search(name))
        order_id = _client_order_id(request)
        self._requests.append(
            LoggedRequest(self.n_requests, at_ns, request.method, request.path, query, order_id, status, fault)
        )

    def since(self, number: int, limit: int) -> list[LoggedRequest]:
        """Requests after a number, oldest first; at most ``limit``, the newest of them."""
        wanted = [request for request in self._requests if request.number > number]
        return wanted[-limit:] if limit > 0 else []

    def clear(self) -> None:
        """Forget what was asked; numbers go on."""
        self._requests.clear()


def _client_order_id(request: WireRequest) -> str | None:
    if "client_order_id" in request.query:
        return request.query["client_order_id"]
    found = _CLIENT_ORDER_ID.search(request.body)
    return found[1].decode(errors="replace") if found else None
