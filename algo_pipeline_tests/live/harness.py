"""A world in which the live core can be run, broken and killed: a fake broker with faults, crash points, invariants.

Everything is deterministic. A crash is a ``SimulatedCrash(BaseException)`` raised before or after one of the steps that
touch the world outside: a write, a sync, a request. :class:`World` then runs the hour again as a new process would.
"""

from __future__ import annotations

import copy
import math
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_FLOOR, Context, Decimal, localcontext
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from algo_pipeline.common.errors import AmbiguousBrokerError, BrokerRefusedError
from algo_pipeline.common.time import BAR, floor_to_bar
from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Side, Symbol
from algo_pipeline.interfaces.broker import Account, BaseBroker, BrokerOrder, Position
from algo_pipeline.interfaces.strategy import StrategyInterface
from algo_pipeline.live.alerts import Alert
from algo_pipeline.live.champion import BarView, Features
from algo_pipeline.live.controls import halt, resume
from algo_pipeline.live.events import Event
from algo_pipeline.live.files import DiskFiles
from algo_pipeline.live.journal import Journal
from algo_pipeline.live.limits import LiveRules
from algo_pipeline.live.report import ControlReport, HourReport
from algo_pipeline.live.runner import run_hour
from algo_pipeline.live.session import LiveAccount
from algo_pipeline.live.state import LiveState, StateStore, fold
from algo_pipeline.strategy.signal_to_trade import ThresholdStrategy

BTC, ETH, SOL = Symbol("BTC", "USD"), Symbol("ETH", "USD"), Symbol("SOL", "USD")
LONG_AGO = pd.Timestamp("2020-01-01", tz="UTC")
TICK = pd.Timedelta(minutes=1)
_EXACT = Context(prec=200)
_Answer = TypeVar("_Answer")


class SimulatedCrash(BaseException):
    """The process dies here; nothing may catch it."""


class VirtualClock:
    """Time that passes only when somebody waits."""

    def __init__(self, at: pd.Timestamp) -> None:
        self.at = at

    def now(self) -> pd.Timestamp:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += pd.Timedelta(seconds=seconds)


class CrashPoints:
    """Counts the steps of a run, and ends it before or after one of them, or in the middle of a write."""

    def __init__(self, at: int | None = None, where: str = "before") -> None:
        self.at, self.where = at, where
        self.steps: list[str] = []

    def around(self, name: str, step: Callable[[], _Answer], torn: Callable[[], object] | None = None) -> _Answer:
        self.steps.append(name)
        dies = self.at == len(self.steps) - 1
        if dies and self.where == "torn" and torn is not None:
            torn()
        if dies and self.where in ("before", "torn"):
            raise SimulatedCrash(name)
        answer = step()
        if dies:
            raise SimulatedCrash(name)
        return answer


class CrashingFiles(DiskFiles):
    """The real disk behind crash points. Nothing is really synced: only a power cut could tell."""

    def __init__(self, points: CrashPoints) -> None:
        super().__init__()
        self._points = points

    def append(self, path: Path, data: bytes) -> None:
        real = super()
        # A tear inside the last line of the block: the lines before it have survived whole.
        first_half = data[: data.rfind(b"\n", 0, len(data) - 1) + 1 + 20]
        self._points.around(
            f"append {path.name}", lambda: real.append(path, data), torn=lambda: real.append(path, first_half)
        )

    def sync(self, path: Path) -> None:
        self._points.around(f"sync {path.name}", lambda: None)

    def truncate(self, path: Path, size: int) -> None:
        real = super()
        self._points.around(f"truncate {path.name}", lambda: real.truncate(path, size))

    def replace(self, path: Path, data: bytes) -> None:
        # Written in place: the rename, which is the disk's own promise, makes some file systems wait for the disk.
        self._points.around(f"replace {path.name}", lambda: path.write_bytes(data))


@dataclass
class Fault:
    """What goes wrong with the next requests of a kind.

    ``before``: an unclear answer, and the request was not taken. ``after``: the same, but it was. ``refuse``: a clear
    no. ``absent``: a look-up that does not see the order yet. ``of``: only for ids that hold this text.
    """

    request: str
    kind: str
    count: int = 1
    of: str = ""


@dataclass
class Filling:
    """How orders meet the market: the share that fills, and whether the rest stays on the book until cancelled."""

    share: Decimal = Decimal(1)
    rests: bool = False
    rejects: bool = False


