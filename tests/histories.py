"""Invented pasts of sites, for tests of a site's page and for its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import sin

from monitor.rules.uptime import Uptime, total_uptime
from monitor.site_history import uptime_view
from tickets.pages.watch import (
    AnswerTimes,
    DayView,
    IncidentView,
    Period,
    SiteHistory,
    SiteState,
    SiteView,
)

DAY = timedelta(days=1)
HALF_HOUR = timedelta(minutes=30)
USUAL = Uptime(up=DAY)


def a_history(
    view: SiteView,
    *,
    now: datetime,
    unusual: Mapping[int, Uptime],
    watched_for: int = 90,
) -> SiteHistory:
    """A site watched for some days; ``unusual`` are those that differ, by how many days ago."""
    pasts = {ago: unusual.get(ago, USUAL) for ago in range(min(watched_for, 90))}
    days = [
        DayView((now - ago * DAY).date(), uptime_view(pasts[ago]) if ago in pasts else None)
        for ago in reversed(range(90))
    ]
    periods = [
        Period(name, uptime_view(total_uptime(list(pasts.values())[:count])))
        for name, count in (("24 h", 1), ("7 d", 7), ("30 d", 30), ("90 d", 90))
    ]
    return SiteHistory(
        view=view,
        slow_after_seconds=3,
        periods=periods,
        days=days,
        answers=[_answers(now - n * HALF_HOUR, n, watched_for) for n in reversed(range(49))],
        incidents=_incidents(view, now) if unusual else [],
        windows=["Sun 02:00 to 04:00"],
    )


def _answers(at: datetime, place: int, watched_for: int) -> AnswerTimes:
    if watched_for == 0 or 20 < place < 24:
        return AnswerTimes(at, None, None)
    median = 0.3 + 0.05 * sin(place / 5)
    return AnswerTimes(at, median, median * (1.6 + 0.5 * sin(place * 1.7)) + (place % 17 == 3))


def _incidents(view: SiteView, now: datetime) -> list[IncidentView]:
    return [
        IncidentView(
            state=SiteState.DOWN,
            message="the server at 203.0.113.7 refused the connection",
            words="is not answering",
            is_in_hand=True,
            started_at=now - timedelta(minutes=43),
            ended_at=None if view.state is SiteState.DOWN else now - timedelta(minutes=20),
            ticket_reference="T-1008",
        ),
        IncidentView(
            state=SiteState.SLOW,
            message="answered in 4.81 s, slower than the limit of 3 s",
            words="is answering much more slowly than it should",
            is_in_hand=True,
            started_at=now - timedelta(hours=12, minutes=3),
            ended_at=now - timedelta(hours=10, minutes=31),
            ticket_reference="T-1003",
        ),
    ]


def a_busy_past() -> Mapping[int, Uptime]:
    """Days with something of everything."""
    return {
        0: Uptime(up=timedelta(hours=9), down=timedelta(minutes=43)),
        3: Uptime(up=timedelta(hours=22), slow=timedelta(hours=2)),
        12: Uptime(up=timedelta(hours=23, minutes=59), down=timedelta(minutes=1)),
        13: Uptime(up=timedelta(hours=20), maintenance=timedelta(hours=4)),
        30: Uptime(maintenance=DAY),
        31: Uptime(unknown=timedelta(hours=20), up=timedelta(hours=4)),
        40: Uptime(unwatched=DAY),
        55: Uptime(up=timedelta(hours=12), down=timedelta(hours=12)),
        56: Uptime(down=DAY),
    }
