"""Waiting for the client: a question with the date on which work resumes, and what ends it.

Every function needs the open write transaction of its caller and commits nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from sqlmodel import Session, col, select

from tickets.actions import reopen
from tickets.errors import Refused
from tickets.history import SWEEP, Actor, get_ticket, record, refusal
from tickets.notices import carers, tell, tell_client
from tickets.policy import Policy
from tickets.promises import promise_facts, take_up
from tickets.rules.hours import SupportHours
from tickets.rules.notice import Notice
from tickets.rules.ticket import WAIT_DAYS, Action, Priority, Status, reference
from tickets.rules.words import format_date
from tickets.tables import TicketRow
from tickets.texts import checked_text

_ONE_DAY = timedelta(days=1)


def wait(
    tx: Session,
    policy: Policy,
    ref: str,
    *,
    question: str,
    resume_on: date,
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> TicketRow:
    """Ask the client and wait until ``resume_on``, a local date; the update clock is paused.

    The promise is untouched, and must be met before. Raises ``NotFound``, ``Refused`` for an empty
    question or a date that is no support day within ``WAIT_DAYS`` of them, or ``Conflict``.
    """
    action = Action.WAIT
    ticket, promise = take_up(tx, ref, action=action, actor=actor, at=at, version=version)
    if promise.answered_at is None:
        raise refusal(
            ticket, action, actor, "its promise is not met; reply to the client before you wait"
        )
    question = checked_text(question, field="question")
    resume_at = resume_instant(policy.hours_of(ticket.client), resume_on, now=at)
    record(
        tx,
        ticket,
        action=action,
        actor=actor,
        at=at,
        text=question,
        columns={"status": Status.WAITING, "resume_at": resume_at, "update_by": None},
    )
    facts = {"by": actor.name, "text": question, "resume_at": resume_at.isoformat()}
    tell_client(tx, policy, ticket, notice=Notice.QUESTION, facts=facts, actor=actor, at=at)
    return ticket


def resume_instant(hours: SupportHours, on: date, *, now: datetime) -> datetime:
    """Return when support opens on the local date ``on``; raises ``Refused`` with what is allowed.

    Allowed are support days after today, up to ``WAIT_DAYS`` of them ahead.
    """
    today, last = resume_limits(hours, now=now)
    allowed = f"choose a support day from {format_date(today + _ONE_DAY)} to {format_date(last)}"
    if on <= today:
        raise Refused(f"the resume date {format_date(on)} is not ahead: {allowed}")
    if on > last:
        raise Refused(
            f"the resume date {format_date(on)} is more than {WAIT_DAYS} support days ahead: "
            f"{allowed}"
        )
    why_closed = hours.day(on).why_closed
    if why_closed is not None:
        raise Refused(
            f"the resume date {format_date(on)} is no support day ({why_closed}): {allowed}"
        )
    return hours.next_open(datetime.combine(on, time(), hours.zone))


def resume_limits(hours: SupportHours, *, now: datetime) -> tuple[date, date]:
    """Return today's local date, after which a resume date lies, and the last one allowed."""
    last = hours.add_days(now, WAIT_DAYS).astimezone(hours.zone).date()
    return now.astimezone(hours.zone).date(), last


def resume(
    tx: Session,
    policy: Policy,
    ref: str,
    *,
    text: str = "",
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> TicketRow:
    """Go on with the work: the client's update clock runs again.

    ``text``, for staff, may say why. Raises ``NotFound``, ``Refused`` or ``Conflict``.
    """
    ticket, _promise = take_up(tx, ref, action=Action.RESUME, actor=actor, at=at, version=version)
    text = checked_text(text, field="text") if text.strip() else ""
    _resume(tx, policy, ticket, text=text, is_visible=False, actor=actor, at=at)
    return ticket


def resume_due(tx: Session, policy: Policy, ticket_id: int, *, at: datetime) -> bool:
    """Resume a ticket whose date is reached; whoever cares for it is told.

    Returns False, and changes nothing, when it does not wait or its date lies ahead.
    """
    ticket = get_ticket(tx, reference(ticket_id))
    if ticket.status is not Status.WAITING or ticket.resume_at is None or ticket.resume_at > at:
        return False
    text = "The date until which we waited for the client is reached"
    _resume(tx, policy, ticket, text=text, is_visible=True, actor=SWEEP, at=at)
    next_word = None if ticket.update_by is None else ticket.update_by.isoformat()
    tell(
        tx,
        policy,
        ticket,
        notice=Notice.RESUMED,
        recipients=carers(tx, policy, ticket),
        facts={"by": SWEEP.name, "next_word_by": next_word},
        actor=SWEEP,
        at=at,
    )
    return True


def list_resumable(tx: Session, now: datetime, *, most: int) -> Sequence[int]:
    """Return the row numbers of waiting tickets whose date is reached, the earliest first."""
    query = (
        select(TicketRow.id)
        .where(col(TicketRow.status) == Status.WAITING, col(TicketRow.resume_at) <= now)
        .order_by(col(TicketRow.resume_at))
        .limit(most)
    )
    return [number for number in tx.exec(query).all() if number is not None]


def client_reply(
    tx: Session,
    policy: Policy,
    ref: str,
    *,
    text: str,
    files: Sequence[str] = (),
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> TicketRow:
    """Record what somebody at the client writes; whoever cares for the ticket is told.

    ``files`` are the names of what comes with it, which the caller keeps (see ``attachments``).
    It resumes a waiting ticket and reopens a resolved one, and is no answer to a promise.
    ``actor`` is the person at the client. Raises ``NotFound``, ``Refused`` or ``Conflict``: a
    closed ticket stays closed.
    """
    text = checked_text(text, field="reply")
    ticket = get_ticket(tx, ref, version=version)
    if ticket.status is Status.RESOLVED:
        return reopen(tx, policy, ref, reason=text, actor=actor, at=at)
    action = Action.RESUME if ticket.status is Status.WAITING else Action.CLIENT_REPLY
    ticket, promise = take_up(tx, ref, action=action, actor=actor, at=at)
    if action is Action.RESUME:
        _resume(tx, policy, ticket, text=text, is_visible=True, actor=actor, at=at)
    else:
        record(tx, ticket, action=action, actor=actor, at=at, text=text)
    tell(
        tx,
        policy,
        ticket,
        notice=Notice.CLIENT_REPLIED,
        recipients=carers(tx, policy, ticket),
        facts=promise_facts(policy, ticket, promise, at)
        | {"by": actor.name, "text": text, "files": ", ".join(files) or None},
        actor=actor,
        at=at,
    )
    return ticket


def _resume(
    tx: Session,
    policy: Policy,
    ticket: TicketRow,
    *,
    text: str,
    is_visible: bool,
    actor: Actor,
    at: datetime,
) -> None:
    is_critical = ticket.priority is Priority.CRITICAL
    record(
        tx,
        ticket,
        action=Action.RESUME,
        actor=actor,
        at=at,
        text=text,
        is_visible=is_visible,
        columns={
            "status": Status.ACKNOWLEDGED,
            "resume_at": None,
            "update_by": policy.hours_of(ticket.client).add(at, policy.update_every)
            if is_critical
            else None,
        },
    )