class FakeBroker(BaseBroker):
    """An account in exact decimals that fills at the open of the present bar, with faults on demand."""

    def __init__(
        self,
        bars: Mapping[Symbol, pd.DataFrame],
        config: BacktestConfig,
        clock: VirtualClock,
        account_id: str = "acct-1",
    ) -> None:
        self.bars, self.config, self.clock, self.account_id = dict(bars), config, clock, account_id
        self._opens = {symbol: dict(zip(frame.index, frame["open"], strict=True)) for symbol, frame in bars.items()}
        self.cash = Decimal(repr(config.initial_cash))
        self.held: dict[Symbol, Decimal] = {}
        self.orders: dict[str, BrokerOrder] = {}
        self.sent: list[tuple[str, Symbol, Side, Decimal]] = []
        self.requests: Counter[str] = Counter()
        self.faults: list[Fault] = []
        self.filling = Filling()
        self.trading_blocked = False
        self.points: CrashPoints | None = None

    def now(self) -> pd.Timestamp:
        return self.clock.now()

    def get_account(self) -> Account:
        return self._request(
            "account", lambda: Account(self.account_id, self.cash, self._equity(), self.trading_blocked)
        )

    def get_positions(self) -> tuple[Position, ...]:
        return self._request("positions", self._positions)

    def get_bars(self, symbol: Symbol, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
        frame = self.bars[symbol]
        return frame[(frame.index >= start) & (frame.index + BAR <= min(end, self.now()))]

    def place_order(self, symbol: Symbol, quantity: Decimal, side: Side, client_order_id: str) -> BrokerOrder:
        return self._request("place", lambda: self._place(symbol, quantity, side, client_order_id), client_order_id)

    def find_order(self, client_order_id: str) -> BrokerOrder | None:
        def find() -> BrokerOrder | None:
            absent = self._fault("find", client_order_id, absent=True)
            if absent is not None and client_order_id in self.orders:
                absent.count -= 1
                return None
            return self.orders.get(client_order_id)

        return self._request("find", find, client_order_id)

    def get_open_orders(self) -> tuple[BrokerOrder, ...]:
        return self._request("open", lambda: tuple(o for o in self.orders.values() if not o.is_terminal))

    def get_orders_since(self, since: pd.Timestamp) -> tuple[BrokerOrder, ...]:
        return self._request(
            "since",
            lambda: tuple(o for o in self.orders.values() if o.created_at is not None and o.created_at >= since),
        )

    def cancel_order(self, order: BrokerOrder) -> None:
        def cancel() -> None:
            known = self.orders[order.client_order_id]
            if not known.is_terminal:
                self.orders[order.client_order_id] = replace(known, status="canceled")

        self._request("cancel", cancel)

    def foreign_order(self, client_order_id: str, symbol: Symbol, status: str = "new") -> None:
        """An order that this program did not send."""
        self.orders[client_order_id] = BrokerOrder(
            client_order_id, f"b-{client_order_id}", symbol, Side.BUY, Decimal(1), Decimal(0), None, status, self.now()
        )

    def _request(self, name: str, take: Callable[[], _Answer], order_id: str = "") -> _Answer:
        self.requests[name] += 1

        def act() -> _Answer:
            return self._with_fault(name, take, order_id)

        return act() if self.points is None else self.points.around(f"request {name}", act)

    def _fault(self, name: str, order_id: str, *, absent: bool) -> Fault | None:
        mine = (f for f in self.faults if f.request == name and (f.kind == "absent") == absent and f.of in order_id)
        return next((fault for fault in mine if fault.count > 0), None)

    def _with_fault(self, name: str, take: Callable[[], _Answer], order_id: str) -> _Answer:
        fault = self._fault(name, order_id, absent=False)
        if fault is None:
            return take()
        fault.count -= 1
        if fault.kind == "refuse":
            raise BrokerRefusedError("403: the fake broker says no.")
        if fault.kind == "after":
            take()
        raise AmbiguousBrokerError(f"The fake broker lost the answer {fault.kind} taking it.")

    def _place(self, symbol: Symbol, quantity: Decimal, side: Side, client_order_id: str) -> BrokerOrder:
        self.sent.append((client_order_id, symbol, side, quantity))
        if client_order_id in self.orders:
            raise AmbiguousBrokerError("client_order_id must be unique")
        if side is Side.SELL and quantity > self.held.get(symbol, Decimal(0)):
            raise BrokerRefusedError(f"403: insufficient {symbol}: {self.held.get(symbol, 0)} < {quantity}.")
        order = BrokerOrder(
            client_order_id, f"b-{client_order_id}", symbol, side, quantity, Decimal(0), None, "new", self.now()
        )
        self.orders[client_order_id] = order if self.filling.rejects else self._filled(order)
        if self.filling.rejects:
            self.orders[client_order_id] = replace(order, status="rejected")
        return order

    def _filled(self, order: BrokerOrder) -> BrokerOrder:
        price = self._price(order.symbol, order.side)
        step = Decimal(1).scaleb(-self.config.step_decimals)
        with localcontext(_EXACT):
            wanted = order.quantity * self.filling.share
            quantity = wanted if self.filling.share == 1 else wanted.quantize(step, ROUND_FLOOR)
            if order.side is Side.BUY:
                quantity = self._covered(quantity, price, step)
            if quantity > 0:
                self._book(order.symbol, order.side, quantity, price)
        if quantity == order.quantity:
            status = "filled"
        elif self.filling.rests:
            status = "partially_filled" if quantity > 0 else "new"
        else:
            status = "canceled"
        return replace(order, filled_quantity=quantity, average_price=price if quantity > 0 else None, status=status)

    def _covered(self, ordered: Decimal, price: Decimal, step: Decimal) -> Decimal:
        unit = price if self.config.fee_in_base else price * (1 + self._fee)
        if ordered * unit <= self.cash:
            return ordered
        quantity = Context(prec=60, rounding=ROUND_FLOOR).divide(self.cash, unit).quantize(step, ROUND_FLOOR)
        return quantity if quantity * price >= Decimal(repr(self.config.min_notional)) else Decimal(0)

    def _book(self, symbol: Symbol, side: Side, quantity: Decimal, price: Decimal) -> None:
        held, fee = self.held.get(symbol, Decimal(0)), self._fee
        if side is Side.SELL:
            self.cash += quantity * price * (1 - fee)
            self.held[symbol] = held - quantity
        elif self.config.fee_in_base:
            self.cash -= quantity * price
            self.held[symbol] = held + quantity * (1 - fee)
        else:
            self.cash -= quantity * price * (1 + fee)
            self.held[symbol] = held + quantity

    @property
    def _fee(self) -> Decimal:
        return Decimal(repr(self.config.fee_bps)).scaleb(-4)

    def _price(self, symbol: Symbol, side: Side) -> Decimal:
        opens, bar = self._opens[symbol], floor_to_bar(self.now())
        at = bar if bar in opens else min((t for t in opens if t > bar), default=max(opens))
        slippage = Decimal(repr(self.config.slippage_bps)).scaleb(-4)
        with localcontext(_EXACT):
            return Decimal(repr(float(opens[at]))) * (1 + slippage if side is Side.BUY else 1 - slippage)

    def _positions(self) -> tuple[Position, ...]:
        resting: Counter[Symbol] = Counter()
        for order in self.orders.values():
            if not order.is_terminal and order.side is Side.SELL:
                resting[order.symbol] += order.quantity - order.filled_quantity  # type: ignore[assignment]
        return tuple(Position(s, q, q - resting[s]) for s, q in self.held.items() if q > 0)

    def _equity(self) -> Decimal:
        with localcontext(_EXACT):
            value = self.cash
            for symbol, quantity in self.held.items():
                closed = self.bars[symbol].index + BAR <= self.now()
                frame = self.bars[symbol][closed]
                value += quantity * Decimal(repr(float(frame["close"].iloc[-1]))) if len(frame) else 0
        return value


def scripted_volatility(probability: float) -> float:
    """Anything but constant, and known where the probability is."""
    return 0.002 + 0.03 * (probability * 997.0 % 1.0)


@dataclass
class FakeChampion:
    """A model whose probability is the feature row itself."""

    symbol: Symbol
    enter_threshold: float = 0.55
    exit_threshold: float = 0.45
    trading: str = "on"
    source: str = "test"
    sha256: str = "f" * 64
    model_version: str = "1"
    simulated: bool = False
    history_start: pd.Timestamp = LONG_AGO
    training_end: pd.Timestamp = LONG_AGO

    base_rate: float = 0.5
    own_strategy: StrategyInterface | None = None

    @property
    def strategy(self) -> StrategyInterface:
        return self.own_strategy or ThresholdStrategy(self.enter_threshold, self.exit_threshold)

    def probability(self, features: Any) -> float:
        return float(features)

    def volatility(self, features: Any) -> float:
        return scripted_volatility(float(features))


class ScriptedFeed:
    """Bars that are there once they are closed (and ``late_by_s`` have passed), and probabilities from a table."""

    def __init__(
        self,
        bars: Mapping[Symbol, pd.DataFrame],
        probability: Mapping[Symbol, pd.Series],
        clock: VirtualClock,
    ) -> None:
        self.times = {symbol: frame.index for symbol, frame in bars.items()}
        self.closes = {symbol: frame["close"].to_numpy().copy() for symbol, frame in bars.items()}
        self.probability = probability
        self.clock = clock
        self.late_by_s = 0.0
        self.broken: set[Symbol] = set()
        self.asked = 0

    def bars(self, symbol: Symbol, bar: pd.Timestamp) -> BarView | None:
        self.asked += 1
        until = min(bar, self.clock.now() - BAR - pd.Timedelta(seconds=self.late_by_s))
        n = int(self.times[symbol].searchsorted(until, side="right"))
        return BarView(self.times[symbol][:n], self.closes[symbol][:n]) if n else None

    def features(self, symbol: Symbol, bar: pd.Timestamp) -> Features:
        if symbol in self.broken:
            raise RuntimeError("the features broke")
        probability = self.probability[symbol].get(bar, math.nan)
        return Features(float(probability), exact=True)


class AlertList:
    """Keeps what was raised."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def raise_alert(self, alert: Alert) -> None:
        self.alerts.append(alert)

    @property
    def codes(self) -> list[str]:
        return [alert.code for alert in self.alerts]


@dataclass
class World:
    """An account, a market and a disk; every run is a new process over them."""

    folder: Path
    bars: Mapping[Symbol, pd.DataFrame]
    probability: Mapping[Symbol, pd.Series]
    config: BacktestConfig
    rules: LiveRules = field(init=False)
    clock: VirtualClock = field(init=False)
    broker: FakeBroker = field(init=False)
    feed: ScriptedFeed = field(init=False)
    alerts: AlertList = field(init=False)
    champions: dict[Symbol, FakeChampion] = field(init=False)
    price_check: Callable[[Symbol], float | None] | None = None
    watch: Any = None
    challengers: dict[Symbol, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rules = LiveRules(trading=self.config, is_loopback=True, max_orders_per_day=10_000, price_band_bps=1e9)
        start = min(frame.index[0] for frame in self.bars.values())
        self.clock = VirtualClock(start)
        self.broker = FakeBroker(self.bars, self.config, self.clock)
        self.feed = ScriptedFeed(self.bars, self.probability, self.clock)
        self.alerts = AlertList()
        self.champions = {
            symbol: FakeChampion(symbol, self.config.enter_threshold, self.config.exit_threshold)
            for symbol in self.bars
        }

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        return tuple(self.bars)

    def clone(self, folder: Path) -> World:
        """A world that goes on from here on its own."""
        if self.folder.exists():
            shutil.copytree(self.folder, folder)
        self.broker.points = None
        twin = copy.deepcopy(self)
        twin.folder = folder
        return twin

    def account(self, points: CrashPoints | None = None, symbols: tuple[Symbol, ...] | None = None) -> LiveAccount:
        files = CrashingFiles(points if points is not None else CrashPoints())
        self.broker.points = points
        return LiveAccount(
            symbols=self.symbols if symbols is None else symbols,
            broker=self.broker,
            journal=Journal(self.folder, files),
            store=StateStore(self.folder, files),
            clock=self.clock,
            alerter=self.alerts,
            rules=self.rules,
        )

    def tick(self, bar: pd.Timestamp, **options: Any) -> HourReport:
        """The scheduled run of a bar, one minute after its close."""
        self.clock.at = max(self.clock.at, bar + BAR + TICK)
        return self.run(bar, **options)

    def run(
        self,
        bar: pd.Timestamp,
        *,
        points: CrashPoints | None = None,
        dry_run: bool = False,
        symbols: tuple[Symbol, ...] | None = None,
    ) -> HourReport:
        """A run at whatever time it is."""
        return run_hour(
            bar,
            self.account(points, symbols),
            champions=self.champions,
            feed=self.feed,
            price_check=self.price_check,
            watch=self.watch,
            challengers=self.challengers,
            dry_run=dry_run,
        )

    def halt(self, *, flatten: bool, points: CrashPoints | None = None) -> ControlReport:
        return halt(self.account(points), "a test halts", flatten=flatten)

    def resume(self, *, adopt: bool = False, points: CrashPoints | None = None) -> ControlReport:
        return resume(self.account(points), "a test resumes", adopt=adopt)

    def until_the_end(self, bar: pd.Timestamp, points: CrashPoints) -> HourReport:
        """Run a bar, and again as new processes until one of them comes through."""
        try:
            return self.tick(bar, points=points)
        except SimulatedCrash:
            self.clock.sleep(5)
            return self.run(bar)

    @property
    def journal(self) -> Journal:
        return Journal(self.folder, CrashingFiles(CrashPoints()))

    @property
    def lines(self) -> tuple[Any, ...]:
        return self.journal.read()

    def lines_of(self, *events: Event) -> list[Any]:
        return [line for line in self.lines if line.event in events]

    @property
    def state(self) -> LiveState:
        return StateStore(self.folder, CrashingFiles(CrashPoints())).load(self.journal)

    @property
    def times(self) -> list[pd.Timestamp]:
        """Every open time at which some symbol has a bar, but the last: its orders would have no bar to fill in."""
        union = sorted(set().union(*(frame.index for frame in self.bars.values())))
        return union[:-1]


def broken_promises(world: World) -> list[str]:
    """What is wrong with the world after its runs, in words; empty if every promise held."""
    lines, state = world.lines, world.state
    problems = [*_chain_problems(world), *_uniqueness_problems(lines)]
    intents = {line.order_id: line for line in lines if line.event is Event.INTENT}
    for order_id, order in world.broker.orders.items():
        line = intents.get(order_id)
        if line is None:
            problems.append(f"{order_id} is at the broker without an intent")
        elif (order.symbol, order.side.value, order.quantity) != (
            line.symbol,
            line.details["side"],
            Decimal(line.details["quantity"]),
        ):
            problems.append(f"{order_id} at the broker is not what the intent says")
    for order_id, symbol, side, quantity in world.broker.sent:
        line = intents.get(order_id)
        if line is None or (line.symbol, line.details["side"]) != (symbol, side.value):
            problems.append(f"{order_id} was sent without its intent")
        elif Decimal(line.details["quantity"]) != quantity:
            problems.append(f"{order_id} was sent with {quantity} instead of {line.details['quantity']}")
    if state != fold(LiveState(), lines):
        problems.append("the state is not the fold of the journal")
    return problems


def lost_orders(world: World, *, may_abandon: bool = False) -> list[str]:
    """Intents without the broker's order or without its result; ``may_abandon`` excuses those refused or given up."""
    ended = {line.order_id: line for line in world.lines if line.event is Event.RESULT}
    problems = []
    for line in world.lines_of(Event.INTENT):
        order, outcome = world.broker.orders.get(line.order_id), ended.get(line.order_id)
        if order is None and may_abandon and outcome is not None:
            if outcome.details["outcome"] not in ("abandoned_stale", "refused"):
                problems.append(f"{line.order_id} is {outcome.details['outcome']} and not at the broker")
        elif order is None:
            problems.append(f"{line.order_id} never reached the broker")
        elif outcome is None:
            problems.append(f"{line.order_id} has no result")
        elif Decimal(outcome.details["filled_quantity"]) != order.filled_quantity:
            problems.append(
                f"{line.order_id}: {outcome.details['filled_quantity']} journalled, {order.filled_quantity}"
            )
    return problems


def _chain_problems(world: World) -> list[str]:
    try:
        world.journal.verify()
    except Exception as error:
        return [f"the chain is broken: {error}"]
    return []


def _uniqueness_problems(lines: Iterable[Any]) -> list[str]:
    told: Counter[Any] = Counter()
    for line in lines:
        if line.event in (Event.MARK, Event.KILL_SWITCH, Event.SKIPPED_STALE):
            told[(line.event.value, line.timestamp)] += 1
        elif line.event in (Event.DECISION, Event.SHADOW):
            told[(line.event.value, line.timestamp, str(line.symbol))] += 1
        elif line.event is Event.INTENT:
            told[(line.event.value, line.order_id)] += 1
            told[("intent", line.timestamp, str(line.symbol), line.details["purpose"])] += 1
    return [f"{n} lines of {what}" for what, n in told.items() if n > 1]
