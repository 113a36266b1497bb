"""What a ticket's page by link may show of its history: nothing that is for staff alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Session, col, select

from tickets.link_tables import SentFormRow
from tickets.rules.ticket import Action, Priority, reference
from tickets.tables import EntryRow


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryEntry:
    """One entry that the client may see.

    ``is_staff`` and ``is_client`` say whose it is: neither is a machine's, whose ``text`` may hold
    what is not for clients. ``moved_deadline`` tells whether it moved the promise's deadline.
    """

    number: int
    at: datetime
    action: Action
    actor: str
    text: str
    priority: Priority
    is_staff: bool
    is_client: bool
    moved_deadline: bool


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A ticket that was opened from the page of this one, after it had closed."""

    at: datetime
    reference: str


def list_story(tx: Session, ticket_id: int) -> Sequence[StoryEntry]:
    """Return the entries that a client may see, the oldest first.

    Beside those that are visible it is the closing by the client's own hand.
    """
    sent = select(SentFormRow.entry_number).where(
        col(SentFormRow.ticket_id) == ticket_id, col(SentFormRow.opened_id).is_(None)
    )
    ours = set(tx.exec(sent).all())
    query = (
        select(EntryRow)
        .where(
            col(EntryRow.ticket_id) == ticket_id,
            sa.or_(col(EntryRow.is_visible), col(EntryRow.action) == Action.CLOSE),
        )
        .order_by(col(EntryRow.number))
    )
    return [
        StoryEntry(
            number=entry.number,
            at=entry.at,
            action=entry.action,
            actor=entry.actor,
            text=entry.text if entry.is_visible else "",
            priority=entry.priority,
            is_staff=entry.staff_id is not None,
            is_client=entry.number in ours,
            moved_deadline="respond_by" in entry.after and entry.action is Action.PRIORITY,
        )
        for entry in tx.exec(query).all()
        if entry.is_visible or entry.number in ours
    ]


def list_follow_ups(tx: Session, ticket_id: int) -> Sequence[FollowUp]:
    """Return the tickets that were opened from the page of this one, the oldest first."""
    query = (
        select(SentFormRow.sent_at, SentFormRow.opened_id)
        .where(col(SentFormRow.ticket_id) == ticket_id, col(SentFormRow.opened_id).is_not(None))
        .order_by(col(SentFormRow.opened_id))
    )
    return [FollowUp(at, reference(number or 0)) for at, number in tx.exec(query).all()]
