"""Deletes what nobody can use any more: links to long-closed tickets, pages of old statements.

What happened stays: tickets, entries, messages, and that a statement was written to somebody.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from tickets.link_tables import TicketLinkRow
from tickets.statement_tables import StatementCopyRow, StatementRow
from tickets.statements import PAGE_FOR
from tickets.store import Store
from tickets.tables import TicketRow

LINKS_KEPT_FOR = timedelta(days=90)
"""How long after its ticket closed a link is kept.

It works for 30 days of them at most; in all of them its page still says that it has ended.
"""

AT_ONCE = 500
"""Links that one transaction deletes."""

log = structlog.get_logger()


async def forget_old(store: Store, *, now: datetime, at_once: int = AT_ONCE) -> None:
    """Delete what is too old at ``now``, ``at_once`` links in a transaction; opens its own.

    Raises ``Unavailable`` if the store is away.
    """
    links = deleted = await store.awrite(partial(forget_links, now=now, most=at_once))
    while deleted == at_once:
        deleted = await store.awrite(partial(forget_links, now=now, most=at_once))
        links += deleted
    pages = await store.awrite(partial(forget_pages, now=now))
    if links or pages:
        log.info("forgetting.rows_deleted", links=links, statement_pages=pages)


def forget_links(tx: Session, *, now: datetime, most: int) -> int:
    """Delete links past their end whose ticket closed long ago; return how many, at most ``most``.

    A link of a ticket that is not closed stays, however old: its page mails a new one. So does
    that of a duplicate while the ticket as which it goes on is not closed. Needs a write
    transaction.
    """
    limit = now - LINKS_KEPT_FOR
    survivor = aliased(TicketRow)
    old = (
        select(TicketLinkRow.token_hash)
        .join(TicketRow, col(TicketRow.id) == col(TicketLinkRow.ticket_id))
        .outerjoin(survivor, col(survivor.id) == col(TicketRow.merged_into_id))
        .where(
            col(TicketLinkRow.expires_at) <= now,
            col(TicketRow.closed_at) <= limit,
            sa.or_(col(TicketRow.merged_into_id).is_(None), col(survivor.closed_at) <= limit),
        )
        .limit(most)
    )
    hashes = tx.exec(old).all()
    tx.exec(sa.delete(TicketLinkRow).where(col(TicketLinkRow.token_hash).in_(hashes)))
    return len(hashes)


def forget_pages(tx: Session, *, now: datetime) -> int:
    """Delete the pages of statements to which no link leads any more; return how many.

    Needs a write transaction.
    """
    limit = now - PAGE_FOR
    is_linked = sa.exists().where(
        col(StatementCopyRow.client) == col(StatementRow.client),
        col(StatementCopyRow.month) == col(StatementRow.month),
        col(StatementCopyRow.written_at) >= limit,
    )
    old = sa.delete(StatementRow).where(col(StatementRow.made_at) < limit, ~is_linked)
    return tx.exec(old).rowcount
