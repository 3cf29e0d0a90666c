"""How an answer leaves: whole, spoiled, cut short, or not at all because the connection is reset."""

from __future__ import annotations

import os
import socket
import struct
from dataclasses import replace
from email.utils import format_datetime
from enum import Enum
from typing import Any

from starlette.types import Receive, Scope, Send

from algo_pipeline.sandbox.faults import Fault, FaultKind
from algo_pipeline.sandbox.wire import Reply, json_reply, moment

TRANSPORT = "algo_pipeline.transport"
"""Key in the scope under which the server shows a request its connection."""

_SERVICE_UNAVAILABLE, _TOO_MANY, _NO_CONTENT = 503, 429, 204
_WORDS = {_TOO_MANY: "rate limit exceeded", 500: "internal server error occurred", 504: "gateway timeout"}
_RATE_LIMIT, _OTHER_FAILURE = 42910000, 50010000
_BINANCE_RATE_LIMIT, _BINANCE_FAILURE = -1003, -1000
_PAGE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Ending(Enum):
    """What the client gets: all of the answer, the first half of it, or a reset connection."""

    COMPLETE = "complete"
    CUT_SHORT = "cut short"
    RESET = "reset"


def answer_of(fault: Fault | None, path: str, reply: Reply | None) -> tuple[Reply, Ending]:
    """What a fault makes of the right answer; ``reply`` is None if the request took no effect."""
    right = reply or json_reply({})
    if fault is None:
        return right, Ending.COMPLETE
    if fault.kind is FaultKind.RESET:
        return right, Ending.RESET
    if fault.kind is FaultKind.TRUNCATED:
        return right, Ending.CUT_SHORT
    return _spoiled(fault, path, right), Ending.COMPLETE


async def send_reply(send: Send, reply: Reply, now_ns: int) -> None:
    """Send a whole answer, dated by the virtual clock."""
    headers = [(name.encode(), value.encode()) for name, value in _headers(reply, now_ns)]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})


async def hang_up(scope: Scope, receive: Receive, reply: Reply | None, now_ns: int) -> None:
    """Break the connection, if the client has not left: after half of an answer, or at once with a TCP reset."""
    transport = scope[TRANSPORT]
    if transport.is_closing():
        return
    if reply is None:
        _reset(transport)
    else:
        lines = [
            f"HTTP/1.1 {reply.status} OK",
            *(f"{name}: {value}" for name, value in _headers(reply, now_ns)),
            "",
            "",
        ]
        transport.write("\r\n".join(lines).encode() + reply.body[: len(reply.body) // 2])
        transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass


def _spoiled(fault: Fault, path: str, right: Reply) -> Reply:
    status = fault.status or 200
    if fault.kind is FaultKind.STATUS:
        return _failure(fault, path)
    if fault.kind is FaultKind.MALFORMED:
        return replace(right, status=status, body=right.body[: len(right.body) // 2] + b"\xff")
    if fault.kind is FaultKind.HTML:
        return Reply(status, _PAGE, content_type="text/html")
    if fault.kind is FaultKind.EMPTY:
        return Reply(status)
    return right


def _failure(fault: Fault, path: str) -> Reply:
    """An error status with a body as the venue words it."""
    status = fault.status or _SERVICE_UNAVAILABLE
    words, is_limit = _WORDS.get(status, "service unavailable"), status == _TOO_MANY
    if path.startswith("/api/v3"):
        body: dict[str, Any] = {"code": _BINANCE_RATE_LIMIT if is_limit else _BINANCE_FAILURE, "msg": words}
    else:
        body = {"code": _RATE_LIMIT if is_limit else _OTHER_FAILURE, "message": words}
    headers = {} if fault.retry_after_s is None else {"Retry-After": f"{fault.retry_after_s:g}"}
    return json_reply(body, status, headers)


def _headers(reply: Reply, now_ns: int) -> list[tuple[str, str]]:
    headers = [("Date", format_datetime(moment(now_ns), usegmt=True)), *reply.headers.items()]
    if reply.status != _NO_CONTENT:
        headers += [("Content-Type", reply.content_type), ("Content-Length", str(len(reply.body)))]
    return headers


def _reset(transport: Any) -> None:
    """Close with RST instead of FIN; the option is set on a second handle, for the loop's own hides it."""
    with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as handle:
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    transport.abort()
