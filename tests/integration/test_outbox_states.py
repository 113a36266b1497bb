"""Whatever happens to the outbox, in whatever order: nothing is lost, nothing doubled unseen.

The same machine runs for longer, and on PostgreSQL, among the faults (``make faults``).
"""

from __future__ import annotations

from pathlib import Path

from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.outbox_machine import SqliteMachine

FEW = settings(max_examples=9, stateful_step_count=25, derandomize=True, database=None)


def test_the_outbox_stands_whatever_happens_to_it(migrated_sqlite: Path) -> None:
    machine = type("Machine", (SqliteMachine,), {"template": migrated_sqlite})
    run_state_machine_as_test(machine, settings=FEW)
