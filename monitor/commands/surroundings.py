"""What a command works with: the screen, the environment, the clock, the settings, the store.

Settings and store are loaded only when a command asks, so that ``fettle version`` stays quick.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.commands.screen import Screen
from tickets.clock import Clock
from tickets.errors import Refused, ServiceError, Unavailable

if TYPE_CHECKING:
    from monitor.settings import Settings
    from tickets.store import Session, Store

_SQLITE = "sqlite:///"
_SQLITE_HEADER = b"SQLite format 3\0"


class WrongUsage(Refused):
    """The command line asks for what this configuration cannot give (exit 2)."""


class StoreNotReady(ServiceError):
    """The store has no schema, or not the one that this version works with (exit 2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What stays the same for one call of ``fettle``.

    ``config`` is the configuration file; ``is_named`` tells whether it was asked for by flag or
    environment, or is only where it is by default.
    """

    screen: Screen
    environ: Mapping[str, str]
    clock: Clock
    config: Path
    is_named: bool

    def load_settings(self) -> Settings:
        """Return the settings; raises ``Misconfigured`` with every fault."""
        from monitor.settings.load import load

        return load(self.config, environ=self.environ)


@contextmanager
def open_store(settings: Settings) -> Generator[Store]:
    """Open the store of ``settings`` for one command and close it after.

    Raises ``StoreNotReady``, or ``Unavailable`` when it does not answer.
    """
    _refuse_no_database(settings.store.url)
    from monitor import migrations
    from tickets.store import Store

    store = Store(settings.store.url, readers=1)
    try:
        found, wanted = find_revision(store), migrations.newest()
        if found != wanted:
            raise _wrong_schema(found, wanted)
        yield store
    finally:
        store.close()


def find_revision(store: Store) -> str | None:
    """Return the revision of the store's schema, None if it has none; takes no lock.

    Raises ``Unavailable`` when the store does not answer.
    """

    def work(tx: Session) -> str | None:
        connection = tx.connection()
        if not connection.dialect.has_table(connection, "alembic_version"):
            return None
        rows = connection.exec_driver_sql("SELECT version_num FROM alembic_version")
        return rows.scalar_one_or_none()

    return store.read(work)


def _refuse_no_database(url: str) -> None:
    """Refuse an SQLite file that is missing, as opening it would make an empty one, or is none."""
    if not url.startswith(_SQLITE):
        return
    path = url.removeprefix(_SQLITE).partition("?")[0]
    try:
        with Path(path).open("rb") as file:
            begins = file.read(len(_SQLITE_HEADER))
    except FileNotFoundError:
        message = f"there is no store at {path} yet; run `fettle db upgrade` to make one"
        raise StoreNotReady(message) from None
    except OSError as error:
        raise Unavailable(f"the store at {path} cannot be read: {error.strerror}") from error
    if begins not in {b"", _SQLITE_HEADER}:
        raise StoreNotReady(f"the file {path} is no SQLite database")


def _wrong_schema(found: str | None, wanted: str) -> StoreNotReady:
    if found is None:
        return StoreNotReady("the store holds no tables of Fettle yet; run `fettle db upgrade`")
    if found > wanted:
        return StoreNotReady(
            f"the store has revision {found!r}, newer than this version of Fettle knows "
            f"({wanted!r}): install the newer version"
        )
    return StoreNotReady(
        f"the store has revision {found!r}, older than this version of Fettle needs "
        f"({wanted!r}); run `fettle db upgrade`"
    )
