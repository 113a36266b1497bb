"""Calendars as they were put into use, version by version, and what a new one would change.

A deadline that was promised stays (decision 5): a new version tells what the open ones would be,
so that a person can decide. Every function needs a transaction of its caller, those that change
something a write transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import cast
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from tickets.outbox import StaffNotice, put_notice
from tickets.policy import Policy
from tickets.rules.calendar import (
    CalendarChange,
    CalendarDays,
    compare,
    days_of,
    read_change,
)
from tickets.rules.hours import SupportHours, parse_week
from tickets.rules.notice import Notice
from tickets.rules.promise import ResponseTarget, deadline
from tickets.rules.ticket import OPEN_STATUSES, Priority, reference
from tickets.tables import CalendarRow, PromiseRow, TicketRow

AGENCY = ""
"""Stands for the agency's own calendar where others are named by their client."""

KNOWN_FOR = timedelta(days=548)
"""For how long holidays should be known: 18 months (contract, section 6)."""

MOST_DEADLINES = 50
"""Open tickets whose deadlines are compared, the next due first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedDeadline:
    """An unanswered promise and where its deadline would lie; None beyond the calendar."""

    reference: str
    respond_by: datetime
    would_be: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How a calendar differs from its version in use, which is ``version``."""

    client: str
    version: int
    change: CalendarChange
    deadlines: tuple[MovedDeadline, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LastChange:
    """The newest change of a calendar that was put into use."""

    client: str
    version: int
    made_at: datetime
    source: str
    change: CalendarChange


def find_drifts(tx: Session, policy: Policy) -> Sequence[Drift]:
    """Return how the calendars of ``policy`` differ from those in use, the agency's first.

    One that was never put into use differs from nothing.
    """
    drifts: list[Drift] = []
    for client, hours in _calendars(policy):
        row = _newest(tx, client)
        change = None if row is None else compare(_days(row), days_of(hours))
        if row is not None and change:
            drifts.append(
                Drift(
                    client=client,
                    version=row.version,
                    change=change,
                    deadlines=tuple(_moved(tx, policy, client, hours)),
                )
            )
    return drifts


def put_into_use(tx: Session, policy: Policy, *, source: str, at: datetime) -> Sequence[Drift]:
    """Store the calendars of ``policy`` that differ from those in use, as new versions.

    ``source`` says from what their holidays come. Returns the differences.
    """
    drifts = {drift.client: drift for drift in find_drifts(tx, policy)}
    for client, hours in _calendars(policy):
        row, days = _newest(tx, client), days_of(hours)
        if row is not None and row.digest == days.digest and row.last == days.last:
            continue
        drift = drifts.get(client)
        if row is not None and drift is None:  # only the years that it knows have moved on
            row.first, row.last, row.digest = days.first, days.last, days.digest
            row.days = dict(days.days_document())
            continue
        tx.add(
            CalendarRow(
                client=client,
                version=1 if row is None else row.version + 1,
                made_at=at,
                digest=days.digest,
                source=source,
                first=days.first,
                last=days.last,
                week=dict(days.week_document()),
                days=dict(days.days_document()),
                change={} if drift is None else drift.change.document(),
            )
        )
    return list(drifts.values())


def find_last_change(tx: Session) -> LastChange | None:
    """Return the newest change of any calendar, None if none was ever changed."""
    query = (
        select(CalendarRow)
        .where(col(CalendarRow.version) > 1)
        .order_by(col(CalendarRow.made_at).desc(), col(CalendarRow.client))
        .limit(1)
    )
    row = tx.exec(query).first()
    if row is None:
        return None
    return LastChange(
        client=row.client,
        version=row.version,
        made_at=row.made_at,
        source=row.source,
        change=read_change(row.change),
    )


def ends_soon(policy: Policy, now: datetime) -> date | None:
    """Return the last date that some calendar knows, if that is within 18 months, else None."""
    last = min(hours.last for _, hours in _calendars(policy))
    return last if last < (now + KNOWN_FOR).astimezone(policy.zone).date() else None


def tell_ending(tx: Session, policy: Policy, *, at: datetime) -> bool:
    """Tell the lead, once for each last date, that holidays are known for less than 18 months."""
    last = ends_soon(policy, at)
    if last is None:
        return False
    ending = StaffNotice(
        key=f"calendar ends {last}",
        thread="calendar",
        notice=Notice.CALENDAR_ENDS,
        facts={
            "title": "Calendar",
            "until": _end_of(last, policy).isoformat(),
            "priority": Priority.NORMAL.value,
            "agency_name": policy.agency_name,
            "zone": policy.zone.key,
            "desk_url": f"{policy.base_url}/calendar",
            "at": at.isoformat(),
        },
        priority=Priority.NORMAL,
    )
    recipients = policy.lead or policy.duty
    return put_notice(tx, ending, recipients=recipients, domain=policy.mail_domain, at=at)


def _end_of(last: date, policy: Policy) -> datetime:
    return datetime.combine(last + timedelta(days=1), time(), policy.zone)


def _calendars(policy: Policy) -> Iterator[tuple[str, SupportHours]]:
    """Yield the agency's calendar and those of clients that have their own."""
    yield AGENCY, policy.hours
    for client, promises in policy.promises.items():
        if promises.hours is not policy.hours:
            yield client, promises.hours


def _newest(tx: Session, client: str) -> CalendarRow | None:
    query = (
        select(CalendarRow)
        .where(col(CalendarRow.client) == client)
        .order_by(col(CalendarRow.version).desc())
        .limit(1)
    )
    return tx.exec(query).first()


def _days(row: CalendarRow) -> CalendarDays:
    names = cast("Mapping[str, str]", row.days)
    return CalendarDays(
        first=row.first,
        last=row.last,
        week=cast("Mapping[str, Sequence[str]]", row.week),
        days={date.fromisoformat(on): name for on, name in names.items()},
    )


def hours_of_row(row: CalendarRow, zone: ZoneInfo) -> SupportHours:
    """Return a stored version as a calendar that answers for every date.

    Before and after the days that it was stored with it knows no holiday.
    """
    days = _days(row)
    return SupportHours(zone, parse_week(days.week), days_off=days.days)


def _moved(
    tx: Session, policy: Policy, client: str, hours: SupportHours
) -> Iterator[MovedDeadline]:
    """Yield the unanswered promises counted on this calendar whose deadline it would move."""
    own = {slug for slug, _ in _calendars(policy) if slug}
    query = (
        select(PromiseRow, TicketRow.client)
        .join(
            TicketRow,
            (col(TicketRow.id) == col(PromiseRow.ticket_id))
            & (col(TicketRow.promise_number) == col(PromiseRow.number)),
        )
        .where(
            col(PromiseRow.answered_at).is_(None),
            col(PromiseRow.breached_at).is_(None),
            col(TicketRow.status).in_([*OPEN_STATUSES]),
        )
        .order_by(col(PromiseRow.respond_by))
    )
    if client != AGENCY:
        query = query.where(col(TicketRow.client) == client)
    elif own:
        query = query.where(col(TicketRow.client).not_in(own))
    for promise, _ in tx.exec(query.limit(MOST_DEADLINES)).all():
        target = ResponseTarget(
            within=timedelta(seconds=promise.target_seconds),
            counted_in=promise.counted_in,
            met_by=promise.met_by,
        )
        try:
            would_be = deadline(hours, target, promise.started_at).respond_by
        except ValueError:
            would_be = None
        if would_be != promise.respond_by:
            yield MovedDeadline(
                reference=reference(promise.ticket_id),
                respond_by=promise.respond_by,
                would_be=would_be,
            )
