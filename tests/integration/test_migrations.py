"""The schema's steps lead to exactly the tables of the code, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlmodel import SQLModel

from monitor import migrations
from monitor.migrations import current, newest, upgrade
from tests.postgresql import PostgreSQL
from tickets.errors import Misconfigured, Refused
from tickets.store import Store

NARROWER = {("prober", "blind_cause")}
"""Columns that hold some words of their enumeration alone."""


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        store = Store(server.empty_database())
    else:
        store = Store(f"sqlite:///{tmp_path / 'empty.db'}")
    yield store
    store.close()


def test_an_empty_store_is_brought_to_the_tables_of_the_code(empty: Store) -> None:
    assert current(empty) is None
    upgrade(empty)
    assert current(empty) == newest()
    with empty.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences: list[Any] = compare_metadata(context, SQLModel.metadata)
    assert differences == []


def test_every_word_of_the_code_may_be_stored(empty: Store) -> None:
    """Autogeneration compares no check constraints, so an enumeration could outgrow its column."""
    upgrade(empty)
    for table in SQLModel.metadata.tables.values():
        found = {
            check["name"]: check["sqltext"]
            for check in sa.inspect(empty.engine).get_check_constraints(table.name)
        }
        for column in table.columns:
            kind = column.type
            if isinstance(kind, sa.Enum) and (table.name, column.name) not in NARROWER:
                check = found[f"ck_{table.name}_{kind.name}"]
                assert [word for word in kind.enums if f"'{word}'" not in check] == [], column


A_TICKET = """
    INSERT INTO ticket (id, title, client, client_name, priority, status, category, source,
        opened_at, promise_number, root_message_id, evidence, version)
    VALUES (1, 'Down', 'a', 'A', 'critical', 'open', 'outage', 'monitor',
        INSTANT, 1, '<a@b>', '{}', 1)
"""
A_MESSAGE = """
    INSERT INTO message (ticket_id, entry_number, notice, audience, name, address, priority, rank,
        header_id, thread_id, written_at, facts, state, not_before, attempts)
    VALUES (1, 1, 'down', 'staff', 'Duty', 'duty@agency.test', 'critical', 0,
        '<a@b>', '<a@b>', INSTANT, '{}', 'sent', INSTANT, 1)
"""
A_DELIVERY = """
    INSERT INTO delivery (message_id, number, notice, ended_at, outcome, answer)
    VALUES (1, 1, 'down', INSTANT, 'sent', '250')
"""


def upgrade_to(store: Store, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    with store.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def test_messages_and_their_deliveries_outlive_that_a_message_needs_no_ticket(
    empty: Store,
) -> None:
    upgrade_to(empty, "0002_pre_readings")
    instant = "0" if empty.is_sqlite else "'2026-03-03T10:00:00Z'"
    with empty.engine.begin() as connection:
        for statement in (A_TICKET, A_MESSAGE, A_DELIVERY):
            connection.exec_driver_sql(statement.replace("INSTANT", instant))
    upgrade(empty)
    with empty.engine.begin() as connection:
        joined = "SELECT ticket_id, answer FROM message JOIN delivery ON message_id = message.id"
        assert connection.exec_driver_sql(joined).fetchall() == [(1, "250")]
        of_no_ticket = A_MESSAGE.replace("(1, 1,", "(NULL, 0,").replace("'down'", "'blind'")
        connection.exec_driver_sql(of_no_ticket.replace("INSTANT", instant))
        if empty.is_sqlite:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall() == []


FILES_BEFORE_THEIR_SENDERS = """
    UPDATE ticket SET requester_address = 'Carla@harbour.test' WHERE id = 1;
    INSERT INTO entry (ticket_id, number, at, action, priority, actor, text, is_visible, before,
        after) VALUES (1, 2, INSTANT, 'client_reply', 'normal', 'Ben', '', TRUE, '{}', '{}'),
        (1, 3, INSTANT, 'client_reply', 'normal', 'Office', '', TRUE, '{}', '{}');
    INSERT INTO ticket_link (token_hash, ticket_id, address, address_key, name, issued_at,
        expires_at)
        VALUES ('a', 1, 'Ben@harbour.test', 'ben@harbour.test', 'Ben', INSTANT, INSTANT),
        ('b', 1, 'one@harbour.test', 'one@harbour.test', 'Office', INSTANT, INSTANT),
        ('c', 1, 'two@harbour.test', 'two@harbour.test', 'Office', INSTANT, INSTANT);
    INSERT INTO attachment (id, ticket_id, entry_number, name, media_type, size_bytes, sha256,
        kept_at) VALUES ('1', 1, 1, 'a.txt', 'text/plain', 1, '', INSTANT),
        ('2', 1, 2, 'a.txt', 'text/plain', 1, '', INSTANT),
        ('3', 1, 3, 'a.txt', 'text/plain', 1, '', INSTANT)
"""


def test_files_that_are_kept_find_their_senders_where_these_can_be_told(empty: Store) -> None:
    upgrade_to(empty, "0012_pre_contacts")
    instant = "0" if empty.is_sqlite else "'2026-03-03T10:00:00Z'"
    with empty.engine.begin() as connection:
        for statement in (A_TICKET, *FILES_BEFORE_THEIR_SENDERS.split(";")):
            connection.exec_driver_sql(statement.replace("INSTANT", instant))
    upgrade(empty)
    with empty.engine.begin() as connection:
        query = "SELECT sender_address FROM attachment ORDER BY id"
        found = connection.exec_driver_sql(query).scalars().all()
    assert found == ["Carla@harbour.test", "Ben@harbour.test", None]


def test_upgrading_again_changes_nothing(empty: Store) -> None:
    upgrade(empty)
    upgrade(empty)
    assert current(empty) == newest()


def test_a_store_that_a_newer_version_has_upgraded_is_refused(empty: Store) -> None:
    upgrade(empty)
    with empty.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999_future'")
    with pytest.raises(Misconfigured, match="newer than this version"):
        upgrade(empty)


def test_a_step_that_fails_leaves_the_store_as_it_was(empty: Store) -> None:
    with empty.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE ticket (x INTEGER)")
    with pytest.raises(Exception, match="already exists"):
        upgrade(empty)
    assert current(empty) is None
    with empty.engine.connect() as connection:
        tables = set(connection.dialect.get_table_names(connection))
    assert tables - {"alembic_version"} == {"ticket"}


def test_a_step_that_cannot_be_undone_says_what_to_do_instead() -> None:
    steps = ScriptDirectory(str(Path(migrations.__file__).parent)).walk_revisions()
    refusals: list[str] = []
    for step in steps:
        if step.revision[:4] in {"0003", "0004", "0005"}:
            with pytest.raises(Refused) as refused:
                step.module.downgrade()
            refusals.append(str(refused.value))
    assert len(refusals) == 3
    assert all("restore a backup that was taken before it" in each for each in refusals)
