"""What is wrong with mail at this moment, for the desk's banner, the metrics and readiness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from tickets.outbox_tables import UNSETTLED, BrakeRow, ChannelRow, UndeliverableRow
from tickets.rules.message import Channel, FailureReason, HoldReason, MessageState
from tickets.tables import MessageRow

SHORT = timedelta(minutes=1)
"""A mail server that is away for less has been restarted: nothing is said yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UndeliverableView:
    """An address that takes no mail: since when, what its server said, when one is tried again."""

    address: str
    since: datetime
    answer: str
    retry_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BrakeView:
    """A limit that holds mails back: for ``address``, or for all where that is empty."""

    address: str
    tripped_at: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MailFaults:
    """Since when no mail can leave and why; addresses that take none; limits in force."""

    failing_since: datetime | None
    failing_reason: FailureReason | None
    failing_answer: str
    undeliverable: Sequence[UndeliverableView]
    brakes: Sequence[BrakeView]


def find_mail_faults(tx: Session, now: datetime) -> MailFaults:
    """Return what is wrong with mail at ``now``."""
    channel = tx.get(ChannelRow, Channel.MAIL)
    since = None if channel is None else channel.failing_since
    is_short = (
        channel is None
        or since is None
        or (now - since < SHORT and channel.failing_reason is not FailureReason.AUTH)
    )
    marks = tx.exec(select(UndeliverableRow).order_by(col(UndeliverableRow.since).desc())).all()
    brakes = tx.exec(
        select(BrakeRow).where(col(BrakeRow.until) > now).order_by(col(BrakeRow.address))
    ).all()
    return MailFaults(
        failing_since=None if is_short else since,
        failing_reason=None if is_short or channel is None else channel.failing_reason,
        failing_answer="" if is_short or channel is None else channel.failing_answer or "",
        undeliverable=[
            UndeliverableView(
                address=one.address, since=one.since, answer=one.answer, retry_at=one.retry_at
            )
            for one in marks
        ],
        brakes=[
            BrakeView(address=one.address, tripped_at=one.tripped_at, until=one.until)
            for one in brakes
        ],
    )


def mail_warnings(tx: Session, now: datetime) -> Sequence[str]:
    """Return what is wrong with mail as sentences; none holds an address.

    The page of readiness is public, so it counts.
    """
    faults = find_mail_faults(tx, now)
    found: list[str] = []
    if faults.failing_since is not None:
        found.append(
            f"no mail has left since {faults.failing_since:%Y-%m-%d %H:%M} UTC: the mail server "
            f"cannot be used ({faults.failing_reason})"
        )
    if faults.undeliverable:
        found.append(f"addresses that take no mail: {len(faults.undeliverable)}")
    if faults.brakes:
        found.append(f"limits of mail.limits that hold mails back: {len(faults.brakes)}")
    return found


def count_held(tx: Session, now: datetime) -> Mapping[HoldReason, int]:
    """Count the messages that wait at ``now`` though nothing about them failed, by why."""
    query = (
        sa.select(col(MessageRow.held_for), sa.func.count())
        .where(
            UNSETTLED,
            col(MessageRow.state) == MessageState.PENDING,
            col(MessageRow.held_for).is_not(None),
            col(MessageRow.not_before) > now,
        )
        .group_by(col(MessageRow.held_for))
    )
    return {why: count for why, count in tx.connection().execute(query).all() if why is not None}
