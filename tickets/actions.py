"""What people do to a ticket: the ticket, one entry and one message per recipient, together.

Acknowledge, reply, note, resolve, close, reopen; further actions stand in ``triage``, ``waiting``,
``relations`` and ``time_spent``. Each function needs the open write transaction of its caller and
commits nothing. Instants are arguments, aware UTC. An action that names an older version than the
ticket's is a ``Conflict`` that tells what happened since; one that the ticket's status does not
allow is ``ActionRefused``, which ``tickets.refusals`` records.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session

from tickets.errors import Refused
from tickets.history import MONITOR, Actor, Beside, check_allowed, get_ticket, record, refusal
from tickets.notices import tell_all, tell_client
from tickets.policy import Policy
from tickets.promises import answered, begin_promise, promise_facts, promise_of, take_up
from tickets.rules.notice import Notice
from tickets.rules.promise import MetBy
from tickets.rules.ticket import (
    EARLY_OUTCOMES,
    NOT_YET_KNOWN,
    REOPEN_DAYS,
    RESOLVING_OUTCOMES,
    Action,
    Outcome,
    Priority,
    Status,
    reference,
)
from tickets.rules.words import format_instant
from tickets.tables import PromiseRow, TicketRow
from tickets.texts import MAX_TEXT, MAX_TITLE, checked_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What the client may expect; either may be ``NOT_YET_KNOWN``, and is missing if empty."""

    next_steps: str = ""
    estimate: str = ""


NOTHING_KNOWN = Outlook(next_steps=NOT_YET_KNOWN, estimate=NOT_YET_KNOWN)
"""The outlook of a reply that says so."""


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
    action = Action.ACKNOWLEDGE
    ticket, promise = take_up(tx, ref, action=action, actor=actor, at=at, version=version)
    next_word_by = policy.hours_of(ticket.client).add(at, policy.update_every)
    # What keeps a promise is told to the client, also after the priority was lowered.
    is_told = ticket.priority is Priority.CRITICAL or promise.met_by is MetBy.ACKNOWLEDGEMENT
    record(
        tx,
        ticket,
        action=action,
        actor=actor,
        at=at,
        columns={
            "status": Status.ACKNOWLEDGED,
            "assignee_id": ticket.assignee_id or actor.staff_id,
            "update_by": next_word_by if is_told else None,
        },
        beside=Beside(
            promise=promise, columns=answered(promise, action=action, actor=actor, at=at)
        ),
    )
    if is_told:
        facts = {"by": actor.name, "next_word_by": next_word_by.isoformat()}
        tell_client(tx, policy, ticket, notice=Notice.ACKNOWLEDGED, facts=facts, actor=actor, at=at)
    return ticket


