"""The decision of one bar for one account: pure, and operation by operation that of the backtest's kernel.

Equity, signal, risk and size come from the scalar functions in ``strategy``; sums run in configured symbol order. Only
what a backtest cannot know is added: exits that a broker filled in part, models that may not enter, and limits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from algo_pipeline.common.trading_rules import BacktestConfig
from algo_pipeline.common.types import Signal, Symbol
from algo_pipeline.interfaces.strategy import Outlook, StrategyInterface
from algo_pipeline.strategy.position_sizing import cash_per_unit, counts_as_flat, entry_quantity
from algo_pipeline.strategy.risk import cooldown_has_passed, drawdown_from_peak
from algo_pipeline.strategy.signal_to_trade import Action, ThresholdStrategy, action_for_signal, signal_from_score

NEVER_EXITED = 2**62
# Less than any order can sell: what a full sale leaves by rounding to a venue's nine decimals is nothing held.
UNSELLABLE = Decimal("1e-9")


@dataclass(frozen=True, slots=True)
class SymbolView:
    """What one symbol brings to the decision at a close.

    Parameters
    ----------
    close : float
        Price it is marked at: the bar's close, or the last one known.
    held : Decimal
        Coin in the account.
    why_no_bar : str or None
        Why it has no bar that may be traded on; it then HOLDs and only ``must_exit`` sells it.
    probability : float
        P(label = 1); NaN is HOLD, and ``why_no_probability`` says why.
    bars_since_exit : int
        The symbol's bars since the one in which the last exit filled; ``NEVER_EXITED`` without one.
    base_rate, volatility : float
        What else the strategy may know; of the champion's training, and of the bar.
    strategy : StrategyInterface
        The champion's.
    exits_only : bool
        ``trading: flat``: it sells any holding and never enters.
    exiting : bool
        An exit is in force: whatever the signal, what is still held is sold.
    no_order, no_entry : str or None
        Why no order at all, or no entry, may be placed.
    """

    symbol: Symbol
    close: float
    held: Decimal
    why_no_bar: str | None = None
    probability: float = math.nan
    why_no_probability: str | None = None
    bars_since_exit: int = NEVER_EXITED
    base_rate: float = 0.5
    volatility: float = math.nan
    strategy: StrategyInterface = field(default_factory=ThresholdStrategy)
    exits_only: bool = False
    exiting: bool = False
    no_order: str | None = None
    no_entry: str | None = None

    @property
    def has_bar(self) -> bool:
        """Whether it may be traded on this bar."""
        return self.why_no_bar is None

    @property
    def outlook(self) -> Outlook:
        """What the strategy is shown."""
        return Outlook(self.probability, self.base_rate, self.volatility)


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about one symbol.

    Parameters
    ----------
    probability : float
        NaN where there is none.
    quantity : float
        To buy, on the step; for an exit all that is held; 0 without an order.
    reason : str
        Why, in words.
    verdicts : tuple of str
        Rules that forbade what the signal asked for.
    figures : mapping of str to float
        What the strategy computed beside the probability.
    """

    symbol: Symbol
    signal: Signal
    probability: float
    action: Action
    quantity: float
    reason: str
    verdicts: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)


def account_equity(cash: Decimal, holdings: Mapping[Symbol, Decimal], closes: Mapping[Symbol, float]) -> float:
    """Cash and holdings at these closes, summed in the order of ``closes`` as the kernel does."""
    equity = float(cash)
    for symbol, close in closes.items():
        equity += float(holdings.get(symbol, Decimal(0))) * close
    return equity


def peak_and_drawdown(equity: float, peak_before: float) -> tuple[float, float]:
    """The peak including this equity, and the drawdown from it; without a peak before, this equity is the peak."""
    peak = max(peak_before, equity)
    return (peak, drawdown_from_peak(equity, peak)) if peak > 0 else (equity, 0.0)


def decide(
    equity: float,
    cash: Decimal,
    views: Sequence[SymbolView],
    rules: BacktestConfig,
    *,
    must_exit: str | None = None,
    orders_left: int = NEVER_EXITED,
    reserved: float = 0.0,
) -> tuple[Decision, ...]:
    """Decide for all symbols at one close.

    Parameters
    ----------
    equity : float
        At this close, of the whole account.
    cash : Decimal
        In the account at this close.
    views : sequence of SymbolView
        In configured order, in which buys take the free cash.
    must_exit : str or None
        Why everything must be sold (the kill switch, a flattening halt), if it must.
    orders_left : int
        Orders that the day allows; entries beyond are not placed, exits always are.
    reserved : float
        Cash that buys decided earlier on this bar set aside.
    """
    actions = [_action(view, rules, must_exit=must_exit is not None) for view in views]
    orders_left -= sum(action is Action.EXIT for action in actions)
    decisions = []
    for view, action in zip(views, actions, strict=True):
        if action is Action.ENTER:
            free = (float(cash) - reserved) / unit_cash(view.close, rules)
            affordable = math.inf if rules.cash_buffer_bps is None else free
            decision = _entry(view, _entry_quantity(equity, affordable, view, rules), rules, orders_left)
            if decision.action is Action.ENTER:
                orders_left -= 1
                reserved += decision.quantity * unit_cash(view.close, rules)
        elif action is Action.EXIT:
            decision = _exit(view, rules, must_exit)
        else:
            decision = _nothing(view, rules, must_exit)
        decisions.append(decision)
    return tuple(decisions)


