"""The lead is told what is wrong with mail: once for each cause, never by the way that failed.

Every function needs the open write transaction of its caller. Where there is no way left, the
desk's banner, the metrics and the page of readiness say it (see ``tickets.queries.mail_faults``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from tickets.mail_faults import TOLD_AT_ONCE, find_undeliverable, lock_channel
from tickets.outbox import Recipient, StaffNotice, put_notice
from tickets.outbox_tables import DEAD, BrakeRow, ChannelRow
from tickets.policy import Policy
from tickets.rules.message import Channel, FailureReason
from tickets.rules.notice import Notice
from tickets.rules.ticket import Priority
from tickets.tables import DeliveryRow, MessageRow

TOLD_AFTER = timedelta(minutes=2)
"""For how long the mail server must be away before somebody is called: restarts are shorter."""

_MOST_DEAD = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fault:
    """One cause: its name for ever, and what is said of it."""

    key: str
    what: str
    message: str
    advice: str
    since: datetime
    page: str = "/outbox"


def has_news(tx: Session, now: datetime) -> bool:
    """Tell whether something of mail's faults was told to nobody yet."""
    return any(
        tx.exec(query.limit(1)).first() is not None
        for query in (
            _untold_dead(),
            _untold_channels(now),
            select(BrakeRow).where(col(BrakeRow.told_at).is_(None)),
        )
    )


def tell_faults(tx: Session, policy: Policy, *, at: datetime) -> int:
    """Tell the lead of dead messages, of a channel that fails and of brakes; return how many.

    A dead message is told with its cause: ten mails to one address are one notice. Locks the mail
    channel: of several processes one does it.
    """
    lock_channel(tx, Channel.MAIL)
    told = 0
    for row in tx.exec(_untold_channels(at)).all():
        if row.name is Channel.MAIL:
            told += _tell(tx, policy, _of_channel(row), without_mail=True, at=at)
        row.told_at = at
    for brake in tx.exec(select(BrakeRow).where(col(BrakeRow.told_at).is_(None))).all():
        told += _tell(tx, policy, _of_brake(brake), without_mail=True, at=at)
        brake.told_at = at
    faults: dict[str, tuple[_Fault, bool, set[str]]] = {}
    for message in tx.exec(_untold_dead()).all():
        message.told_at = at
        fault, is_mail_at_fault = _of_dead(tx, policy, message, at=at)
        entry = faults.setdefault(fault.key, (fault, is_mail_at_fault, set()))
        entry[2].add(message.address.lower())
    for fault, is_mail_at_fault, addresses in faults.values():
        told += _tell(tx, policy, fault, without_mail=is_mail_at_fault, without=addresses, at=at)
    return told


def _untold_dead() -> SelectOfScalar[MessageRow]:
    return (
        select(MessageRow)
        .where(
            DEAD,
            col(MessageRow.told_at).is_(None),
            # That a fault could not be told is no fault to tell of: it would go round. And a
            # stranger may name any address in the request form.
            col(MessageRow.notice).not_in([Notice.MAIL_FAULT, Notice.VERIFY]),
        )
        .order_by(col(MessageRow.id))
        .limit(_MOST_DEAD)
    )


def _untold_channels(now: datetime) -> SelectOfScalar[ChannelRow]:
    return select(ChannelRow).where(
        col(ChannelRow.told_at).is_(None),
        sa.or_(
            col(ChannelRow.failing_since) <= now - TOLD_AFTER,
            sa.and_(
                col(ChannelRow.failing_since).is_not(None),
                col(ChannelRow.failing_reason).in_([*TOLD_AT_ONCE]),
            ),
        ),
    )


