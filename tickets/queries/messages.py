"""Messages as the outbox and a ticket's page show them."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlmodel import Session, col, select

from tickets.queries import MOST_ROWS
from tickets.queries.views import MessageView
from tickets.rules.message import MessageState
from tickets.rules.ticket import (
    reference,
)
from tickets.tables import (
    MessageRow,
)


def list_messages(tx: Session, *, state: MessageState | None = None) -> Sequence[MessageView]:
    """Return the newest messages of the outbox, optionally only those in ``state``."""
    query = select(MessageRow).order_by(col(MessageRow.id).desc()).limit(MOST_ROWS)
    if state is not None:
        query = query.where(col(MessageRow.state) == state)
    return [message_view(message) for message in tx.exec(query).all()]


def count_undelivered(tx: Session) -> int:
    """Count the messages that will never arrive unless somebody does something."""
    dead = col(MessageRow.state) == MessageState.DEAD
    return tx.exec(select(sa.func.count()).select_from(MessageRow).where(dead)).one()


def message_view(row: MessageRow) -> MessageView:
    """Return a message as the outbox and its ticket show it."""
    return MessageView(
        id=row.id or 0,
        reference=None if row.ticket_id is None else reference(row.ticket_id),
        entry_number=row.entry_number,
        notice=row.notice,
        audience=row.audience,
        name=row.name,
        address=row.address,
        state=row.state,
        written_at=row.written_at,
        sent_at=row.sent_at,
        not_before=row.not_before,
        attempts=row.attempts,
        last_failure=row.last_failure,
    )
