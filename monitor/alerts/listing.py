"""Makes the rows of sources those of the configuration: what was added, what was removed.

Needs the open write transaction of its caller.
"""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Session, col, select

from monitor.alert_tables import AlertIncidentRow, AlertRow, AlertSourceRow
from monitor.rules.episode import AlertState
from tickets.incidents import unwatch


def sync_sources(tx: Session, names: set[str], *, at: datetime) -> None:
    """Make the rows those of the sources called ``names``.

    One that is gone keeps its counts; its incidents end, and their tickets stay and say so.
    """
    rows = {row.name: row for row in tx.exec(select(AlertSourceRow)).all()}
    for name in sorted(names - rows.keys()):
        tx.add(AlertSourceRow(name=name, added_at=at))
    for name, row in rows.items():
        if name in names:
            row.removed_at = None
        elif row.removed_at is None:
            _remove(tx, row, at)


def _remove(tx: Session, source: AlertSourceRow, at: datetime) -> None:
    source.removed_at = at
    state, of = col(AlertRow.state), col(AlertRow.source)
    for row in tx.exec(select(AlertRow).where(of == source.name, state == AlertState.FIRING)).all():
        row.state, row.ended_at = AlertState.GONE, max(at, row.began_at)
    tx.flush()
    still = select(AlertRow.incident_id).where(state == AlertState.FIRING)
    fires_elsewhere = {number for number in tx.exec(still).all() if number is not None}
    incidents = select(AlertIncidentRow).where(
        col(AlertIncidentRow.source) == source.name, col(AlertIncidentRow.ended_at).is_(None)
    )
    text = f"Nobody listens to {source.name} any more: it was removed from the configuration"
    for incident in tx.exec(incidents).all():
        if incident.id not in fires_elsewhere:
            incident.ended_at = max(at, incident.started_at)
            unwatch(tx, incident.ticket_id, at=at, text=text)
