"""Handing a symbol's champion on: ledger, alias and bundle in this order, and settling what an interruption left.

Live trading reads the bundle alone, so that the last step decides. Whatever is interrupted before it leaves the
champion in place; the next promotion finds the ledger ahead of the bundle, and records that.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import takewhile
from pathlib import Path
from typing import Any

from algo_pipeline.common.errors import CorruptFileError
from algo_pipeline.common.locks import file_lock
from algo_pipeline.common.storage import write_text
from algo_pipeline.common.time import utc_now
from algo_pipeline.common.types import Symbol
from algo_pipeline.registry.bundle import BundleStore, ChampionBundle
from algo_pipeline.registry.ledger import PromotionEntry, PromotionLedger
from algo_pipeline.registry.mlflow_registry import CHAMPION, MlflowRegistry
from algo_pipeline.registry.moved_alias import MovedAlias, moved_alias
from algo_pipeline.registry.reigns import BY_HAND, INTERRUPTED, NO_POLICY, RECOVERY, deploys

MLFLOW = "mlflow"


class Succession:
    """The one way in which the champion of a symbol changes.

    Parameters
    ----------
    artifacts_dir : Path
        Where ledger and bundles lie.
    registry : MlflowRegistry
        Where the alias is.
    symbol : Symbol
        Whose champion.
    """

    def __init__(self, artifacts_dir: Path, registry: MlflowRegistry, symbol: Symbol) -> None:
        self._registry, self._symbol = registry, symbol
        self._ledger, self._bundles = PromotionLedger(artifacts_dir), BundleStore(artifacts_dir)
        folder = artifacts_dir / "registry"
        self._lock, self._pending = folder / f".{symbol.slug}.lock", folder / f".{symbol.slug}.pending"

    def alone(self, wait_s: float) -> AbstractContextManager[None]:
        """Keep every other promotion of the symbol out, from looking at the champion to replacing it."""
        return file_lock(self._lock, f"Another promotion of {self._symbol}", wait_s)

    def deployed(self) -> ChampionBundle | None:
        """The deployed champion; one that can't be read counts as none, and is replaced by the next."""
        try:
            return self._bundles.load(self._symbol)
        except CorruptFileError:
            return None

    def settle(self) -> tuple[str, ...]:
        """Record what the ledger does not say of the deployed champion and of its alias; say it to people.

        Two things are found: another bundle in place than the ledger's last line says, because a promotion was
        interrupted (an alias that it had moved already is put back) or a person changed the file; and an alias that a
        person moved in MLflow, which is recorded once, and never followed.
        """
        deployed, line = self.deployed(), self._last_line()
        told = []
        if line is not None and not self._is_in_place(line, deployed):
            told.append(self._record_other_bundle(line, deployed))
        self._pending.unlink(missing_ok=True)
        moved = moved_alias(self._registry, deployed) if deployed else None
        if deployed and moved:
            self._record_once(deployed, moved)
            told.append(moved.message)
        return tuple(told)

    def record(self, entry: PromotionEntry) -> None:
        """Write down a decision that leaves the deployed bundle as it is."""
        self._ledger.append(replace(entry, bundle_sha256=self._bundles.fingerprint(self._symbol)))

    def hand_over(self, entry: PromotionEntry, bundle: ChampionBundle) -> None:
        """Write down a decision, move the alias, deploy the bundle: after :meth:`settle`, and alone."""
        write_text(self._pending, bundle.model_version)
        self._ledger.append(replace(entry, bundle_sha256=bundle.sha256))
        self.set_alias(bundle)
        self._bundles.deploy(bundle)
        self._pending.unlink(missing_ok=True)

    def set_alias(self, bundle: ChampionBundle) -> None:
        """Let MLflow's alias point at a bundle's version."""
        self._registry.set_alias(bundle.model_name, CHAMPION, bundle.model_version)

    def _last_line(self) -> Mapping[str, Any] | None:
        lines = self._lines()
        return lines[-1] if lines else None

    def _lines(self) -> list[dict[str, Any]]:
        return [line for line in self._ledger.lines() if line["symbol"] == str(self._symbol)]

    def _is_in_place(self, line: Mapping[str, Any], deployed: ChampionBundle | None) -> bool:
        """Whether what a line says to be deployed is: the version, and the very file by its checksum."""
        if line["to_version"] != (deployed.model_version if deployed else None):
            return False
        expected = line.get("bundle_sha256")
        return expected is None or bool(expected == self._bundles.fingerprint(self._symbol))

    def _record_other_bundle(self, line: Mapping[str, Any], deployed: ChampionBundle | None) -> str:
        interrupted = self._pending.exists()
        recorded, actual = line["to_version"], deployed.model_version if deployed else None
        reason = (
            f"Version {recorded} ({line['trading']}) was recorded as champion, but "
            + (f"version {actual} ({deployed.trading.value}) is deployed" if deployed else "nothing is deployed")
            + (": its promotion was interrupted." if interrupted else ": the bundle was changed by hand or is damaged.")
        )
        if deployed and interrupted and self._registry.alias_version(deployed.model_name, CHAMPION) == recorded:
            self.set_alias(deployed)
        self.record(
            self._found(
                RECOVERY,
                deployed.label if deployed else line["label"],
                candidate_version=line["candidate_version"],
                from_version=recorded,
                to_version=actual,
                trading=deployed.trading.value if deployed else "unchanged",
                reason=reason,
                figures={INTERRUPTED: interrupted},
            )
        )
        return reason

    def _record_once(self, deployed: ChampionBundle, moved: MovedAlias) -> None:
        """Unless the same was found before, and nothing was decided since that sets the alias."""
        since = takewhile(lambda line: not deploys(line) and line["policy"] != BY_HAND, reversed(self._lines()))
        last = next((line for line in since if line["who"] == MLFLOW), None)
        if last is not None and last["figures"].get("alias") == moved.alias:
            return
        found = self._found(
            MLFLOW,
            deployed.label,
            candidate_version=moved.alias or deployed.model_version,
            from_version=deployed.model_version,
            to_version=deployed.model_version,
            trading="unchanged",
            reason=moved.message,
            figures={"alias": moved.alias},
        )
        self.record(found)

    def _found(self, who: str, label: str, **fields: Any) -> PromotionEntry:
        return PromotionEntry(
            at=utc_now().isoformat(),
            who=who,
            symbol=str(self._symbol),
            label=label,
            policy=NO_POLICY,
            passed=False,
            **fields,
        )
