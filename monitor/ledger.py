"""Records a confirmed change: sighting, incident, ticket, entry and messages in one transaction.

Every function needs the open write transaction of its caller. Recording the same transition twice,
as after a crash between commit and memory, changes nothing the second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from monitor.evidence import compare
from monitor.rules.client_words import client_words
from monitor.rules.observation import Cause, Observation
from monitor.rules.site import Site
from monitor.rules.streak import Transition
from monitor.rules.verdict import Judgement, Verdict
from monitor.tables import (
    IncidentEnd,
    IncidentIntervalRow,
    IncidentKind,
    IncidentRow,
    SightingRow,
)
from tickets.history import MONITOR
from tickets.incidents import recover, relapse, worsen
from tickets.opening import NewTicket, open_ticket
from tickets.policy import Policy
from tickets.rules.notice import Notice
from tickets.rules.plain_text import several_lines
from tickets.rules.ticket import Category, Priority, Source, Status
from tickets.tables import TicketRow


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentPolicy:
    """What opens with which priority, and how soon a new failure is the same incident."""

    down: Priority = Priority.CRITICAL
    slow: Priority = Priority.CRITICAL
    relapse_within: timedelta = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """A transition of one site with what was seen: for a bad one its first bad observation.

    The last good one stands in the site's sighting, so that no prober keeps ten thousand of them.
    """

    site: Site
    client_name: str
    transition: Transition
    observation: Observation
    judgement: Judgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Records the transitions that one location has confirmed, under the promises of ``policy``."""

    policy: Policy
    incidents: IncidentPolicy
    location: str

    def record(self, tx: Session, confirmed: Confirmed, *, at: datetime) -> IncidentRow | None:
        """Record a transition; return the incident that it opened, continued or ended, if any."""
        transition = confirmed.transition
        sighting = tx.get_one(SightingRow, (confirmed.site.slug, self.location))
        sighting.settled = transition.after
        sighting.settled_at = transition.since
        incident = open_incident(tx, confirmed.site.slug)
        if transition.after is Verdict.UP:
            return incident and self._end(tx, incident, transition, at=at)
        if incident is None:
            incident = self._continue(tx, confirmed, at=at) or self._open(
                tx, confirmed, sighting.last_good, at=at
            )
        if transition.after is Verdict.DOWN and incident.kind is IncidentKind.SLOW:
            self._worsen(tx, incident, confirmed, at=at)
        return incident

    def _open(
        self, tx: Session, confirmed: Confirmed, last_good: dict[str, Any] | None, *, at: datetime
    ) -> IncidentRow:
        is_down = confirmed.transition.after is Verdict.DOWN
        site, since = confirmed.site, confirmed.transition.since
        cause = confirmed.judgement.cause or Cause.SLOW
        ticket = open_ticket(
            tx,
            self.policy,
            NewTicket(
                key=f"monitor:{site.slug}:{since.isoformat()}",
                title=_title(confirmed),
                client=site.client,
                client_name=confirmed.client_name,
                site=site.slug,
                site_name=site.name,
                site_url=site.url,
                priority=self.incidents.down if is_down else self.incidents.slow,
                category=Category.OUTAGE if is_down else Category.SLOW,
                source=Source.MONITOR,
                notice=Notice.DOWN if is_down else Notice.SLOW,
                what=client_words(cause),
                message=_sentence(confirmed),
                since=since,
                evidence=compare(
                    confirmed.observation,
                    confirmed.judgement,
                    last_good,
                    zone=self.policy.zone,
                ),
            ),
            actor=MONITOR,
            at=at,
        )
        assert ticket.id is not None
        incident = IncidentRow(
            site=site.slug,
            kind=IncidentKind.DOWN if is_down else IncidentKind.SLOW,
            cause=cause,
            message=several_lines(confirmed.judgement.message),
            started_at=since,
            opened_at=at,
            ticket_id=ticket.id,
        )
        tx.add(incident)
        tx.flush()
        assert incident.id is not None
        tx.add(IncidentIntervalRow(incident_id=incident.id, number=1, started_at=since))
        return incident

    def _continue(self, tx: Session, confirmed: Confirmed, *, at: datetime) -> IncidentRow | None:
        """Take up the site's last incident again if it ended a short while ago; None if not."""
        latest = tx.exec(
            select(IncidentRow)
            .where(col(IncidentRow.site) == confirmed.site.slug)
            .order_by(col(IncidentRow.id).desc())
            .limit(1)
            .with_for_update()
        ).first()
        since = confirmed.transition.since
        if (
            latest is None
            or latest.ended_at is None
            or latest.ended_as is not IncidentEnd.RECOVERED
            or since - latest.ended_at > self.incidents.relapse_within
            or tx.get_one(TicketRow, latest.ticket_id).status is Status.CLOSED
        ):
            return None
        last = _last_interval(tx, latest)
        latest.ended_at, latest.ended_as = None, None
        tx.add(
            IncidentIntervalRow(
                incident_id=last.incident_id, number=last.number + 1, started_at=since
            )
        )
        relapse(tx, self.policy, latest.ticket_id, message=_sentence(confirmed), at=at)
        return latest

    def _worsen(
        self, tx: Session, incident: IncidentRow, confirmed: Confirmed, *, at: datetime
    ) -> None:
        """Turn a slow incident into a down one: down covers slow on the same site."""
        cause = confirmed.judgement.cause or incident.cause
        incident.kind, incident.cause = IncidentKind.DOWN, cause
        incident.message = several_lines(confirmed.judgement.message)
        worsen(
            tx,
            self.policy,
            incident.ticket_id,
            title=_title(confirmed),
            what=client_words(cause),
            message=_sentence(confirmed),
            since=confirmed.transition.since,
            at=at,
        )

    def _end(
        self, tx: Session, incident: IncidentRow, transition: Transition, *, at: datetime
    ) -> IncidentRow:
        last = _last_interval(tx, incident)
        # A site that fails again and again sends one recovery mail a while, not one each time.
        before = _interval_before(tx, last)
        is_flapping = (
            before is not None
            and before.ended_at is not None
            and transition.since - before.ended_at <= self.incidents.relapse_within
        )
        finish(tx, incident, ended_at=transition.since, ended_as=IncidentEnd.RECOVERED)
        recover(
            tx,
            self.policy,
            incident.ticket_id,
            since=incident.started_at,
            until=transition.since,
            is_told=not is_flapping,
            at=at,
        )
        return incident


