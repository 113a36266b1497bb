"""Says when a ticket must be answered and why, and what support time passed between two instants.

The text and JSON of ``fettle deadline`` and ``fettle hours elapsed``.

The desk asks the same functions for the "why?" of a stored deadline.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from tickets.addresses import shown
from tickets.errors import Refused
from tickets.quantities import duration_text
from tickets.rules.hours import Counted, Explanation, OutOfReach, SkippedDay, SupportHours
from tickets.rules.localtime import instant_of
from tickets.rules.promise import CountedIn, Deadline, MetBy, ResponseTarget, deadline
from tickets.rules.ticket import Priority
from tickets.rules.words import (
    describe_target,
    format_clock,
    format_date,
    format_hours,
    format_instant,
)

_MET_BY = {
    MetBy.ACKNOWLEDGEMENT: "met by an acknowledgement",
    MetBy.REPLY: "met by a reply",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineReport:
    """The deadline of a ticket of ``priority``, ready to be shown."""

    priority: Priority
    deadline: Deadline

    def document(self) -> dict[str, object]:
        """Return the object that ``fettle deadline --json`` prints; instants carry an offset."""
        zone = ZoneInfo(self.deadline.timezone)
        return {
            "respond_by": self.deadline.respond_by.astimezone(zone).isoformat(),
            "priority": self.priority.value,
            "within": duration_text(self.deadline.target.within),
            "counted_in": self.deadline.target.counted_in.value,
            "raised_at": self.deadline.started_at.astimezone(zone).isoformat(),
            "skipped": [
                {"date": day.on.isoformat(), "why": day.why} for day in self.deadline.skipped
            ],
        }

    def text(self, *, explain: bool = False) -> str:
        """Return what ``fettle deadline`` prints, without a final newline; several lines."""
        zone = ZoneInfo(self.deadline.timezone)
        target = self.deadline.target
        raised = format_instant(self.deadline.started_at, zone)
        promised = f"{describe_target(target)}, {_MET_BY[target.met_by]}"
        lines = [
            f"Respond by {format_instant(self.deadline.respond_by, zone)}",
            f"{self.priority.value}, raised {raised}: {promised}",
        ]
        if explain:
            lines += ["", *explanation_lines(self.deadline)]
        return "\n".join(lines)


def explain_deadline(
    hours: SupportHours, target: ResponseTarget, *, priority: Priority, raised_at: datetime
) -> DeadlineReport:
    """Return the deadline of a ticket raised at ``raised_at`` (aware, any zone).

    Raises ``Refused`` if the calendar does not reach that far.
    """
    try:
        return DeadlineReport(priority=priority, deadline=deadline(hours, target, raised_at))
    except OutOfReach as error:
        raise Refused(f"no deadline can be given: {error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ElapsedReport:
    """The support time between two instants, ready to be shown."""

    start: datetime
    end: datetime
    elapsed: timedelta
    zone: ZoneInfo
    explanation: Explanation

    def document(self) -> dict[str, object]:
        """Return the object that ``fettle hours elapsed --json`` prints."""
        return {
            "from": self.start.astimezone(self.zone).isoformat(),
            "to": self.end.astimezone(self.zone).isoformat(),
            "elapsed_seconds": self.elapsed.total_seconds(),
            "skipped": [
                {"date": day.on.isoformat(), "why": day.why} for day in self.explanation.skipped
            ],
        }

    def text(self, *, explain: bool = False) -> str:
        """Return what ``fettle hours elapsed`` prints, without a final newline."""
        span = f"{format_instant(self.start, self.zone)} to {format_instant(self.end, self.zone)}"
        lines = [f"{format_hours(self.elapsed)} of support time", span]
        if explain:
            counted = [_counted_line(one, self.zone) for one in self.explanation.counted]
            lines += ["", "Counted", *counted]
            if self.explanation.skipped:
                lines += ["Skipped", *map(_skipped_line, self.explanation.skipped)]
        return "\n".join(lines)


def explain_elapsed(hours: SupportHours, start: datetime, end: datetime) -> ElapsedReport:
    """Return the support time from ``start`` to ``end`` (aware, any zone).

    Raises ``Refused`` if ``end`` lies before ``start`` or the calendar does not reach them.
    """
    if end < start:
        raise Refused(
            f"{format_instant(end, hours.zone)} lies before {format_instant(start, hours.zone)}; "
            "the end must not lie before the start"
        )
    try:
        return ElapsedReport(
            start=start,
            end=end,
            elapsed=hours.elapsed(start, end),
            zone=hours.zone,
            explanation=hours.explain(start, end),
        )
    except OutOfReach as error:
        raise Refused(f"no time can be counted: {error}") from error


def explanation_lines(given: Deadline) -> list[str]:
    """Return why a deadline is when it is: what counted, with a running total, and what did not."""
    zone = ZoneInfo(given.timezone)
    if given.target.counted_in is CountedIn.CLOCK_THEN_ROLL:
        lines = _clock_lines(given, zone)
    else:
        lines = ["Counted", *(_counted_line(one, zone) for one in given.counted)]
    if given.target.counted_in is CountedIn.SUPPORT_DAYS:
        lines.append(f"  that is {describe_target(given.target)}")
    if given.skipped:
        lines += ["Skipped", *map(_skipped_line, given.skipped)]
    return lines


def _skipped_line(day: SkippedDay) -> str:
    return f"  {_column(day.on)}  {day.why}"


def _counted_line(one: Counted, zone: ZoneInfo) -> str:
    is_midnight = one.ends_at.astimezone(zone).date() > one.on
    closes = "24:00" if is_midnight else format_clock(one.ends_at, zone)
    span = f"{format_clock(one.starts_at, zone)}-{closes}"
    took, total = format_hours(one.duration), format_hours(one.total)
    return f"  {_column(one.on)}  {span}  {took}, {total} in all"


def _clock_lines(given: Deadline, zone: ZoneInfo) -> list[str]:
    ends_at = given.started_at + given.target.within
    lines = [
        "Counted by the clock",
        f"  {format_instant(given.started_at, zone)} to {format_instant(ends_at, zone)}",
    ]
    if ends_at != given.respond_by:
        lines.append("  that is out of hours, so it is due when support next opens")
    return lines


def parse_instant(text: str, zone: ZoneInfo) -> datetime:
    """Return the UTC instant that ``text`` means, in ISO 8601.

    Without an offset it is local time in ``zone``; a time that the clock there shows twice means
    the first, one that it skips means the moment at which it skips. Raises ``Refused``.
    """
    wanted = "write it as 2026-12-23T16:30, or with an offset as 2026-12-23T16:30+00:00"
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise Refused(f"{shown(text)} is no instant; {wanted}") from error
    if _is_date(text.strip()):
        raise Refused(f"{shown(text)} has no time of day; {wanted}")
    try:
        return at.astimezone(UTC) if at.tzinfo else instant_of(at, zone)
    except OverflowError as error:
        raise Refused(f"{shown(text)} lies beyond the calendar; {wanted}") from error


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _column(on: date) -> str:
    """Return a date padded so that what follows it lines up."""
    return f"{format_date(on):<15}"
