"""The calendar: when an answer would be due now, and on which of the next days support is open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from starlette.requests import Request
from starlette.responses import Response

from tickets.accounts import SignedIn
from tickets.calendars import LastChange, ends_soon, find_last_change
from tickets.desk.answers import Desk
from tickets.desk.context import read_page
from tickets.policy import Policy
from tickets.rules.calendar import list_runs
from tickets.rules.hours import WEEKDAYS, OutOfReach, SupportHours
from tickets.rules.promise import ResponseTarget, deadline
from tickets.rules.ticket import Priority
from tickets.rules.words import format_date

MONTHS_SHOWN = 12
MOST_CHANGES = 20

_MONTH_NAMES = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """When a ticket of ``priority`` raised now would be due; None beyond the calendar."""

    priority: Priority
    target: ResponseTarget
    respond_by: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One date of a month: open, closed by a name of its own, or closed as its weekday is."""

    on: date
    hours: str
    name: str
    is_known: bool
    is_today: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedDays:
    """Dates in a row that are closed under one name."""

    first: date
    last: date
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """One month: weeks of seven places, Monday first, empty where the month has no date."""

    title: str
    weeks: Sequence[Sequence[Day | None]]
    named: Sequence[NamedDays]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedDay:
    """A date, a run of dates or a weekday that the newest version of a calendar changed."""

    when: str
    word: str
    name: str
    before: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownChange:
    """What the newest version of a calendar changed, as far as it lies ahead."""

    client: str
    version: int
    made_at: datetime
    source: str
    days: Sequence[ChangedDay]


async def show_calendar(desk: Desk, request: Request, me: SignedIn) -> Response:
    """Show the deadlines if raised now, the usual week, and twelve months.

    They are the agency's, or those of ``client`` in the address if it has an agreement of its own.
    """
    context = desk.context
    frame, last_change = await read_page(context, me, find_last_change)
    now = context.clock.now()
    policy = context.policy
    wanted = request.query_params.get("client", "")
    client = wanted if wanted in policy.promises else ""
    hours = policy.hours_of(client)
    today = now.astimezone(hours.zone).date()
    return desk.page(
        "calendar.html",
        frame=frame,
        client=client,
        clients=sorted(policy.promises),
        change=None if last_change is None else _shown_change(last_change, today),
        ends_soon=ends_soon(policy, now) is not None,
        dues=dues(policy, client, now),
        week=usual_week(hours, today),
        months=months(hours, today),
        last_known=hours.last,
    )


def _shown_change(last: LastChange, today: date) -> ShownChange:
    week = [
        ChangedDay(
            when=_WEEKDAYS[WEEKDAYS.index(one.day)],
            word="hours",
            name=", ".join(one.after) or "closed",
            before=", ".join(one.before) or "closed",
        )
        for one in last.change.week
    ]
    days = [
        ChangedDay(
            when=format_date(first.on) + ("" if first == end else f" to {format_date(end.on)}"),
            word=first.word,
            name=first.after or first.before or "",
            before=first.before if first.after and first.before else "",
        )
        for first, end in list_runs([day for day in last.change.days if day.on >= today])
    ]
    return ShownChange(
        client=last.client,
        version=last.version,
        made_at=last.made_at,
        source=last.source,
        days=[*week, *days][:MOST_CHANGES],
    )


def dues(policy: Policy, client: str, now: datetime) -> Sequence[Due]:
    """Return the deadline of a client's ticket of each priority if it were raised at ``now``."""
    found: list[Due] = []
    hours = policy.hours_of(client)
    for priority, target in policy.targets_of(client).items():
        try:
            respond_by = deadline(hours, target, now).respond_by
        except OutOfReach:
            respond_by = None
        found.append(Due(priority=priority, target=target, respond_by=respond_by))
    return found


def usual_week(hours: SupportHours, today: date) -> Sequence[tuple[str, str]]:
    """Return the usual hours in words, weekdays in a row with the same hours as one line.

    They are read off the next dates that are no holiday or closure.
    """
    by_weekday: list[str] = []
    for weekday in range(7):
        on = today + (weekday - today.weekday()) % 7 * _ONE_DAY
        while on in hours.days_off:
            on += 7 * _ONE_DAY
        by_weekday.append(_hours_text(hours, on) or "closed")
    lines: list[tuple[str, str]] = []
    for text, group in groupby(enumerate(by_weekday), key=lambda one: one[1]):
        days = [_WEEKDAYS[weekday] for weekday, _ in group]
        lines.append((days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}", text))
    return lines


def months(hours: SupportHours, today: date) -> Sequence[Month]:
    """Return this month and the eleven after it."""
    found: list[Month] = []
    first = today.replace(day=1)
    for _ in range(MONTHS_SHOWN):
        after = (first + 31 * _ONE_DAY).replace(day=1)
        dates = [first + number * _ONE_DAY for number in range((after - first).days)]
        found.append(_month(hours, dates, today))
        first = after
    return found


def _month(hours: SupportHours, dates: Sequence[date], today: date) -> Month:
    days = [_day(hours, on, today) for on in dates]
    places: list[Day | None] = [*([None] * dates[0].weekday()), *days]
    places += [None] * (-len(places) % 7)
    named = [
        NamedDays(first=run[0].on, last=run[-1].on, name=name)
        for name, group in groupby(days, key=lambda day: day.name)
        if (run := list(group)) and name
    ]
    return Month(
        title=f"{_MONTH_NAMES[dates[0].month - 1]} {dates[0].year}",
        weeks=[places[start : start + 7] for start in range(0, len(places), 7)],
        named=named,
    )


def _day(hours: SupportHours, on: date, today: date) -> Day:
    text = _hours_text(hours, on)
    return Day(
        on=on,
        hours=text or "",
        name=hours.days_off.get(on, "") if not text else "",
        is_known=text is not None,
        is_today=on == today,
    )


def _hours_text(hours: SupportHours, on: date) -> str | None:
    """Return a date's hours, ``09:00-17:00``; empty if closed, None beyond the calendar."""
    try:
        return ", ".join(str(interval).replace("-", "–") for interval in hours.day(on).intervals)
    except OutOfReach:
        return None
