"""What ``doctor`` looks at of trials and promotions: both ledgers, and MLflow's aliases beside what is deployed."""

from __future__ import annotations

from collections.abc import Iterator

from algo_pipeline.cli.checks import Check, ok, warn
from algo_pipeline.common.config import Settings
from algo_pipeline.common.errors import CorruptFileError
from algo_pipeline.common.types import Symbol
from algo_pipeline.registry.bundle import BundleStore
from algo_pipeline.registry.ledger import PromotionLedger
from algo_pipeline.registry.reigns import reigns
from algo_pipeline.registry.trials import TrialLedger


def promotion_ledger(settings: Settings) -> Iterator[Check]:
    """The whole chain, and whether it knows what is deployed."""
    lines = PromotionLedger(settings.artifacts_dir).lines()
    if not lines:
        yield ok("ledger", "empty: no model has been judged yet")
        return
    yield ok("ledger", f"{len(lines):,} lines, an unbroken chain")
    for symbol in settings.parsed_symbols():
        bundle = BundleStore(settings.artifacts_dir).load(symbol)
        present = [reign for reign in reigns(lines, str(symbol)) if reign.until is None]
        recorded = present[-1].line["to_version"] if present else None
        actual = bundle.model_version if bundle else None
        if recorded != actual:
            words = f"It says that {_named(recorded)} is champion of {symbol}; {_named(actual)} is deployed."
            yield warn("ledger", words, "The next research run, or `algo-pipeline promote`, records what is deployed.")


def trial_ledger(settings: Settings) -> Check:
    """The whole chain of what was tried: live trading does not need it, but no edge is claimed without it."""
    try:
        n_trials = TrialLedger(settings.artifacts_dir).verify()
    except CorruptFileError as error:
        return warn("trials", f"{error.message} No edge is claimed until it is whole.", error.remedy)
    return ok("trials", f"{n_trials:,} recorded, an unbroken chain" if n_trials else "none recorded yet")


def alias(settings: Settings, symbol: Symbol) -> Iterator[Check]:
    """Whether MLflow's alias points at the deployed version; nothing is said where there is nothing to compare."""
    file, bundle = settings.mlflow_file(), BundleStore(settings.artifacts_dir).load(symbol)
    if bundle is None or (file is not None and not file.exists()):
        return
    from algo_pipeline.registry.mlflow_registry import MlflowRegistry
    from algo_pipeline.registry.moved_alias import moved_alias

    moved = moved_alias(MlflowRegistry.configured(settings), bundle)
    name = f"alias {symbol}"
    if moved is None:
        yield ok(name, f"MLflow's champion is the deployed version {bundle.model_version}")
    else:
        yield warn(name, moved.message, moved.remedy)


def _named(version: str | None) -> str:
    return "nothing" if version is None else f"version {version}"
