"""What each term of a report means, in words for somebody who trades but is no statistician."""

from __future__ import annotations

from typing import NamedTuple


class Term(NamedTuple):
    """One entry: its key in the templates, its name, what it means."""

    key: str
    title: str
    meaning: str


GLOSSARY: tuple[Term, ...] = (
    Term("strategy", "Strategy", "The backtest with the kill switch off; every statistic and the verdict rest on it."),
    Term(
        "deployed",
        "As deployed",
        "The same rules with the kill switch on: once the drawdown reaches its limit everything is sold and trading "
        "ends until a person resumes it (here: to the end).",
    ),
    Term(
        "at_zero_cost", "At zero cost", "The strategy without fees, spread and slippage: what the signal alone earns."
    ),
    Term(
        "buy_and_hold_return",
        "Buy and hold",
        "Holding the coin for the whole span with all the money. The strategy is invested part of the time with part "
        "of its equity, so compare returns together with exposure and drawdown.",
    ),
    Term(
        "total_return",
        "Total return",
        "Final equity over start cash, minus one; after all costs unless said otherwise.",
    ),
    Term("cagr", "CAGR", "Compound annual growth rate: the constant yearly return that gives the total return."),
    Term("max_drawdown", "Maximum drawdown", "The deepest fall of equity from a peak, marked at hourly closes."),
    Term("max_drawdown_bars", "Longest drawdown", "The longest time that equity stayed below an earlier peak."),
    Term(
        "sharpe",
        "Sharpe ratio",
        "Mean over standard deviation of daily UTC returns, annualized with √365, risk-free rate 0. Read it with its "
        "interval: one year of daily returns leaves an uncertainty of about ±2.",
    ),
    Term("sortino", "Sortino ratio", "Like the Sharpe ratio, but only losses count as risk."),
    Term("calmar", "Calmar ratio", "CAGR over maximum drawdown."),
    Term("n_trades", "Trades", "Closed round trips: a buy and the sell that ends it."),
    Term("win_rate", "Win rate", "Share of trades with a profit after costs."),
    Term("profit_factor", "Profit factor", "Sum of profits over sum of losses, after costs; 1 is break-even."),
    Term("avg_holding_bars", "Average holding", "Mean time from a trade's entry to its exit."),
    Term("exposure", "Exposure", "Share of the hours in which the coin was held."),
    Term(
        "turnover",
        "Turnover",
        "Traded volume per year over mean equity: how often a year the account was turned over, both sides counted.",
    ),
    Term("costs_paid", "Costs paid", "Fees, half spread and slippage, in quote currency."),
    Term(
        "skill",
        "Predictive skill",
        "Whether the probabilities fit their own hours better than the same probabilities shifted to other hours of "
        "their fold, and better than the base rate.",
    ),
    Term(
        "zero_cost_edge",
        "Edge at zero cost",
        "Whether buying above and selling below the base rate, free of cost, earns more than the same exposure at "
        "other hours.",
    ),
    Term(
        "after_cost_edge",
        "Edge after costs",
        "Whether what is left after costs, by the configured strategy, is more than the same exposure at other hours "
        "earns without paying any. Gains of a market that rose are no edge.",
    ),
    Term(
        "p_value",
        "p-value",
        "How often signals shifted to other hours do as well as the real ones. 0.05 or less counts as shown.",
    ),
    Term(
        "dsr",
        "Deflated Sharpe ratio",
        "Probability that the true Sharpe ratio exceeds what the best of as many trials without any edge is expected "
        "to reach. Every configuration ever evaluated for this symbol and label is a trial; 0.95 counts as evidence.",
    ),
    Term(
        "log_loss_skill",
        "Log-loss skill",
        "The part of the base rate's log loss that the model removes. 0% is no better than always predicting the base "
        "rate of the training data; hourly crypto directions allow about 1%.",
    ),
    Term(
        "log_loss", "Log loss", "Mean negative log probability of what happened; always saying one half gives 0.6931."
    ),
    Term(
        "brier",
        "Brier score",
        "Mean squared difference between probability and outcome; always saying one half gives 0.25.",
    ),
    Term("brier_skill", "Brier skill", "The part of the base rate's Brier score that the model removes."),
    Term(
        "auc", "AUC", "Probability that a random rise was given a higher probability than a random fall; 0.5 is chance."
    ),
    Term("ece", "ECE", "Expected calibration error: mean distance between predicted and observed rates over the bins."),
    Term("base_rate", "Base rate", "How often the label is 1."),
    Term(
        "fold", "Fold", "One step of the walk-forward: the model is fitted on earlier hours only, then predicts these."
    ),
    Term("drawdown", "Drawdown", "One minus equity over its highest value so far."),
    Term(
        "interval",
        "Interval",
        "Range that holds the true value with the stated confidence, by a block bootstrap over time.",
    ),
    Term("bps", "bps", "Basis point: one hundredth of a percent."),
)
