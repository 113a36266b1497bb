"""Claims: which messages leave next, which of them share a mail, and which are held back.

Every function needs an open write transaction. Senders claim one after the other, also those of
other processes, because each locks its channel's row. What a claim decides is stored before
anything is sent: which messages share a mail never changes after, so that a second attempt is the
first to the byte (decision 45).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from tickets.holds import is_held
from tickets.mail_faults import lock_channel, note_brake
from tickets.outbox_tables import UNSETTLED
from tickets.rules.message import Channel, MessageState
from tickets.rules.pace import Pace
from tickets.tables import MessageRow

LEASE = timedelta(seconds=60)
"""How long a claimed message is held; a sender that dies leaves it to the next after this."""

MOST_MERGED = 10
"""Messages that share one mail at most."""

_MINUTE = timedelta(minutes=1)
_MOST_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message to be sent, and those that go in its mail, the oldest first."""

    message: MessageRow
    carried: tuple[MessageRow, ...] = ()


def claim(
    tx: Session,
    *,
    now: datetime,
    most: int,
    pace: Pace = Pace(),
    holder: str | None = None,
    channel: Channel = Channel.MAIL,
) -> Sequence[Claimed]:
    """Take up to ``most`` due messages of one channel, the most critical and oldest first.

    A claimed message is ``sending`` until it is settled, its lease of ``LEASE`` runs out, or
    ``holder`` takes over after a sender that died (see ``take_over``). About one ticket an address
    has one message on its way at a time. Mails keep to ``pace``: what a limit holds back gets a
    later ``not_before``, or just stays due where the limit is that of all mails.
    """
    lock_channel(tx, channel)
    is_mail = channel is Channel.MAIL
    window = pace.merge_within if is_mail else timedelta(0)
    claimed: list[Claimed] = []
    free: int | None = None
    for _ in range(_MOST_ROUNDS):
        due = _due(tx, channel=channel, window=window, now=now, most=most - len(claimed))
        if free is None and due:
            free = pace.per_minute - _count_last_minute(tx, now) if is_mail else most
        for message in due:
            if message.carrier_id is not None or _has_twin(claimed, message):
                continue
            if free is not None and len(claimed) >= free:
                note_brake(tx, "", until=now + _MINUTE, at=now)
                return claimed
            if is_mail and is_held(tx, message, pace=pace, now=now):
                continue
            claimed.append(_take(tx, message, window=window, holder=holder, now=now))
        tx.flush()
        if not due or len(claimed) >= most:
            break
    return claimed


def take_over(tx: Session, holder: str, *, channel: Channel = Channel.MAIL) -> None:
    """Give back what an earlier sender of the same ``holder`` and ``channel`` held when it died."""
    tx.exec(
        sa.update(MessageRow)
        .where(col(MessageRow.state) == MessageState.SENDING)
        .where(col(MessageRow.claimed_by) == holder)
        .where(col(MessageRow.channel) == channel)
        .values(state=MessageState.PENDING, lease_until=None, claimed_by=None)
    )


def renew(tx: Session, message_ids: Iterable[int], *, holder: str, now: datetime) -> None:
    """Let ``holder`` keep what it has in hand though its lease ran out, as after a standstill.

    What another sender took over meanwhile stays with that one. Needs a write transaction.
    """
    tx.exec(
        sa.update(MessageRow)
        .where(col(MessageRow.id).in_(list(message_ids)))
        .where(col(MessageRow.state) == MessageState.SENDING)
        .where(col(MessageRow.claimed_by) == holder)
        .where(col(MessageRow.lease_until) <= now)
        .values(lease_until=now + LEASE)
    )


def release(tx: Session, message_ids: Iterable[int], *, holder: str | None) -> None:
    """Give back untried what ``holder`` claimed and still has, for an orderly stop."""
    tx.exec(
        sa.update(MessageRow)
        .where(col(MessageRow.id).in_(list(message_ids)))
        .where(col(MessageRow.state) == MessageState.SENDING)
        .where(col(MessageRow.claimed_by).is_not_distinct_from(holder))
        .values(state=MessageState.PENDING, lease_until=None)
    )


