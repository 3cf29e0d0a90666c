"""Everything of the user's own that settings name, loaded at once: before work begins that would end at it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from algo_pipeline.common.user_classes import loaded_sources

if TYPE_CHECKING:
    from algo_pipeline.common.config import Settings


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A module of the user's own: its file's name and the SHA-256 of its source, as bundles and recipes have it."""

    name: str
    sha256: str


def load_own_classes(settings: Settings) -> tuple[OwnFile, ...]:
    """Load and make all that the settings name; nothing is done where they name nothing of the user's own.

    Raises
    ------
    SettingsError, ConfigValueError
        If a class can't be loaded, or not be made with the parameters of the settings.
    """
    if not settings.own_classes():
        return ()
    from algo_pipeline.research.recipe import configured_recipe
    from algo_pipeline.strategy.catalog import settings_strategy

    settings_strategy(settings, configured_recipe(settings).label_spec.horizon_bars)
    sources = loaded_sources(settings.own_classes())
    return tuple(OwnFile(name, hashlib.sha256(source.encode()).hexdigest()) for name, source in sources.items())
