"""Rows of what the outbox knows beside its messages: addresses, faults, brakes, who stepped in.

Rows carry no behaviour. Every instant is aware UTC. Addresses are in lower case.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from tickets.rules.message import Channel, FailureReason, Intervention, MessageState
from tickets.store import Instant, Row, stored_enum

DEAD = sa.text("message.state = 'dead'")
UNSETTLED = sa.text("message.state IN ('pending', 'sending')")
"""Which messages are given up, and which are still to be sent.

In the very words of ``ix_message_dead`` and ``ix_message_due``, for databases make no use of an
index that holds only some rows where the values are bound.
"""


class UndeliverableRow(Row, table=True):
    """An address that a mail server refused for good; gone once a mail to it was taken.

    Until ``retry_at`` nothing more is tried there.
    """

    address: str = Field(primary_key=True)
    since: datetime = Field(sa_type=Instant)
    retry_at: datetime = Field(sa_type=Instant)
    answer: str


class ChannelRow(Row, table=True):
    """A channel by which messages leave; the ``failing_...`` columns are empty while it works.

    Who claims messages locks its row, so that senders claim one after the other.
    """

    name: Channel = Field(primary_key=True, sa_type=stored_enum(Channel, "name"))
    failing_since: datetime | None = Field(default=None, sa_type=Instant)
    failing_reason: FailureReason | None = Field(
        default=None, sa_type=stored_enum(FailureReason, "failing_reason")
    )
    failing_answer: str | None = None
    told_at: datetime | None = Field(default=None, sa_type=Instant)


class BrakeRow(Row, table=True):
    """A limit on mails that was reached: for one address, or with an empty ``address`` for all.

    It is in force until ``until``; a later trip within the hour is the same as the first.
    """

    address: str = Field(primary_key=True)
    tripped_at: datetime = Field(sa_type=Instant)
    until: datetime = Field(sa_type=Instant)
    told_at: datetime | None = Field(default=None, sa_type=Instant)


class DigestedRow(Row, table=True):
    """A ticket that needs no line in a digest any more: staff were told of it, or took it up."""

    ticket_id: int = Field(primary_key=True, foreign_key="ticket.id")
    at: datetime = Field(sa_type=Instant)


class InterventionRow(Row, table=True):
    """What somebody did to a message by hand; rows are added, never changed."""

    __table_args__ = (sa.Index("ix_intervention_message", "message_id"),)

    id: int | None = Field(default=None, primary_key=True)
    message_id: int = Field(foreign_key="message.id")
    at: datetime = Field(sa_type=Instant)
    what: Intervention = Field(sa_type=stored_enum(Intervention, "what"))
    state_before: MessageState = Field(sa_type=stored_enum(MessageState, "state_before"))
    actor: str
    staff_id: int | None = Field(default=None, foreign_key="staff.id")
