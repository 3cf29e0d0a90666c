"""What an audit file holds of a training run, or of an hour of live trading."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import pandas as pd

from algo_pipeline.common.errors import CorruptFileError, StorageError
from algo_pipeline.common.schemas import INDEX_NAME, validate_bars
from algo_pipeline.common.storage import read_bytes, to_json
from algo_pipeline.common.time import to_utc
from algo_pipeline.live.hour_story import HourStory
from algo_pipeline.live.journal import Journal
from algo_pipeline.live.lines import JournalLine
from algo_pipeline.registry.explain import Explanation
from algo_pipeline.registry.logged_run import LoggedRun
from algo_pipeline.registry.reproduce import bars_of

RUN_KIND, HOUR_KIND = "run", "hour"
BARS, RUN, JOURNAL, BUNDLE = "bars.csv", "run.json", "journal.jsonl", "bundle.json"
RUN_FOLDER = "run/"
LEDGERS = ("ledger/promotions.jsonl", "ledger/trials.jsonl")
_MLFLOWS_OWN = "mlflow."


def run_files(run: LoggedRun, stored: pd.DataFrame, artifacts_dir: Path) -> dict[str, bytes]:
    """Everything from which a run can be made again, and the ledgers that speak of it.

    Parameters
    ----------
    run : LoggedRun
        Which run.
    stored : pd.DataFrame
        All stored bars of its symbol and source; those that it saw are kept.
    artifacts_dir : Path
        Where the ledgers are.
    """
    tags = {name: value for name, value in run.tags.items() if not name.startswith(_MLFLOWS_OWN)}
    document = {"run_id": run.run_id, "parameters": dict(run.parameters), "tags": tags}
    ledgers = {name: artifacts_dir / "registry" / Path(name).name for name in LEDGERS}
    return {
        RUN: to_json(document).encode(),
        BARS: bars_csv(bars_of(run.lineage(), stored)),
        **{f"{RUN_FOLDER}{name}": data for name, data in run.files.items()},
        **{name: whole_lines(read_bytes(path)) for name, path in ledgers.items() if path.exists()},
    }


def run_from_files(files: Mapping[str, bytes]) -> LoggedRun:
    """Inverse of :func:`run_files`; CorruptFileError if there is no readable run."""
    try:
        document = json.loads(files[RUN])
        held = {name.removeprefix(RUN_FOLDER): data for name, data in files.items() if name.startswith(RUN_FOLDER)}
        return LoggedRun(str(document["run_id"]), dict(document["parameters"]), dict(document["tags"]), held)
    except (KeyError, ValueError, TypeError, RecursionError) as error:
        raise CorruptFileError(f"{RUN} is no record of a run: {error!r}.", "Export it again.") from error


def hour_files(found: Explanation, journal: Journal, bars: pd.DataFrame | None) -> dict[str, bytes]:
    """An hour's part of the journal, unbroken, with the bundle and the bars that it was decided by."""
    files = {JOURNAL: journal_section(found.story, journal)}
    if found.bundle is not None:
        files[BUNDLE] = to_json(found.bundle.to_document()).encode()
        if bars is not None:
            files[BARS] = bars_csv(bars.loc[to_utc(found.bundle.history_start) : found.story.bar])
    return files


def journal_section(story: HourStory, journal: Journal) -> bytes:
    """The journal's bytes from the first line about an hour to the last, every line between them included."""
    numbers = [line.seq for line in story.lines]
    lines: list[JournalLine] = [line for line in journal.lines() if min(numbers) - 1 <= line.seq <= max(numbers)]
    start = lines[0].end if lines[0].seq < min(numbers) else 0
    return read_bytes(journal.path)[start : lines[-1].end]


def bars_csv(bars: pd.DataFrame) -> bytes:
    """Bars as text that gives the same bits when it is read."""
    return bars.to_csv(date_format="%Y-%m-%dT%H:%M:%SZ").encode()


def bars_from_csv(data: bytes) -> pd.DataFrame:
    """Inverse of :func:`bars_csv`; CorruptFileError if these are no valid bars."""
    try:
        frame = pd.read_csv(BytesIO(data), float_precision="round_trip")
        times = pd.DatetimeIndex(pd.to_datetime(frame.pop(INDEX_NAME), utc=True)).as_unit("ns")
        return validate_bars(frame.astype("float64").set_axis(times.rename(INDEX_NAME)))
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptFileError(f"{BARS} holds no valid bars: {error}", "Export it again.") from error


def require_no_secrets(files: Mapping[str, bytes], secrets: Iterable[str]) -> None:
    """Refuse to hand out what holds a key or an alert's address; StorageError names the file, never the secret."""
    hidden = [secret.encode() for secret in secrets if secret]
    for name, data in files.items():
        if any(secret in data for secret in hidden):
            raise StorageError(
                f"{name} holds a secret of the settings; nothing was written.",
                "Remove it from the run or the journal's folder, and change the key.",
            )


def whole_lines(data: bytes) -> bytes:
    """Without a last line that was not written whole."""
    return data[: data.rfind(b"\n") + 1]


def hour_subject(found: Explanation) -> dict[str, Any]:
    """What an hour's file is about."""
    return {"symbol": str(found.story.symbol), "hour": found.story.bar.isoformat()}
