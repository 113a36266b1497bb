"""Every change of a ticket: the ticket, one entry and one message per recipient, together.

Each function needs the open write transaction of its caller and commits nothing. Instants are
arguments, aware UTC. ``ticket.version`` is the number of the newest entry; an action that names an
older version is a ``Conflict`` that tells what happened since.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from tickets import outbox
from tickets.errors import Conflict, NotFound, Refused
from tickets.outbox import Recipient
from tickets.policy import Policy
from tickets.rules.evidence import Evidence
from tickets.rules.notice import Notice
from tickets.rules.promise import MetBy, deadline, is_kept
from tickets.rules.ticket import (
    EARLY_OUTCOMES,
    Action,
    Category,
    Outcome,
    Priority,
    Source,
    Status,
    is_allowed,
    parse_reference,
    reference,
)
from tickets.tables import EntryRow, PromiseRow, StaffRow, TicketRow

MAX_TEXT = 20_000
"""Longest text that a person may add to a ticket, in characters."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a staff member, or a part of Fettle by its name."""

    name: str
    staff_id: int | None = None
    address: str | None = None


MONITOR = Actor("Monitor")
SWEEP = Actor("Fettle")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTicket:
    """What a new ticket is about.

    ``key`` makes two reports the same ticket. ``what`` completes "your website ..." in words for
    the client; ``message`` is the same for staff, with the technical detail. ``since`` is when it
    began, which may lie before the opening.
    """

    key: str | None
    title: str
    client: str
    client_name: str
    site: str | None
    site_name: str | None
    site_url: str | None
    priority: Priority
    category: Category
    source: Source
    notice: Notice
    what: str
    message: str
    since: datetime
    evidence: Evidence = Evidence()


def open_ticket(
    tx: Session, policy: Policy, new: NewTicket, *, actor: Actor, at: datetime
) -> TicketRow:
    """Open a ticket with its promise; contacts and duty are told. Returns the stored row.

    Raises ``sqlalchemy.exc.IntegrityError`` when a ticket that is not closed has the same key.
    """
    ticket = TicketRow(
        key=new.key,
        title=new.title,
        client=new.client,
        client_name=new.client_name,
        site=new.site,
        site_name=new.site_name,
        site_url=new.site_url,
        priority=new.priority,
        status=Status.OPEN,
        category=new.category,
        source=new.source,
        opened_at=at,
        root_message_id="",
        evidence=new.evidence.document(),
    )
    tx.add(ticket)
    tx.flush()
    assert ticket.id is not None
    ticket.root_message_id = outbox.message_id(ticket.id, policy.mail_domain)
    promise = _begin_promise(tx, policy, ticket, number=1, at=at)
    tx.add(
        EntryRow(
            ticket_id=ticket.id,
            number=1,
            at=at,
            action=Action.OPEN,
            actor=actor.name,
            staff_id=actor.staff_id,
            text=new.message,
            after={"status": Status.OPEN, "respond_by": promise.respond_by.isoformat()},
        )
    )
    facts = _promise_facts(policy, promise, at) | {
        "what": new.what,
        "message": new.message,
        "since": new.since.isoformat(),
    }
    _tell(
        tx,
        policy,
        ticket,
        notice=new.notice,
        recipients=(*policy.contacts_of(ticket.client).incidents, *policy.duty),
        facts=facts,
        actor=actor,
        at=at,
    )
    return ticket


