"""The schema's history, for the tables of both packages, and its application at start.

Each step is ``pre`` (additive, safe under the previous release) or ``post`` (removal, one release
later); a step that has been released is never edited.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import InterfaceError, OperationalError

from tickets.errors import Fault as ConfigurationFault
from tickets.errors import Misconfigured, Unavailable
from tickets.store import Store

_LOCK = 0x_FE77_1E  # an arbitrary number that all our processes agree on


def newest() -> str:
    """Return the newest revision that this version of Fettle knows."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def current(store: Store) -> str | None:
    """Return the revision of the store's schema; None for an empty store.

    Raises ``Unavailable`` when the store does not answer.
    """
    return store.read(lambda tx: MigrationContext.configure(tx.connection()).get_current_revision())


def upgrade(store: Store) -> None:
    """Bring the store's schema to the newest revision, in one transaction.

    Raises ``Misconfigured`` when a newer version of Fettle has been at the store, and
    ``Unavailable`` when the store does not answer.
    """
    config = _config()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    try:
        with store.engine.begin() as connection:
            if not store.is_sqlite:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            found = MigrationContext.configure(connection).get_current_revision()
            if found is not None and found not in known:
                raise _too_new(found)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except (OperationalError, InterfaceError) as error:
        raise Unavailable(f"the store does not answer: {error.orig}") from error


def _too_new(found: str) -> Misconfigured:
    message = (
        f"the store has revision {found!r}, newer than this version of Fettle knows ({newest()!r}):"
        " install the newer version, or restore a backup made before the upgrade"
    )
    return Misconfigured(
        [ConfigurationFault(file="store", line=None, key="store.url", message=message)]
    )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config
