"""Response targets and the deadlines that follow from them.

A deadline is computed once, when its promise begins, and frozen (decision 5). With it goes its
derivation: what counted and what did not, so that "why?" is answered from what was true then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import cast
from zoneinfo import ZoneInfo

from tickets.rules.hours import Counted, SkippedDay, SupportHours

SUPPORT_DAY = timedelta(hours=24)
"""What one support day is worth in a target counted in support days (decision 7)."""

AT_RISK_SHARES = (0.5, 0.75)
"""Shares of the promise after which it is at risk."""

_INSTANT_STEP = timedelta(microseconds=1)


class CountedIn(StrEnum):
    """The unit in which a response target is counted.

    ``CLOCK_THEN_ROLL`` counts plain hours and moves a result out of hours to the next opening.
    """

    SUPPORT_HOURS = "support_hours"
    SUPPORT_DAYS = "support_days"
    CLOCK_THEN_ROLL = "clock_then_roll"


class MetBy(StrEnum):
    """What a person must do in time for the promise to be kept."""

    ACKNOWLEDGEMENT = "acknowledgement"
    REPLY = "reply"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseTarget:
    """What is promised for one priority: ``within`` is counted in ``counted_in``.

    Raises ``ValueError`` unless ``within`` is more than zero and, in support days, a multiple of
    24 hours.
    """

    within: timedelta
    counted_in: CountedIn
    met_by: MetBy

    def __post_init__(self) -> None:
        if self.within <= timedelta():
            raise ValueError("within must be more than zero")
        if self.counted_in is CountedIn.SUPPORT_DAYS and self.within % SUPPORT_DAY:
            raise ValueError(
                "within must be whole support days, a multiple of 24h, "
                f"when it is counted in {CountedIn.SUPPORT_DAYS}"
            )

    @property
    def support_days(self) -> int:
        """How many support days ``within`` is worth, whole ones only."""
        return self.within // SUPPORT_DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """The response deadline of one promise and how it came about; instants are UTC.

    ``counted`` is the time that ran from ``started_at`` to ``respond_by``; ``skipped`` names the
    local dates between them without support time. ``timezone`` is the calendar's.
    """

    respond_by: datetime
    target: ResponseTarget
    started_at: datetime
    timezone: str
    counted: tuple[Counted, ...]
    skipped: tuple[SkippedDay, ...]

    def derivation(self) -> dict[str, object]:
        """Return all of it in JSON's types, to be stored with the ticket.

        Instants are ISO 8601 with the calendar's own offset, dates are local, durations seconds.
        """
        zone = ZoneInfo(self.timezone)
        return {
            "respond_by": self.respond_by.astimezone(zone).isoformat(),
            "started_at": self.started_at.astimezone(zone).isoformat(),
            "timezone": self.timezone,
            "target": {
                "within_seconds": _seconds(self.target.within),
                "counted_in": self.target.counted_in.value,
                "met_by": self.target.met_by.value,
            },
            "counted": [
                {
                    "date": one.on.isoformat(),
                    "from": one.starts_at.astimezone(zone).isoformat(),
                    "to": one.ends_at.astimezone(zone).isoformat(),
                    "seconds": _seconds(one.duration),
                    "total_seconds": _seconds(one.total),
                }
                for one in self.counted
            ],
            "skipped": [{"date": day.on.isoformat(), "why": day.why} for day in self.skipped],
        }


def deadline(hours: SupportHours, target: ResponseTarget, started_at: datetime) -> Deadline:
    """Return the deadline of a promise that begins at ``started_at`` (aware, any zone).

    Raises ``OutOfReach`` (a ``ValueError``) if the calendar does not reach that far.
    """
    started_at = started_at.astimezone(UTC)
    if target.counted_in is CountedIn.CLOCK_THEN_ROLL:
        return _rolled(hours, target, started_at)
    if target.counted_in is CountedIn.SUPPORT_DAYS:
        respond_by = hours.add_days(started_at, target.support_days)
    else:
        respond_by = hours.add(started_at, target.within)
    explanation = hours.explain(started_at, respond_by)
    return Deadline(
        respond_by=respond_by,
        target=target,
        started_at=started_at,
        timezone=hours.zone.key,
        counted=explanation.counted,
        skipped=explanation.skipped,
    )


def _rolled(hours: SupportHours, target: ResponseTarget, started_at: datetime) -> Deadline:
    """Count plain hours; at closing time the result is still in hours."""
    ends_at = started_at + target.within
    is_in_hours = hours.is_open(ends_at) or hours.is_open(ends_at - _INSTANT_STEP)
    respond_by = ends_at if is_in_hours else hours.next_open(ends_at)
    on = started_at.astimezone(hours.zone).date()
    return Deadline(
        respond_by=respond_by,
        target=target,
        started_at=started_at,
        timezone=hours.zone.key,
        counted=(Counted(on, started_at, ends_at, target.within),),
        skipped=hours.explain(ends_at, respond_by).skipped,
    )


def read_derivation(derivation: Mapping[str, object]) -> Deadline:
    """Return the deadline that ``Deadline.derivation`` wrote.

    Raises ``ValueError`` if it is not such a document.
    """
    try:
        target = cast("Mapping[str, object]", derivation["target"])
        counted = cast("Sequence[Mapping[str, object]]", derivation["counted"])
        skipped = cast("Sequence[Mapping[str, object]]", derivation["skipped"])
        return Deadline(
            respond_by=_instant(derivation["respond_by"]),
            started_at=_instant(derivation["started_at"]),
            timezone=str(derivation["timezone"]),
            target=ResponseTarget(
                within=_duration(target["within_seconds"]),
                counted_in=CountedIn(str(target["counted_in"])),
                met_by=MetBy(str(target["met_by"])),
            ),
            counted=tuple(
                Counted(
                    date.fromisoformat(str(one["date"])),
                    _instant(one["from"]),
                    _instant(one["to"]),
                    _duration(one["total_seconds"]),
                )
                for one in counted
            ),
            skipped=tuple(
                SkippedDay(date.fromisoformat(str(day["date"])), str(day["why"])) for day in skipped
            ),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is not the derivation of a deadline: {error!r}") from error


def is_kept(met_at: datetime, respond_by: datetime) -> bool:
    """Tell whether a promise met at ``met_at`` is kept; at the deadline itself it is."""
    return met_at <= respond_by


def at_risk_instants(
    hours: SupportHours,
    *,
    started_at: datetime,
    respond_by: datetime,
    shares: Sequence[float] = AT_RISK_SHARES,
) -> tuple[datetime, ...]:
    """Return when each of ``shares`` of the promise has been used up, on the same calendar.

    The whole is the support time from ``started_at`` to ``respond_by``, whatever the target was
    counted in; so every instant lies in (open, close] or at an opening, never out of hours. Raises
    ``ValueError`` unless shares lie between 0 and 1.
    """
    for share in shares:
        if not 0 <= share <= 1:
            raise ValueError(f"{share} is no share of a promise; allowed are 0 to 1")
    whole = hours.elapsed(started_at, respond_by)
    return tuple(
        respond_by if share == 1 else min(hours.add(started_at, whole * share), respond_by)
        for share in shares
    )


def time_left(hours: SupportHours, *, now: datetime, respond_by: datetime) -> timedelta:
    """Return the support time left until ``respond_by``; negative is the support time since then.

    Zero also out of hours when the deadline passed at closing time: ask ``is_kept`` which it is.
    """
    if is_kept(now, respond_by):
        return hours.elapsed(now, respond_by)
    return -hours.elapsed(respond_by, now)


def _seconds(duration: timedelta) -> int | float:
    seconds = duration.total_seconds()
    return int(seconds) if seconds.is_integer() else seconds


def _duration(seconds: object) -> timedelta:
    if not isinstance(seconds, int | float):
        raise TypeError(f"{seconds!r} is no number of seconds")
    return timedelta(seconds=seconds)


def _instant(text: object) -> datetime:
    return datetime.fromisoformat(str(text)).astimezone(UTC)
