"""Answers kept by ``Idempotency-Key``: a request that comes again has one effect.

The row is claimed in the transaction of the effect, so that of two requests at once one waits for
the other or fails to commit. A request that was refused keeps nothing: nothing was done, and it
may be mended and sent again under its key. Functions need the open write transaction of the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from tickets.errors import Refused
from tickets.token_tables import KeptAnswerRow

KEPT_FOR = timedelta(hours=24)
"""How long a request may come again and be answered the same."""


class KeyReused(Refused):
    """The key came with another request before."""


class KeyTaken(Exception):  # the transaction is to be begun anew, which is nobody's fault
    """Another transaction claimed the same key a moment ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A key that a request came with, and what it asked for."""

    token_id: str
    key: str
    request_hash: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered: an HTTP status and the text of a JSON document."""

    status: int
    body: str


def claim_key(tx: Session, claim: Claim, *, at: datetime) -> Answer | None:
    """Return the answer that the same request was given before, or take the key for this one.

    Forgets what is older than ``KEPT_FOR``. Raises ``KeyReused`` when the key stands for another
    request, ``KeyTaken`` when the transaction must be begun anew.
    """
    tx.exec(sa.delete(KeptAnswerRow).where(col(KeptAnswerRow.answered_at) <= at - KEPT_FOR))
    row = tx.get(KeptAnswerRow, (claim.token_id, claim.key))
    if row is None:
        tx.add(
            KeptAnswerRow(
                token_id=claim.token_id,
                key=claim.key,
                request_hash=claim.request_hash,
                answered_at=at,
                status=0,
                body="",
            )
        )
        try:
            tx.flush()
        except IntegrityError as error:
            raise KeyTaken from error
        return None
    if row.request_hash != claim.request_hash:
        raise KeyReused(
            "this Idempotency-Key came with another request in the last 24 hours: use a new key for"
            " a new request, and the same one only to repeat the very same"
        )
    return Answer(row.status, row.body)


def keep_answer(tx: Session, claim: Claim, answer: Answer) -> None:
    """Store what the request under ``claim`` is answered."""
    row = tx.get_one(KeptAnswerRow, (claim.token_id, claim.key))
    row.status, row.body = answer.status, answer.body
