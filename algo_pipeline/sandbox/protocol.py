"""uvicorn's HTTP protocol, with one thing more: each request is shown its connection, for faults to break it."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from algo_pipeline.sandbox.endings import TRANSPORT


class OpenProtocol(HttpToolsProtocol):
    """Puts the transport into the scope of every request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Wrap the application for this connection."""
        super().connection_made(transport)
        self.app = _showing(transport, self.app)


def _showing(transport: asyncio.Transport, app: Any) -> Any:
    async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
        scope[TRANSPORT] = transport
        await app(scope, receive, send)

    return with_transport
