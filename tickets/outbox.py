"""The outbox: messages written in the transaction of their cause, and settled after an attempt.

Every function needs an open write transaction. Delivery is at least once: a message becomes
``sent`` only when the mail server has taken it, and every attempt carries the same Message-ID and
Date. Which messages leave next is for ``tickets.claims``.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from tickets.mail_faults import (
    allow_retry,
    clear_undeliverable,
    lock_channel,
    mark_undeliverable,
    note_channel_failed,
    note_channel_works,
)
from tickets.rules.message import (
    GIVE_UP_AFTER,
    Channel,
    DeliveryOutcome,
    FailureReason,
    HoldReason,
    MessageState,
    backoff,
)
from tickets.rules.notice import Audience, Notice, delivery_rank
from tickets.rules.plain_text import several_lines
from tickets.rules.ticket import Priority, reference
from tickets.tables import DeliveryRow, MessageRow, TicketRow

SECRET_FACTS = frozenset({"ticket_url", "action_url", "unsubscribe_url"})
"""Facts that open something for whoever holds them: forgotten when a message needs them no more."""


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


def put(  # noqa: PLR0913  (what is told to whom, each by its name)
    tx: Session,
    ticket: TicketRow,
    *,
    notice: Notice,
    recipients: Iterable[Recipient],
    facts: Mapping[str, Any],
    own_facts: Callable[[Recipient], Mapping[str, Any]] | None = None,
    staff_from: datetime | None = None,
    domain: str,
    at: datetime,
) -> None:
    """Write one message per recipient for the ticket's newest entry; an address gets one only.

    ``own_facts`` returns what one recipient's message says beside ``facts``; it is asked once for
    each message that is written. Messages to staff wait until ``staff_from``.
    """
    assert ticket.id is not None
    addresses: set[str] = set()
    for recipient in recipients:
        address = recipient.address.lower()
        if address in addresses:
            continue
        addresses.add(address)
        own: Mapping[str, Any] = {} if own_facts is None else own_facts(recipient)
        is_held = staff_from is not None and recipient.audience is Audience.STAFF
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
                not_before=staff_from if is_held and staff_from is not None else at,
                held_for=HoldReason.SUPPORT_HOURS if is_held else None,
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
    """Write one message per recipient about what belongs to no ticket; return whether any was.

    Locks the mail channel, so that of several processes that tell the same one writes it.
    """
    lock_channel(tx, Channel.MAIL)
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


def settle(  # noqa: PLR0913  (how the attempt ended, each fact by its name)
    tx: Session,
    message_id: int,
    *,
    outcome: DeliveryOutcome,
    answer: str,
    now: datetime,
    reason: FailureReason | None = None,
    retry_after: timedelta | None = None,
    is_address_refused: bool = False,
    holder: str | None = None,
    chance: float = 0.0,
) -> MessageRow:
    """Record how an attempt ended: sent, deferred to a later attempt, or dead.

    ``retry_after`` takes the place of the back-off where the failure was the channel's and not the
    message's; ``chance`` from 0 to 1 spreads the back-off. ``is_address_refused`` says that the
    server refused the address for good, which marks it. What goes in the message's mail shares its
    fate. What was sent is ``sent`` whoever says so. Of a failure, only the ``holder`` that has the
    message decides anything: one that was too slow finds it with another, or settled, or cancelled.
    """
    answer = answer[:500]
    message = _locked(tx, message_id)
    message.attempts += 1
    tx.add(
        DeliveryRow(
            message_id=message_id,
            number=message.attempts,
            notice=message.notice,
            ended_at=now,
            outcome=outcome,
            reason=reason,
            answer=answer,
        )
    )
    is_mail = message.channel is Channel.MAIL
    if outcome is DeliveryOutcome.SENT:
        message.state, message.sent_at, message.last_failure = MessageState.SENT, now, None
        message.lease_until = None
        forget_secrets(message)
        if is_mail:
            note_channel_works(tx, message.channel)
            clear_undeliverable(tx, message.address, at=now)
    elif _decides(message, holder):
        is_dead = outcome is DeliveryOutcome.REFUSED or _gives_up(tx, message, reason, now=now)
        if retry_after is not None:
            message.forgiven += 1
        wait = retry_after or backoff(message.attempts - message.forgiven, chance=chance)
        message.state = MessageState.DEAD if is_dead else MessageState.PENDING
        message.not_before, message.lease_until = now + wait, None
        message.last_failure = answer
        if is_mail and retry_after is not None and reason is not None:
            note_channel_failed(tx, message.channel, reason=reason, answer=answer, at=now)
            allow_retry(tx, message.address, at=message.not_before)
        if is_mail and is_address_refused:
            mark_undeliverable(tx, message.address, answer=answer, at=now)
    share_fate(tx, message)
    return message


def _decides(message: MessageRow, holder: str | None) -> bool:
    """Tell whether a failure that ``holder`` reports is one of the attempt that counts."""
    if holder is not None:
        return message.state is MessageState.SENDING and message.claimed_by == holder
    return message.state in {MessageState.PENDING, MessageState.SENDING}


def _locked(tx: Session, message_id: int) -> MessageRow:
    query = select(MessageRow).where(col(MessageRow.id) == message_id).with_for_update()
    return tx.exec(query).one()


def _gives_up(
    tx: Session, message: MessageRow, reason: FailureReason | None, *, now: datetime
) -> bool:
    """Tell whether a message that fails for passing reasons has been tried for long enough.

    What counts is how long it has been tried, not how long it waited before. A wrong password is
    our own fault alone: it kills no message however long it lasts.
    """
    if reason is FailureReason.AUTH:
        return False
    since = message.requeued_at or message.written_at
    if now - since < GIVE_UP_AFTER[message.priority]:
        return False  # as nearly always, and told without looking further
    tried = (
        select(DeliveryRow.ended_at)
        .where(
            col(DeliveryRow.message_id) == message.id,
            col(DeliveryRow.ended_at) >= since,
            col(DeliveryRow.outcome) == DeliveryOutcome.DEFERRED,
            col(DeliveryRow.reason).is_distinct_from(FailureReason.AUTH),
        )
        .order_by(col(DeliveryRow.ended_at))
    )
    first = tx.exec(tried.limit(1)).first()
    return first is not None and now - first >= GIVE_UP_AFTER[message.priority]


def share_fate(tx: Session, message: MessageRow) -> None:
    """Make the messages that go in the mail of ``message`` stand as it does."""
    query = select(MessageRow).where(col(MessageRow.carrier_id) == message.id)
    for carried in tx.exec(query).all():
        carried.state, carried.sent_at = message.state, message.sent_at
        carried.not_before, carried.last_failure = message.not_before, message.last_failure
        carried.held_for = message.held_for
        if message.state in {MessageState.SENT, MessageState.CANCELLED}:
            forget_secrets(carried)


def forget_secrets(message: MessageRow) -> None:
    """Take the secret facts out of a message that will never be sent (again)."""
    message.facts = {name: fact for name, fact in message.facts.items() if name not in SECRET_FACTS}
