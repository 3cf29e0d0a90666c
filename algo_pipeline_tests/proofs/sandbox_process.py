"""A sandbox in a process of its own over Parquet files: ``python -m algo_pipeline_tests.proofs.sandbox_process``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from algo_pipeline.common.time import to_utc
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Symbol


@contextmanager
def sandbox_process(files: Mapping[Symbol, Path], start: pd.Timestamp, rules: BacktestConfig) -> Iterator[str]:
    """Serve the bars of ``files`` (Parquet, by symbol) with a clock that stands at ``start``; yields the root URL."""
    fields = {name: getattr(rules, name) for name in BacktestConfig.__dataclass_fields__}
    wanted = {"files": {str(s): str(path) for s, path in files.items()}, "start": start.isoformat(), "rules": fields}
    command = (sys.executable, "-m", "algo_pipeline_tests.proofs.sandbox_process", json.dumps(wanted))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url.startswith("http"), "the sandbox did not start"
            yield url
        finally:
            process.terminate()


def read_bars(path: Path) -> pd.DataFrame:
    """Bars of one of the real files, by their open times."""
    return pd.read_parquet(path).set_index("timestamp")


def main(wanted: str) -> None:
    """Serve until terminated."""
    from algo_pipeline.sandbox.server import SandboxConfig, serve

    document = json.loads(wanted)
    bars = {Symbol.parse(text): read_bars(Path(path)) for text, path in document["files"].items()}
    rules = BacktestConfig(**document["rules"])
    running = serve(SandboxConfig(bars, start=to_utc(document["start"]), rules=rules))
    sys.stdout.write(f"{running.url}\n")
    sys.stdout.flush()
    running.wait()


if __name__ == "__main__":
    main(sys.argv[1])
