"""Channels of alerts: any service that apprise can reach. Their URLs hold tokens and are secrets."""

from __future__ import annotations

import logging
import re
from typing import Any
from urllib.parse import quote, unquote

from algo_pipeline.common.errors import AlgoPipelineError
from algo_pipeline.common.logger import SecretMasker
from algo_pipeline.live.alerts import Alert, Severity

_BETWEEN_URLS = re.compile(r"[,\s]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")  # a URL may hold commas itself
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_BETWEEN_PARTS = re.compile(r"[/?&=@:;+,#]+")
_MAX_TEXT = 3500  # Telegram takes 4096 characters, most others more


class AlertChannelError(AlgoPipelineError):
    """An alert did not get through: correct the URL, or wait for the service."""

    code = "alert_channel"


def alert_channels(urls: str | None) -> tuple[AppriseChannel, ...]:
    """A channel per URL of the setting; nothing is imported or checked yet.

    Parameters
    ----------
    urls : str or None
        ``ALGO_TRADER_ALERT_URLS``: apprise URLs separated by commas or blanks.
    """
    parts = _BETWEEN_URLS.split(urls or "")
    return tuple(AppriseChannel(url.strip(" ,\n\t"), n) for n, url in enumerate(parts, start=1) if url.strip(" ,\n\t"))


class AppriseChannel:
    """One apprise URL; apprise itself is imported when the first alert is sent.

    Parameters
    ----------
    url : str
        Never shown: errors have its parts masked.
    number : int
        Its place in the setting, from 1: with the scheme, the name by which a log may call it.
    """

    def __init__(self, url: str, number: int) -> None:
        self._url = url
        scheme = _SCHEME.match(url)
        self._name = f"alert channel {number} ({scheme[1].lower()})" if scheme else f"alert channel {number}"
        self._masker = SecretMasker(_parts(url))

    @property
    def name(self) -> str:
        """Place in the setting and scheme: ``alert channel 1 (tgram)``."""
        return self._name

    def __repr__(self) -> str:
        return f"<{self._name}>"

    def check(self) -> None:
        """Whether apprise understands the URL; raises AlertChannelError if not. Sends nothing."""
        self._opened()

    def send(self, alert: Alert) -> None:
        """Deliver.

        Raises
        ------
        AlertChannelError
            If the URL is none of apprise's, or the service did not take the alert.
        """
        channel = self._opened()
        try:
            kind = _kinds()[alert.severity]
            delivered = channel.notify(title=alert.title, body=alert.text[:_MAX_TEXT], notify_type=kind)
        except Exception as error:
            raise self._error(f"{type(error).__name__}: {error}") from None  # the cause may show the URL
        if not delivered:
            raise self._error("The service did not take the alert.")

    def _opened(self) -> Any:
        try:
            import apprise

            _silence(logging.getLogger("apprise"))
            channel = apprise.Apprise()
            known = bool(channel.add(self._url))
        except Exception as error:
            raise self._error(f"{type(error).__name__}: {error}") from None
        if not known:
            raise self._error("The URL is none that apprise understands.")
        return channel

    def _error(self, text: str) -> AlertChannelError:
        return AlertChannelError(self._masker.mask(text), "Correct ALGO_TRADER_ALERT_URLS.")


def _kinds() -> dict[Severity, Any]:
    from apprise import NotifyType

    return {
        Severity.INFO: NotifyType.INFO,
        Severity.WARNING: NotifyType.WARNING,
        Severity.CRITICAL: NotifyType.FAILURE,
    }


def _silence(log: logging.Logger) -> None:
    """What apprise logs shows URLs."""
    log.propagate = False
    if not log.handlers:
        log.addHandler(logging.NullHandler())


def _parts(url: str) -> tuple[str, ...]:
    """The URL and each part behind its scheme, as written, encoded and decoded: a service's own URL repeats them."""
    parts = _BETWEEN_PARTS.split(_SCHEME.sub("", url, count=1))
    return (url, *(form for part in parts for form in (part, quote(part, safe=""), unquote(part))))
