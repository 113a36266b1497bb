"""Attempts that a ticket's status did not allow: refused, and written down beside its history.

The refused transaction is rolled back as a whole, so the attempt gets one of its own. It is no
entry: nothing changed, and a form that somebody else has open stays good (decision 35).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import structlog
from sqlmodel import Session

from tickets.history import ActionRefused
from tickets.rules.ticket import reference
from tickets.store import Store
from tickets.tables import RefusalRow

log = structlog.get_logger()

Result = TypeVar("Result")


def attempt(store: Store, work: Callable[[Session], Result], *, at: datetime) -> Result:
    """Run ``work`` in a write transaction; what it may not do is recorded and raised again.

    Opens its own transactions. Raises ``ActionRefused`` and whatever else ``work`` raises.
    """
    try:
        return store.write(work)
    except ActionRefused as refused:
        store.write(lambda tx, refused=refused: _record(tx, refused, at=at))
        raise


async def aattempt(store: Store, work: Callable[[Session], Result], *, at: datetime) -> Result:
    """Do as ``attempt`` does without blocking the event loop."""
    try:
        return await store.awrite(work)
    except ActionRefused as refused:
        await store.awrite(lambda tx, refused=refused: _record(tx, refused, at=at))
        raise


def _record(tx: Session, refused: ActionRefused, *, at: datetime) -> None:
    tx.add(
        RefusalRow(
            ticket_id=refused.ticket_id,
            at=at,
            action=refused.action,
            actor=refused.actor.name,
            staff_id=refused.actor.staff_id,
            reason=str(refused),
        )
    )
    log.warning(
        "refusals.action_refused",
        ticket=reference(refused.ticket_id),
        action=refused.action.value,
        staff=refused.actor.staff_id,
    )
