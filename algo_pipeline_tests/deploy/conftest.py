"""The database server that several tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from algo_pipeline_tests.deploy.fleet import free_ports
from algo_pipeline_tests.deploy.postgres import Postgres, running_postgres


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """Debian's PostgreSQL with the databases of a deployment."""
    [port] = free_ports(1)
    with running_postgres(port) as running:
        yield running
