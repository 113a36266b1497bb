"""How incidents that alerts made end: the last alert is over, and the ticket stays with people.

Needs the open write transaction of its caller, which holds the source's row.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from monitor.alert_tables import AlertIncidentRow, AlertRow
from monitor.alerts.episodes import in_parts
from monitor.alerts.source import AlertSource
from monitor.alerts.wording import names_of
from monitor.rules.episode import AlertState
from tickets.history import Actor, get_ticket, record
from tickets.incidents import Seen, recover
from tickets.policy import Policy
from tickets.rules.notice import Notice
from tickets.rules.ticket import Action, Status, reference
from tickets.tables import TicketRow

TOLD_AGAIN_AFTER = timedelta(minutes=30)
"""An alert that comes and goes is told to have ended once in this time."""


class Endings:
    """Ends incidents of the alerts of one source, within one transaction at ``at``."""

    def __init__(self, tx: Session, policy: Policy, source: AlertSource, *, at: datetime) -> None:
        self._tx = tx
        self._policy = policy
        self._source = source
        self._at = at

    def finish(self, ended: Sequence[AlertRow]) -> None:
        """Let incidents end of which these episodes were the last to fire; note the others."""
        by_incident: dict[int, list[AlertRow]] = {}
        by_ticket: dict[int, list[AlertRow]] = {}
        for row in ended:
            if row.incident_id is not None:
                by_incident.setdefault(row.incident_id, []).append(row)
            elif row.ticket_id is not None and row.state is not AlertState.SUPERSEDED:
                by_ticket.setdefault(row.ticket_id, []).append(row)
        self._tx.flush()
        for some in in_parts(list(by_incident)):
            ids = col(AlertRow.incident_id)
            firing = sa.select(ids).where(ids.in_(some), col(AlertRow.state) == AlertState.FIRING)
            last = set(self._tx.connection().scalars(firing.distinct()))
            query = select(AlertIncidentRow).where(
                col(AlertIncidentRow.id).in_(some), col(AlertIncidentRow.ended_at).is_(None)
            )
            for incident in self._tx.exec(query).all():
                rows = by_incident[incident.id or 0]
                if incident.id not in last:
                    self._end(incident, rows)
                elif incident.key != storm_key(self._source):
                    self._tell_end(incident.ticket_id, rows)
        for ticket_id, rows in by_ticket.items():
            self._tell_end(ticket_id, rows)

    def _end(self, incident: AlertIncidentRow, rows: Sequence[AlertRow]) -> None:
        until = max((row.ended_at or self._at for row in rows), default=self._at)
        incident.ended_at = max(until, incident.started_at)
        status = self._tx.get_one(TicketRow, incident.ticket_id).status
        told_at = incident.told_at
        is_told = status is not Status.CLOSED and (
            told_at is None or self._at - told_at > TOLD_AGAIN_AFTER
        )
        if is_told:
            incident.told_at = self._at
        recover(
            self._tx,
            self._policy,
            incident.ticket_id,
            since=incident.started_at,
            until=incident.ended_at,
            is_told=is_told,
            at=self._at,
            seen=seen_by(self._source, is_gone=all(row.state is AlertState.GONE for row in rows)),
        )

    def _tell_end(self, ticket_id: int, rows: Sequence[AlertRow]) -> None:
        told = [row for row in rows if row.state is not AlertState.SUPERSEDED]
        if told and self._tx.get_one(TicketRow, ticket_id).status is not Status.CLOSED:
            note(
                self._tx,
                ticket_id,
                names_of(told, lead="Ended:"),
                actor=self._source.actor,
                at=self._at,
            )


def note(tx: Session, ticket_id: int, text: str, *, actor: Actor, at: datetime) -> None:
    """Add a line to a ticket's history that only staff see."""
    ticket = get_ticket(tx, reference(ticket_id))
    record(tx, ticket, action=Action.NOTE, actor=actor, at=at, text=text, is_visible=False)


def seen_by(source: AlertSource, *, is_gone: bool = False) -> Seen:
    """Return who sees the end of an alert, and in which words.

    ``is_gone`` tells that nobody said so: the source no longer lists it.
    """
    recovery = "The alert has ended"
    if is_gone:
        recovery = f"{source.name} no longer lists the alert: it ended while nobody told us"
    return Seen(by=source.actor, recovery=recovery, notice=Notice.ALERT_ENDED)


def storm_key(source: AlertSource) -> str:
    """Return the key of the incident that gathers the alerts that are too many."""
    return f"{source.name}/storm"
