"""An audit file checked offline: hashes, chains, and every number that can be computed again."""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from io import BytesIO

from algo_pipeline.backtest.reproduction import Likeness, Reproduction, Stage
from algo_pipeline.common.audit_archive import AuditArchive
from algo_pipeline.common.errors import AlgoPipelineError, CorruptFileError, OtherCodeError
from algo_pipeline.common.time import to_utc
from algo_pipeline.common.types import Symbol
from algo_pipeline.live.hour_story import HourStory, hour_story
from algo_pipeline.live.lines import JournalLine, line_hash, parse_line
from algo_pipeline.live.state_fold import NOT_READABLE
from algo_pipeline.registry.audit_export import (
    BARS,
    BUNDLE,
    JOURNAL,
    LEDGERS,
    RUN_KIND,
    bars_from_csv,
    run_from_files,
)
from algo_pipeline.registry.bundle import ChampionBundle
from algo_pipeline.registry.chained_lines import verified_lines
from algo_pipeline.registry.deployment import bundle_strategy, bundle_strategy_document
from algo_pipeline.registry.explain import Explanation, explain
from algo_pipeline.registry.reproduce import report_stage, reproduce
from algo_pipeline.strategy.signal_to_trade import ThresholdStrategy

TOLERANCE = 1e-9
"""How far numbers may be apart where packages or processor are not those that made them."""

