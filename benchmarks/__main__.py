"""``python -m benchmarks``: every table, or those of the subjects named by ``--only``."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

from benchmarks import backtest, features, first_call, metrics, research, sweep
from benchmarks.session import Session, describe, open_session

SUBJECTS: dict[str, Callable[[Session], str]] = {
    "backtest": backtest.report,
    "sweep": sweep.report,
    "metrics": metrics.report,
    "features": features.report,
    "research": research.report,
    "first_call": first_call.report,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the tables."""
    options = _parser().parse_args(arguments)
    with open_session(quick=options.quick) as session:
        print(describe(session), flush=True)
        for name in options.only:
            print(SUBJECTS[name](session), flush=True)


def subjects(text: str) -> list[str]:
    """``backtest,sweep`` as a list of known subjects."""
    names = text.split(",")
    unknown = [name for name in names if name not in SUBJECTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no subject {', '.join(unknown)}; there are {', '.join(SUBJECTS)}")
    return names


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure beside the rivals, side by side."
    )
    parser.add_argument("--quick", action="store_true", help="few laps of the smallest size: an impression")
    parser.add_argument("--only", type=subjects, default=[*SUBJECTS], help=f"of {','.join(SUBJECTS)}")
    return parser


if __name__ == "__main__":
    main()