def reply(  # noqa: PLR0913  (what people send, each by its name)
    tx: Session,
    policy: Policy,
    ref: str,
    *,
    text: str,
    files: Sequence[str] = (),
    outlook: Outlook | None = None,
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> TicketRow:
    """Send a word to the client; answers the promise and restarts the update clock.

    ``files`` are the names of what comes with it, which the caller keeps (see ``attachments``):
    the mail names them, and the client finds them on the ticket's page. The reply that answers
    the promise of a normal or low ticket needs an ``outlook``.
    Raises ``NotFound``, ``Refused`` for an empty or overlong text, or ``Conflict``.
    """
    action = Action.REPLY
    ticket, promise = take_up(tx, ref, action=action, actor=actor, at=at, version=version)
    text = checked_text(text, field="reply")
    told = _checked_outlook(ticket, promise, outlook or Outlook())
    is_outstanding = ticket.status not in {Status.RESOLVED, Status.WAITING}
    next_word_by = policy.hours_of(ticket.client).add(at, policy.update_every)
    has_clock = ticket.priority is Priority.CRITICAL and is_outstanding
    columns: dict[str, Any] = {"update_by": next_word_by if has_clock else None, **told}
    if ticket.status is Status.OPEN:
        columns["status"] = Status.ACKNOWLEDGED
        columns["assignee_id"] = ticket.assignee_id or actor.staff_id
    record(
        tx,
        ticket,
        action=action,
        actor=actor,
        at=at,
        text=_with_outlook(text, told),
        columns=columns,
        beside=Beside(
            promise=promise, columns=answered(promise, action=action, actor=actor, at=at)
        ),
    )
    facts: dict[str, Any] = {"by": actor.name, "text": text, **told}
    if files:
        facts["files"] = ", ".join(files)
    if has_clock:
        facts["next_word_by"] = next_word_by.isoformat()
    tell_client(tx, policy, ticket, notice=Notice.REPLY, facts=facts, actor=actor, at=at)
    return ticket


def needs_outlook(priority: Priority, *, is_answered: bool) -> bool:
    """Tell whether the next reply must carry next steps and an estimate."""
    return priority is not Priority.CRITICAL and not is_answered


def _checked_outlook(ticket: TicketRow, promise: PromiseRow, outlook: Outlook) -> dict[str, str]:
    """Return next steps and estimate as columns, those that are given."""
    is_needed = needs_outlook(ticket.priority, is_answered=promise.answered_at is not None)
    told: dict[str, str] = {}
    for name, given, most, missing in (
        ("next_steps", outlook.next_steps, MAX_TEXT, "next steps are missing"),
        ("estimate", outlook.estimate, MAX_TITLE, "estimate is missing"),
    ):
        if given.strip():
            told[name] = checked_text(given, field=name.replace("_", " "), most=most)
        elif is_needed:
            raise Refused(
                f"the {missing}: the first reply to a {ticket.priority} ticket says next steps and "
                f"an estimate, or '{NOT_YET_KNOWN}'"
            )
    return told


def _with_outlook(text: str, told: dict[str, str]) -> str:
    labels = {"next_steps": "Next steps", "estimate": "Estimate"}
    lines = [f"{labels[name]}: {words}" for name, words in told.items()]
    return "\n\n".join([text, *(["\n".join(lines)] if lines else [])])


def note(
    tx: Session, ref: str, *, text: str, actor: Actor, at: datetime, version: int | None = None
) -> TicketRow:
    """Add a note that only staff see; nobody is told.

    Raises ``NotFound``, ``Refused`` for an empty or overlong text, or ``Conflict``.
    """
    ticket = get_ticket(tx, ref, version=version)
    text = checked_text(text, field="note")
    record(tx, ticket, action=Action.NOTE, actor=actor, at=at, text=text, is_visible=False)
    return ticket


def resolve(  # noqa: PLR0913  (what people say, each by its name)
    tx: Session,
    policy: Policy,
    ref: str,
    *,
    cause: str,
    done: str,
    outcome: Outcome = Outcome.FIXED,
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> TicketRow:
    """Record that the cause is dealt with and tell the client; answers the promise too.

    ``cause`` says what it was and ``done`` what was done, both in words for the client; ``outcome``
    is how the ticket will close. Raises ``NotFound``, ``Refused`` for an empty or overlong text or
    a duplicate, or ``Conflict``.
    """
    action = Action.RESOLVE
    ticket, promise = take_up(tx, ref, action=action, actor=actor, at=at, version=version)
    cause = checked_text(cause, field="cause")
    done = checked_text(done, field="what was done")
    if outcome not in RESOLVING_OUTCOMES:
        allowed = ", ".join(RESOLVING_OUTCOMES)
        raise Refused(
            f"the outcome '{outcome}' does not resolve a ticket: allowed are {allowed}; "
            "merge a duplicate instead"
        )
    record(
        tx,
        ticket,
        action=action,
        actor=actor,
        at=at,
        text=f"Cause: {cause}\nDone: {done}",
        columns={
            "status": Status.RESOLVED,
            "outcome": outcome,
            "resolved_at": at,
            "update_by": None,
            "resume_at": None,
            "assignee_id": ticket.assignee_id or actor.staff_id,
        },
        beside=Beside(
            promise=promise, columns=answered(promise, action=action, actor=actor, at=at)
        ),
    )
    reopen_until = policy.hours_of(ticket.client).add_days(at, REOPEN_DAYS)
    facts = {
        "by": actor.name,
        "cause": cause,
        "done": done,
        "reopen_until": reopen_until.isoformat(),
    }
    tell_client(tx, policy, ticket, notice=Notice.RESOLVED, facts=facts, actor=actor, at=at)
    return ticket


def close(
    tx: Session,
    ref: str,
    *,
    outcome: Outcome | None = None,
    reason: str = "",
    actor: Actor,
    at: datetime,
    version: int | None = None,
) -> TicketRow:
    """Close a ticket for good; nobody is told.

    A resolved ticket closes with any outcome (the resolution's unless another is given); one that
    is not resolved only as a duplicate or as no issue, with a reason. Raises ``NotFound``,
    ``Refused`` or ``Conflict``.
    """
    ticket = get_ticket(tx, ref, version=version)
    check_allowed(ticket, Action.CLOSE, actor=actor)
    if ticket.status is not Status.RESOLVED:
        if outcome not in EARLY_OUTCOMES:
            allowed = " or ".join(sorted(EARLY_OUTCOMES))
            name = reference(ticket.id or 0)
            raise Refused(
                f"{name} is {ticket.status}, not resolved: it can only be closed as {allowed}"
            )
        reason = checked_text(reason, field="reason")
    elif reason.strip():
        reason = checked_text(reason, field="reason")
    record(
        tx,
        ticket,
        action=Action.CLOSE,
        actor=actor,
        at=at,
        text=reason.strip(),
        is_visible=False,
        columns={
            "status": Status.CLOSED,
            "outcome": outcome or ticket.outcome or Outcome.FIXED,
            "closed_at": at,
            "update_by": None,
            "resume_at": None,
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

    Possible within ``REOPEN_DAYS`` support days of the resolution. The client is told, and so is
    whoever cares for it, unless they act. Raises ``NotFound``, ``Refused`` or ``Conflict``.
    """
    ticket = get_ticket(tx, ref, version=version)
    check_allowed(ticket, Action.REOPEN, actor=actor)
    reason = checked_text(reason, field="reason")
    # A relapse is never refused: the monitor's record of it must not be lost.
    if ticket.resolved_at is not None and actor != MONITOR:
        until = policy.hours_of(ticket.client).add_days(ticket.resolved_at, REOPEN_DAYS)
        if at > until:
            why = (
                f"it could be reopened within {REOPEN_DAYS} support days, until "
                f"{format_instant(until, policy.zone)}; open a new ticket and link it"
            )
            raise refusal(ticket, Action.REOPEN, actor, why)
    old = promise_of(tx, ticket)
    promise = begin_promise(tx, policy, ticket, number=ticket.promise_number + 1, at=at)
    record(
        tx,
        ticket,
        action=Action.REOPEN,
        actor=actor,
        at=at,
        text=reason,
        columns={
            "status": Status.ACKNOWLEDGED if ticket.assignee_id else Status.OPEN,
            "outcome": None,
            "next_steps": None,
            "estimate": None,
            "resolved_at": None,
            "recovered_at": None,
            "promise_number": promise.number,
        },
        beside=Beside(promise=promise, replaced=old),
    )
    facts = promise_facts(policy, ticket, promise, at) | {
        "message": reason,
        "is_relapse": actor == MONITOR,
    }
    tell_all(tx, policy, ticket, notice=Notice.REOPENED, facts=facts, actor=actor, at=at)
    return ticket