def open_incident(tx: Session, site: str) -> IncidentRow | None:
    """Return the open incident of the site with this slug, locked; None if there is none."""
    query = select(IncidentRow).where(
        col(IncidentRow.site) == site, col(IncidentRow.ended_at).is_(None)
    )
    return tx.exec(query.with_for_update()).first()


def finish(
    tx: Session, incident: IncidentRow, *, ended_at: datetime, ended_as: IncidentEnd
) -> None:
    """End an incident and its last interval."""
    last = _last_interval(tx, incident)
    # A step of the wall clock must not give an incident that ends before it began.
    ended_at = max(ended_at, last.started_at)
    incident.ended_at, incident.ended_as = ended_at, ended_as
    last.ended_at = ended_at


def _last_interval(tx: Session, incident: IncidentRow) -> IncidentIntervalRow:
    query = (
        select(IncidentIntervalRow)
        .where(col(IncidentIntervalRow.incident_id) == incident.id)
        .order_by(col(IncidentIntervalRow.number).desc())
        .limit(1)
    )
    return tx.exec(query).one()


def _interval_before(tx: Session, interval: IncidentIntervalRow) -> IncidentIntervalRow | None:
    return tx.get(IncidentIntervalRow, (interval.incident_id, interval.number - 1))


def _title(confirmed: Confirmed) -> str:
    state = "down" if confirmed.transition.after is Verdict.DOWN else "slow"
    return f"{confirmed.client_name}: {confirmed.site.name} is {state}"


def _sentence(confirmed: Confirmed) -> str:
    message = confirmed.judgement.message
    return message[:1].upper() + message[1:]
