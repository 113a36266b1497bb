"""What every test shares: a clock that tests set, and a migrated store on either database."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import hypothesis
import pytest

from monitor.migrations import upgrade
from tests.clocks import FakeClock
from tests.postgresql import PostgreSQL
from tests.stores import open_store
from tickets.store import Store

# How long an example takes says something of the machine and of what runs beside, never of Fettle.
hypothesis.settings.register_profile(
    "fettle", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("fettle")

pytest_plugins = ["tests.plugins.fresh_logs", "tests.plugins.loopback_only"]


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands at Tue 3 Mar 2026 10:00 GMT, within support hours, until moved."""
    return FakeClock()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A real PostgreSQL server on a socket of its own, started when the first test needs it.

    Where the tests are root it runs as a user of its own, whom the next run of pytest on the same
    machine would shut out of pytest's folders, and so end the server of this one.
    """
    with TemporaryDirectory(prefix="fettle-postgresql-", ignore_cleanup_errors=True) as folder:
        server = PostgreSQL(Path(folder))
        yield server
        server.stop()


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty store's file with today's schema, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    store = Store(f"sqlite:///{path}")
    upgrade(store)
    store.close()
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a fresh store with today's schema; each test runs on both databases."""
    if request.param == "postgresql":
        server: PostgreSQL = request.getfixturevalue("postgresql")
        return server.fresh_database()
    path = tmp_path / "fettle.db"
    shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
    return f"sqlite:///{path}"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A fresh store with today's schema; each test runs on both databases."""
    store = open_store(store_url)
    yield store
    store.close()


@pytest.fixture
def sqlite_store(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Store]:
    """A fresh store on SQLite, for what has nothing to do with the database."""
    path = tmp_path / "fettle.db"
    shutil.copy(migrated_sqlite, path)
    store = open_store(f"sqlite:///{path}")
    yield store
    store.close()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests that start whole services come first: they wait long, and others fill in."""
    services = Path(__file__).parent / "system"
    items.sort(key=lambda item: services not in item.path.parents)


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over what stays to the end: modules, and every test's item."""
    gc.collect()
    gc.freeze()
