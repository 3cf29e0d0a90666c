"""The decisions of a bar: what each symbol brings, the pure decision, and the lines that journal it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

import pandas as pd
from loguru import logger

from algo_pipeline.common.time import BAR
from algo_pipeline.common.time_limit import time_limit
from algo_pipeline.common.types import Side, Signal, Symbol
from algo_pipeline.interfaces.strategy import Outlook, StrategyInterface
from algo_pipeline.live import entries
from algo_pipeline.live.alerts import Severity
from algo_pipeline.live.champion import BarFeed, BarView, Champion, PriceCheck, Watch, outlook_of
from algo_pipeline.live.decision import NEVER_EXITED, Decision, SymbolView, decide, is_flat, unit_cash
from algo_pipeline.live.events import Entry, Purpose
from algo_pipeline.live.limits import entry_breach, orders_left
from algo_pipeline.live.marking import Price, second_opinion
from algo_pipeline.live.orders import order_id
from algo_pipeline.live.reconciliation import Snapshot, plain
from algo_pipeline.live.session import Session
from algo_pipeline.live.state import BarRecord, DecisionRecord
from algo_pipeline.live.telling import tell_of_stale_holding
from algo_pipeline.live.watching import Watching
from algo_pipeline.strategy.own import answered
from algo_pipeline.strategy.signal_to_trade import Action, ThresholdStrategy

_SIDES: Mapping[str, Side] = {"enter": Side.BUY, "exit": Side.SELL}
_UNKNOWN = Outlook(math.nan)
ANSWER_LIMIT_S = 120.0
"""How long an hour, its exits included, waits for a champion's features, probability and strategy."""


@dataclass(frozen=True, slots=True)
class _Says:
    """What a champion says of a bar; without a probability, why."""

    outlook: Outlook = _UNKNOWN
    strategy: StrategyInterface = field(default_factory=ThresholdStrategy)
    why_nothing: str | None = None


