"""How long answers, resolutions and deliveries took, for the histograms of the metrics page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from tickets.rules.message import Channel, DeliveryOutcome
from tickets.rules.notice import Notice
from tickets.rules.ticket import Action, Priority
from tickets.tables import CalendarRow, DeliveryRow, EntryRow, MessageRow, PromiseRow, TicketRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long things took: ``within`` counts those up to each edge and, last, those above."""

    within: Sequence[int]
    sum_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """From when to when something took; ``key`` is the ticket and the entry that ended it.

    ``priority`` is the ticket's at its end.
    """

    key: tuple[int, int]
    client: str
    priority: Priority
    started_at: datetime
    ended_at: datetime


_Query = sa.Select[int, int, str, Priority, datetime, datetime]


def list_answers(tx: Session, *, since: datetime | None) -> Sequence[Stretch]:
    """Return the promises that a person answered after ``since``, from their start to the answer.

    All of them if that is None.
    """
    query = _stretches().where(
        col(PromiseRow.answered_at) == col(EntryRow.at),
        col(PromiseRow.answered_with) == col(EntryRow.action),
    )
    return _read(tx, query, since)


def list_resolutions(tx: Session, *, since: datetime | None) -> Sequence[Stretch]:
    """Return the resolutions after ``since``, each from when its ticket opened or was reopened."""
    later = aliased(PromiseRow)
    query = _stretches().where(
        col(EntryRow.action) == Action.RESOLVE,
        col(PromiseRow.started_at) <= col(EntryRow.at),
        sa.not_(
            sa.exists().where(
                col(later.ticket_id) == col(PromiseRow.ticket_id),
                col(later.number) > col(PromiseRow.number),
                col(later.started_at) <= col(EntryRow.at),
            )
        ),
    )
    return _read(tx, query, since)


def _stretches() -> _Query:
    return (
        sa.select(
            col(EntryRow.ticket_id),
            col(EntryRow.number),
            col(TicketRow.client),
            col(EntryRow.priority),
            col(PromiseRow.started_at),
            col(EntryRow.at),
        )
        .select_from(EntryRow)
        .join(TicketRow, col(TicketRow.id) == col(EntryRow.ticket_id))
        .join(PromiseRow, col(PromiseRow.ticket_id) == col(EntryRow.ticket_id))
    )


def _read(tx: Session, query: _Query, since: datetime | None) -> Sequence[Stretch]:
    if since is not None:
        query = query.where(col(EntryRow.at) > since)
    return [
        Stretch(
            key=(ticket, number),
            client=client,
            priority=priority,
            started_at=started_at,
            ended_at=ended_at,
        )
        for ticket, number, client, priority, started_at, ended_at in tx.connection().execute(query)
    ]


def list_calendars(tx: Session) -> Sequence[CalendarRow]:
    """Return every version of every calendar that was in use, the newest first."""
    return tx.exec(select(CalendarRow).order_by(col(CalendarRow.version).desc())).all()


def count_deliveries(tx: Session, *, edges: Sequence[float]) -> Mapping[Notice, Times]:
    """Count the mails that the mail server took by how long after their cause it did.

    ``edges`` are seconds.
    """
    notice = col(DeliveryRow.notice)
    seconds = seconds_between(tx, col(MessageRow.written_at), col(DeliveryRow.ended_at))
    below = (sa.func.sum(sa.case((seconds <= edge, 1), else_=0)) for edge in edges)
    query = (
        sa.select(notice, sa.func.count(), sa.func.sum(seconds), *below)
        .join(MessageRow, col(MessageRow.id) == col(DeliveryRow.message_id))
        .where(
            col(DeliveryRow.outcome) == DeliveryOutcome.SENT,
            col(MessageRow.channel) == Channel.MAIL,
        )
        .group_by(notice)
    )
    found: dict[Notice, Times] = {}
    for of, count, total, *up_to in cast(
        Sequence[Sequence[Any]], tx.connection().execute(query).all()
    ):
        edged = [0, *map(int, up_to), int(count)]
        found[of] = Times(
            within=[high - low for low, high in pairwise(edged)],
            sum_seconds=float(total),
        )
    return found


def seconds_between(
    tx: Session, start: sa.SQLColumnExpression[Any], end: sa.SQLColumnExpression[Any]
) -> sa.ColumnElement[float]:
    """Return the seconds from one instant to another, which the databases hold differently."""
    if tx.get_bind().dialect.name == "sqlite":
        microseconds = sa.type_coerce(end, sa.BigInteger) - sa.type_coerce(start, sa.BigInteger)
        return sa.cast(microseconds, sa.Float) / 1_000_000.0
    return sa.cast(sa.extract("epoch", end - start), sa.Float)
