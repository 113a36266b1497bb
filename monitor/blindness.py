"""Tells staff when a location cannot see its sites, and when it sees again; opens no ticket.

A notice and the state that it tells of are written together, so that a restart neither forgets nor
repeats. Every function needs the open write transaction of its caller.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from monitor.lease import LEASE
from monitor.rules.observation import Cause
from monitor.rules.sight import REASONS, Change, Sight
from monitor.tables import ProberRow, SiteRow
from tickets.outbox import StaffNotice, put_notice
from tickets.policy import Policy
from tickets.rules.notice import Notice

SILENT_AFTER = timedelta(seconds=90)
"""How old the last tick of a prober may be before staff are told that it is silent."""

SILENT = "its prober gives no sign of life"


def find_sight(tx: Session, *, location: str) -> Sight:
    """Return how well the location saw when its last prober stopped, as far as staff know."""
    row = tx.get(ProberRow, location)
    if row is None or row.blind_since is None:
        return Sight()
    return Sight(
        since=row.blind_since, cause=row.blind_cause, unwatched=row.unwatched_slots, is_told=True
    )


def tell(
    tx: Session, policy: Policy, row: ProberRow, *, sight: Sight, change: Change, at: datetime
) -> None:
    """Write that the location of ``row`` is blind or sees again, and tell lead and duty."""
    assert sight.since is not None
    cause = sight.cause or Cause.OWN_NETWORK
    why = REASONS[cause]
    if change is Change.BLIND:
        row.blind_since, row.blind_cause = sight.since, cause
        row.unwatched_slots = sight.unwatched
        _put(tx, policy, row.location, Notice.BLIND, since=sight.since, why=why, at=at)
        return
    row.blind_since, row.blind_cause, row.unwatched_slots = None, None, 0
    _put(
        tx,
        policy,
        row.location,
        Notice.SIGHTED,
        since=sight.since,
        why=why,
        at=at,
        unwatched=sight.unwatched,
    )


def sweep_silent(tx: Session, policy: Policy, *, now: datetime) -> None:
    """Tell of each prober that has fallen silent and of each that is back, once.

    A prober that was stopped in order has given its lease back and is not missed.
    """
    for row in tx.exec(select(ProberRow).where(col(ProberRow.ticked_at).is_not(None))).all():
        assert row.ticked_at is not None
        is_silent = now - row.ticked_at > SILENT_AFTER
        if is_silent and row.silent_since is None and not is_stopped(row):
            row.silent_since = row.ticked_at
            _put(tx, policy, row.location, Notice.BLIND, since=row.ticked_at, why=SILENT, at=now)
        elif not is_silent and row.silent_since is not None:
            since, row.silent_since = row.silent_since, None
            _put(
                tx,
                policy,
                row.location,
                Notice.SIGHTED,
                since=since,
                why=SILENT,
                at=now,
                unwatched=_slots(tx, now - since),
            )


def is_stopped(row: ProberRow) -> bool:
    """Tell whether the location's last prober gave its lease back in an orderly stop."""
    return row.ticked_at is not None and row.expires_at - row.ticked_at < LEASE / 2


def _slots(tx: Session, duration: timedelta) -> int:
    """Return how many slots all sites together have in ``duration``."""
    query = select(SiteRow.interval_seconds).where(col(SiteRow.removed_at).is_(None))
    return sum(int(duration.total_seconds() // seconds) for seconds in tx.exec(query).all())


def _put(
    tx: Session,
    policy: Policy,
    location: str,
    notice: Notice,
    *,
    since: datetime,
    why: str,
    at: datetime,
    unwatched: int = 0,
) -> None:
    episode = f"{'silent' if why == SILENT else 'blind'}:{location}:{since.isoformat()}"
    facts: dict[str, Any] = {
        "title": f"Prober {location}",
        "location": location,
        "why": why,
        "since": since.isoformat(),
        "priority": "critical",
        "agency_name": policy.agency_name,
        "zone": policy.zone.key,
        "desk_url": f"{policy.base_url}/sites",
        "at": at.isoformat(),
    }
    if notice is Notice.SIGHTED:
        facts |= {
            "until": at.isoformat(),
            "duration_seconds": max((at - since).total_seconds(), 0.0),
            "unwatched": unwatched,
        }
    put_notice(
        tx,
        StaffNotice(key=f"{notice}:{episode}", thread=episode, notice=notice, facts=facts),
        recipients=(*policy.lead, *policy.duty),
        domain=policy.mail_domain,
        at=at,
    )
