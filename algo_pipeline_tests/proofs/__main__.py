"""``make prove``: what is promised of live trading and of research, tried out, and one table of what came of it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import click
import pandas as pd
from rich.console import Console

from algo_pipeline.common.time import BAR, to_utc
from algo_pipeline.common.types import Symbol
from algo_pipeline_tests.proofs.table import Row, print_table

_BARS = {Symbol(base, "USD"): f"{base}USDT_1h.parquet" for base in ("BTC", "ETH", "SOL")}
_DEFAULT_BARS_DIR = Path(__file__).parents[3] / "shared" / "data"
_YEAR_HOURS, _QUICK_HOURS = 8_760, 500
_TICKS, _QUICK_TICKS = 20, 3
_MARKETS, _QUICK_MARKETS = 200, 10


@dataclass(frozen=True)
class Wanted:
    """How a proof is run."""

    folder: Path
    quick: bool
    first_seed: int
    say: Callable[[str], object]


def parity(wanted: Wanted) -> Iterator[Row]:
    """Live equals the account backtest, on real bars."""
    from algo_pipeline_tests.proofs import parity as proof

    files = _real_bars()
    hours = _QUICK_HOURS if wanted.quick else _YEAR_HOURS
    last = min(to_utc(pd.read_parquet(path, columns=["timestamp"])["timestamp"].iloc[-1]) for path in files.values())
    wanted.say("training the bundles")
    proof.train(files, last - (hours + 2) * BAR, wanted.folder / "trained")
    for n, scenario in enumerate(proof.scenarios(tuple(files))):
        wanted.say(f"{scenario.name}, {hours:,} hours")
        verdict = proof.prove(scenario, files, wanted.folder / "trained", hours, wanted.folder / str(n))
        figures = f"{verdict.hours:,} h, {verdict.fills:,} fills, {verdict.ms_per_hour:.1f} ms a decision"
        told = "; ".join(f"{name} {value}" for name, value in proof.as_rows([verdict])[0].items())
        holds = verdict.holds or (wanted.quick and _holds_but_for_fills(verdict))
        yield Row("parity", scenario.name, figures, () if holds else (told,))


def exactly_once(wanted: Wanted) -> Iterator[Row]:
    """One intent, at most one order, none lost."""
    from algo_pipeline_tests.proofs import exactly_once as proof

    extent = replace(proof.QUICK if wanted.quick else proof.Extent(), first_seed=wanted.first_seed)
    yield from proof.prove(wanted.folder, extent, wanted.say)


def latency(wanted: Wanted) -> Iterator[Row]:
    """From tick to order acknowledged."""
    from algo_pipeline_tests.proofs import latency as proof

    n_ticks = _QUICK_TICKS if wanted.quick else _TICKS
    found = proof.measure_latency(wanted.folder, n_ticks, lambda n: wanted.say(f"tick {n} of {n_ticks}"))
    if len(found.ticks) < n_ticks:
        problem = f"{n_ticks - len(found.ticks)} ticks ended without an order: see the logs of a run that keeps them"
        yield Row("latency", "ticks with an order", f"{len(found.ticks)} of {n_ticks}", (problem,))
    if not found.ticks:
        return
    for part in (*proof.PARTS, proof.TOTAL):
        figures = f"median {found.median(part):.2f} s, worst {found.worst(part):.2f} s"
        late = part == proof.TOTAL and found.median(part) > proof.TARGET_S
        yield Row("latency", part, figures, (f"the target is {proof.TARGET_S:g} s",) if late else ())
    used = f"{found.cpu_s('body'):.2f} s to the body's start, {found.cpu_s('acknowledged'):.2f} s in all"
    yield Row("latency", "processor time of the run", used)


def leakage(wanted: Wanted) -> Iterator[Row]:
    """Nothing looks ahead."""
    from algo_pipeline_tests.proofs import leakage as proof

    yield from proof.prove(_QUICK_MARKETS if wanted.quick else _MARKETS, wanted.first_seed, wanted.say)


def statistics(wanted: Wanted) -> Iterator[Row]:
    """Luck is not called skill, and skill is found where there is some."""
    from algo_pipeline_tests.proofs import statistics as proof

    extent = replace(proof.QUICK if wanted.quick else proof.Extent(), first_seed=wanted.first_seed)
    yield from proof.prove(extent, wanted.say)


def monitoring(wanted: Wanted) -> Iterator[Row]:
    """How often the watch over a live model is wrong, and how long it takes."""
    from algo_pipeline_tests.proofs import monitoring as proof

    extent = replace(proof.QUICK if wanted.quick else proof.Extent(), first_seed=wanted.first_seed)
    yield from proof.prove(extent, wanted.say)


PROOFS: dict[str, Callable[[Wanted], Iterator[Row]]] = {
    "parity": parity,
    "exactly-once": exactly_once,
    "latency": latency,
    "leakage": leakage,
    "statistics": statistics,
    "monitoring": monitoring,
}


@click.command()
@click.argument("proofs", nargs=-1, type=click.Choice(list(PROOFS)))
@click.option("--quick", is_flag=True, help="A small part of each: minutes instead of most of an hour.")
@click.option("--seed", default=0, show_default=True, help="First seed of the fault schedules and of the kills.")
def main(proofs: tuple[str, ...], quick: bool, seed: int) -> None:
    """Prove what is promised, one proof after the other; all of them unless some are named."""
    console, rows = Console(), list[Row]()
    if "parity" in (proofs or PROOFS):
        _real_bars()
    with tempfile.TemporaryDirectory(prefix="prove-") as folder, console.status("…") as status:
        for name in proofs or tuple(PROOFS):
            wanted = Wanted(Path(folder) / name, quick, seed, lambda text, name=name: status.update(f"{name}: {text}"))
            for row in PROOFS[name](wanted):
                rows.append(row)
                console.print(
                    f"{row.proof}: {row.what}: {row.figures}{'' if row.holds else ' [red]DOES NOT HOLD[/red]'}"
                )
    print_table(rows, console)
    raise SystemExit(0 if all(row.holds for row in rows) else 1)


def _real_bars() -> dict[Symbol, Path]:
    folder = Path(os.environ.get("TEST_BARS_DIR", _DEFAULT_BARS_DIR))
    files = {symbol: folder / name for symbol, name in _BARS.items()}
    missing = [path.name for path in files.values() if not path.exists()]
    if missing:
        others = " ".join(name for name in PROOFS if name != "parity")
        raise click.ClickException(
            f"The parity proof needs real hourly bars: {', '.join(missing)} not found in {folder}. "
            f"Set TEST_BARS_DIR to their folder, or name the other proofs: {others}."
        )
    return files


def _holds_but_for_fills(verdict: object) -> bool:
    """Whether a replay too short for the least number of fills agrees in everything else."""
    return replace(verdict, scenario=replace(verdict.scenario, least_fills=0)).holds  # type: ignore[type-var, attr-defined]


if __name__ == "__main__":
    main()
