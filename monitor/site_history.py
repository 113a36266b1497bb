"""How one site stood: its uptime over periods and days, its response times, its last incidents.

Reads only; every function needs an open transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from monitor.alert_tables import AlertIncidentRow
from monitor.rules.client_words import client_words
from monitor.rules.maintenance import WEEKDAYS, DatedWindow, Window
from monitor.rules.reading import EDGES, day_of, day_start, floor_to, quantile
from monitor.rules.uptime import Uptime, share_text
from monitor.tables import IncidentKind, IncidentRow, SiteRow
from monitor.uptimes import (
    FINE_ONLY,
    Reading,
    first_reading_at,
    read_site,
    total_of,
    uptime_by_site,
)
from tickets.pages.watch import (
    AlertView,
    AnswerTimes,
    DayView,
    IncidentView,
    Period,
    SiteHistory,
    SiteState,
    SiteView,
    UptimeView,
)
from tickets.rules.ticket import Status, reference
from tickets.rules.words import format_instant
from tickets.tables import TicketRow

DAYS = 90
PERIODS = (7, 30, 90)
"""Days, today included."""

ANSWERS_EVERY = timedelta(minutes=30)
FLUSHED_WITHIN = timedelta(seconds=75)
"""How long an observation may take to show in the readings."""

INCIDENTS = 10

_DAY = timedelta(days=1)
_STATES = {IncidentKind.DOWN: SiteState.DOWN, IncidentKind.SLOW: SiteState.SLOW}


def site_history(
    tx: Session, view: SiteView, windows: Sequence[Window], *, now: datetime, zone: ZoneInfo
) -> SiteHistory:
    """Return all that the page of the site of ``view`` shows."""
    site = tx.get_one(SiteRow, view.slug)
    known_at = max(site.added_at, first_reading_at(tx) or now)
    seen_until = now - site_lag(site)
    today = now.astimezone(zone).date()

    def total(some: Iterable[Reading], start: datetime, end: datetime) -> Uptime:
        return total_of(some, start=max(start, known_at), end=end, seen_until=seen_until)

    start = day_start(today - (DAYS - 1) * _DAY, zone)
    readings = read_site(tx, view.slug, start=start, end=now, zone=zone)
    day_ago = floor_to(now - _DAY, ANSWERS_EVERY)
    latest = read_site(tx, view.slug, start=day_ago, end=now, zone=zone, known=FINE_ONLY)
    periods = [Period("24 h", uptime_view(total(_since(latest, now - _DAY), now - _DAY, now)))]
    for days in PERIODS:
        start = day_start(today - (days - 1) * _DAY, zone)
        periods.append(Period(f"{days} d", uptime_view(total(_since(readings, start), start, now))))
    by_date: dict[date, list[Reading]] = defaultdict(list)
    for reading in readings:
        by_date[day_of(reading.tile.start, zone).start.astimezone(zone).date()].append(reading)
    dates = [today - n * _DAY for n in reversed(range(DAYS))]
    bars: list[DayView] = []
    for on in dates:
        start, end = day_start(on, zone), min(day_start(on + _DAY, zone), now)
        uptime = None if end <= known_at else uptime_view(total(by_date[on], start, end))
        bars.append(DayView(on, uptime))
    return SiteHistory(
        view=view,
        slow_after_seconds=site.slow_after_seconds,
        periods=periods,
        days=bars,
        answers=_answers(latest, start=day_ago, now=now),
        incidents=_incidents(tx, view.slug),
        windows=[window_words(window, zone) for window in windows],
    )


def recent_uptime(tx: Session, *, days: int, now: datetime, zone: ZoneInfo) -> Mapping[str, Uptime]:
    """Return the uptime by site over some days, today included; nothing of sites never seen."""
    start = day_start(now.astimezone(zone).date() - (days - 1) * _DAY, zone)
    return uptime_by_site(tx, start=start, end=now, zone=zone)


def site_lag(site: SiteRow) -> timedelta:
    """Return how old a time must be for the readings of ``site`` to account for it."""
    return timedelta(seconds=site.interval_seconds + site.timeout_seconds) + FLUSHED_WITHIN


def uptime_view(uptime: Uptime) -> UptimeView:
    """Return an uptime as pages and commands show it."""
    return UptimeView(
        share=uptime.share,
        text=share_text(uptime.share),
        up=uptime.up,
        slow=uptime.slow,
        down=uptime.down,
        unknown=uptime.unknown,
        maintenance=uptime.maintenance,
        unwatched=uptime.unwatched,
    )


def window_words(window: Window, zone: ZoneInfo) -> str:
    """Return a maintenance window in words, ``Sun 02:00 to 04:00``."""
    if isinstance(window, DatedWindow):
        return f"{format_instant(window.start, zone)} to {format_instant(window.end, zone)}"
    days = ", ".join(WEEKDAYS[day].capitalize() for day in sorted(window.days))
    return f"{days} {_clock(window.opens)} to {_clock(window.closes)}"


def _clock(time_of_day: timedelta) -> str:
    minutes = time_of_day // timedelta(minutes=1)
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _since(readings: Iterable[Reading], start: datetime) -> Iterable[Reading]:
    return (reading for reading in readings if reading.tile.end > start)


def _answers(
    readings: Iterable[Reading], *, start: datetime, now: datetime
) -> Sequence[AnswerTimes]:
    counts: dict[datetime, list[int]] = {}
    while start <= now:
        counts[start] = [0] * (len(EDGES) + 1)
        start += ANSWERS_EVERY
    for reading in readings:
        found = counts[floor_to(reading.tile.start, ANSWERS_EVERY)]
        for place, count in enumerate(reading.latency):
            found[place] += count
    return [
        AnswerTimes(at, quantile(some, 0.5), quantile(some, 0.95)) for at, some in counts.items()
    ]


def site_alerts(tx: Session, slug: str) -> Sequence[AlertView]:
    """Return the last times in which alerts about a site fired, the newest first.

    They are internal and belong on no page of a client.
    """
    query = (
        select(AlertIncidentRow, TicketRow.title)
        .join(TicketRow, col(TicketRow.id) == col(AlertIncidentRow.ticket_id))
        .where(col(AlertIncidentRow.site) == slug)
        .order_by(col(AlertIncidentRow.id).desc())
        .limit(INCIDENTS)
    )
    return [
        AlertView(
            title=title,
            source=row.source,
            started_at=row.started_at,
            ended_at=row.ended_at,
            ticket_reference=reference(row.ticket_id),
        )
        for row, title in tx.exec(query).all()
    ]


def _incidents(tx: Session, slug: str) -> Sequence[IncidentView]:
    query = (
        select(IncidentRow, TicketRow.status)
        .join(TicketRow, col(TicketRow.id) == col(IncidentRow.ticket_id))
        .where(col(IncidentRow.site) == slug)
        .order_by(col(IncidentRow.id).desc())
        .limit(INCIDENTS)
    )
    return [
        IncidentView(
            state=_STATES.get(row.kind, SiteState.DOWN),
            message=row.message,
            words=client_words(row.cause),
            is_in_hand=status is not Status.OPEN,
            started_at=row.started_at,
            ended_at=row.ended_at,
            ticket_reference=reference(row.ticket_id),
        )
        for row, status in tx.exec(query).all()
    ]
