"""Every command with its place in the help: a list to read, so that no command's module is imported for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Listed:
    """Where a command stands and what it does.

    Parameters
    ----------
    section : str
        Heading that it is listed under.
    module : str
        Of ``algo_pipeline.cli``, in which it is a function of its own name.
    summary : str
        In a few words: it has a line of a narrow terminal.
    """

    section: str
    module: str
    summary: str


COMMANDS: Mapping[str, Listed] = MappingProxyType(
    {
        "research": Listed("Research", "research", "From bars to a judged, calibrated, registered model; its report"),
        "sweep": Listed("Research", "sweep", "Backtest many trading rules; is the best better than luck?"),
        "leaderboard": Listed("Research", "leaderboard", "Compare models, calibrators and labels on identical folds"),
        "search": Listed("Research", "search", "Search a model's parameters; judge them on hours never seen"),
        "ui": Listed("Look", "ui", "Serve Dagster, its daemon, MLflow and the live dashboard"),
        "dashboard": Listed("Look", "dashboard", "Serve or export the live account as a page, JSON and metrics"),
        "status": Listed("Look", "status", "Show holdings, decisions, equity, and what keeps it from trading"),
        "champion": Listed("Look", "champion", "Show which model is, or was, champion of each pair, and why"),
        "decide": Listed("Paper trading", "decide", "Decide on the last closed bar; place the orders that follow"),
        "halt": Listed("Paper trading", "controls", "Stop buying; with --flatten sell everything too"),
        "resume": Listed("Paper trading", "controls", "Go on after a halt, the kill switch, a stop or an alarm"),
        "promote": Listed("Paper trading", "promote", "Make a registered version the champion, forth or back"),
        "rehearse": Listed("Rehearsal", "rehearse", "Trade the day after the training in a sandbox of its own"),
        "replay": Listed("Rehearsal", "replay", "Drive past hours through the live path, against a sandbox"),
        "sandbox": Listed("Rehearsal", "sandbox", "Serve a venue to rehearse on: no keys, its own clock, faults"),
        "explain": Listed("Audit", "explain", "Show why an hour was decided as it was, from bars to fill"),
        "reproduce": Listed("Audit", "reproduce", "Make a logged training again, and say what differs"),
        "export": Listed("Audit", "export", "Write a training or an hour as one file that others can check"),
        "verify": Listed("Audit", "verify", "Check such a file, offline"),
        "doctor": Listed("Set-up", "doctor", "Find what is wrong with a set-up, and say what to do"),
        "completion": Listed("Set-up", "completion", "Print the script that completes commands in your shell"),
    }
)
"""In the order in which they are listed."""
