"""The dashboard over HTTP: a few read-only pages, for the hosts that are allowed to ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import pandas as pd
from loguru import logger
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from algo_pipeline.common.config import Settings
from algo_pipeline.dashboard.page import content_security_policy
from algo_pipeline.dashboard.reading import Reader
from algo_pipeline.dashboard.texts import Texts

LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
_NO_MORE = "default-src 'none'; frame-ancestors 'none'"
_REPORT = (  # a report brings its own script: it runs as a page of no origin, and reaches no server
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "frame-ancestors 'none'"
)
Endpoint = Callable[[Request], Response]
_POLICY = "content-security-policy"
_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cache-control": "no-store",
    }
)


def build_app(
    settings: Settings, reader: Reader, now: Callable[[], pd.Timestamp], allowed_hosts: Sequence[str] = ()
) -> Starlette:
    """The application.

    Parameters
    ----------
    settings : Settings
        Whose account it shows; their secrets never leave it.
    reader : Reader
        Of the same settings.
    now : callable
        This machine's clock.
    allowed_hosts : sequence of str
        Names beside this machine's own under which it may be asked; others are refused, as a web page elsewhere could
        otherwise read it through the reader's browser.
    """
    pages = _Pages(reader, Texts(settings), now)
    routes = [
        Route("/", _guarded(pages.page)),
        Route("/data.json", _guarded(pages.data)),
        Route("/metrics", _guarded(pages.metrics)),
        Route("/healthz", pages.health),
        Route("/reports/{slug}", _guarded(pages.report)),
    ]
    middleware = [
        Middleware(_SecurityHeaders),
        Middleware(TrustedHostMiddleware, allowed_hosts=[*LOCAL_HOSTS, *allowed_hosts], www_redirect=False),
    ]
    return Starlette(routes=routes, middleware=middleware)


class _Pages:
    """The endpoints; each is called in a thread of its own."""

    def __init__(self, reader: Reader, texts: Texts, now: Callable[[], pd.Timestamp]) -> None:
        self._reader, self._texts, self._now = reader, texts, now

    def page(self, request: Request) -> Response:
        refreshes = request.query_params.get("refresh") != "off"
        text = self._texts.page(self._reader.view(self._now()), refreshes=refreshes)
        return HTMLResponse(text, headers={_POLICY: content_security_policy()})

    def data(self, request: Request) -> Response:
        del request
        return Response(self._texts.data(self._reader.view(self._now())), media_type="application/json")

    def metrics(self, request: Request) -> Response:
        accept = request.headers.get("accept", "")
        content_type, text = self._texts.metrics(self._reader.view(self._now()), accept)
        return Response(text, headers={"content-type": content_type})

    def health(self, request: Request) -> Response:
        del request
        return JSONResponse({"ok": True})

    def report(self, request: Request) -> Response:
        page = self._reader.report_page(request.path_params["slug"])
        if page is None:
            return PlainTextResponse("There is no report of this symbol yet.", 404)
        return HTMLResponse(page, headers={_POLICY: _REPORT})


class _SecurityHeaders:
    """What every answer tells a browser, refusals included."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault(_POLICY, _NO_MORE)
                headers.update(_HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _guarded(endpoint: Endpoint) -> Endpoint:
    """The endpoint, with the log and not the reader told what went wrong."""

    def guarded(request: Request) -> Response:
        try:
            return endpoint(request)
        except Exception as error:
            logger.opt(exception=error).error("{} could not be answered.", request.url.path)
            return PlainTextResponse("This could not be made. The program's log says why.", 500)

    return guarded
