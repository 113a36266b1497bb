"""The dead man's switch: a Watchdog that always fires, and the ticket when it falls silent.

A sender's Watchdog proves that its whole way to us works. Silence counts from the newest one, and
only while we were listening: what could not reach us says nothing of the sender. Every function
needs the open write transaction of its caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from monitor.alert_tables import AlertIncidentRow, AlertSourceRow
from monitor.alerts.endings import seen_by
from monitor.alerts.source import AlertSource
from tickets.incidents import Seen, recover, relapse
from tickets.opening import NewTicket, open_ticket
from tickets.policy import Policy
from tickets.rules.notice import Notice
from tickets.rules.ticket import AGENCY, Category, Priority, Status
from tickets.tables import TicketRow

SILENT_AFTER = timedelta(minutes=15)
"""How long a Watchdog may be silent."""

LONGEST_GAP = timedelta(minutes=2)
"""How long may pass between two passes of the sweep before we count as having been away."""


class Listening:
    """Since when we have been listening without a break, told by the passes of the sweep.

    A start, a suspended host, or a store that was away are breaks.
    """

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._passed_at: datetime | None = None

    def since(self, now: datetime) -> datetime:
        """Note a pass at ``now``; return when the present stretch of listening began."""
        last, self._passed_at = self._passed_at, now
        if self._since is None or last is None or not last <= now <= last + LONGEST_GAP:
            self._since = now
        return self._since


def hear_watchdog(
    tx: Session, policy: Policy, source: AlertSource, row: AlertSourceRow, *, at: datetime
) -> None:
    """Note that the source's Watchdog came, which ends its silence."""
    row.watchdog_at = at if row.watchdog_at is None else max(row.watchdog_at, at)
    incident = _newest(tx, source)
    if incident is None or incident.ended_at is not None:
        return
    incident.ended_at = max(at, incident.started_at)
    seen = seen_by(source)
    recover(
        tx,
        policy,
        incident.ticket_id,
        since=incident.started_at,
        until=incident.ended_at,
        is_told=tx.get_one(TicketRow, incident.ticket_id).status is not Status.CLOSED,
        at=at,
        seen=Seen(by=seen.by, recovery="The Watchdog is heard again", notice=seen.notice),
    )


def sweep_watchdogs(
    tx: Session,
    policy: Policy,
    sources: Sequence[AlertSource],
    *,
    listening_since: datetime,
    now: datetime,
) -> None:
    """Open a ticket for each source whose Watchdog has been silent too long; once each."""
    for source in sources:
        row = tx.exec(
            select(AlertSourceRow).where(col(AlertSourceRow.name) == source.name).with_for_update()
        ).first()
        if row is None or row.watchdog_at is None:
            continue
        if now - max(row.watchdog_at, listening_since) <= SILENT_AFTER:
            continue
        incident = _newest(tx, source)
        if incident is None or incident.ended_at is not None:
            _fall_silent(tx, policy, source, incident, since=row.watchdog_at, at=now)


def _newest(tx: Session, source: AlertSource) -> AlertIncidentRow | None:
    query = select(AlertIncidentRow).where(col(AlertIncidentRow.key) == _key(source))
    return tx.exec(query.order_by(col(AlertIncidentRow.id).desc()).limit(1)).first()


def _key(source: AlertSource) -> str:
    return f"{source.name}/watchdog"


def _fall_silent(
    tx: Session,
    policy: Policy,
    source: AlertSource,
    before: AlertIncidentRow | None,
    *,
    since: datetime,
    at: datetime,
) -> None:
    message = (
        f"No Watchdog has come from {source.name} for {SILENT_AFTER // timedelta(minutes=1)} "
        "minutes: its alerts may not reach us either"
    )
    if before is not None and _is_outstanding(tx, before):
        before.ended_at, before.begun_at = None, at
        relapse(tx, policy, before.ticket_id, message=message, at=at, seen=seen_by(source))
        return
    ticket = open_ticket(
        tx,
        policy,
        NewTicket(
            key=f"alert:{_key(source)}:{at.isoformat()}",
            title=f"No sign of life from {source.name}",
            client=AGENCY,
            client_name=policy.agency_name,
            site=None,
            site_name=None,
            site_url=None,
            priority=Priority.CRITICAL,
            category=Category.ALERT,
            source=source.ticket_source,
            notice=Notice.ALERT,
            what="has a problem",
            message=message,
            since=since,
            is_internal=True,
        ),
        actor=source.actor,
        at=at,
    )
    assert ticket.id is not None
    tx.add(
        AlertIncidentRow(
            key=_key(source),
            source=source.name,
            ticket_id=ticket.id,
            started_at=since,
            begun_at=at,
        )
    )
    tx.flush()


def _is_outstanding(tx: Session, incident: AlertIncidentRow) -> bool:
    status = tx.get_one(TicketRow, incident.ticket_id).status
    return status not in {Status.RESOLVED, Status.CLOSED}
