"""Rows of the one table that `make prove` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

_SHOWN_PROBLEMS = 20


@dataclass(frozen=True)
class Row:
    """One thing that was tried: the proof it belongs to, its figures, and what is wrong (nothing, if it holds)."""

    proof: str
    what: str
    figures: str
    problems: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def print_table(rows: Sequence[Row], console: Console) -> None:
    """All rows, then every problem."""
    table = Table("proof", "what was tried", "figures", "holds", show_lines=False)
    for row in rows:
        table.add_row(row.proof, row.what, row.figures, "yes" if row.holds else "[red]NO[/red]")
    console.print(table)
    for row in rows:
        for problem in row.problems[:_SHOWN_PROBLEMS]:
            console.print(f"[red]{row.proof}, {row.what}:[/red] {problem}")
        if len(row.problems) > _SHOWN_PROBLEMS:
            console.print(f"… and {len(row.problems) - _SHOWN_PROBLEMS} more")
