"""The view as texts that may leave this machine: whatever they say, no secret is in them."""

from __future__ import annotations

import json

from markupsafe import escape

from algo_pipeline.common.config import Settings
from algo_pipeline.common.logger import SecretMasker
from algo_pipeline.common.storage import to_json
from algo_pipeline.dashboard.page import render_page
from algo_pipeline.dashboard.view import View
from algo_pipeline.dashboard.view_document import view_document


class Texts:
    """Renders views; the secrets among the settings are masked, however they would be written."""

    def __init__(self, settings: Settings) -> None:
        self._max_orders_per_day = settings.max_orders_per_day
        spellings = ((each, str(escape(each)), json.dumps(each)[1:-1]) for each in settings.secret_values())
        self._masker = SecretMasker([each for group in spellings for each in group])

    def page(self, view: View, *, is_served: bool = True, refreshes: bool = False) -> str:
        """The page."""
        page = render_page(view, self._max_orders_per_day, is_served=is_served, refreshes=refreshes)
        return _encodable(self._masker.mask(page), "replace")

    def data(self, view: View) -> str:
        """``data.json``."""
        return _encodable(self._masker.mask(to_json(view_document(view))), "backslashreplace")

    def metrics(self, view: View, accept: str) -> tuple[str, str]:
        """Content type and text for Prometheus."""
        from algo_pipeline.dashboard.metrics import render_metrics

        content_type, text = render_metrics(view, accept)
        return content_type, self._masker.mask(text.decode())


def _encodable(text: str, errors: str) -> str:
    """The text without half surrogate pairs, which journal and alerts may hold and no page can."""
    return text.encode("utf-8", errors).decode()
