"""One thread for fits and predictions of scikit-learn models."""

from __future__ import annotations

from contextlib import AbstractContextManager

from threadpoolctl import threadpool_limits


def single_threaded() -> AbstractContextManager[None]:
    """Limit BLAS and OpenMP to one thread while the context is open.

    Sums are then added in the same order on every machine, so that a fit can be reproduced bit for bit; and several
    symbols (or research beside a live run on a small machine) don't fight over cores: on two busy cores two OpenMP
    threads were seen to take ten times as long as one.
    """
    limits: AbstractContextManager[None] = threadpool_limits(1)
    return limits
