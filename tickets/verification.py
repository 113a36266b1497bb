"""The owner of an address says which requests are theirs; what nobody claims is forgotten.

A link from a mail finds every request that waits for its address. Reading changes nothing; a
request is opened by its own button, once. Functions need the open transaction of their caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import Session, col, select

from tickets.errors import Conflict
from tickets.policy import Policy
from tickets.promises import promise_of
from tickets.request_tables import FormFileRow, FormRequestRow
from tickets.requests import Receipt, hashed, receipt_of
from tickets.rules.request import UNFINISHED, RequestState
from tickets.settling import finish, lock_request, open_for
from tickets.tables import TicketRow

FORGOTTEN_AFTER = timedelta(days=7)
"""When, after its link expired, a request loses its address and its receipt page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimable:
    """A request that an address's owner may send on, or has sent on."""

    receipt: Receipt
    title: str
    text: str
    state: RequestState
    files: int


@dataclass(frozen=True, slots=True)
class VerifyLink:
    """A link that was mailed to an address: its token, and the client of the page it leads to."""

    client: str
    token: str


def list_claimable(
    tx: Session, policy: Policy, link: VerifyLink, *, at: datetime
) -> Sequence[Claimable] | None:
    """Return what ``link`` may send on and has sent on, the oldest first.

    None when there is no such link, or it has expired.
    """
    asked = _find_asked(tx, link, at=at)
    if asked is None:
        return None
    query = select(FormRequestRow).where(
        col(FormRequestRow.address) == asked.address,
        col(FormRequestRow.client).in_(list(policy.clients)),
        sa.or_(
            sa.and_(col(FormRequestRow.state).in_(UNFINISHED), col(FormRequestRow.expires_at) > at),
            sa.and_(
                col(FormRequestRow.state) == RequestState.OPENED,
                col(FormRequestRow.verified_at).is_not(None),
            ),
        ),
    )
    return [_claimable(tx, row) for row in tx.exec(query.order_by(col(FormRequestRow.id))).all()]


def claim_request(
    tx: Session, policy: Policy, link: VerifyLink, *, request_id: int, at: datetime
) -> Receipt:
    """Open the ticket of a request that its sender claims; again, nothing changes.

    The promise runs from ``at``: before that nobody could know of the request, and whoever sends
    in another's name cannot spend its time. Raises ``Conflict`` for a link that has expired, or a
    request that is not there (any more).
    """
    row = _get_claimable(tx, link, request_id, at=at)
    if row.state is not RequestState.OPENED:
        row.verified_at = at
        open_for(tx, policy, row, at=at)
    return _receipt(tx, row)


def decline_request(tx: Session, link: VerifyLink, *, request_id: int, at: datetime) -> None:
    """Forget a request that is not its address's owner's; raises as ``claim_request`` does."""
    row = _get_claimable(tx, link, request_id, at=at)
    if row.state is not RequestState.OPENED:
        finish(tx, row, RequestState.DECLINED)


def note_verified(tx: Session, ticket_id: int, *, address: str, at: datetime) -> None:
    """Note that somebody acted by a link that was mailed to ``address``: it is theirs."""
    tx.exec(
        sa.update(FormRequestRow)
        .where(col(FormRequestRow.ticket_id) == ticket_id)
        .where(col(FormRequestRow.address) == address.lower())
        .where(col(FormRequestRow.verified_at).is_(None))
        .values(verified_at=at)
    )


def forget_requests(tx: Session, *, at: datetime) -> int:
    """Expire what nobody claimed, drop what is old; return how many expired.

    A row whose number no ticket has reached stays, so that no reference is given out twice.
    """
    expired = tx.exec(select(FormRequestRow).where(_is_expired(at))).all()
    for row in expired:
        finish(tx, row, RequestState.EXPIRED)
    old = _is_old(at)
    newest = select(sa.func.coalesce(sa.func.max(col(TicketRow.id)), 0)).scalar_subquery()
    finished = (RequestState.DECLINED, RequestState.EXPIRED, RequestState.REPEATED)
    tx.exec(
        sa.delete(FormRequestRow)
        .where(old, col(FormRequestRow.state).in_(finished))
        .where(col(FormRequestRow.number) < newest)
    )
    tx.exec(sa.update(FormRequestRow).where(old).values(address="", verify_hash=None))
    return len(expired)


def is_forgetting_due(tx: Session, *, at: datetime) -> bool:
    """Tell whether ``forget_requests`` has anything to do."""
    due = sa.or_(_is_expired(at), _is_old(at))
    return tx.exec(select(FormRequestRow.id).where(due).limit(1)).first() is not None


def _is_expired(at: datetime) -> sa.ColumnElement[bool]:
    # What is not settled yet may be a contact's, and is never given up.
    is_waiting = col(FormRequestRow.state) == RequestState.WAITING
    return sa.and_(is_waiting, col(FormRequestRow.expires_at) <= at)


def _is_old(at: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(
        col(FormRequestRow.expires_at) <= at - FORGOTTEN_AFTER, col(FormRequestRow.address) != ""
    )


def _find_asked(tx: Session, link: VerifyLink, *, at: datetime) -> FormRequestRow | None:
    query = select(FormRequestRow).where(
        col(FormRequestRow.verify_hash) == hashed(link.token),
        col(FormRequestRow.client) == link.client,
        col(FormRequestRow.expires_at) > at,
    )
    return tx.exec(query).first()


def _get_claimable(
    tx: Session, link: VerifyLink, request_id: int, *, at: datetime
) -> FormRequestRow:
    asked = _find_asked(tx, link, at=at)
    if asked is None:
        raise Conflict("this link has expired: send your request again")
    query = select(FormRequestRow).where(
        col(FormRequestRow.id) == request_id, col(FormRequestRow.address) == asked.address
    )
    if tx.exec(query).first() is None:
        raise Conflict("this request is not there any more: send it again")
    row = lock_request(tx, request_id)
    is_theirs = row.state is RequestState.OPENED and row.verified_at is not None
    if not is_theirs and (row.state not in UNFINISHED or row.expires_at <= at):
        raise Conflict("this request is not there any more: send it again")
    return row


def _claimable(tx: Session, row: FormRequestRow) -> Claimable:
    content = row.content or {}
    files = select(sa.func.count()).where(col(FormFileRow.request_id) == row.id)
    return Claimable(
        receipt=_receipt(tx, row),
        title=str(content.get("title", "")),
        text=str(content.get("text", "")),
        state=row.state,
        files=tx.exec(files).one(),
    )


def _receipt(tx: Session, row: FormRequestRow) -> Receipt:
    """Return the receipt with the ticket's own deadline; who sent it is not told that it moved."""
    receipt = receipt_of(row)
    if row.ticket_id is None:
        return receipt
    promise = promise_of(tx, tx.get_one(TicketRow, row.ticket_id))
    return replace(receipt, sent_at=promise.started_at, respond_by=promise.respond_by)
