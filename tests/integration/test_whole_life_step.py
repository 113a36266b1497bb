"""The step to the whole life of a ticket, on a store that holds rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy.exc import DBAPIError

import monitor.migrations
from monitor.migrations import upgrade
from tests.postgresql import PostgreSQL
from tickets.store import Store

OLD_TICKETS = """
    INSERT INTO ticket (id, title, client, client_name, priority, status, category, source,
        opened_at, promise_number, root_message_id, evidence, version)
    VALUES
        (1, 'Down', 'harbour', 'Harbour Inns', 'critical', 'open', 'outage', 'monitor', {at}, 1,
            '<a@b>', '{{}}', 1),
        (2, 'Ask', 'harbour', 'Harbour Inns', 'low', 'open', 'advice', 'staff', {at}, 1,
            '<c@b>', '{{}}', 1)
"""
OLD_ENTRIES = """
    INSERT INTO entry (ticket_id, number, at, action, actor, text, is_visible, before, after)
    VALUES (1, 1, {at}, 'open', 'Monitor', '', {true}, '{{}}', '{{}}'),
        (2, 1, {at}, 'open', 'Sam', '', {true}, '{{}}', '{{}}')
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A store of the release before, with two tickets."""
    if request.param == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        store = Store(server.empty_database())
    else:
        store = Store(f"sqlite:///{tmp_path / 'old.db'}")
    config = Config()
    config.set_main_option("script_location", str(Path(monitor.migrations.__file__).parent))
    at, true = ("1", "1") if store.is_sqlite else ("now()", "true")
    with store.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001_pre_first_tables")
        for statement in (OLD_TICKETS, OLD_ENTRIES):
            connection.exec_driver_sql(statement.format(at=at, true=true))
    yield store
    store.close()


def test_old_entries_learn_the_priority_of_their_ticket_and_stay_as_they_are(old: Store) -> None:
    upgrade(old)
    with old.engine.begin() as connection:
        found = connection.exec_driver_sql("SELECT priority FROM entry ORDER BY ticket_id")
        assert [row[0] for row in found] == ["critical", "low"]
        if old.is_sqlite:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
    for statement in ("UPDATE entry SET priority = 'low'", "DELETE FROM entry"):
        with pytest.raises(DBAPIError, match="never changed"), old.engine.begin() as connection:
            connection.exec_driver_sql(statement)
