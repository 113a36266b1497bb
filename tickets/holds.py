"""Holds: mails that may not leave yet, because of a limit or of an address that takes nothing.

Every function needs the open write transaction of a claim. A hold puts off everything that waits
for the same, so that a thousand such messages cost the others one look.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from tickets.mail_faults import RETRY_UNDELIVERABLE, find_undeliverable, note_brake
from tickets.outbox_tables import UNSETTLED
from tickets.rules.message import GIVE_UP_AFTER, Channel, HoldReason, MessageState
from tickets.rules.notice import AUTOMATIC_NOTICES
from tickets.rules.pace import Pace
from tickets.store import Instant
from tickets.tables import MessageRow

_DAY = timedelta(days=1)


def is_held(tx: Session, message: MessageRow, *, pace: Pace, now: datetime) -> bool:
    """Tell whether the message may not leave yet, and put off all that waits for the same."""
    mark = find_undeliverable(tx, message.address)
    # One that is tried already, and was put off, is the one of the day: its back-off runs on.
    if mark is not None and message.attempts <= message.forgiven:
        if mark.retry_at > now:
            tx.flush()
            _give_up_stale(tx, message.address, answer=mark.answer, now=now)
            tx.refresh(message)
            if message.state is MessageState.DEAD:
                return True
            _hold(tx, message, HoldReason.UNDELIVERABLE, until=mark.retry_at, now=now)
            return True
        mark.retry_at = now + RETRY_UNDELIVERABLE
    if message.notice not in AUTOMATIC_NOTICES or message.requeued_at is not None:
        return False
    until = _over_the_day(tx, message.address, pace.per_day(message.audience), now=now)
    if until is None:
        return False
    note_brake(tx, message.address, until=until, at=now)
    _hold(tx, message, HoldReason.LIMIT, until=until, now=now)
    return True


def _hold(
    tx: Session, message: MessageRow, reason: HoldReason, *, until: datetime, now: datetime
) -> None:
    """Put off what is due at the message's address; of a limit, only what no person wrote."""
    query = sa.update(MessageRow).where(_waits_at(message.address, now))
    if reason is HoldReason.UNDELIVERABLE:
        query = query.where(col(MessageRow.attempts) <= col(MessageRow.forgiven))
    else:
        query = query.where(
            col(MessageRow.notice).in_([*AUTOMATIC_NOTICES]),
            col(MessageRow.requeued_at).is_(None),
        )
    message.state, message.lease_until = MessageState.PENDING, None
    message.not_before, message.held_for = until, reason
    tx.flush()
    tx.exec(query.values(not_before=until, held_for=reason))


def _give_up_stale(tx: Session, address: str, *, answer: str, now: datetime) -> None:
    """Let die what waited as long as a message is tried, for an address that takes nothing."""
    dead = {
        "state": MessageState.DEAD,
        "last_failure": f"the address takes no mail: {answer}"[:500],
    }
    since = sa.func.coalesce(col(MessageRow.requeued_at), col(MessageRow.written_at))
    for priority, age in GIVE_UP_AFTER.items():
        tx.exec(
            sa.update(MessageRow)
            .where(
                _waits_at(address, now),
                col(MessageRow.attempts) <= col(MessageRow.forgiven),
                col(MessageRow.priority) == priority,
                since <= sa.literal(now - age, Instant()),
            )
            .values(**dead)
        )
    other = aliased(MessageRow)
    carrier_died = sa.exists().where(
        col(other.id) == col(MessageRow.carrier_id), col(other.state) == MessageState.DEAD
    )
    tx.exec(
        sa.update(MessageRow)
        .where(
            col(MessageRow.state) == MessageState.PENDING,
            sa.func.lower(col(MessageRow.address)) == address.lower(),
            carrier_died,
        )
        .values(**dead)
    )


def _waits_at(address: str, now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        UNSETTLED,
        col(MessageRow.channel) == Channel.MAIL,
        col(MessageRow.state) == MessageState.PENDING,
        col(MessageRow.carrier_id).is_(None),
        col(MessageRow.not_before) <= now,
        sa.func.lower(col(MessageRow.address)) == address.lower(),
    )


def _over_the_day(tx: Session, address: str, limit: int, *, now: datetime) -> datetime | None:
    """Return when the address may have its next automatic mail, if it has had its share.

    Mails that are on their way count: they may well arrive.
    """
    to_address = sa.and_(
        col(MessageRow.carrier_id).is_(None),
        col(MessageRow.channel) == Channel.MAIL,
        col(MessageRow.notice).in_([*AUTOMATIC_NOTICES]),
        sa.func.lower(col(MessageRow.address)) == address.lower(),
    )
    on_their_way = select(sa.func.count()).where(
        UNSETTLED,
        col(MessageRow.state) == MessageState.SENDING,
        col(MessageRow.lease_until) > now,
        to_address,
    )
    left = limit - tx.exec(on_their_way).one()
    if left <= 0:
        return now + _DAY
    query = (
        select(MessageRow.sent_at)
        .where(col(MessageRow.sent_at) > now - _DAY, col(MessageRow.sent_at) <= now, to_address)
        .order_by(col(MessageRow.sent_at).desc())
        .offset(left - 1)
        .limit(1)
    )
    oldest = tx.exec(query).first()
    return None if oldest is None else oldest + _DAY
