"""One active prober per location: a lease row that is renewed, with a fence that rises.

A prober that was suspended past its lease finds a newer fence and may not record anything. The
``holder`` names the supervisor's run, not the process: a supervisor that has seen its prober die
starts the next one under the same name, which takes the lease over at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from monitor.tables import ProberRow
from tickets.errors import ServiceError

LEASE = timedelta(seconds=15)
"""How long a prober that has fallen silent keeps its location."""


class LeaseLost(ServiceError):
    """Another prober has taken this location over; this one must stop."""


def acquire(tx: Session, *, location: str, holder: str, now: datetime) -> int | None:
    """Take the location's lease and return its new fence; None while another holder has it."""
    row = _locked(tx, location)
    if row is None:
        tx.add(ProberRow(location=location, holder=holder, fence=1, expires_at=now + LEASE))
        return 1
    if row.holder != holder and row.expires_at > now:
        return None
    row.holder = holder
    row.fence += 1
    row.expires_at = now + LEASE
    return row.fence


def renew(
    tx: Session,
    *,
    location: str,
    fence: int,
    now: datetime,
    ticked_at: datetime | None,
    figures: dict[str, Any],
) -> None:
    """Keep the lease, and store the scheduler's figures with it; raises ``LeaseLost``."""
    row = check(tx, location=location, fence=fence)
    row.expires_at = now + LEASE
    row.ticked_at = ticked_at
    row.figures = figures


def release(tx: Session, *, location: str, fence: int, now: datetime) -> None:
    """Give the lease back in an orderly stop; raises ``LeaseLost`` if it is not ours any more."""
    check(tx, location=location, fence=fence).expires_at = now


def check(tx: Session, *, location: str, fence: int) -> ProberRow:
    """Return the location's row, locked; raises ``LeaseLost`` unless ``fence`` is the newest."""
    row = _locked(tx, location)
    if row is None or row.fence != fence:
        raise LeaseLost(f"another prober has taken over the location {location!r}")
    return row


def find_figures(tx: Session, location: str) -> Mapping[str, Any]:
    """Return the figures that the location's prober stored last; empty if there were none."""
    row = tx.exec(select(ProberRow).where(col(ProberRow.location) == location)).first()
    return {} if row is None else row.figures


def _locked(tx: Session, location: str) -> ProberRow | None:
    query = select(ProberRow).where(col(ProberRow.location) == location).with_for_update()
    return tx.exec(query).first()
