"""Why a host can't be reached, in words: name, refusal or silence; and how far its clock is from this machine's."""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, build_opener, getproxies, proxy_bypass

_TIMEOUT_S = 3.0
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What keeps this machine from a host, and what to do about it."""

    words: str
    remedy: str


def obstacle(url: str, timeout_s: float = _TIMEOUT_S) -> Obstacle | None:
    """Try to connect to the host of a URL, or to the proxy that is set for it; None if that succeeds."""
    host, port, via = _first_stop(url)
    try:
        with socket.create_connection((host, port), timeout_s):
            return None
    except socket.gaierror:
        return Obstacle(
            f"The name {host}{via} can't be resolved: this machine is offline, or its name server does not answer.",
            "Go online, or mend the name server (/etc/resolv.conf); behind a proxy, set HTTPS_PROXY.",
        )
    except ConnectionRefusedError:
        return Obstacle(
            f"{host}{via} refuses connections to port {port}: nothing listens there, or a firewall rejects them.",
            f"Start what should listen there, or correct the URL {_origin(url)}; ask who runs the firewall.",
        )
    except TimeoutError:
        return Obstacle(
            f"{host}{via} did not answer on port {port} within {timeout_s:.0f} s: a firewall drops it, or it is down.",
            "Try it in a browser on this machine; behind a proxy, set HTTPS_PROXY; ask who runs the firewall.",
        )
    except OSError as error:
        return Obstacle(
            f"There is no way to {host}{via}: {error.strerror or error}.",
            "Look at this machine's network (ip route); behind a proxy, set HTTPS_PROXY.",
        )


def clock_ahead(url: str, timeout_s: float = _TIMEOUT_S) -> timedelta | None:
    """How far this machine's clock is ahead of the Date that a host states; None where it states none."""
    request = Request(_origin(url), method="HEAD")  # noqa: S310 - a URL of the settings, http or https
    stated = None
    with suppress(OSError, ValueError):
        try:
            with build_opener().open(request, timeout=timeout_s) as answer:
                stated = answer.headers["Date"]
        except HTTPError as error:  # a page that does not exist has a date as well
            stated = error.headers["Date"]
    return None if stated is None else datetime.now(UTC) - parsedate_to_datetime(stated)


def _first_stop(url: str) -> tuple[str, int, str]:
    """Host, port and, if it is a proxy, words that say so."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxy = getproxies().get(parts.scheme)
    if proxy and not proxy_bypass(host):
        stop = urlsplit(proxy if "//" in proxy else f"//{proxy}")
        return stop.hostname or "", stop.port or _PORTS["http"], " (the proxy that is set)"
    return host, parts.port or _PORTS.get(parts.scheme, 443), ""


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"