def signal_of(strategy: StrategyInterface, outlook: Outlook, round_trip_cost: float) -> Signal:
    """What a strategy says of an outlook at this cost, a fraction of the notional; HOLD where its score is NaN."""
    score = strategy.assess(outlook, round_trip_cost).score
    return Signal(signal_from_score(score, *strategy.band(round_trip_cost)))


def unit_cash(close: float, rules: BacktestConfig) -> float:
    """Cash that a buy sets aside per unit, as the kernel reserves it."""
    fee_in_cash = 0.0 if rules.fee_in_base else rules.fee_rate
    buffer = 0.0 if rules.cash_buffer_bps is None else rules.cash_buffer_bps * 1e-4
    return cash_per_unit(close, rules.slippage_rate, fee_in_cash, buffer)


def counted(held: Decimal) -> float:
    """A holding as the rules count it: what no order can sell is nothing."""
    return float(held) if held >= UNSELLABLE else 0.0


def is_flat(held: Decimal, close: float, rules: BacktestConfig) -> bool:
    """Whether a holding counts as none at this close."""
    return bool(counts_as_flat(counted(held), close, float(rules.min_notional)))


def _signal(view: SymbolView, rules: BacktestConfig) -> Signal:
    if not view.has_bar or math.isnan(view.probability):
        return Signal.HOLD
    return signal_of(view.strategy, view.outlook, rules.round_trip_cost)


def _rested(view: SymbolView, rules: BacktestConfig) -> bool:
    return bool(cooldown_has_passed(view.bars_since_exit, rules.cooldown_bars))


def _action(view: SymbolView, rules: BacktestConfig, *, must_exit: bool) -> Action:
    if not (view.has_bar or must_exit) or view.close <= 0.0:
        return Action.NOTHING
    flat = is_flat(view.held, view.close, rules)
    # Once the remainder of an exit counts as flat the exit is over, and the signal decides again.
    sells = must_exit or view.exits_only or (view.exiting and not flat)
    return Action(action_for_signal(int(_signal(view, rules)), flat, _rested(view, rules), sells))


def _entry_quantity(equity: float, affordable: float, view: SymbolView, rules: BacktestConfig) -> float:
    size_limit = view.strategy.assess(view.outlook, rules.round_trip_cost).size_limit
    return entry_quantity(
        equity,
        view.close,
        counted(view.held),
        min(float(rules.target_fraction), size_limit),
        affordable,
        float(10**rules.step_decimals),
        float(rules.min_notional),
    )


def _entry(view: SymbolView, quantity: float, rules: BacktestConfig, orders_left: int) -> Decision:
    forbidden = view.no_order or view.no_entry
    if forbidden is None and quantity <= 0.0:
        forbidden = "the buy would be worth less than the minimum, or cash is used up"
    if forbidden is None and orders_left <= 0:
        forbidden = "the day's orders are used up"
    if forbidden is not None:
        return _decision(view, rules, Action.NOTHING, 0.0, f"no entry: {forbidden}", forbidden)
    return _decision(view, rules, Action.ENTER, quantity, f"enter: {_signal_words(view, rules)}")


def _exit(view: SymbolView, rules: BacktestConfig, must_exit: str | None) -> Decision:
    if view.no_order is not None:
        return _decision(view, rules, Action.NOTHING, 0.0, f"no exit: {view.no_order}", view.no_order)
    return _decision(view, rules, Action.EXIT, float(view.held), f"exit: {must_exit or _exit_words(view, rules)}")


def _nothing(view: SymbolView, rules: BacktestConfig, must_exit: str | None) -> Decision:
    signal = _signal(view, rules)
    if signal is Signal.LONG and is_flat(view.held, view.close, rules):
        forbidden = must_exit or _why_no_entry(view)
        return _decision(view, rules, Action.NOTHING, 0.0, f"no entry: {forbidden}", forbidden)
    verdicts = () if view.why_no_bar is None else (view.why_no_bar,)
    return _decision(view, rules, Action.NOTHING, 0.0, _signal_words(view, rules), *verdicts)


def _decision(
    view: SymbolView, rules: BacktestConfig, action: Action, quantity: float, reason: str, *verdicts: str
) -> Decision:
    probability = view.probability if view.has_bar else math.nan
    figures = {} if math.isnan(probability) else view.strategy.figures(view.outlook, rules.round_trip_cost)
    return Decision(view.symbol, _signal(view, rules), probability, action, quantity, reason, verdicts, figures)


def _why_no_entry(view: SymbolView) -> str:
    if view.exits_only:
        return "the champion is deployed flat"
    return f"cooldown, {view.bars_since_exit} bars since the exit"


def _exit_words(view: SymbolView, rules: BacktestConfig) -> str:
    if view.exiting and _signal(view, rules) is not Signal.FLAT:
        return "an earlier exit has left a remainder"
    if view.exits_only and _signal(view, rules) is not Signal.FLAT:
        return "the champion is deployed flat"
    return _signal_words(view, rules)


def _signal_words(view: SymbolView, rules: BacktestConfig) -> str:
    if view.why_no_bar is not None:
        return view.why_no_bar
    if math.isnan(view.probability):
        return view.why_no_probability or "no probability"
    return view.strategy.explain(view.outlook, rules.round_trip_cost)