def _due(
    tx: Session, *, channel: Channel, window: timedelta, now: datetime, most: int
) -> Sequence[MessageRow]:
    """Return due messages, without those whose ticket and address had a mail just now."""
    other = aliased(MessageRow)
    just_now = sa.exists().where(
        col(other.ticket_id) == col(MessageRow.ticket_id),
        col(other.id) != col(MessageRow.id),
        col(other.channel) == channel,
        sa.func.lower(col(other.address)) == sa.func.lower(col(MessageRow.address)),
        sa.or_(
            # Of a clock that was set back, nothing that lies ahead is waited for.
            sa.and_(col(other.sent_at) > now - window, col(other.sent_at) <= now),
            sa.and_(col(other.state) == MessageState.SENDING, col(other.lease_until) > now),
        ),
    )
    is_due = sa.or_(
        sa.and_(col(MessageRow.state) == MessageState.PENDING, col(MessageRow.not_before) <= now),
        sa.and_(col(MessageRow.state) == MessageState.SENDING, col(MessageRow.lease_until) <= now),
    )
    query = (
        select(MessageRow)
        .where(UNSETTLED, col(MessageRow.channel) == channel)
        .where(col(MessageRow.carrier_id).is_(None), is_due)
        .where(~just_now)
        .order_by(col(MessageRow.rank), col(MessageRow.not_before), col(MessageRow.id))
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    return tx.exec(query).all()


def _has_twin(claimed: Sequence[Claimed], message: MessageRow) -> bool:
    """Tell whether this claim took a message about the same ticket to the same address."""
    return message.ticket_id is not None and any(
        (one.message.ticket_id, one.message.address.lower())
        == (message.ticket_id, message.address.lower())
        for one in claimed
    )


def _take(
    tx: Session,
    message: MessageRow,
    *,
    window: timedelta,
    holder: str | None,
    now: datetime,
) -> Claimed:
    assert message.id is not None
    if message.is_sealed:  # it may have been taken in an attempt of which nobody heard
        query = select(MessageRow).where(col(MessageRow.carrier_id) == message.id)
        carried = tx.exec(query.order_by(col(MessageRow.id))).all()
    else:
        carried = _joining(tx, message, now=now) if window else ()
        for one in carried:
            one.carrier_id, one.held_for = message.id, None
    message.state, message.is_sealed = MessageState.SENDING, True
    message.lease_until, message.claimed_by = now + LEASE, holder
    message.held_for = None
    return Claimed(message, tuple(carried))


def _joining(tx: Session, message: MessageRow, *, now: datetime) -> Sequence[MessageRow]:
    """Return what else is due about the same ticket to the same address and was never claimed."""
    if message.ticket_id is None:
        return ()
    query = (
        select(MessageRow)
        .where(
            col(MessageRow.ticket_id) == message.ticket_id,
            col(MessageRow.id) != message.id,
            sa.func.lower(col(MessageRow.address)) == message.address.lower(),
            col(MessageRow.channel) == message.channel,
            col(MessageRow.audience) == message.audience,
            col(MessageRow.state) == MessageState.PENDING,
            col(MessageRow.not_before) <= now,
            col(MessageRow.carrier_id).is_(None),
            col(MessageRow.is_sealed).is_(False),
        )
        .order_by(col(MessageRow.id))
        .limit(MOST_MERGED - 1)
        .with_for_update(skip_locked=True)
    )
    return tx.exec(query).all()


def _count_last_minute(tx: Session, now: datetime) -> int:
    """Count the mails of the last minute and those that are on their way."""
    sent = sa.and_(col(MessageRow.sent_at) > now - _MINUTE, col(MessageRow.sent_at) <= now)
    on_their_way = sa.and_(
        UNSETTLED,
        col(MessageRow.state) == MessageState.SENDING,
        col(MessageRow.lease_until) > now,
    )
    query = (
        select(sa.func.count())
        .select_from(MessageRow)
        .where(
            col(MessageRow.channel) == Channel.MAIL,
            col(MessageRow.carrier_id).is_(None),
        )
    )
    return sum(tx.exec(query.where(which)).one() for which in (sent, on_their_way))
