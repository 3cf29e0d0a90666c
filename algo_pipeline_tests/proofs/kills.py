"""Real processes of the live path, killed with ``kill -9`` at random moments, against a sandbox in another process."""

from __future__ import annotations

import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from algo_pipeline.broker.wire import order_from
from algo_pipeline.interfaces.broker import BrokerOrder
from algo_pipeline.live.events import Event
from algo_pipeline.live.journal import JOURNAL_FILE, Journal
from algo_pipeline.live.lines import JournalLine
from algo_pipeline.live.state import STATE_FILE, LiveState, StateStore
from algo_pipeline.sandbox.faults import Fault, FaultKind
from algo_pipeline_tests.live.harness import broken_promises, lost_orders
from algo_pipeline_tests.proofs.trading_floor import BTC, ETH, TradingFloor, trading_floor

_PRELOADED = ["algo_pipeline_tests.proofs.kill_target", "algo_pipeline_tests.proofs.kills"]
_ENOUGH_S = 120.0
_COMMAND = "from algo_pipeline.cli.main import main; main()"
_LOST_ANSWERS = (
    Fault(FaultKind.RESET, "/v2/orders", "POST", after_effect=True),
    Fault(FaultKind.RESET, "/v2/orders", "POST"),
    Fault(FaultKind.STATUS, "/v2/orders", "POST", status=504, after_effect=True),
    Fault(FaultKind.STATUS, "/v2/orders", "POST", status=504),
    Fault(FaultKind.TRUNCATED, "/v2/orders", "POST"),
)


@dataclass
class Killed:
    """What came of killing processes."""

    kills: int = 0
    hours: int = 0
    orders: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Books:
    """The account's journal beside the sandbox's ledger, as the harness' checks read them."""

    floor: TradingFloor
    ledger: dict[str, Any]

    @property
    def broker(self) -> _Books:
        return self

    @property
    def orders(self) -> dict[str, BrokerOrder]:
        return {raw["client_order_id"]: order_from(raw) for raw in self.ledger["orders"]}

    @property
    def sent(self) -> list[Any]:
        """The sandbox keeps no bodies; what it took is in its orders."""
        return []

    @property
    def journal(self) -> Journal:
        return self.floor.journal

    @property
    def lines(self) -> tuple[JournalLine, ...]:
        return self.journal.read()

    def lines_of(self, *events: Event) -> list[JournalLine]:
        return [line for line in self.lines if line.event in events]

    @property
    def state(self) -> LiveState:
        return StateStore(self.floor.folder).load(self.journal)


def kill_processes(root: Path, seed: int, kills: int, *, decides: int = 0) -> Killed:
    """Trade hour after hour, each in processes that are killed at random, until so many have died.

    The last ``decides`` of them are ``algo-pipeline decide`` as a user starts it; the others are forks of one process
    that has loaded what the live path imports, so that the moments fall into the hour's work.
    """
    dice, done = random.Random(seed), Killed()
    with trading_floor(root, (BTC, ETH), hours=2 * kills + 12) as floor, _Processes(floor) as processes:
        processes.run(_hour(floor, done))
        while done.kills < kills - decides:
            _arm(floor, dice)
            bar = _hour(floor, done)
            while done.kills < kills and dice.random() < 0.7:
                done.kills += processes.killed(bar, dice)
                if dice.random() < 0.2:
                    floor.control.advance(dice.choice([5.0, 30.0, 120.0]))
            processes.run(bar)
        for _ in range(decides):
            bar = _hour(floor, done)
            done.kills += _killed_decide(floor, dice)
            _run_decide(floor)
        floor.control.clear_faults()
        processes.run(_hour(floor, done))
        return _judged(floor, done, f"seed {seed}")


def race_processes(root: Path, seed: int, hours: int) -> Killed:
    """Start two processes for every hour at once, and kill one of them in half of the hours."""
    dice, done = random.Random(seed), Killed()
    with trading_floor(root, (BTC, ETH), hours=hours + 12) as floor, _Processes(floor) as processes:
        processes.run(_hour(floor, done))
        for _ in range(hours):
            _arm(floor, dice)
            bar = _hour(floor, done)
            first, second = processes.start(bar), processes.start(bar)
            if dice.random() < 0.5:
                done.kills += _kill(first, dice.uniform(0.0, processes.usual_s))
            for process in (first, second):
                process.join(_ENOUGH_S)
            processes.run(bar)
        floor.control.clear_faults()
        processes.run(_hour(floor, done))
        return _judged(floor, done, f"race, seed {seed}")


