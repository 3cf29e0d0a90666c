"""Named faults over the real Alpaca client and a sandbox: what the design promises of each, case by case."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from algo_pipeline.common.errors import BrokerError
from algo_pipeline.live.events import Event
from algo_pipeline.sandbox.faults import Fault, FaultKind
from algo_pipeline_tests.live.harness import BTC, ETH, CrashPoints, SimulatedCrash
from algo_pipeline_tests.live.worlds import hour, scripted
from algo_pipeline_tests.proofs.schedules import problems_of
from algo_pipeline_tests.proofs.wire_world import WireFault, WireWorld

_POST = ("/v2/orders", "POST")
_ENTRY = 1


@dataclass(frozen=True)
class Case:
    """What happens to an hour in which BTC is bought, and how often its order goes over the wire (None: any)."""

    name: str
    happen: Callable[[WireWorld], None]
    sent: int | None
    orders: int = 1


def run_cases(folder: Path) -> dict[str, list[str]]:
    """Every case by name, with what is wrong (nothing, if its promises held)."""
    return {case.name: run_case(case, folder / str(n)) for n, case in enumerate(CASES)} | outages(folder)


def run_case(case: Case, folder: Path) -> list[str]:
    """What is wrong after an hour in which this happens, and a calm one."""
    world = small_world(folder)
    world.tick(hour(0))
    case.happen(world)
    with contextlib.suppress(BrokerError):
        world.tick(hour(_ENTRY))
    world.sandbox.faults.clear()
    world.wire.faults.clear()
    world.tick(hour(_ENTRY + 1))
    problems = problems_of(world)
    sent, taken = len(world.broker.sent), len(world.broker.orders)
    if taken != case.orders or (case.sent is not None and sent != case.sent):
        problems.append(f"{sent} sent and {taken} taken instead of {case.sent} and {case.orders}")
    return problems


def small_world(folder: Path) -> WireWorld:
    """BTC is bought on bar 1 and sold on bar 3; ETH never trades."""
    plan = scripted(folder, {BTC: [0.5, 0.7, 0.5, 0.3] + [0.5] * 6, ETH: [0.5] * 10})
    return WireWorld(folder, plan.bars, plan.probability, plan.config, asks_for_the_time=True)


def outages(folder: Path) -> dict[str, list[str]]:
    """Three hours without the venue, and three without this machine, each after an order whose answer was lost."""
    return {
        "the venue is gone for 3 hours, a lost answer before": _outage(folder / "venue", machine_off=False),
        "the machine is off for 3 hours, killed with an order on its way": _outage(folder / "off", machine_off=True),
    }


def _outage(folder: Path, *, machine_off: bool) -> list[str]:
    world = small_world(folder)
    world.tick(hour(0))
    if machine_off:
        _killed_with_the_order_on_its_way(world)
    else:
        for n in range(_ENTRY, _ENTRY + 4):
            _lost_hour(world, n)
        world.sandbox.faults.clear()
    world.tick(hour(_ENTRY + 4))
    world.tick(hour(_ENTRY + 5))
    problems = problems_of(world)
    if [order.filled_quantity > 0 for order in world.broker.orders.values()] != [True]:
        problems.append("the one order is not filled")
    missed = [line.details["hours"] for line in world.lines_of(Event.MISSED)]
    if missed != [3]:
        problems.append(f"missed spans of {missed} hours instead of one of 3")
    return problems


def _lost_hour(world: WireWorld, n: int) -> None:
    """In the first of them the order is taken and nothing is heard of it; in the others nothing answers at all."""
    if n == _ENTRY:
        world.sandbox.faults.add(Fault(FaultKind.RESET, *_POST, after_effect=True))
        world.sandbox.faults.add(Fault(FaultKind.STATUS, "/v2/orders*", "GET", count=None, skip=2))
        world.sandbox.faults.add(Fault(FaultKind.STATUS, "/v2/account", count=None, skip=1))
    elif n == _ENTRY + 1:
        world.sandbox.faults.add(Fault(FaultKind.STATUS, "/v2/*", count=None))
    with contextlib.suppress(BrokerError):
        world.tick(hour(n))


def _killed_with_the_order_on_its_way(world: WireWorld) -> None:
    counted = CrashPoints()
    world.clone(world.folder.with_name("counted")).tick(hour(_ENTRY), points=counted)
    with contextlib.suppress(SimulatedCrash):
        world.tick(hour(_ENTRY), points=CrashPoints(counted.steps.index("request POST /v2/orders"), "torn"))
    world.clock.sleep(60)


def _arm(*faults: Fault | WireFault) -> Callable[[WireWorld], None]:
    def happen(world: WireWorld) -> None:
        for fault in faults:
            if isinstance(fault, Fault):
                world.sandbox.faults.add(fault)
            else:
                world.wire.faults.append(fault)

    return happen


CASES = (
    Case("nothing", _arm(), sent=1),
    Case("the answer is dropped after the order was taken", _arm(Fault(FaultKind.RESET, *_POST, after_effect=True)), 1),
    Case("the connection is reset before the order is taken", _arm(Fault(FaultKind.RESET, *_POST)), sent=2),
    Case("504 after the order was taken", _arm(Fault(FaultKind.STATUS, *_POST, status=504, after_effect=True)), 1),
    Case("504 before, then a retry", _arm(Fault(FaultKind.STATUS, *_POST, status=504)), sent=2),
    Case("504 three times, then a retry", _arm(Fault(FaultKind.STATUS, *_POST, count=3, status=504)), sent=4),
    Case("429 with Retry-After", _arm(Fault(FaultKind.STATUS, *_POST, status=429, retry_after_s=2.0)), sent=2),
    Case("the answer is cut in half", _arm(Fault(FaultKind.TRUNCATED, *_POST)), sent=1),
    Case("the answer is no JSON", _arm(Fault(FaultKind.MALFORMED, *_POST)), sent=1),
    Case("a gateway's page with status 200", _arm(Fault(FaultKind.HTML, *_POST)), sent=1),
    Case("an empty answer", _arm(Fault(FaultKind.EMPTY, *_POST)), sent=1),
    Case("the order arrives after its sender gave up, before a look-up", _arm(WireFault("late", 1, 5.0)), sent=1),
    Case("the order arrives after it was sent again", _arm(WireFault("late", 1, 13.0)), sent=2),
    Case(
        "the answer is dropped, and the order not seen at first",
        _arm(Fault(FaultKind.RESET, *_POST, after_effect=True), WireFault("unseen", 2)),
        sent=2,
    ),
    Case(
        "the answer is dropped, and look-ups fail for a while",
        _arm(
            Fault(FaultKind.RESET, *_POST, after_effect=True),
            Fault(FaultKind.STATUS, "/v2/orders:by_client_order_id", count=12),
        ),
        sent=1,
    ),
    Case("no order is ever taken", _arm(Fault(FaultKind.STATUS, *_POST, count=None, status=503)), sent=None, orders=0),
)
