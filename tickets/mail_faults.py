"""What is known to be wrong with mail: channels that fail, addresses that refuse, brakes.

Every function needs an open transaction of its caller; those that change something, a write
transaction.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from tickets.outbox_tables import BrakeRow, ChannelRow, UndeliverableRow
from tickets.rules.message import Channel, FailureReason, HoldReason, MessageState
from tickets.tables import MessageRow

RETRY_UNDELIVERABLE = timedelta(days=1)
"""How often one message is tried at an address that was refused for good."""

TOLD_AT_ONCE = frozenset({FailureReason.AUTH, FailureReason.TLS})
"""Reasons for which no mail leaves that do not pass by themselves."""

SAME_BRAKE = timedelta(hours=1)
"""A brake that trips again within this time after its end is the same one: nobody is told anew."""


def lock_channel(tx: Session, channel: Channel) -> ChannelRow:
    """Return the row of a channel, locked until the end of the transaction; made at first use."""
    query = select(ChannelRow).where(col(ChannelRow.name) == channel).with_for_update()
    row = tx.exec(query).first()
    if row is None:
        tx.connection().execute(_insert(tx, ChannelRow, name=channel))
        row = tx.exec(query).one()
    return row


def note_channel_failed(
    tx: Session, channel: Channel, *, reason: FailureReason, answer: str, at: datetime
) -> None:
    """Record that nothing can leave by ``channel``; since when stays as it was first recorded.

    That it turns out to be for a reason of ``TOLD_AT_ONCE`` is something to tell anew.
    """
    row = lock_channel(tx, channel)
    if reason in TOLD_AT_ONCE and reason is not row.failing_reason:
        row.told_at = None
    row.failing_since = row.failing_since or at
    row.failing_reason, row.failing_answer = reason, answer[:500]


def note_channel_works(tx: Session, channel: Channel) -> None:
    """Record that a message was taken."""
    tx.exec(
        sa.update(ChannelRow)
        .where(col(ChannelRow.name) == channel, col(ChannelRow.failing_since).is_not(None))
        .values(failing_since=None, failing_reason=None, failing_answer=None, told_at=None)
    )


def find_undeliverable(tx: Session, address: str) -> UndeliverableRow | None:
    """Return the mark of an address that was refused for good, locked, if it carries one.

    Another sender may take it off at any time; whoever changes one that is gone would fail.
    """
    query = select(UndeliverableRow).where(col(UndeliverableRow.address) == address.lower())
    return tx.exec(query.with_for_update()).first()


def mark_undeliverable(tx: Session, address: str, *, answer: str, at: datetime) -> None:
    """Mark an address that a mail server refused for good; a mark that stands keeps its start."""
    row = find_undeliverable(tx, address)
    if row is None:
        tx.connection().execute(
            _insert(
                tx,
                UndeliverableRow,
                address=address.lower(),
                since=at,
                retry_at=at + RETRY_UNDELIVERABLE,
                answer=answer[:500],
            )
        )
    else:
        row.answer, row.retry_at = answer[:500], at + RETRY_UNDELIVERABLE


def allow_retry(tx: Session, address: str, *, at: datetime) -> None:
    """Let a refused address be tried at ``at``: today's try met no mail server."""
    row = find_undeliverable(tx, address)
    if row is not None:
        row.retry_at = min(row.retry_at, at)


def clear_undeliverable(tx: Session, address: str, *, at: datetime) -> None:
    """Take the mark off an address and let go of what was held for it."""
    row = find_undeliverable(tx, address)
    if row is None:
        return
    tx.delete(row)
    tx.exec(
        sa.update(MessageRow)
        .where(
            col(MessageRow.held_for) == HoldReason.UNDELIVERABLE,
            col(MessageRow.state) == MessageState.PENDING,
            sa.func.lower(col(MessageRow.address)) == address.lower(),
        )
        .values(not_before=at, held_for=None)
    )


def forget_address(tx: Session, address: str) -> None:
    """Forget what is known to be wrong with an address."""
    tx.exec(sa.delete(UndeliverableRow).where(col(UndeliverableRow.address) == address.lower()))
    tx.exec(sa.delete(BrakeRow).where(col(BrakeRow.address) == address.lower()))


def note_brake(tx: Session, address: str, *, until: datetime, at: datetime) -> None:
    """Record that a limit holds mails back until ``until``: for an address, or empty for all."""
    query = select(BrakeRow).where(col(BrakeRow.address) == address.lower())
    row = tx.exec(query.with_for_update()).first()
    if row is None:
        values = {"address": address.lower(), "tripped_at": at, "until": until}
        tx.connection().execute(_insert(tx, BrakeRow, **values))
        return
    if at - row.until > SAME_BRAKE:
        row.tripped_at, row.told_at = at, None
    row.until = until


def _insert(tx: Session, row: type[object], **values: object) -> sa.Insert:
    """Return an insert that does nothing where another sender has been quicker."""
    dialect = sqlite if tx.get_bind().dialect.name == "sqlite" else postgresql
    return dialect.insert(row).values(**values).on_conflict_do_nothing()
