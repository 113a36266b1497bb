"""A ticket's history: find the ticket, move its columns, add the entry that says so.

Every function needs the open write transaction of its caller. ``ticket.version`` is the number of
the newest entry: each change adds one of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlmodel import Session, col, select

from tickets.errors import Conflict, NotFound
from tickets.rules.plain_text import several_lines
from tickets.rules.ticket import Action, Status, is_allowed, parse_reference, reference
from tickets.tables import EntryRow, PromiseRow, TicketRow


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a staff member, or a part of Fettle by its name."""

    name: str
    staff_id: int | None = None
    address: str | None = None


class ActionRefused(Conflict):
    """The ticket's status does not allow the action; ``tickets.refusals`` records the attempt."""

    def __init__(self, reason: str, *, ticket_id: int, action: Action, actor: Actor) -> None:
        super().__init__(reason)
        self.ticket_id = ticket_id
        self.action = action
        self.actor = actor


MONITOR = Actor("Monitor")
"""The part that watches sites."""

SWEEP = Actor("Fettle")
"""The part that passes over due rows."""


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


def check_allowed(ticket: TicketRow, action: Action, *, actor: Actor) -> None:
    """Raise ``ActionRefused`` unless ``action`` may be taken from the ticket's status."""
    if is_allowed(action, ticket.status):
        return
    *first, last = [status.value for status in Status if is_allowed(action, status)]
    allowed = f"{', '.join(first)} or {last}" if first else last
    raise refusal(ticket, action, actor, f"'{action}' is possible only while a ticket is {allowed}")


def refusal(ticket: TicketRow, action: Action, actor: Actor, why: str) -> ActionRefused:
    """Return the error that says how the ticket stands and ``why`` the action is not possible."""
    assert ticket.id is not None
    reason = f"{reference(ticket.id)} is {ticket.status}: {why}"
    return ActionRefused(reason, ticket_id=ticket.id, action=action, actor=actor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What changes with a ticket beside its own columns.

    ``columns`` are those of its ``promise``; ``replaced`` is the promise whose place ``promise``
    takes. ``added`` is what the change added elsewhere (see ``tickets.rules.replay``).
    """

    promise: PromiseRow | None = None
    columns: Mapping[str, Any] = field(default_factory=dict[str, Any])
    replaced: PromiseRow | None = None
    added: Mapping[str, Any] = field(default_factory=dict[str, Any])


def record(  # noqa: PLR0913  (every part of an entry, each by its name)
    tx: Session,
    ticket: TicketRow,
    *,
    action: Action,
    actor: Actor,
    at: datetime,
    text: str = "",
    is_visible: bool = True,
    columns: Mapping[str, Any] | None = None,
    beside: Beside = Beside(),
) -> None:
    """Move ``columns`` of the ticket and what is ``beside`` it, add the entry that says so.

    Raises ``ActionRefused`` when ``action`` is not allowed from the ticket's status.
    """
    check_allowed(ticket, action, actor=actor)
    before, after = _move(ticket, columns or {})
    promise_before, promise_after = _move_promise(beside)
    ticket.version += 1
    assert ticket.id is not None
    tx.add(
        EntryRow(
            ticket_id=ticket.id,
            number=ticket.version,
            at=at,
            action=action,
            priority=ticket.priority,
            actor=actor.name,
            staff_id=actor.staff_id,
            text=several_lines(text),
            is_visible=is_visible,
            before=before | promise_before,
            after=after | promise_after | dict(beside.added),
        )
    )
    tx.flush()


TICKET_COLUMNS = (
    "title",
    "priority",
    "status",
    "category",
    "outcome",
    "promise_number",
    "assignee_id",
    "next_steps",
    "estimate",
    "update_by",
    "resume_at",
    "merged_into_id",
    "recovered_at",
    "resolved_at",
    "closed_at",
)
"""Columns of a ticket that may move in its life."""

PROMISE_COLUMNS = ("respond_by", "answered_at", "answered_by", "breached_at")
"""Columns of a ticket's current promise that entries tell of."""


def describe(ticket: TicketRow, promise: PromiseRow) -> dict[str, object]:
    """Return all that entries may move, as it stands, in the shape of an entry's ``after``."""
    return {name: document(getattr(ticket, name)) for name in TICKET_COLUMNS} | _told(promise)


def _told(promise: PromiseRow) -> dict[str, object]:
    return {name: document(getattr(promise, name)) for name in PROMISE_COLUMNS}


def _move_promise(beside: Beside) -> tuple[dict[str, object], dict[str, object]]:
    """Move the promise's columns; return those that entries tell of, as they were and are."""
    if beside.promise is None:
        return {}, {}
    before = _told(beside.replaced or beside.promise)
    _move(beside.promise, beside.columns)
    after = _told(beside.promise)
    moved = [name for name in PROMISE_COLUMNS if before[name] != after[name]]
    return {name: before[name] for name in moved}, {name: after[name] for name in moved}


def _move(
    row: TicketRow | PromiseRow, columns: Mapping[str, Any]
) -> tuple[dict[str, object], dict[str, object]]:
    """Move the columns that differ; return them as they were and as they are."""
    changed = {name: value for name, value in columns.items() if getattr(row, name) != value}
    before = {name: document(getattr(row, name)) for name in changed}
    for name, value in changed.items():
        setattr(row, name, value)
    return before, {name: document(value) for name, value in changed.items()}


def document(value: object) -> object:
    """Return a column's value in JSON's types; instants are ISO 8601 in UTC."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value.value if isinstance(value, StrEnum) else value
