"""The outbox: messages written in the transaction of their cause, claimed and settled after.

Every function needs an open write transaction. Delivery is at least once: a message becomes
``sent`` only when the mail server has taken it, and every attempt carries the same Message-ID and
Date.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlmodel import Session, col, select

from tickets.rules.message import (
    GIVE_UP_AFTER,
    Channel,
    DeliveryOutcome,
    FailureReason,
    MessageState,
    backoff,
)
from tickets.rules.notice import Audience, Notice, delivery_rank
from tickets.rules.plain_text import several_lines
from tickets.rules.ticket import Priority, reference
from tickets.tables import DeliveryRow, MessageRow, TicketRow

SECRET_FACTS = frozenset({"ticket_url", "action_url", "unsubscribe_url"})
"""Facts that open something for whoever holds them: forgotten when a message needs them no more."""

LEASE = timedelta(seconds=60)
"""How long a claimed message is held; a sender that dies leaves it to the next after this."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody who is told: a client's contact, one of the staff, or a channel of theirs.

    ``address`` is a mail address, or the key of a service in ``staff_channels``.
    """

    name: str
    address: str
    audience: Audience
    channel: Channel = Channel.MAIL


def staff_recipient(address: str, name: str = "") -> Recipient:
    """Return a staff recipient; without a name the address stands for it."""
    return Recipient(name or address, address, Audience.STAFF)


def staff_service(key: str, name: str) -> Recipient:
    """Return a service of ``staff_channels`` as a recipient; ``key`` stands for its URL."""
    return Recipient(name, key, Audience.STAFF, Channel.PUSH)


def message_id(ticket_id: int, domain: str) -> str:
    """Return a new Message-ID in ``domain``; unique for ever, so made once and stored."""
    return f"<{reference(ticket_id).lower()}.{secrets.token_hex(12)}@{domain}>"


def put(
    tx: Session,
    ticket: TicketRow,
    *,
    notice: Notice,
    recipients: Iterable[Recipient],
    facts: Mapping[str, Any],
    own_facts: Callable[[Recipient], Mapping[str, Any]] | None = None,
    domain: str,
    at: datetime,
) -> None:
    """Write one message per recipient for the ticket's newest entry; an address gets one only.

    ``own_facts`` returns what one recipient's message says beside ``facts``; it is asked once for
    each message that is written.
    """
    assert ticket.id is not None
    addresses: set[str] = set()
    for recipient in recipients:
        address = recipient.address.lower()
        if address in addresses:
            continue
        addresses.add(address)
        own: Mapping[str, Any] = {} if own_facts is None else own_facts(recipient)
        tx.add(
            MessageRow(
                ticket_id=ticket.id,
                entry_number=ticket.version,
                notice=notice,
                audience=recipient.audience,
                name=recipient.name,
                address=recipient.address,
                channel=recipient.channel,
                priority=ticket.priority,
                rank=delivery_rank(ticket.priority),
                header_id=message_id(ticket.id, domain),
                thread_id=ticket.root_message_id,
                written_at=at,
                not_before=at,
                facts={name: _storable(fact) for name, fact in {**facts, **own}.items()},
            )
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StaffNotice:
    """What staff are told that belongs to no ticket.

    ``key`` names it: telling it again writes nothing. Notices of one ``thread`` stand together in
    a mail program.
    """

    key: str
    thread: str
    notice: Notice
    facts: Mapping[str, Any]
    priority: Priority = Priority.CRITICAL


def put_notice(
    tx: Session,
    told: StaffNotice,
    *,
    recipients: Iterable[Recipient],
    domain: str,
    at: datetime,
) -> bool:
    """Write one message per recipient about what belongs to no ticket; return whether any was."""
    if is_told(tx, told.key):
        return False
    root = f"<notice.{hashlib.sha256(told.thread.encode()).hexdigest()[:24]}@{domain}>"
    by_address = {recipient.address.lower(): recipient for recipient in recipients}
    for recipient in by_address.values():
        tx.add(
            MessageRow(
                key=told.key,
                notice=told.notice,
                audience=recipient.audience,
                name=recipient.name,
                address=recipient.address,
                channel=recipient.channel,
                priority=told.priority,
                rank=delivery_rank(told.priority),
                header_id=f"<notice.{secrets.token_hex(12)}@{domain}>",
                thread_id=root,
                written_at=at,
                not_before=at,
                facts={name: _storable(fact) for name, fact in told.facts.items()},
            )
        )
    return bool(by_address)


def is_told(tx: Session, key: str) -> bool:
    """Tell whether messages were written under this key, whatever has become of them."""
    found = tx.exec(select(MessageRow.id).where(col(MessageRow.key) == key).limit(1))
    return found.first() is not None


def _storable(fact: object) -> object:
    """Return a fact as every database takes it: PostgreSQL refuses a NUL or half a character."""
    return several_lines(fact) if isinstance(fact, str) else fact


def claim(
    tx: Session,
    *,
    now: datetime,
    most: int,
    holder: str | None = None,
    channel: Channel = Channel.MAIL,
) -> Sequence[MessageRow]:
    """Take up to ``most`` due messages of one channel, the most critical and oldest first.

    A claimed message is ``sending`` until it is settled, its lease of ``LEASE`` runs out, or
    ``holder`` takes over after a sender that died (see ``take_over``).
    """
    due = (
        select(MessageRow)
        .where(
            col(MessageRow.channel) == channel,
            sa.or_(
                sa.and_(
                    col(MessageRow.state) == MessageState.PENDING,
                    col(MessageRow.not_before) <= now,
                ),
                sa.and_(
                    col(MessageRow.state) == MessageState.SENDING,
                    col(MessageRow.lease_until) <= now,
                ),
            ),
        )
        .order_by(col(MessageRow.rank), col(MessageRow.not_before), col(MessageRow.id))
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    messages = tx.exec(due).all()
    for message in messages:
        message.state = MessageState.SENDING
        message.lease_until = now + LEASE
        message.claimed_by = holder
    return messages


def take_over(tx: Session, holder: str, *, channel: Channel = Channel.MAIL) -> None:
    """Give back what an earlier sender of the same ``holder`` and ``channel`` held when it died."""
    tx.exec(
        sa.update(MessageRow)
        .where(col(MessageRow.state) == MessageState.SENDING)
        .where(col(MessageRow.claimed_by) == holder)
        .where(col(MessageRow.channel) == channel)
        .values(state=MessageState.PENDING, lease_until=None, claimed_by=None)
    )


def settle(
    tx: Session,
    message_id: int,
    *,
    outcome: DeliveryOutcome,
    answer: str,
    now: datetime,
    reason: FailureReason | None = None,
    retry_after: timedelta | None = None,
) -> MessageRow:
    """Record how an attempt ended: sent, deferred to a later attempt, or dead.

    ``retry_after`` takes the place of the back-off where the failure was the mail server's and not
    the message's. A message that was settled as sent meanwhile stays sent.
    """
    message = tx.exec(
        select(MessageRow).where(col(MessageRow.id) == message_id).with_for_update()
    ).one()
    message.attempts += 1
    message.lease_until = None
    tx.add(
        DeliveryRow(
            message_id=message_id,
            number=message.attempts,
            notice=message.notice,
            ended_at=now,
            outcome=outcome,
            reason=reason,
            answer=answer[:500],
        )
    )
    if outcome is DeliveryOutcome.SENT:
        message.state, message.sent_at, message.last_failure = MessageState.SENT, now, None
        forget_secrets(message)
    elif message.state is not MessageState.SENT:
        gives_up = now - message.written_at >= GIVE_UP_AFTER[message.priority]
        is_dead = outcome is DeliveryOutcome.REFUSED or gives_up
        message.state = MessageState.DEAD if is_dead else MessageState.PENDING
        message.not_before = now + (retry_after or backoff(message.attempts))
        message.last_failure = answer[:500]
    return message


def forget_secrets(message: MessageRow) -> None:
    """Take the secret facts out of a message that will never be sent (again)."""
    message.facts = {name: fact for name, fact in message.facts.items() if name not in SECRET_FACTS}


def release(tx: Session, message_ids: Iterable[int]) -> None:
    """Give claimed messages back untried, for an orderly stop."""
    tx.exec(
        sa.update(MessageRow)
        .where(col(MessageRow.id).in_(list(message_ids)))
        .where(col(MessageRow.state) == MessageState.SENDING)
        .values(state=MessageState.PENDING, lease_until=None)
    )
