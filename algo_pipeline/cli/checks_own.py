"""What ``doctor`` looks at of the user's own classes: whether those that settings name can be loaded and made."""

from __future__ import annotations

from collections.abc import Iterator

from algo_pipeline.cli.checks import Check, ok
from algo_pipeline.common.config import Settings

_SHOWN_DIGITS = 12


def own_classes(settings: Settings) -> Iterator[Check]:
    """A line for each file; nothing where settings name nothing of the user's own."""
    from algo_pipeline.research.own_classes import load_own_classes

    for file in load_own_classes(settings):
        yield ok("own classes", f"{file.name} is loaded, SHA-256 {file.sha256[:_SHOWN_DIGITS]}")
