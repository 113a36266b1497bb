"""Forgets episodes of alerts that ended long ago; their tickets stay.

An old word about a forgotten episode would look new, so they are kept far longer than any sender
repeats itself. Needs the open write transaction of its caller.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col

from monitor.alert_tables import AlertRow
from monitor.rules.episode import AlertState

KEPT_FOR = timedelta(days=90)
AT_ONCE = 500
"""Episodes that one transaction deletes."""


def forget_old(tx: Session, *, now: datetime) -> int:
    """Delete episodes that ended longer than ``KEPT_FOR`` ago; return how many, at most a part."""
    old = (
        sa.select(col(AlertRow.id))
        .where(col(AlertRow.state) != AlertState.FIRING, col(AlertRow.ended_at) < now - KEPT_FOR)
        .limit(AT_ONCE)
    )
    ids = tx.connection().scalars(old).all()
    tx.exec(sa.delete(AlertRow).where(col(AlertRow.id).in_(ids)))
    return len(ids)
