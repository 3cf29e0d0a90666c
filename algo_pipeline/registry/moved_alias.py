"""An alias ``champion`` that does not point at what is deployed: told, and never followed."""

from __future__ import annotations

from dataclasses import dataclass

from algo_pipeline.registry.bundle import ChampionBundle
from algo_pipeline.registry.mlflow_registry import CHAMPION, MlflowRegistry


@dataclass(frozen=True, slots=True)
class MovedAlias:
    """Where MLflow's alias points, and what is deployed.

    Attributes
    ----------
    symbol, model_name : str
        Whose champion.
    alias : str or None
        The version that the alias points at; None: there is no such alias.
    deployed : str
        The version of the deployed bundle.
    """

    symbol: str
    model_name: str
    alias: str | None
    deployed: str

    @property
    def message(self) -> str:
        """What was found."""
        found = "is gone" if self.alias is None else f"points at version {self.alias}"
        return (
            f"MLflow's alias {CHAMPION} of {self.model_name} {found}, but version {self.deployed} is deployed and"
            " stays: an alias moved by hand is not followed."
        )

    @property
    def remedy(self) -> str:
        """How to make one of the two true."""
        back = f"put the alias back, {self._command(self.deployed)}"
        if self.alias is None:
            return f"To {back}."
        return f"To deploy version {self.alias}, {self._command(self.alias)}; to {back}."

    def _command(self, version: str) -> str:
        return f"`algo-pipeline promote {version} --symbol {self.symbol} --reason TEXT`"


def moved_alias(registry: MlflowRegistry, bundle: ChampionBundle) -> MovedAlias | None:
    """Compare the alias with the deployed bundle; None if they agree."""
    alias = registry.alias_version(bundle.model_name, CHAMPION)
    if alias == bundle.model_version:
        return None
    return MovedAlias(bundle.symbol, bundle.model_name, alias, bundle.model_version)
