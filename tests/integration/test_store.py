"""Promises of the store that everything else stands on, on both databases."""

from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, StatementError
from sqlmodel import Session, select

from tests.builders import a_policy
from tests.postgresql import PostgreSQL
from tests.tickets import opened
from tickets.errors import Misconfigured, Unavailable
from tickets.rules.staff import Role
from tickets.store import Store
from tickets.tables import StaffRow, TicketRow

AT = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)


def a_row(email: str = "sam@agency.test", at: datetime = AT) -> StaffRow:
    return StaffRow(email=email, name="Sam", role=Role.STAFF, password_hash="-", created_at=at)


def add(store: Store, row: StaffRow) -> None:
    store.write(lambda tx: tx.add(row))


def only(store: Store) -> StaffRow:
    return store.read(lambda tx: tx.exec(select(StaffRow)).one())


@pytest.mark.parametrize(
    "at",
    [
        AT,
        datetime(2026, 3, 3, 10, 0, 0, 123456, tzinfo=UTC),
        datetime(2026, 7, 1, 9, 0, tzinfo=timezone(timedelta(hours=2))),
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ],
)
def test_an_instant_comes_back_as_the_same_aware_utc_instant(store: Store, at: datetime) -> None:
    add(store, a_row(at=at))
    found = only(store).created_at
    assert found == at
    assert found.utcoffset() == timedelta(0)


def test_a_naive_instant_is_refused(store: Store) -> None:
    with pytest.raises((ValueError, StatementError), match="naive"):
        add(store, a_row(at=datetime(2026, 3, 3, 10, 0)))  # noqa: DTZ001 (the very mistake)


def test_a_value_outside_its_enum_is_refused_by_the_schema_itself(store: Store) -> None:
    add(store, a_row())
    with pytest.raises(DBAPIError):
        store.write(lambda tx: tx.connection().exec_driver_sql("UPDATE staff SET role = 'root'"))
    assert only(store).role is Role.STAFF


def test_an_error_in_the_work_rolls_all_of_it_back(store: Store) -> None:
    def work(tx: Session) -> None:
        tx.add(a_row())
        tx.flush()
        raise RuntimeError("half way")

    with pytest.raises(RuntimeError, match="half way"):
        store.write(work)
    assert store.read(lambda tx: tx.exec(select(StaffRow)).all()) == []


def test_a_write_in_a_reading_transaction_is_refused(store: Store) -> None:
    with pytest.raises((DBAPIError, Unavailable)):
        store.read(lambda tx: tx.connection().exec_driver_sql("DELETE FROM staff"))


def test_read_then_write_by_many_at_once_loses_no_change(store: Store) -> None:
    """A transaction that began deferred would fail as locked, or lose what it read before."""
    ref = opened(store, a_policy(), at=AT)
    threads = [threading.Thread(target=_add_to_version, args=(store.url, 25)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    version = store.read(lambda tx: tx.exec(select(TicketRow.version)).one())
    assert (ref, version) == ("T-1001", 101)


def _add_to_version(url: str, times: int) -> None:
    store = Store(url)

    def work(tx: Session) -> None:
        tx.exec(select(TicketRow).with_for_update()).one().version += 1

    for _ in range(times):
        store.write(work)
    store.close()


def test_sqlite_runs_in_wal_and_syncs_every_commit(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'new' / 'fettle.db'}")
    pragmas = store.write(
        lambda tx: [
            tx.connection().exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    )
    store.close()
    assert pragmas == ["wal", 2, 1]


def test_a_database_locked_by_somebody_else_is_unavailable_not_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "fettle.db"
    store = Store(f"sqlite:///{path}", busy_timeout=timedelta(milliseconds=50))
    store.write(lambda tx: tx.connection().exec_driver_sql("CREATE TABLE t (x)"))
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Unavailable, match="locked"):
        store.write(lambda tx: tx.connection().exec_driver_sql("INSERT INTO t VALUES (1)"))
    holder.execute("ROLLBACK")
    holder.close()
    store.write(lambda tx: tx.connection().exec_driver_sql("INSERT INTO t VALUES (1)"))
    store.close()


def test_postgresql_commits_are_durable_whatever_the_server_defaults_to(
    postgresql: PostgreSQL,
) -> None:
    url = postgresql.fresh_database()
    name = sa.make_url(url).database
    store = Store(url)
    store.write(
        lambda tx: tx.connection().exec_driver_sql(
            f"ALTER DATABASE {name} SET synchronous_commit = off"
        )
    )
    store.close()
    again = Store(url)
    shown = again.write(
        lambda tx: tx.connection().exec_driver_sql("SHOW synchronous_commit").scalar()
    )
    again.close()
    assert shown == "on"


def test_postgresql_that_does_not_answer_is_unavailable(tmp_path: Path) -> None:
    store = Store(f"postgresql+psycopg://postgres@/fettle?host={tmp_path}")
    with pytest.raises(Unavailable, match="does not answer"):
        store.read(lambda tx: tx.exec(select(StaffRow)).all())
    store.close()


@pytest.mark.parametrize("url", ["mysql://x/y", "sqlite://", "sqlite:///:memory:", "nonsense"])
def test_a_store_of_another_kind_is_refused_with_what_is_allowed(url: str) -> None:
    with pytest.raises(Misconfigured, match="sqlite:///"):
        Store(url)


def test_a_damaged_file_is_unavailable_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "fettle.db"
    path.write_bytes(b"SQLite format 3\x00" + b"\xff" * 8000)
    store = Store(f"sqlite:///{path}")
    with pytest.raises(Unavailable):
        store.read(lambda tx: tx.exec(select(StaffRow)).all())
    store.close()


def test_a_folder_that_cannot_be_made_is_unavailable_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable, match="file"):
        Store(f"sqlite:///{tmp_path / 'file' / 'fettle.db'}")
