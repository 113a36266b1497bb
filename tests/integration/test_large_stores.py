"""What is asked every few seconds reads no outbox from end to end, however large it has become."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlmodel import Session

from monitor.queries import readiness
from tests.clocks import FakeClock
from tickets.queries.figures import count_figures
from tickets.queries.mail_faults import count_held
from tickets.queries.messages import count_undelivered, list_messages
from tickets.rules.message import MessageState
from tickets.store import Store

NOW = FakeClock().now()

OFTEN: dict[str, Callable[[Session], object]] = {
    "readiness": lambda tx: readiness(tx, NOW),
    "the metrics": lambda tx: count_figures(tx, now=NOW),
    "what is held": lambda tx: count_held(tx, NOW),
    "the desk's badge": count_undelivered,
    "dead messages": lambda tx: list_messages(tx, state=MessageState.DEAD),
    "waiting messages": lambda tx: list_messages(tx, state=MessageState.PENDING),
}

BY_INDEX = ("ix_message_due", "ix_message_dead", "PRIMARY KEY (rowid=?)")
"""How a step ends that reads only the messages that matter."""

Asked = list[tuple[str, Any]]


@contextlib.contextmanager
def noted() -> Iterator[Asked]:
    """Give what is asked of databases meanwhile: each statement with its values."""
    asked: Asked = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        asked.append((statement, values))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.mark.parametrize("read", OFTEN.values(), ids=OFTEN)
def test_messages_are_found_by_an_index(
    sqlite_store: Store, read: Callable[[Session], object]
) -> None:
    with noted() as asked:
        sqlite_store.read(read)
    asked = [(statement, values) for statement, values in asked if " message" in statement]
    assert asked

    def plans(tx: Session) -> list[str]:
        explain = tx.connection().exec_driver_sql
        return [
            row[3]
            for statement, values in asked
            for row in explain(f"EXPLAIN QUERY PLAN {statement}", values).all()
        ]

    steps = [step for step in sqlite_store.read(plans) if " message" in step]
    assert steps
    assert [step for step in steps if not step.endswith(BY_INDEX)] == []
