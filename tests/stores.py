"""Stores that tests open: more patient with another writer than the service, for busy machines."""

from __future__ import annotations

from datetime import timedelta

from tickets.store import Store

PATIENCE = timedelta(seconds=60)


def open_store(url: str) -> Store:
    """Open a store; a test about one that stays busy opens its own, with a limit that it names."""
    return Store(url, busy_timeout=PATIENCE)
