"""A ticket's history: find the ticket, move its columns, add the entry that says so.

Every function needs the open write transaction of its caller. ``ticket.version`` is the number of
the newest entry: each change adds one of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from tickets.errors import Conflict, NotFound
from tickets.rules.plain_text import several_lines
from tickets.rules.ticket import Action, is_allowed, parse_reference, reference
from tickets.tables import EntryRow, TicketRow


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a staff member, or a part of Fettle by its name."""

    name: str
    staff_id: int | None = None
    address: str | None = None


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


def record(
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
    """Move ``columns`` of the ticket and add the entry that says so.

    Raises ``Conflict`` when ``action`` is not allowed from the ticket's status.
    """
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
            text=several_lines(text),
            is_visible=is_visible,
            before=before,
            after={name: _document(value) for name, value in changed.items()},
        )
    )
    tx.flush()


def _document(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
