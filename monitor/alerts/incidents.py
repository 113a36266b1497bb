"""Incidents that alerts make: which ticket an alert opens, joins or takes up again.

An incident is about one thing: a site, a data source, or else one alert by its fingerprint. While
it lasts, further alerts about the same thing join its ticket; when none of them fires any more it
ends (see ``endings``), and the ticket stays with the people (decision 8). Needs the open write
transaction of its caller, which holds the source's row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from monitor.alert_tables import AlertIncidentRow, AlertRow
from monitor.alerts.endings import Endings, note, seen_by, storm_key
from monitor.alerts.episodes import Changes, in_parts
from monitor.alerts.places import Places
from monitor.alerts.source import AlertSource
from monitor.alerts.subjects import Subject, drop_our_own, list_subjects
from monitor.alerts.wording import (
    MOST_LISTED,
    evidence_of,
    list_of,
    storm_evidence,
    text_of,
    title_of,
)
from monitor.rules.alert import Alert
from monitor.tables import IncidentRow
from tickets.incidents import relapse
from tickets.opening import NewTicket, open_ticket
from tickets.policy import Policy
from tickets.relations import link
from tickets.rules.evidence import Evidence
from tickets.rules.notice import Notice
from tickets.rules.ticket import Category, Priority, Status, reference
from tickets.tables import TicketRow

MOST_TICKETS, STORM_WITHIN = 20, timedelta(minutes=5)
"""Tickets that one source may open or take up again in a while; all further alerts make one."""

RELAPSE_WITHIN = timedelta(hours=24)
"""How long after its resolution a ticket is reopened by a new alert; a later one opens another."""


class AlertIncidents:
    """The incidents that the alerts of one source make, within one transaction at ``at``."""

    def __init__(
        self, tx: Session, policy: Policy, places: Places, source: AlertSource, *, at: datetime
    ) -> None:
        self._tx = tx
        self._policy = policy
        self._places = places
        self._source = source
        self._at = at
        self._storm_key = storm_key(source)

    def follow(self, changes: Changes) -> None:
        """Open, join, take up again and end what ``changes`` ask for."""
        self._begin(list(changes.begun.values()))
        Endings(self._tx, self._policy, self._source, at=self._at).finish(changes.ended)

    def _begin(self, begun: Sequence[tuple[AlertRow, Alert]]) -> None:
        if not begun:
            return
        subjects = list_subjects(begun, source=self._source, places=self._places)
        monitored = self._monitored({s.place.site.slug for s in subjects if s.place.site})
        standing = self._standing([self._storm_key, *(subject.key for subject in subjects)])
        storm = Subject(key=self._storm_key, place=self._places.agency)
        room = MOST_TICKETS - self._count_recent()
        for subject in subjects:
            slug = subject.place.site.slug if subject.place.site else ""
            incident, ticket = standing.get(subject.key, (None, None))
            if slug in monitored or (incident is not None and incident.ended_at is None):
                drop_our_own(subject)
            if not subject.rows:
                continue
            if slug in monitored:
                self._join(monitored[slug], subject)
            elif incident is not None and ticket is not None and _is_open(incident, ticket):
                self._attach(incident, ticket, subject)
            elif room > 0:
                room -= 1
                self._take_up(incident, ticket, subject)
            else:
                storm.alerts += subject.alerts
                storm.rows += subject.rows
        if storm.rows:
            self._gather(storm, *standing.get(storm.key, (None, None)))

    def _monitored(self, sites: Iterable[str]) -> dict[str, int]:
        """Return the ticket of each site's incident that the monitor has open."""
        query = select(IncidentRow.site, IncidentRow.ticket_id).where(
            col(IncidentRow.site).in_(sorted(sites)), col(IncidentRow.ended_at).is_(None)
        )
        return dict(self._tx.exec(query).all())

    def _standing(self, keys: Sequence[str]) -> dict[str, tuple[AlertIncidentRow, TicketRow]]:
        """Return the newest incident of each key, open or ended, with its ticket."""
        found: dict[str, tuple[AlertIncidentRow, TicketRow]] = {}
        for some in in_parts(keys):
            newest = sa.select(sa.func.max(col(AlertIncidentRow.id))).where(
                col(AlertIncidentRow.key).in_(some)
            )
            query = (
                select(AlertIncidentRow, TicketRow)
                .join(TicketRow, col(TicketRow.id) == col(AlertIncidentRow.ticket_id))
                .where(col(AlertIncidentRow.id).in_(newest.group_by(col(AlertIncidentRow.key))))
            )
            found |= {incident.key: (incident, ticket) for incident, ticket in self._tx.exec(query)}
        return found

    def _count_recent(self) -> int:
        query = select(sa.func.count()).where(
            col(AlertIncidentRow.source) == self._source.name,
            col(AlertIncidentRow.begun_at) > self._at - STORM_WITHIN,
            col(AlertIncidentRow.key) != self._storm_key,
        )
        return self._tx.exec(query).one()

    def _join(self, ticket_id: int, subject: Subject) -> None:
        """Tell of the alerts on the ticket of an incident that the monitor has open."""
        for row in subject.rows:
            row.incident_id, row.ticket_id = None, ticket_id
        self._tell(ticket_id, list_of(subject.alerts, lead="An alert on the same site fires:"))

    def _attach(self, incident: AlertIncidentRow, ticket: TicketRow, subject: Subject) -> None:
        """Add alerts to an incident that is open; what was resolved meanwhile is taken up again."""
        for row in subject.rows:
            row.incident_id, row.ticket_id = incident.id, None
        text = list_of(subject.alerts, lead="A further alert fires:")
        if ticket.status is Status.RESOLVED:
            relapse(
                self._tx,
                self._policy,
                incident.ticket_id,
                message=text,
                at=self._at,
                seen=seen_by(self._source),
            )
        else:
            self._tell(incident.ticket_id, text)

    def _take_up(
        self, incident: AlertIncidentRow | None, ticket: TicketRow | None, subject: Subject
    ) -> AlertIncidentRow:
        """Take up the ticket of the last incident again if it may be, else open one."""
        if incident is None or ticket is None or not self._may_relapse(incident, ticket):
            return self._open(subject, text_of(subject.alerts[0]), before=incident)
        incident.ended_at, incident.begun_at = None, self._at
        for row in subject.rows:
            row.incident_id, row.ticket_id = incident.id, None
        relapse(
            self._tx,
            self._policy,
            incident.ticket_id,
            message=list_of(subject.alerts, lead="It fires again:"),
            at=self._at,
            seen=seen_by(self._source),
        )
        return incident

    def _may_relapse(self, incident: AlertIncidentRow, ticket: TicketRow) -> bool:
        if ticket.status is Status.CLOSED or incident.ended_at is None:
            return False
        resolved_at = ticket.resolved_at
        return resolved_at is None or self._at - resolved_at <= RELAPSE_WITHIN

    def _open(
        self,
        subject: Subject,
        text: str,
        *,
        title: str = "",
        evidence: Evidence | None = None,
        priority: Priority | None = None,
        before: AlertIncidentRow | None,
    ) -> AlertIncidentRow:
        place, alert, source = subject.place, subject.alerts[0], self._source
        if before is not None and before.ended_at is None:
            before.ended_at = self._at  # staff closed its ticket while it fired
            self._tx.flush()
        ticket = open_ticket(
            self._tx,
            self._policy,
            NewTicket(
                key=f"alert:{subject.key}:{self._at.isoformat()}",
                title=title or title_of(alert, place),
                client=place.client,
                client_name=place.client_name,
                site=place.site.slug if place.site else None,
                site_name=place.site.name if place.site else None,
                site_url=place.site.url if place.site else None,
                priority=priority or subject.priority,
                category=Category.ALERT,
                source=source.ticket_source,
                notice=Notice.ALERT,
                what="has a problem",
                message=text,
                since=subject.since,
                evidence=evidence or evidence_of(alert, source=source.name),
                is_internal=place.is_agency or not source.tell_client,
            ),
            actor=source.actor,
            at=self._at,
        )
        assert ticket.id is not None
        incident = AlertIncidentRow(
            key=subject.key,
            source=source.name,
            site=ticket.site,
            ticket_id=ticket.id,
            started_at=subject.since,
            begun_at=self._at,
        )
        self._tx.add(incident)
        self._tx.flush()
        for row in subject.rows:
            row.incident_id, row.ticket_id = incident.id, None
        if len(subject.alerts) > 1 and evidence is None:
            self._tell(ticket.id, list_of(subject.alerts[1:], lead="Further alerts fire:"))
        if before is not None:
            ours, old = reference(ticket.id), reference(before.ticket_id)
            link(self._tx, ours, other=old, actor=source.actor, at=self._at)
        return incident

    def _gather(
        self, storm: Subject, incident: AlertIncidentRow | None, ticket: TicketRow | None
    ) -> None:
        """Put alerts that are too many into the one ticket that lists them."""
        minutes = STORM_WITHIN // timedelta(minutes=1)
        text = (
            f"{self._source.name} sent more alerts than {MOST_TICKETS} tickets in {minutes} "
            "minutes: the others are listed here and open none of their own"
        )
        if incident is not None and ticket is not None and _is_open(incident, ticket):
            for row in storm.rows:
                row.incident_id, row.ticket_id = incident.id, None
        elif incident is not None and ticket is not None and self._may_relapse(incident, ticket):
            incident = self._take_up(incident, ticket, storm)
        else:
            incident = self._open(
                storm,
                text,
                title=f"Storm of alerts from {self._source.name}",
                evidence=Evidence(),
                priority=Priority.CRITICAL,
                before=incident,
            )
        self._tx.flush()
        is_ours = col(AlertRow.incident_id) == incident.id
        count = self._tx.exec(select(sa.func.count()).where(is_ours)).one()
        rows = self._tx.exec(
            select(AlertRow).where(is_ours).order_by(col(AlertRow.id)).limit(MOST_LISTED)
        ).all()
        listed = storm_evidence(rows, source=self._source.name, count=count)
        self._tx.get_one(TicketRow, incident.ticket_id).evidence = listed.document()

    def _tell(self, ticket_id: int, text: str) -> None:
        note(self._tx, ticket_id, text, actor=self._source.actor, at=self._at)


def _is_open(incident: AlertIncidentRow, ticket: TicketRow) -> bool:
    """Tell whether alerts may join the incident: once staff closed its ticket, none may."""
    return incident.ended_at is None and ticket.status is not Status.CLOSED
