"""The outbox as a machine, at length and on both databases; the tests run a few steps of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.outbox_machine import machines, machines_on_sqlite
from tests.postgresql import PostgreSQL
from tickets.store import Store

pytestmark = pytest.mark.timeout(3600)

MANY = settings(
    max_examples=150,
    stateful_step_count=60,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def test_the_outbox_on_sqlite(migrated_sqlite: Path, tmp_path: Path) -> None:
    run_state_machine_as_test(machines_on_sqlite(migrated_sqlite, tmp_path), settings=MANY)


def test_the_outbox_on_postgresql(postgresql: PostgreSQL) -> None:
    machine = machines(lambda: Store(postgresql.fresh_database()))
    run_state_machine_as_test(machine, settings=settings(MANY, max_examples=40))