def acknowledge(
    tx: Session,
    policy: Policy,
    ref: str,
    *,
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> TicketRow:
    """Record that a named person takes the ticket; keeps a critical promise and tells the client.

    Raises ``NotFound``, or ``Conflict`` when the ticket is not open or ``version`` is stale.
    """
    ticket = get_ticket(tx, ref, version=version)
    _record_breach(tx, ticket, _promise_of(tx, ticket), at=at)
    next_word_by = policy.hours.add(at, policy.update_every)
    is_critical = ticket.priority is Priority.CRITICAL
    _record(
        tx,
        ticket,
        action=Action.ACKNOWLEDGE,
        actor=actor,
        at=at,
        columns={
            "status": Status.ACKNOWLEDGED,
            "assignee_id": ticket.assignee_id or actor.staff_id,
            "update_by": next_word_by if is_critical else None,
        },
    )
    _answer(tx, ticket, action=Action.ACKNOWLEDGE, actor=actor, at=at)
    if is_critical:
        facts = {"by": actor.name, "next_word_by": next_word_by.isoformat()}
        _tell_client(
            tx, policy, ticket, notice=Notice.ACKNOWLEDGED, facts=facts, actor=actor, at=at
        )
    return ticket


def reply(
    tx: Session,
    policy: Policy,
    ref: str,
    *,
    text: str,
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> TicketRow:
    """Send a word to the client; keeps the promise if it still stands and restarts the update clock.

    Raises ``NotFound``, ``Refused`` for an empty or overlong text, or ``Conflict``.
    """
    ticket = get_ticket(tx, ref, version=version)
    _record_breach(tx, ticket, _promise_of(tx, ticket), at=at)
    text = _checked_text(text, field="reply")
    is_outstanding = ticket.status is not Status.RESOLVED
    next_word_by = policy.hours.add(at, policy.update_every)
    has_clock = ticket.priority is Priority.CRITICAL and is_outstanding
    columns: dict[str, Any] = {"update_by": next_word_by if has_clock else None}
    if ticket.status is Status.OPEN:
        columns["status"] = Status.ACKNOWLEDGED
        columns["assignee_id"] = ticket.assignee_id or actor.staff_id
    _record(tx, ticket, action=Action.REPLY, actor=actor, at=at, text=text, columns=columns)
    _answer(tx, ticket, action=Action.REPLY, actor=actor, at=at)
    facts: dict[str, Any] = {"by": actor.name, "text": text}
    if has_clock:
        facts["next_word_by"] = next_word_by.isoformat()
    _tell_client(tx, policy, ticket, notice=Notice.REPLY, facts=facts, actor=actor, at=at)
    return ticket


def note(
    tx: Session, ref: str, *, text: str, actor: Actor, at: datetime, version: int | None = None
) -> TicketRow:
    """Add a note that only staff see; nobody is told.

    Raises ``NotFound``, ``Refused`` for an empty or overlong text, or ``Conflict``.
    """
    ticket = get_ticket(tx, ref, version=version)
    text = _checked_text(text, field="note")
    _record(tx, ticket, action=Action.NOTE, actor=actor, at=at, text=text, is_visible=False)
    return ticket


def resolve(
    tx: Session,
    policy: Policy,
    ref: str,
    *,
    cause: str,
    done: str,
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> TicketRow:
    """Record that the cause is dealt with and tell the client; counts as the reply if none was made.

    ``cause`` says what it was and ``done`` what was done, both in words for the client. Raises
    ``NotFound``, ``Refused`` for an empty or overlong text, or ``Conflict``.
    """
    ticket = get_ticket(tx, ref, version=version)
    _record_breach(tx, ticket, _promise_of(tx, ticket), at=at)
    cause = _checked_text(cause, field="cause")
    done = _checked_text(done, field="what was done")
    _record(
        tx,
        ticket,
        action=Action.RESOLVE,
        actor=actor,
        at=at,
        text=f"Cause: {cause}\nDone: {done}",
        columns={
            "status": Status.RESOLVED,
            "resolved_at": at,
            "update_by": None,
            "assignee_id": ticket.assignee_id or actor.staff_id,
        },
    )
    _answer(tx, ticket, action=Action.RESOLVE, actor=actor, at=at)
    facts = {"by": actor.name, "cause": cause, "done": done}
    _tell_client(tx, policy, ticket, notice=Notice.RESOLVED, facts=facts, actor=actor, at=at)
    return ticket


def close(
    tx: Session,
    ref: str,
    *,
    outcome: Outcome,
    reason: str = "",
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> TicketRow:
    """Close a ticket for good; nobody is told.

    A resolved ticket closes with any outcome; one that is not resolved only as a duplicate or as no
    issue, with a reason. Raises ``NotFound``, ``Refused`` or ``Conflict``.
    """
    ticket = get_ticket(tx, ref, version=version)
    if ticket.status is not Status.RESOLVED and is_allowed(Action.CLOSE, ticket.status):
        if outcome not in EARLY_OUTCOMES:
            allowed = " or ".join(sorted(EARLY_OUTCOMES))
            raise Refused(
                f"{ref} is {ticket.status}, not resolved: it can only be closed as {allowed}"
            )
        reason = _checked_text(reason, field="reason")
    _record(
        tx,
        ticket,
        action=Action.CLOSE,
        actor=actor,
        at=at,
        text=reason,
        is_visible=False,
        columns={
            "status": Status.CLOSED,
            "outcome": outcome,
            "closed_at": at,
            "update_by": None,
        },
    )
    return ticket


def reopen(
    tx: Session,
    policy: Policy,
    ref: str,
    *,
    reason: str,
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> TicketRow:
    """Take up a resolved ticket again with a new promise from now; the old one stays as it was.

    The client and, when a machine reopens it, duty are told. Raises ``NotFound``, ``Refused`` or
    ``Conflict``.
    """
    ticket = get_ticket(tx, ref, version=version)
    reason = _checked_text(reason, field="reason")
    status = Status.ACKNOWLEDGED if ticket.assignee_id else Status.OPEN
    _record(
        tx,
        ticket,
        action=Action.REOPEN,
        actor=actor,
        at=at,
        text=reason,
        columns={
            "status": status,
            "resolved_at": None,
            "recovered_at": None,
            "promise_number": ticket.promise_number + 1,
        },
    )
    promise = _begin_promise(tx, policy, ticket, number=ticket.promise_number, at=at)
    facts = _promise_facts(policy, promise, at) | {"message": reason}
    contacts = policy.contacts_of(ticket.client).incidents
    _tell(
        tx,
        policy,
        ticket,
        notice=Notice.REOPENED,
        recipients=(*contacts, *_carers(tx, policy, ticket)),
        facts=facts,
        actor=actor,
        at=at,
    )
    return ticket


def recover(
    tx: Session, policy: Policy, ticket_id: int, *, since: datetime, until: datetime, at: datetime
) -> TicketRow:
    """Record that the probes see the site well again; the ticket stays with the people.

    ``since`` and ``until`` bound the incident. Contacts, and the assignee or else duty, are told.
    """
    ticket = get_ticket(tx, reference(ticket_id))
    _record(
        tx,
        ticket,
        action=Action.RECOVER,
        actor=MONITOR,
        at=at,
        text="The site answers well again",
        columns={"recovered_at": at},
    )
    seconds = max((until - since).total_seconds(), 0.0)
    facts = {
        "since": since.isoformat(),
        "until": until.isoformat(),
        "duration_seconds": seconds,
        "is_outstanding": ticket.status not in {Status.RESOLVED, Status.CLOSED},
    }
    contacts = policy.contacts_of(ticket.client).incidents
    _tell(
        tx,
        policy,
        ticket,
        notice=Notice.RECOVERED,
        recipients=(*contacts, *_carers(tx, policy, ticket)),
        facts=facts,
        actor=MONITOR,
        at=at,
    )
    return ticket


def relapse(
    tx: Session, policy: Policy, ticket_id: int, *, message: str, at: datetime
) -> TicketRow:
    """Record that the same incident goes on: no new ticket and no mail.

    A ticket that was resolved meanwhile is reopened instead, with a new promise, and people are
    told. Raises ``Conflict`` when the ticket is closed.
    """
    ticket = get_ticket(tx, reference(ticket_id))
    if ticket.status is Status.RESOLVED:
        reason = f"It happens again: {message}"
        return reopen(tx, policy, reference(ticket_id), reason=reason, actor=MONITOR, at=at)
    if ticket.status is Status.CLOSED:
        raise Conflict(f"{reference(ticket_id)} is closed and cannot take up a relapse")
    _record(
        tx,
        ticket,
        action=Action.RELAPSE,
        actor=MONITOR,
        at=at,
        text=message,
        columns={"recovered_at": None},
    )
    return ticket


def worsen(
    tx: Session,
    policy: Policy,
    ticket_id: int,
    *,
    title: str,
    what: str,
    message: str,
    since: datetime,
    at: datetime,
) -> TicketRow:
    """Record that a slow site is now down: same ticket, same promise; people are told."""
    ticket = get_ticket(tx, reference(ticket_id))
    _record(
        tx,
        ticket,
        action=Action.WORSEN,
        actor=MONITOR,
        at=at,
        text=message,
        columns={"title": title, "category": Category.OUTAGE},
    )
    facts = _promise_facts(policy, _promise_of(tx, ticket), at) | {
        "what": what,
        "message": message,
        "since": since.isoformat(),
    }
    contacts = policy.contacts_of(ticket.client).incidents
    _tell(
        tx,
        policy,
        ticket,
        notice=Notice.DOWN,
        recipients=(*contacts, *_carers(tx, policy, ticket)),
        facts=facts,
        actor=MONITOR,
        at=at,
    )
    return ticket


def unwatch(tx: Session, ticket_id: int, *, at: datetime) -> TicketRow:
    """Record that the site is no longer watched: its incident ended, the ticket stays."""
    ticket = get_ticket(tx, reference(ticket_id))
    text = "The site is no longer watched: it was removed from the configuration"
    _record(tx, ticket, action=Action.UNWATCH, actor=SWEEP, at=at, text=text, is_visible=False)
    return ticket


def breach(tx: Session, policy: Policy, ticket_id: int, *, at: datetime) -> bool:
    """Record once that the current promise's deadline passed unanswered; duty and lead are told.

    Returns False, and changes nothing, when it was answered, is not due, or was recorded before.
    """
    ticket = get_ticket(tx, reference(ticket_id))
    promise = _promise_of(tx, ticket)
    if not _record_breach(tx, ticket, promise, at=at):
        return False
    facts = _promise_facts(policy, promise, at)
    recipients = (*_carers(tx, policy, ticket), *policy.lead)
    _tell(
        tx,
        policy,
        ticket,
        notice=Notice.BREACHED,
        recipients=recipients,
        facts=facts,
        actor=SWEEP,
        at=at,
    )
    return True


def get_ticket(tx: Session, ref: str, *, version: int | None = None) -> TicketRow:
    """Return the ticket that ``ref`` names, locked for change.

    Raises ``NotFound``; ``Conflict`` with the entries since when ``version`` is not the newest.
    """
    number = parse_reference(ref)
    ticket = (
        tx.exec(select(TicketRow).where(col(TicketRow.id) == number).with_for_update()).first()
        if number is not None
        else None
    )
    if ticket is None:
        raise NotFound(f"there is no ticket {ref!r}; a reference looks like {reference(42)}")
    if version is not None and version != ticket.version:
        raise Conflict(_what_changed(tx, ticket, version))
    return ticket


def _what_changed(tx: Session, ticket: TicketRow, version: int) -> str:
    entries = tx.exec(
        select(EntryRow)
        .where(col(EntryRow.ticket_id) == ticket.id, col(EntryRow.number) > version)
        .order_by(col(EntryRow.number))
        .limit(5)
    ).all()
    changes = "; ".join(f"{entry.actor}: {entry.action}" for entry in entries)
    name = reference(ticket.id or 0)
    return f"{name} has changed since you read it ({changes or 'unknown version'}): look again"


def _record(
    tx: Session,
    ticket: TicketRow,
    *,
    action: Action,
    actor: Actor,
    at: datetime,
    text: str = "",
    is_visible: bool = True,
    columns: Mapping[str, Any] | None = None,
) -> None:
    if not is_allowed(action, ticket.status):
        name = reference(ticket.id or 0)
        raise Conflict(f"{name} is {ticket.status}: '{action}' is not possible from there")
    changed = {
        name: value for name, value in (columns or {}).items() if getattr(ticket, name) != value
    }
    before = {name: _document(getattr(ticket, name)) for name in changed}
    for name, value in changed.items():
        setattr(ticket, name, value)
    ticket.version += 1
    assert ticket.id is not None
    tx.add(
        EntryRow(
            ticket_id=ticket.id,
            number=ticket.version,
            at=at,
            action=action,
            actor=actor.name,
            staff_id=actor.staff_id,
            text=text,
            is_visible=is_visible,
            before=before,
            after={name: _document(value) for name, value in changed.items()},
        )
    )
    tx.flush()


def _document(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


def _begin_promise(
    tx: Session, policy: Policy, ticket: TicketRow, *, number: int, at: datetime
) -> PromiseRow:
    target = policy.targets[ticket.priority]
    due = deadline(policy.hours, target, at)
    assert ticket.id is not None
    promise = PromiseRow(
        ticket_id=ticket.id,
        number=number,
        started_at=at,
        target_seconds=int(target.within.total_seconds()),
        counted_in=target.counted_in,
        met_by=target.met_by,
        respond_by=due.respond_by,
        derivation=due.derivation(),
    )
    tx.add(promise)
    return promise


def _promise_of(tx: Session, ticket: TicketRow) -> PromiseRow:
    return tx.exec(
        select(PromiseRow).where(
            col(PromiseRow.ticket_id) == ticket.id,
            col(PromiseRow.number) == ticket.promise_number,
        )
    ).one()


def _answer(tx: Session, ticket: TicketRow, *, action: Action, actor: Actor, at: datetime) -> None:
    """Meet the promise, once, if ``action`` is what meets it."""
    promise = _promise_of(tx, ticket)
    if action is Action.ACKNOWLEDGE and promise.met_by is not MetBy.ACKNOWLEDGEMENT:
        return
    if promise.answered_at is not None:
        return
    promise.answered_at = at
    promise.answered_by = actor.name
    promise.answered_with = action


def _record_breach(tx: Session, ticket: TicketRow, promise: PromiseRow, *, at: datetime) -> bool:
    if promise.answered_at is not None or is_kept(at, promise.respond_by):
        return False
    won = tx.exec(
        sa.update(PromiseRow)
        .where(
            col(PromiseRow.ticket_id) == promise.ticket_id,
            col(PromiseRow.number) == promise.number,
            col(PromiseRow.breached_at).is_(None),
        )
        .values(breached_at=promise.respond_by)
    )
    if won.rowcount != 1:
        return False
    text = "The response deadline passed without an answer"
    _record(tx, ticket, action=Action.BREACH, actor=SWEEP, at=at, text=text, is_visible=False)
    return True


def _promise_facts(policy: Policy, promise: PromiseRow, at: datetime) -> dict[str, Any]:
    is_open = policy.hours.is_open(at)
    return {
        "respond_by": promise.respond_by.isoformat(),
        "is_support_open": is_open,
        "resumes_at": None if is_open else policy.hours.next_open(at).isoformat(),
    }


def _carers(tx: Session, policy: Policy, ticket: TicketRow) -> Sequence[Recipient]:
    """Return who on the staff cares for the ticket: its assignee, else duty."""
    if ticket.assignee_id is None:
        return policy.duty
    staff = tx.get_one(StaffRow, ticket.assignee_id)
    if staff.disabled_at is not None:
        return policy.duty
    return (outbox.staff_recipient(staff.email, staff.name),)


def _tell_client(
    tx: Session,
    policy: Policy,
    ticket: TicketRow,
    *,
    notice: Notice,
    facts: Mapping[str, Any],
    actor: Actor,
    at: datetime,
) -> None:
    contacts = policy.contacts_of(ticket.client).incidents
    _tell(tx, policy, ticket, notice=notice, recipients=contacts, facts=facts, actor=actor, at=at)


def _tell(
    tx: Session,
    policy: Policy,
    ticket: TicketRow,
    *,
    notice: Notice,
    recipients: Sequence[Recipient],
    facts: Mapping[str, Any],
    actor: Actor,
    at: datetime,
) -> None:
    """Write the messages of the newest entry; the person who acts is not told."""
    name = reference(ticket.id or 0)
    common = {
        "reference": name,
        "title": ticket.title,
        "client_name": ticket.client_name,
        "site_name": ticket.site_name,
        "site_url": ticket.site_url,
        "priority": ticket.priority.value,
        "agency_name": policy.agency_name,
        "zone": policy.zone.key,
        "desk_url": f"{policy.base_url}/tickets/{name}",
        "at": at.isoformat(),
    }
    own = (actor.address or "").lower()
    outbox.put(
        tx,
        ticket,
        notice=notice,
        recipients=[person for person in recipients if person.address.lower() != own],
        facts={**common, **facts},
        domain=policy.mail_domain,
        at=at,
    )


def _checked_text(text: str, *, field: str) -> str:
    text = text.replace("\r\n", "\n").strip()
    if not text:
        raise Refused(f"the {field} is empty: write at least one word")
    if len(text) > MAX_TEXT:
        raise Refused(f"the {field} has {len(text)} characters; at most {MAX_TEXT} are allowed")
    return text
