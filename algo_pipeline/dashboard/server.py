"""The dashboard on a port."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

import uvicorn
from starlette.applications import Starlette

from algo_pipeline.common.config import Settings
from algo_pipeline.common.errors import AlgoPipelineError
from algo_pipeline.common.time import utc_now
from algo_pipeline.dashboard.app import build_app
from algo_pipeline.dashboard.reading import Reader

_BACKLOG = 128


class DashboardError(AlgoPipelineError):
    """The dashboard could not be served."""

    code = "dashboard"


def serve(settings: Settings, host: str, port: int, allowed_hosts: Sequence[str], tell: Callable[[str], None]) -> None:
    """Answer until interrupted; ``tell`` is given the address once it does.

    Raises
    ------
    DashboardError
        If it can't listen there.
    """
    reader = Reader(settings)
    app = build_app(settings, reader, utc_now, allowed_hosts)
    with listening(host, port) as listener:
        # A journal of years takes seconds the first time: before anybody asks, and without keeping them waiting.
        threading.Thread(target=reader.view, args=(utc_now(),), daemon=True, name="first reading").start()
        shown = f"[{host}]" if ":" in host else host
        tell(f"http://{shown}:{listener.getsockname()[1]}")
        with suppress(KeyboardInterrupt):  # the way to end it
            make_server(app).run([listener])


def make_server(app: Starlette) -> uvicorn.Server:
    """A server of this application that says nothing of itself and writes no line per request."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            ws="none",
            lifespan="off",
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
            log_level="warning",
        )
    )


def listening(host: str, port: int) -> socket.socket:
    """A socket that takes connections; DashboardError if there can be none."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise DashboardError(
            f"The dashboard can't listen at {host}, port {port}: {error.strerror or error}.",
            "Stop the program that does, or choose another port with --port or ALGO_TRADER_DASHBOARD_PORT.",
        ) from error
    return listener
