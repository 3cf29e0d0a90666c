"""The top-level ``docker-compose.yml`` as values that a test can judge or start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"
_VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+):-(?P<default>[^}]*)\}")


@dataclass(frozen=True, slots=True)
class ComposeService:
    """One service as the file describes it, variables at their defaults.

    Parameters
    ----------
    name : str
        Its key in the file.
    document : mapping
        Everything that the file says of it.
    """

    name: str
    document: Mapping[str, Any]

    @property
    def command(self) -> tuple[str, ...]:
        """What its container executes; empty for the image's own command."""
        return tuple(self.document.get("command", ()))

    @property
    def environment(self) -> Mapping[str, str]:
        """Its environment, but for the files of variables."""
        return dict(self.document.get("environment", {}))

    @property
    def health_check(self) -> tuple[str, ...]:
        """The command that tells whether it is healthy."""
        kind, *command = self.document["healthcheck"]["test"]
        assert kind == "CMD", "a check through a shell hides what it executes"
        return tuple(command)

    @property
    def is_ours(self) -> bool:
        """Whether it is made from this repository's image."""
        return "build" in self.document

    @property
    def profiles(self) -> tuple[str, ...]:
        """Profiles that it belongs to; without one it is always started."""
        return tuple(self.document.get("profiles", ()))


def read_compose() -> dict[str, ComposeService]:
    """The services by name, in the file's order."""
    return {name: ComposeService(name, document) for name, document in compose_document()["services"].items()}


def compose_document() -> dict[str, Any]:
    """The whole file, merged and with every variable at its default."""
    text = _VARIABLE.sub(lambda found: found["default"], COMPOSE_FILE.read_text())
    return dict(yaml.safe_load(text))