def _of_channel(row: ChannelRow) -> _Fault:
    since = row.failing_since
    assert since is not None
    advice = {
        FailureReason.AUTH: "Put the right user name and password into the settings under mail.",
        FailureReason.TLS: "Look at the mail server's certificate and at mail.security.",
    }.get(row.failing_reason or FailureReason.CONNECT, "Look at the mail server and the way to it.")
    cause = f" {row.failing_reason}" if row.failing_reason in TOLD_AT_ONCE else ""
    return _Fault(
        key=f"mail channel {since.isoformat()}{cause}",
        what="No mail leaves: the mail server cannot be used.",
        message=row.failing_answer or "",
        advice=f"{advice} Mails wait and leave by themselves once it works.",
        since=since,
    )


def _of_brake(brake: BrakeRow) -> _Fault:
    whose = f"to {brake.address}" if brake.address else "of all kinds"
    limit = "in 24 hours" if brake.address else "in a minute"
    return _Fault(
        key=f"brake {brake.address} {brake.tripped_at.isoformat()}",
        what=f"Mails {whose} are held back: more than mail.limits allows {limit}.",
        message=f"The limit was reached on {brake.tripped_at:%Y-%m-%d %H:%M} UTC.",
        advice="If they are wanted, raise the limit; if not, find what writes them.",
        since=brake.tripped_at,
    )


def _of_dead(
    tx: Session, policy: Policy, message: MessageRow, *, at: datetime
) -> tuple[_Fault, bool]:
    """Return why a message died, and whether mail as such is at fault."""
    address, page = message.address, "/outbox?state=dead"
    answer = message.last_failure or ""
    mark = find_undeliverable(tx, address) if message.channel is Channel.MAIL else None
    if mark is not None:
        fault = _Fault(
            key=f"undeliverable {mark.address} {mark.since.isoformat()}",
            what=f"Mails to {mark.address} do not arrive.",
            message=mark.answer,
            advice="Ask for another address and put it into the configuration. "
            "Until then one mail a day is tried.",
            since=mark.since,
            page=page,
        )
        return fault, False
    day = at.astimezone(policy.zone).date()
    if message.channel is Channel.PUSH:
        fault = _Fault(
            key=f"push {address} {day}",
            what=f"Staff are no longer told by {address.partition(':')[0]}.",
            message=answer,
            advice="Look at the service's URL under staff_channels.",
            since=at,
            page=page,
        )
        return fault, False
    reason = _last_reason(tx, message)
    fault = _Fault(
        key=f"dead {reason} {day}",
        what="A mail was given up; the outbox names all of today.",
        message=answer,
        advice="Look at what the mail server answered.",
        since=at,
        page=page,
    )
    return fault, reason not in {FailureReason.PERMANENT, FailureReason.TEMPORARY}


def _last_reason(tx: Session, message: MessageRow) -> FailureReason | None:
    query = select(DeliveryRow).where(col(DeliveryRow.message_id) == message.id)
    last = tx.exec(query.order_by(col(DeliveryRow.number).desc()).limit(1)).first()
    return None if last is None else last.reason


def _tell(
    tx: Session,
    policy: Policy,
    fault: _Fault,
    *,
    without_mail: bool,
    without: Collection[str] = (),
    at: datetime,
) -> bool:
    told = StaffNotice(
        key=fault.key,
        thread="mail",
        notice=Notice.MAIL_FAULT,
        facts={
            "title": "Mail",
            "what": fault.what,
            "message": fault.message,
            "advice": fault.advice,
            "since": fault.since.isoformat(),
            "priority": Priority.CRITICAL.value,
            "agency_name": policy.agency_name,
            "zone": policy.zone.key,
            "desk_url": f"{policy.base_url}{fault.page}",
            "at": at.isoformat(),
        },
    )
    lead = _without(policy.lead, without, without_mail=without_mail)
    people = lead or _without(policy.duty, without, without_mail=without_mail)
    return put_notice(tx, told, recipients=people, domain=policy.mail_domain, at=at)


def _without(
    people: Sequence[Recipient], without: Collection[str], *, without_mail: bool
) -> Sequence[Recipient]:
    return [
        person
        for person in people
        if not (without_mail and person.channel is Channel.MAIL)
        and person.address.lower() not in without
    ]
