"""When staff get the digest of requests that are not critical: twice on each support day."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from tickets.rules.hours import OutOfReach, SupportHours

DIGEST_TIMES = (time(9), time(13))
"""Local times of a digest, the earliest first (contract, section 6)."""

_LOOK_BACK_DAYS = 14


def last_digest(hours: SupportHours, now: datetime) -> datetime | None:
    """Return the last instant at or before ``now`` at which a digest was due.

    None if there was none for two weeks, or the calendar does not reach there.
    """
    today = now.astimezone(hours.zone).date()
    for ago in range(_LOOK_BACK_DAYS):
        on = today - timedelta(days=ago)
        try:
            if not hours.day(on).intervals:
                continue
        except OutOfReach:
            return None
        for at in reversed(DIGEST_TIMES):
            due = datetime.combine(on, at, hours.zone)
            if due <= now:
                return due
    return None
