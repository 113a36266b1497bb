"""The store: SQLite or PostgreSQL behind one door, synchronous, never on the event loop.

Every transaction is opened and committed here. Work is a function that takes a ``Session``; it must
not commit, sleep, render a template or open a socket. Writes of one process run on one thread; on
SQLite they begin IMMEDIATE, in WAL with ``synchronous=FULL`` (decision 4).
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Connection, Dialect, Engine, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, InterfaceError, OperationalError
from sqlalchemy.orm import declared_attr
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import Session, SQLModel

from tickets.errors import Fault, Misconfigured, Unavailable

Result = TypeVar("Result")
Work = Callable[[Session], Result]

BUSY_TIMEOUT = timedelta(seconds=5)
"""How long a write waits for another process's write transaction, unless told otherwise."""

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """An instant: aware in, aware UTC out.

    PostgreSQL holds it as ``timestamptz``, SQLite as microseconds since 1970 (its own date text
    would come back naive). A naive value is refused with ``ValueError``.
    """

    impl = sa.BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the column type for the database at hand."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.TIMESTAMP(timezone=True))
        return dialect.type_descriptor(sa.BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Turn an aware instant into what the database holds."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"an instant needs a zone, got the naive {value.isoformat()}")
        if dialect.name == "postgresql":
            return value.astimezone(UTC)
        return (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Turn what the database holds into an aware UTC instant."""
        if value is None:
            return None
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        return _EPOCH + value * _MICROSECOND


Json = sa.JSON().with_variant(JSONB(), "postgresql")
"""A JSON document: JSONB on PostgreSQL, text on SQLite."""


def stored_enum(enum: type[StrEnum], name: str) -> sa.Enum:
    """Return the column type of ``enum``: its values as text under a check constraint."""
    return sa.Enum(
        enum,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=40,
        values_callable=_values,
    )


def _values(enum: type[StrEnum]) -> list[str]:
    return [member.value for member in enum]


class Row(SQLModel):
    """What every table's row class derives from; ``TicketRow`` lives in the table ``ticket``."""

    @declared_attr.directive
    @classmethod
    def __tablename__(cls) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] (SQLModel declares it untyped)
        words = re.findall("[A-Z][a-z]*", cls.__name__.removesuffix("Row"))
        return "_".join(words).lower()


class Store:
    """One database with its writer thread and its reader threads; close it when done."""

    def __init__(
        self, url: str, *, readers: int = 4, busy_timeout: timedelta = BUSY_TIMEOUT
    ) -> None:
        self.url = url
        self._errors = {"read": 0, "write": 0}
        self._counting = Lock()
        self._writer_engine, self._reader_engine = _make_engines(url, readers, busy_timeout)
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-writer")
        self._readers = ThreadPoolExecutor(max_workers=readers, thread_name_prefix="store-reader")

    @property
    def is_sqlite(self) -> bool:
        """Whether the store is an SQLite file."""
        return self._writer_engine.dialect.name == "sqlite"

    @property
    def errors(self) -> Mapping[str, int]:
        """How many reads and writes found the store away since it was opened."""
        return dict(self._errors)

    @property
    def engine(self) -> Engine:
        """The engine that writes; for migrations and backup, not for ordinary work."""
        return self._writer_engine

    def write(self, work: Work[Result]) -> Result:
        """Run ``work`` in one write transaction on the writer thread, commit, return its result.

        Raises ``Unavailable`` when the database cannot be reached, is full, or stays locked; any
        other error of ``work`` rolls back and propagates.
        """
        return self._writer.submit(self._count, "write", self._writer_engine, work).result()

    async def awrite(self, work: Work[Result]) -> Result:
        """Do as ``write`` does without blocking the event loop."""
        return await asyncio.wrap_future(
            self._writer.submit(self._count, "write", self._writer_engine, work)
        )

    def read(self, work: Work[Result]) -> Result:
        """Run ``work`` in a read-only transaction; a write inside it is an error."""
        return self._readers.submit(self._count, "read", self._reader_engine, work).result()

    async def aread(self, work: Work[Result]) -> Result:
        """Do as ``read`` does without blocking the event loop."""
        return await asyncio.wrap_future(
            self._readers.submit(self._count, "read", self._reader_engine, work)
        )

    def _count(self, operation: str, engine: Engine, work: Work[Result]) -> Result:
        try:
            return _in_transaction(engine, work)
        except Unavailable:
            with self._counting:
                self._errors[operation] += 1
            raise

    def close(self) -> None:
        """Finish the work in hand and release every connection and thread."""
        self._writer.shutdown()
        self._readers.shutdown()
        self._writer_engine.dispose()
        self._reader_engine.dispose()


def _in_transaction(engine: Engine, work: Work[Result]) -> Result:
    try:
        with Session(engine, expire_on_commit=False) as session, session.begin():
            return work(session)
    except (OperationalError, InterfaceError) as error:
        raise Unavailable(f"the store does not answer: {error.orig}") from error
    except DatabaseError as error:
        if type(error) is not DatabaseError:  # a broken constraint is the caller's affair
            raise
        raise Unavailable(f"the store cannot be read: {error.orig}; restore a backup") from error


def _make_engines(url: str, readers: int, busy_timeout: timedelta) -> tuple[Engine, Engine]:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
    except ArgumentError as error:
        raise _bad_url(url) from error
    if backend == "sqlite":
        return _sqlite_engines(url, parsed.database, readers, busy_timeout)
    if backend == "postgresql":
        return _postgresql_engines(url, readers, busy_timeout)
    raise _bad_url(url)


def _bad_url(url: str) -> Misconfigured:
    scheme = url.split(":", 1)[0]
    message = (
        f"a store of kind '{scheme}' is not supported; allowed are"
        " sqlite:///PATH and postgresql+psycopg://USER:PASSWORD@HOST/NAME"
    )
    return Misconfigured([Fault(file="configuration", line=None, key="store.url", message=message)])


def _sqlite_engines(
    url: str, database: str | None, readers: int, busy_timeout: timedelta
) -> tuple[Engine, Engine]:
    if not database or database == ":memory:":
        message = "an SQLite store needs a file, for example sqlite:///data/fettle.db"
        raise Misconfigured(
            [Fault(file="configuration", line=None, key="store.url", message=message)]
        )
    folder = Path(database).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(
            f"the store's folder {folder} cannot be made: {error.strerror}"
        ) from error
    arguments = {"check_same_thread": False, "timeout": busy_timeout.total_seconds()}
    writer = sa.create_engine(url, connect_args=arguments, pool_size=1, max_overflow=1)
    reader = sa.create_engine(url, connect_args=arguments, pool_size=readers)
    event.listen(writer, "connect", _prepare_sqlite_writer)
    event.listen(writer, "begin", _begin_immediate)
    event.listen(reader, "connect", _prepare_sqlite_reader)
    event.listen(reader, "begin", _begin_deferred)
    return writer, reader


def _prepare_sqlite_writer(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the begin event decides how a transaction starts
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA secure_delete=ON")  # what is erased is overwritten


def _prepare_sqlite_reader(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    connection.execute("PRAGMA query_only=ON")


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _begin_deferred(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


def _postgresql_engines(url: str, readers: int, busy_timeout: timedelta) -> tuple[Engine, Engine]:
    # A mail leaves on the strength of a commit, so the commit must be durable (decision 4).
    wait_ms = round(busy_timeout / timedelta(milliseconds=1))
    connect = {"connect_timeout": max(2, round(busy_timeout.total_seconds()))}
    durable = f"-c timezone=UTC -c synchronous_commit=on -c lock_timeout={wait_ms}"
    read_only = "-c timezone=UTC -c default_transaction_read_only=on"
    writer = sa.create_engine(
        url,
        connect_args={"options": durable, **connect},
        pool_size=1,
        max_overflow=1,
        pool_pre_ping=True,
    )
    reader = sa.create_engine(
        url, connect_args={"options": read_only, **connect}, pool_size=readers, pool_pre_ping=True
    )
    return writer, reader
