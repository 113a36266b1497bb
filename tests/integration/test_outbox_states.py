"""Whatever happens to the outbox, in whatever order: nothing is lost, nothing doubled unseen.

The same machine runs for longer, and on PostgreSQL, among the faults (``make faults``).
"""

from __future__ import annotations

from pathlib import Path

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.outbox_machine import machines_on_sqlite

FEW = settings(max_examples=9, stateful_step_count=25, derandomize=True, database=None)


def test_the_outbox_stands_whatever_happens_to_it(migrated_sqlite: Path, tmp_path: Path) -> None:
    run_state_machine_as_test(machines_on_sqlite(migrated_sqlite, tmp_path), settings=FEW)
