"""Settings of the promise: support hours, holidays, closures, response targets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from tickets.addresses import shown
from tickets.holidays import NO_COUNTRY
from tickets.rules.escalation import DEFAULT_STEPS, WHOLE, EscalationStep, StaffChannel
from tickets.rules.interval import check_day, parse_interval
from tickets.rules.promise import CountedIn, MetBy, ResponseTarget
from tickets.rules.ticket import Priority
from tickets.settings.types import PERCENT_PATTERN, Day, Duration, Line, Section, between, from_text

_LEAP_YEAR = 2000
_PERCENT = re.compile(PERCENT_PATTERN, re.ASCII)
_CLOSURE_DAY = re.compile(r"([0-9]{4}-)?[0-9]{2}-[0-9]{2}", re.ASCII)


Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def _interval(text: str) -> str:
    return str(parse_interval(text))


def _apart(intervals: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(interval) for interval in check_day([parse_interval(i) for i in intervals]))


DayHours = Annotated[tuple[Annotated[str, AfterValidator(_interval)], ...], AfterValidator(_apart)]
"""The support hours of one day: ``HH:MM-HH:MM`` without their end, in order, none overlapping."""


class ExtraHoliday(Section):
    """A holiday that the calendar of the country does not know."""

    date: Day = Field(description="The date, YYYY-MM-DD.")
    name: Line = Field(description="Its name, as mails and pages say it.")


def _country(text: str) -> str:
    return NO_COUNTRY if text.lower() == NO_COUNTRY else text.upper()


Country = Annotated[str, AfterValidator(_country)]
"""A country by its ISO 3166 code, or ``none``."""


class HolidaySettings(Section):
    """Public holidays: local dates without support hours."""

    country: Country = Field(
        default="GB",
        description="Country whose public holidays count, as two letters (ISO 3166); none for no "
        "public holidays.",
    )
    subdivision: str | None = Field(
        default_factory=lambda data: "ENG" if data["country"] == "GB" else None,
        description="Part of the country with holidays of its own, such as SCT. Default: ENG for "
        "GB, else the whole country.",
    )
    add: tuple[ExtraHoliday, ...] = Field(
        default=(), description="More holidays, such as a day of mourning."
    )
    remove: tuple[Day, ...] = Field(
        default=(), description="Dates of public holidays on which the agency works, YYYY-MM-DD."
    )


def _closure_day(text: str) -> str:
    try:
        if _CLOSURE_DAY.fullmatch(text):
            date.fromisoformat(text if len(text) == 10 else f"{_LEAP_YEAR}-{text}")
            return text
    except ValueError:
        raise ValueError(f"{shown(text)} is no date in the calendar") from None
    raise ValueError(
        f"{shown(text)} is not a date; write MM-DD for every year or YYYY-MM-DD for one year"
    )


ClosureDay = Annotated[str, AfterValidator(_closure_day)]


class ClosureSettings(Section):
    """Dates on which the agency is closed; both ends are included."""

    name: Line = Field(description="Its name, as mails and pages say it.")
    start: ClosureDay = Field(
        alias="from",
        description="First day closed: MM-DD for every year, or YYYY-MM-DD for one.",
    )
    end: ClosureDay = Field(
        alias="to",
        description="Last day closed, in the same form; a yearly one may run past New Year.",
    )

    @field_validator("end")
    @classmethod
    def _follows_start(cls, end: str, info: ValidationInfo) -> str:
        start: str = info.data.get("start", end)
        if len(start) != len(end):
            raise ValueError("must have the same form as from: both MM-DD or both YYYY-MM-DD")
        if len(end) == 10 and end < start:
            raise ValueError(f"{end} lies before the first day, {start}")
        return end


class TargetSettings(Section):
    """What is promised for one priority."""

    within: Annotated[Duration, between("1m", "365d")] = Field(
        default=timedelta(hours=48), description="How soon, counted as counted_in says."
    )
    counted_in: CountedIn = Field(
        default=CountedIn.SUPPORT_DAYS, description="As for critical tickets."
    )
    met_by: MetBy = Field(default=MetBy.REPLY, description="As for critical tickets.")

    def target(self) -> ResponseTarget:
        """Return the response target in the form that the rules use."""
        return ResponseTarget(within=self.within, counted_in=self.counted_in, met_by=self.met_by)


class CriticalTarget(TargetSettings):
    """The promise for critical tickets."""

    within: Annotated[Duration, between("1m", "365d")] = Field(
        default=timedelta(hours=1), description="How soon, counted as counted_in says."
    )
    counted_in: CountedIn = Field(
        default=CountedIn.SUPPORT_HOURS,
        description="support_hours: time counts while support is open. support_days: each 24h of "
        "the promise is one day with support hours, at the same time of day. clock_then_roll: all "
        "time counts, and a deadline out of hours moves to the next opening.",
    )
    met_by: MetBy = Field(
        default=MetBy.ACKNOWLEDGEMENT,
        description="What a person must do in time: acknowledgement (take the ticket) or reply.",
    )


class LowTarget(TargetSettings):
    """The promise for low tickets."""

    within: Annotated[Duration, between("1m", "365d")] = Field(
        default=timedelta(hours=72), description="How soon, counted as counted_in says."
    )


class ResponseSettings(Section):
    """The response target of each priority."""

    critical: CriticalTarget = Field(
        default=CriticalTarget(), description="A site is down or slow."
    )
    normal: TargetSettings = Field(default=TargetSettings(), description="Most requests.")
    low: LowTarget = Field(default=LowTarget(), description="What can wait.")

    def targets(self) -> Mapping[Priority, ResponseTarget]:
        """Return the response target of every priority."""
        return {
            Priority.CRITICAL: self.critical.target(),
            Priority.NORMAL: self.normal.target(),
            Priority.LOW: self.low.target(),
        }


_NINE_TO_FIVE = ("09:00-17:00",)
_WORKING_WEEK: Mapping[Weekday, tuple[str, ...]] = {
    "mon": _NINE_TO_FIVE,
    "tue": _NINE_TO_FIVE,
    "wed": _NINE_TO_FIVE,
    "thu": _NINE_TO_FIVE,
    "fri": _NINE_TO_FIVE,
}
_CHRISTMAS = ClosureSettings.model_validate({"name": "Christmas", "from": "12-24", "to": "01-01"})


_UPDATE_EVERY = {Priority.CRITICAL: timedelta(hours=1)}


def _with_default(intervals: Mapping[Priority, timedelta]) -> Mapping[Priority, timedelta]:
    if intervals.keys() - _UPDATE_EVERY.keys():
        raise ValueError("only critical can be set in this version")
    return {**_UPDATE_EVERY, **intervals}


UpdateIntervals = Annotated[
    Mapping[Priority, Annotated[Duration, between("1m", "365d")]], AfterValidator(_with_default)
]


def _percent(text: str) -> int:
    if not _PERCENT.fullmatch(text):
        raise ValueError(f"{shown(text)} is no share; write 1% to 100%, such as 75%")
    return int(text.removesuffix("%"))


Percent = Annotated[
    int,
    Field(ge=1, le=WHOLE),
    from_text(_percent),
    PlainSerializer(lambda percent: f"{percent}%", return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": PERCENT_PATTERN, "examples": ["50%"]}),
]


def _someone(tell: tuple[StaffChannel, ...]) -> tuple[StaffChannel, ...]:
    if not tell:
        raise ValueError("must name duty, lead or both")
    return tuple(dict.fromkeys(tell))


class EscalateSettings(Section):
    """Whom to tell when a share of a promise is used up unanswered."""

    at: Percent = Field(
        description="Share of the time to answer, counted in support hours; 100% is the deadline "
        "missed."
    )
    tell: Annotated[tuple[StaffChannel, ...], AfterValidator(_someone)] = Field(
        description="Lists of staff_channels, in support hours only; the assignee hears as well."
    )


def _no_twin_steps(steps: tuple[EscalateSettings, ...]) -> tuple[EscalateSettings, ...]:
    shares = [step.at for step in steps]
    twins = sorted({share for share in shares if shares.count(share) > 1})
    if twins:
        raise ValueError(f"lists {twins[0]}% twice; name everybody who is told in one step")
    return tuple(sorted(steps, key=lambda step: step.at))


_ESCALATE = tuple(EscalateSettings(at=step.percent, tell=step.tell) for step in DEFAULT_STEPS)


class SupportSettings(Section):
    """When the response clock runs, and what is promised."""

    hours: Mapping[Weekday, DayHours] = Field(
        default=_WORKING_WEEK,
        description="Support hours of each day (mon to sun) as local HH:MM-HH:MM intervals. "
        "Several a day are allowed, 24:00 ends a day; a day that is not listed has none.",
    )
    holidays: HolidaySettings = Field(
        default=HolidaySettings(), description="Public holidays: no support hours."
    )
    closures: tuple[ClosureSettings, ...] = Field(
        default=(_CHRISTMAS,),
        description="Dates on which the agency is closed: no support hours. Default: Christmas, "
        "from 12-24 to 01-01.",
    )
    response: ResponseSettings = Field(
        default=ResponseSettings(), description="The response target of each priority."
    )
    update_every: UpdateIntervals = Field(
        default=_UPDATE_EVERY,
        description="Support time between words to the client on a critical ticket in hand; only "
        "critical in this version.",
    )
    escalate: Annotated[tuple[EscalateSettings, ...], AfterValidator(_no_twin_steps)] = Field(
        default=_ESCALATE,
        description="Who is told while a promise runs out. Default: duty at 50%, duty and lead at "
        "75% and at 100%. [] tells nobody.",
    )

    def escalation(self) -> tuple[EscalationStep, ...]:
        """Return the steps of ``escalate`` in the form that the rules use."""
        return tuple(EscalationStep(percent=step.at, tell=step.tell) for step in self.escalate)

    @field_validator("hours")
    @classmethod
    def _is_open_sometimes(
        cls, hours: Mapping[Weekday, tuple[str, ...]]
    ) -> Mapping[Weekday, tuple[str, ...]]:
        if not any(hours.values()):
            raise ValueError("has no support hours on any day, so no promise could be kept")
        return hours
