"""``fettle db``: bring the store to this version, and tell whether it is well."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from monitor import migrations
from monitor.commands.surroundings import StoreNotReady, Surroundings, find_revision, open_store
from tickets.errors import Unavailable
from tickets.store import Session, Store

_MOST_FAULTS = 20


def upgrade(surroundings: Surroundings, _arguments: Namespace) -> int:
    """Bring the store to the newest revision; an SQLite file that is missing is made."""
    url = surroundings.load_settings().store.url
    try:
        store = Store(url, readers=1)
    except OSError as error:
        raise Unavailable(
            f"the store cannot be made at {error.filename}: {error.strerror}"
        ) from error
    try:
        before = find_revision(store)
        migrations.upgrade(store)
        after = find_revision(store)
    finally:
        store.close()
    done = "is already" if before == after else "is now"
    surroundings.screen.line(f"The store {done} at revision {after}.")
    return 0


def check(surroundings: Surroundings, arguments: Namespace) -> int:
    """Tell whether the store answers, is whole and fits this version: 0 yes, 1 no, with faults.

    Raises ``Unavailable`` when it does not answer.
    """
    settings = surroundings.load_settings()
    faults: list[str] = []
    try:
        with open_store(settings) as store:
            if store.is_sqlite:
                faults = store.read(_damages)
    except StoreNotReady as error:
        faults = [str(error)]
    screen = surroundings.screen
    if arguments.json:
        screen.document({"revision": migrations.newest(), "well": not faults, "faults": faults})
    elif faults:
        for fault in faults:
            screen.line(fault)
    else:
        screen.line(f"The store is well, at revision {migrations.newest()}.")
    return 1 if faults else 0


def _damages(tx: Session) -> list[str]:
    """Return what SQLite finds broken in its own file, and rows that lead nowhere."""
    execute = tx.connection().exec_driver_sql
    rows: list[Any] = list(execute(f"PRAGMA integrity_check({_MOST_FAULTS})").scalars())
    faults = [str(row) for row in rows if row != "ok"]
    for table, row_id, parent, _ in execute("PRAGMA foreign_key_check").fetchmany(_MOST_FAULTS):
        faults.append(f"row {row_id} of {table} names a row of {parent} that does not exist")
    return faults