class _Processes:
    """Forks of a server that has imported the live path; each runs one hour."""

    def __init__(self, floor: TradingFloor) -> None:
        self._floor = floor
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOADED)
        self._seconds: list[float] = []

    def __enter__(self) -> _Processes:
        from algo_pipeline_tests.proofs.kill_target import nothing

        first = self._context.Process(target=nothing)
        first.start()
        first.join(_ENOUGH_S)
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left running: every process is waited for where it is started."""

    @property
    def usual_s(self) -> float:
        """Time that an undisturbed hour takes."""
        return statistics.median(self._seconds[-9:])

    def start(self, bar: pd.Timestamp) -> Any:
        from algo_pipeline_tests.proofs.kill_target import run_one_hour

        process = self._context.Process(target=run_one_hour, args=(self._floor.overrides(), bar.isoformat()))
        process.start()
        return process

    def run(self, bar: pd.Timestamp) -> None:
        """Run the hour to its end."""
        started = time.monotonic()
        process = self.start(bar)
        process.join(_ENOUGH_S)
        assert process.exitcode == 0, f"the process of {bar} ended with {process.exitcode}"
        self._seconds.append(time.monotonic() - started)

    def killed(self, bar: pd.Timestamp, dice: random.Random) -> int:
        """Kill a process of the hour: at any moment, or soon after its first line of the journal."""
        path = self._floor.folder / JOURNAL_FILE
        size, process = path.stat().st_size, self.start(bar)
        if dice.random() < 0.5:
            return _kill(process, dice.uniform(0.0, 1.1 * self.usual_s))
        while process.is_alive() and path.stat().st_size == size:
            time.sleep(0.0005)
        return _kill(process, dice.uniform(0.0, 0.3 * self.usual_s))


def _kill(process: Any, after_s: float) -> int:
    """1 if the process was alive when it was killed."""
    process.join(after_s)
    process.kill()
    process.join()
    return int(process.exitcode == -9)


def _killed_decide(floor: TradingFloor, dice: random.Random) -> int:
    process = _decide(floor)
    try:
        process.wait(dice.uniform(1.0, 8.0))
    except subprocess.TimeoutExpired:
        process.kill()
    return int(process.wait() == -9)


def _run_decide(floor: TradingFloor) -> None:
    code = _decide(floor).wait(_ENOUGH_S)
    assert code == 0, f"algo-pipeline decide ended with {code}"


def _decide(floor: TradingFloor) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", _COMMAND, "decide", "--json"],
        cwd=floor.root,
        env={**os.environ, **floor.environment()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _hour(floor: TradingFloor, done: Killed) -> pd.Timestamp:
    """The next hour, on which every symbol trades: bought in even ones, sold in odd ones."""
    floor.say(long=done.hours % 2 == 0)
    bar = floor.tick(done.hours)
    done.hours += 1
    return bar


def _arm(floor: TradingFloor, dice: random.Random) -> None:
    floor.control.clear_faults()
    if dice.random() < 0.4:
        floor.control.add_fault(dice.choice(_LOST_ANSWERS))


def _judged(floor: TradingFloor, done: Killed, where: str) -> Killed:
    done.orders = len(floor.control.ledger()["orders"])
    done.problems += [f"{where}: {problem}" for problem in promises_broken(floor, done.hours)]
    return done


def promises_broken(floor: TradingFloor, hours: int) -> list[str]:
    """What is wrong with the account after so many hours, in words; empty if every promise held."""
    books = _Books(floor, floor.control.ledger())
    return list(_problems(books, floor, hours))


def _problems(books: _Books, floor: TradingFloor, hours: int) -> Iterable[str]:
    yield from broken_promises(books)  # type: ignore[arg-type]
    yield from lost_orders(books, may_abandon=True)  # type: ignore[arg-type]
    state = books.state
    if state.stopped is not None or state.open_intents:
        yield f"stopped: {state.stopped}, open: {', '.join(state.open_intents)}"
    (floor.folder / STATE_FILE).unlink()
    if books.state != state:
        yield "the state rebuilt from the journal is not the one that was saved"
    decided = {line.timestamp for line in books.lines_of(Event.DECISION)}
    if len(decided) != hours:
        yield f"{len(decided)} of {hours} hours have a decision"
