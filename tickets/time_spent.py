"""Time spent on tickets, against the client's monthly allowance.

Every function needs the open write transaction of its caller and commits nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlmodel import Session

from tickets.errors import Refused
from tickets.history import Actor, Beside, check_allowed, get_ticket, record
from tickets.notices import tell
from tickets.policy import Policy
from tickets.rules.allowance import crossed, month_of
from tickets.rules.notice import Notice
from tickets.rules.ticket import MACHINE_SOURCES, Action
from tickets.rules.words import format_date, format_hours, format_month
from tickets.tables import AllowanceWarningRow, TicketRow, TimeSpentRow
from tickets.texts import MAX_TITLE, checked_text
from tickets.work import counted_time

MOST_MINUTES = 24 * 60
"""Most minutes of one piece of work: it belongs to one date."""

OLDEST_WORK = timedelta(days=366)
"""How long after it work may still be logged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What somebody did: how many minutes, on which local date, and what."""

    minutes: int
    worked_on: date
    text: str


def log_time(
    tx: Session,
    policy: Policy,
    ref: str,
    *,
    work: Work,
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> TicketRow:
    """Log work on a ticket, also on one that is closed.

    The lead is told once a month when the client's allowance is used to 80 % and to 100 %. Raises
    ``NotFound``, ``Refused`` for what is not allowed, or ``Conflict`` for a stale version.
    """
    ticket = get_ticket(tx, ref, version=version)
    check_allowed(ticket, Action.LOG_TIME, actor=actor)
    text = checked_text(work.text, field="text", most=10 * MAX_TITLE)
    minutes, worked_on = work.minutes, work.worked_on
    _check_time(policy, work, at=at)
    profile = policy.clients.get(ticket.client)
    allowance = profile.allowance if profile else None
    counts_incidents = allowance is not None and allowance.counts_incidents
    is_counted = counts_incidents or ticket.source not in MACHINE_SOURCES
    before = counted_time(tx, ticket.client, worked_on)
    uncounted = "" if is_counted else ", not counted against the allowance"
    record(
        tx,
        ticket,
        action=Action.LOG_TIME,
        actor=actor,
        at=at,
        text=f"{format_hours(timedelta(minutes=minutes))} on {format_date(worked_on)}"
        f"{uncounted}: {text}",
        is_visible=False,
        beside=Beside(added={"minutes": minutes}),
    )
    assert ticket.id is not None
    tx.add(
        TimeSpentRow(
            ticket_id=ticket.id,
            entry_number=ticket.version,
            client=ticket.client,
            worked_on=worked_on,
            minutes=minutes,
            actor=actor.name,
            staff_id=actor.staff_id,
            text=text,
            is_counted=is_counted,
        )
    )
    if allowance is None or not is_counted:
        return ticket
    spent = before + timedelta(minutes=minutes)
    shares = crossed(allowance, before=before, after=spent)
    share = _untold(tx, ticket.client, shares, on=worked_on, at=at)
    if share is not None:
        facts = {
            "by": actor.name,
            "share": share,
            "month": format_month(worked_on),
            "spent": format_hours(spent),
            "per_month": format_hours(allowance.per_month),
        }
        notice = Notice.ALLOWANCE
        lead = policy.lead
        tell(tx, policy, ticket, notice=notice, recipients=lead, facts=facts, actor=actor, at=at)
    return ticket


def _check_time(policy: Policy, work: Work, *, at: datetime) -> None:
    minutes, worked_on = work.minutes, work.worked_on
    if not 1 <= minutes <= MOST_MINUTES:
        raise Refused(
            f"the minutes are {minutes}: allowed are 1 to {MOST_MINUTES}, one date's worth"
        )
    today = at.astimezone(policy.zone).date()
    oldest = today - OLDEST_WORK
    if not oldest <= worked_on <= today:
        raise Refused(
            f"the date of the work is {format_date(worked_on)}: allowed are "
            f"{format_date(oldest)} to {format_date(today)}"
        )


def _untold(
    tx: Session, client: str, shares: tuple[int, ...], *, on: date, at: datetime
) -> int | None:
    """Note that the lead is told of ``shares`` in the month of ``on``; return the highest new."""
    month = month_of(on)
    new = [share for share in shares if tx.get(AllowanceWarningRow, (client, month, share)) is None]
    for share in new:
        tx.add(AllowanceWarningRow(client=client, month=month, share=share, told_at=at))
    return max(new, default=None)