_MODEL_BYTES = 1 << 28


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: ``passed`` is None where it could not be."""

    name: str
    passed: bool | None
    detail: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of checking an audit file."""

    checks: tuple[Check, ...]
    environment_changes: tuple[str, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether no check failed, and some passed."""
        found = [check.passed for check in self.checks]
        return False not in found and True in found

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the checks that failed."""
        return tuple(check.name for check in self.checks if check.passed is False)


def verify(archive: AuditArchive, own: Collection[str] = ()) -> Verification:
    """Check everything that the archive's content allows, without network or store.

    Parameters
    ----------
    archive : AuditArchive
        As read.
    own : collection of str
        Classes of the user's own that may be run if the file names them, unchanged: what others made is not checked.
    """
    manifest = Check("manifest", True, f"{len(archive.files)} files match their hashes")
    if archive.problems:
        manifest = Check("manifest", False, "; ".join(f"{name} {what}" for name, what in archive.problems.items()))
    if archive.kind == RUN_KIND:
        checks, changes = _run_checks(archive, own)
        return Verification((manifest, *checks), changes)
    return Verification((manifest, *_hour_checks(archive, own)))


def _run_checks(archive: AuditArchive, own: Collection[str]) -> tuple[tuple[Check, ...], tuple[str, ...]]:
    ledgers = tuple(_ledger_check(archive, name) for name in LEDGERS if name in archive.files)
    try:
        run = run_from_files(archive.files)
        bars = bars_from_csv(archive.files.get(BARS, b""))
        again = reproduce(run, bars, own)
    except OtherCodeError as error:
        return (*ledgers, Check("run", None, error.message)), ()
    except (AlgoPipelineError, *NOT_READABLE) as error:
        return (*ledgers, Check("run", False, _said(error))), ()
    oos, lineage = run.predictions(), run.lineage()
    figures: Check | None = None
    if oos is not None:
        figures = _guarded(
            "report from the recorded predictions",
            lambda: _stage_check(report_stage(run, lineage, bars, oos, own=own), again),
        )
    stages = tuple(_stage_check(stage, again) for stage in again.stages)
    return (*ledgers, *stages, *(() if figures is None else (figures,))), again.environment_changes


def _stage_check(stage: Stage, again: Reproduction) -> Check:
    """Bits must be equal on the machine that made them; numbers close on another."""
    if stage.likeness is not Likeness.DIFFERENT:
        passed = True if stage.likeness is Likeness.EQUAL else None
        return Check(stage.name, passed, stage.detail or f"made again, equal: {stage.found[:16]}")
    largest = stage.max_difference
    if again.environment_changes and math.isfinite(largest) and largest <= TOLERANCE:
        return Check(stage.name, True, f"equal within {largest:.1g}: other code, packages or another processor")
    return Check(stage.name, False, stage.detail or "made again, it has another hash")


def _ledger_check(archive: AuditArchive, name: str) -> Check:
    def chain() -> Check:
        lines = verified_lines(archive.files[name], name, "Export it again.")
        if not archive.files[name].endswith(b"\n"):
            return Check(name, False, "its last line is torn")
        return Check(name, True, f"{len(lines)} lines, each carrying the hash of the one before")

    return _guarded(name, chain)


def _hour_checks(archive: AuditArchive, own: Collection[str]) -> Iterator[Check]:
    try:
        lines = chained_lines(archive.files.get(JOURNAL, b""))
        bar = to_utc(archive.subject.get("hour", ""))
        symbol = Symbol.parse(str(archive.subject.get("symbol", "")))
    except AlgoPipelineError as error:
        yield Check("journal", False, error.message)
        return
    anchor = f"lines {lines[0].seq} to {lines[-1].seq}, from the line of hash {lines[0].previous[:16]} on"
    yield Check("journal", True, anchor)
    story = hour_story(lines, bar, symbol)
    if story.decision is None:
        yield Check("decision", None, "nothing was decided in this hour")
        return
    yield _order_check(story)
    yield from _decision_checks(archive, story, own)


def _decision_checks(archive: AuditArchive, story: HourStory, own: Collection[str]) -> Iterator[Check]:
    bundle = None
    if BUNDLE in archive.files:
        try:
            bundle = ChampionBundle.from_document(json.loads(archive.files[BUNDLE]))
        except (AlgoPipelineError, ValueError, RecursionError) as error:
            yield Check("bundle", False, f"{BUNDLE} can't be read: {error}")
            return
    if bundle is None or story.decision is None:
        yield Check("bundle", None, "the file holds no champion bundle")
        return
    same = bundle.sha256 == story.decision.details["bundle"]
    yield Check("bundle", same, "its hash is the one in the journal" if same else "its hash is not the journal's")
    yield _guarded("probability", lambda: _probability_check(archive, story, bundle, own))
    yield _guarded("signal", lambda: _signal_check(story, bundle))


def _probability_check(archive: AuditArchive, story: HourStory, bundle: ChampionBundle, own: Collection[str]) -> Check:
    _require_modest(bundle)
    if BARS not in archive.files:
        return Check("probability", None, "the file holds no bars")
    found = explain(story, bundle, bars_from_csv(archive.files[BARS]), own)
    return Check("probability", _is_same(found), f"computed again from bars and bundle: {found.agreement}")


def _is_same(found: Explanation) -> bool | None:
    """To the bit for a linear champion on its whole history, closely for any other."""
    decision, again = found.story.decision, found.recomputed
    if again is None or decision is None:
        return None
    if found.other_close:
        return False
    if found.is_confirmed or again.probability is None or decision.prob is None:
        return found.is_confirmed
    is_exact = found.bundle is not None and found.bundle.scorer is not None and decision.details["features_exact"]
    return not is_exact and abs(again.probability - decision.prob) <= TOLERANCE


def _signal_check(story: HourStory, bundle: ChampionBundle) -> Check:
    decision = story.decision
    strategy = bundle_strategy(bundle) if bundle_strategy_document(bundle)["name"] == ThresholdStrategy.name else None
    if decision is None or not isinstance(strategy, ThresholdStrategy):
        return Check("signal", None, "only fixed thresholds can be followed without the market's state")
    probability = math.nan if decision.prob is None else decision.prob
    unless_long = "FLAT" if probability <= strategy.exit_threshold else "HOLD"
    expected = "LONG" if probability >= strategy.enter_threshold else unless_long
    return Check(
        "signal", expected == decision.signal, f"the rule gives {expected}, the journal says {decision.signal}"
    )


def _order_check(story: HourStory) -> Check:
    """Whether order, result and decision speak of the same."""
    decision, identities = story.decision, {line.order_id for line in story.intents}
    if decision is None or decision.order_id is None:
        strays = [line for line in story.results if line.order_id not in identities]
        return Check("order", not strays, "none was decided" if not strays else "a result has no order")
    strange = [line.order_id for line in story.results if line.order_id not in identities]
    known = decision.order_id in identities and not strange
    return Check("order", known, f"{decision.order_id}: {len(story.intents)} intents, {len(story.results)} results")


def chained_lines(data: bytes) -> tuple[JournalLine, ...]:
    """A part of a journal, each line verified to continue the one before; CorruptFileError names a bad one."""
    lines: list[JournalLine] = []
    *texts, rest = data.split(b"\n")
    if rest or not texts:
        raise CorruptFileError(f"{JOURNAL} is empty or its last line is torn.", "Export it again.")
    for number, text in enumerate(texts, start=1):
        try:
            line = parse_line(text, 0)
        except (*NOT_READABLE, AlgoPipelineError) as error:
            raise CorruptFileError(
                f"Line {number} of {JOURNAL} is no line of a journal.", "Export it again."
            ) from error
        if lines and (line.seq, line.previous) != (lines[-1].seq + 1, line_hash(texts[number - 2])):
            raise CorruptFileError(f"Line {number} of {JOURNAL} does not continue the one before.", "Export it again.")
        lines.append(line)
    return tuple(lines)


def _guarded(name: str, check: Callable[[], Check]) -> Check:
    """A check, failed where what it reads is damaged."""
    try:
        found = check()
    except (AlgoPipelineError, *NOT_READABLE) as error:
        return Check(name, False, _said(error))
    return Check(name, found.passed, found.detail)


def _said(error: Exception) -> str:
    return error.message if isinstance(error, AlgoPipelineError) else f"it holds what no such file has: {error!r}"


def _require_modest(bundle: ChampionBundle) -> None:
    """Refuse a model whose own file would swell when it is read; CorruptFileError."""
    if bundle.estimator_skops is None:
        return
    try:
        with zipfile.ZipFile(BytesIO(bundle.estimator_skops)) as archive:
            n_bytes = sum(info.file_size for info in archive.infolist())
    except zipfile.BadZipFile as error:
        raise CorruptFileError(f"The model in {BUNDLE} is damaged: {error}.", "Export it again.") from error
    if n_bytes > _MODEL_BYTES:
        raise CorruptFileError(f"The model in {BUNDLE} would take {n_bytes:,} bytes.", "Don't trust this file.")
