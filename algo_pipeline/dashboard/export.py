"""The dashboard as files that need no server."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from algo_pipeline.common.config import Settings
from algo_pipeline.common.storage import write_text
from algo_pipeline.dashboard.reading import Reader
from algo_pipeline.dashboard.texts import Texts


def export_dashboard(settings: Settings, folder: Path, wall: pd.Timestamp) -> Path:
    """Write ``index.html`` and ``data.json`` and return the page's path; StorageError if the disk refuses."""
    texts = Texts(settings)
    view = Reader(settings).view(wall)
    page = folder / "index.html"
    write_text(page, texts.page(view, is_served=False))
    write_text(folder / "data.json", texts.data(view))
    return page