class Deciding:
    """Decides what the journal has not decided yet of a marked bar, from the journalled mark."""

    def __init__(
        self,
        session: Session,
        bar: pd.Timestamp,
        snapshot: Snapshot,
        champions: Mapping[Symbol, Champion],
        feed: BarFeed,
        price_check: PriceCheck | None,
        watch: Watch | None = None,
    ) -> None:
        self._session, self._bar, self._snapshot = session, bar, snapshot
        self._watching = Watching(session, bar, watch)
        self._champions, self._feed, self._check = champions, feed, price_check
        self._record = session.state.bar or BarRecord(bar)
        self._mark = self._record.mark or {}
        self._features_exact: dict[Symbol, bool] = {}
        self._made: tuple[Decision, ...] = ()

    def entries(self, prices: Mapping[Symbol, Price]) -> list[Entry]:
        """Intents that journalled decisions still lack, then decisions and intents of the symbols that have none."""
        undecided = [symbol for symbol in self._session.symbols if symbol not in self._record.decisions]
        views = {symbol: self._view(symbol, prices[symbol]) for symbol in undecided}
        self._made = self._decide_checked(views)
        found = [self._owed_intent(record) for record in self._record.decisions.values()]
        owed = [entry for entry in found if entry is not None]
        made = [entry for decision in self._made for entry in self._lines(decision, views[decision.symbol])]
        return [*owed, *made]

    def tell(self) -> None:
        """Alert for every limit that forbade an order; what is everyday, a cooldown or a missing bar, is not told."""
        for decision in self._made:
            for verdict in decision.verdicts:
                told = self._watching.abstention(decision.symbol) == verdict  # the alarm told it once
                if decision.signal is not Signal.HOLD and "cooldown" not in verdict and not told:
                    self._session.alert(Severity.WARNING, "verdict", f"{decision.symbol}: no order", verdict)

    def _decide_checked(self, views: dict[Symbol, SymbolView]) -> tuple[Decision, ...]:
        """The decision, made again without the entries that the second source speaks against."""
        checked: set[Symbol] = set()
        while True:
            made = self._decide(views)
            entering = [d.symbol for d in made if d.action is Action.ENTER and d.symbol not in checked]
            if not entering:
                return made
            for symbol in entering:
                second = second_opinion(self._check, symbol)
                against = entry_breach(views[symbol].close, second, self._session.rules)
                views[symbol] = replace(views[symbol], no_entry=against)
                checked.add(symbol)

    def _decide(self, views: Mapping[Symbol, SymbolView]) -> tuple[Decision, ...]:
        state, rules = self._session.state, self._session.rules
        return decide(
            float(self._mark["equity"]),
            Decimal(self._mark["cash"]),
            tuple(views.values()),
            rules.trading,
            must_exit=self._why_everything_is_sold(),
            orders_left=orders_left(state, self._session.now(), rules),
            reserved=self._reserved(),
        )

    def _why_everything_is_sold(self) -> str | None:
        state = self._session.state
        if state.killed_at is not None:
            return f"the kill switch latched at {state.killed_at:%Y-%m-%d %H:%M}"
        return f"halted and flattened: {state.halted}" if state.halted is not None and state.flatten else None

    def _reserved(self) -> float:
        """Cash that entries journalled before on this bar set aside."""
        total = 0.0
        for record in self._record.decisions.values():
            if record.action == "enter":
                close = float(record.details["close"])
                total += float(Decimal(record.details["quantity"])) * unit_cash(close, self._session.rules.trading)
        return total

    def _view(self, symbol: Symbol, price: Price) -> SymbolView:
        state, champion = self._session.state, self._champions.get(symbol)
        held = Decimal(self._mark["holdings"].get(str(symbol), "0"))
        close = self._mark["closes"].get(str(symbol))
        says = self._says(symbol, champion) if price.may_be_traded else _Says()
        view = SymbolView(
            symbol,
            0.0 if close is None else float(close),
            held,
            why_no_bar=price.why_not_traded,
            probability=says.outlook.probability,
            base_rate=says.outlook.base_rate,
            volatility=says.outlook.volatility,
            strategy=says.strategy,
            why_no_probability=says.why_nothing,
            bars_since_exit=_bars_since(price.view, state.last_exit_bar.get(symbol)),
            exits_only=champion is not None and champion.trading != "on",
            exiting=symbol in state.exiting,
            no_order=self._why_no_order(symbol),
            no_entry=self._why_no_entry() or self._watching.abstention(symbol),
        )
        self._tell_if_stale(view, price)
        return view

    def _says(self, symbol: Symbol, champion: Champion | None) -> _Says:
        """What the champion says of the bar. A failure must not keep another symbol waiting."""
        if champion is None:
            return _Says(why_nothing="no champion is deployed")
        try:
            with time_limit(ANSWER_LIMIT_S):
                return self._asked(symbol, champion)
        except Exception as error:
            logger.exception("No probability of {}", symbol)
            self._session.alert(Severity.CRITICAL, "no_probability", f"{symbol}: no probability", repr(error))
            # The log masks secrets.
            return _Says(why_nothing=f"no probability: {type(error).__name__}, told in the log")

    def _asked(self, symbol: Symbol, champion: Champion) -> _Says:
        features = self._feed.features(symbol, self._bar)
        self._features_exact[symbol] = features.exact
        if features.row is None:
            return _Says(why_nothing=features.reason or "no features")
        outlook = outlook_of(champion, features.row)
        if not 0.0 <= outlook.probability <= 1.0:
            return _Says(why_nothing=features.reason or "a feature is not known")
        strategy = answered(champion.strategy, outlook, self._session.rules.trading.round_trip_cost)
        self._watching.look(champion, features.row, outlook.probability)
        return _Says(outlook, strategy)

    def _why_no_order(self, symbol: Symbol) -> str | None:
        for intent in self._session.state.open_intents.values():
            if intent.symbol == symbol:
                return f"the outcome of {intent.order_id} is unknown"
        return None

    def _why_no_entry(self) -> str | None:
        state = self._session.state
        if state.halted is not None:
            return f"halted: {state.halted}"
        return "the broker blocks trading" if self._snapshot.account.trading_blocked else None

    def _tell_if_stale(self, view: SymbolView, price: Price) -> None:
        flat = is_flat(view.held, view.close, self._session.rules.trading)
        if price.view is not None and price.view.last_at < self._bar and not flat:
            hours = int((self._bar - price.view.last_at) / BAR)
            tell_of_stale_holding(self._session, str(view.symbol), hours)

    def _lines(self, made: Decision, view: SymbolView) -> list[Entry]:
        """The decision's line and, for an order, the intent's."""
        quantity = self._order_quantity(made)
        side = _SIDES.get(entries.ACTION_WORDS[made.action])
        if side is not None and quantity <= 0:
            why = "what is held is held back by another order"
            made, side = replace(made, action=Action.NOTHING, reason=f"no exit: {why}", verdicts=(why,)), None
        identity = None if side is None else self._order_id(made.symbol, side)
        line = entries.decision(
            self._bar,
            made,
            close=view.close,
            held=view.held,
            quantity=quantity,
            champion=self._champions.get(made.symbol),
            features_exact=self._features_exact.get(made.symbol, False),
            order_id=identity,
            watch=self._watching.seen(made.symbol),
            abstained=self._watching.abstention(made.symbol) is not None,
        )
        if side is None or identity is None:
            return [line]
        purpose = Purpose.DECISION.value
        return [line, entries.intent(self._bar, made.symbol, side, quantity, purpose, view.close, identity)]

    def _order_quantity(self, made: Decision) -> Decimal:
        """A buy on the step; a sell of all that no open order holds back, as the broker states it."""
        if made.action is Action.ENTER:
            step = Decimal(1).scaleb(-self._session.rules.trading.step_decimals)
            return Decimal(repr(made.quantity)).quantize(step)
        return self._snapshot.available(made.symbol) if made.action is Action.EXIT else Decimal(0)

    def _owed_intent(self, record: DecisionRecord) -> Entry | None:
        """The intent of a journalled decision whose own line was lost with the process that wrote it."""
        side = _SIDES.get(record.action or "")
        if side is None or (side is Side.BUY and self._why_no_entry() is not None):
            return None
        identity = self._order_id(record.symbol, side)
        if identity in self._record.intents or self._why_no_order(record.symbol) is not None:
            return None
        quantity, close = Decimal(record.details["quantity"]), record.details["close"]
        logger.warning("The decision on {} {} had no intent yet: {}", side.value, record.symbol, plain(quantity))
        return entries.intent(self._bar, record.symbol, side, quantity, Purpose.DECISION.value, close, identity)

    def _order_id(self, symbol: Symbol, side: Side) -> str:
        return order_id(self._session.rules.strategy, symbol, self._bar, side, Purpose.DECISION.value)


def _bars_since(view: BarView | None, exit_bar: pd.Timestamp | None) -> int:
    return NEVER_EXITED if exit_bar is None or view is None else view.bars_after(exit_bar)
