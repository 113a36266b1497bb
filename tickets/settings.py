"""Settings of tickets and promises: the agency, its support hours, its mail server, its clients.

The models only say what is allowed; ``monitor.settings_load`` reads them from the file, the
environment and the command line. No module reads the environment by itself.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from tickets.addresses import canonical_host, canonical_mail_address, is_loopback, shown
from tickets.holidays import NO_COUNTRY
from tickets.rules.interval import check_day, parse_interval
from tickets.rules.promise import CountedIn, MetBy, ResponseTarget
from tickets.rules.ticket import Priority
from tickets.setting_types import (
    WHOLE,
    Day,
    Duration,
    Flag,
    Line,
    MailAddress,
    Section,
    Slug,
    WebUrl,
    between,
    did_you_mean,
)

_LEAP_YEAR = 2000
_HOST_ZONES = frozenset({"localtime", "posixrules", "Factory"})
_CLOSURE_DAY = re.compile(r"([0-9]{4}-)?[0-9]{2}-[0-9]{2}", re.ASCII)


def _zone(name: str) -> str:
    try:
        if name not in _HOST_ZONES:
            return ZoneInfo(name).key
    except (KeyError, ValueError, OSError):
        pass
    near = did_you_mean(name, zoneinfo.available_timezones())
    raise ValueError(f"{shown(name)} is not a time zone, such as Europe/London{near}")


class AgencySettings(Section):
    """Who runs Fettle, as clients see it."""

    name: Line = Field(description="The agency's name, as clients know it.")
    url: WebUrl = Field(description="The agency's own web address, linked in mails.")
    mail_from: MailAddress = Field(description="Address from which all mails come.")
    reply_to: MailAddress = Field(
        default_factory=lambda data: data["mail_from"],
        description="Address that receives what clients answer to a mail. Default: mail_from.",
    )
    timezone: Annotated[str, AfterValidator(_zone)] = Field(
        default="Europe/London",
        description="Zone of the support hours and of every instant shown to people.",
    )
    language: Literal["en-GB"] = Field(
        default="en-GB", description="Language of mails and pages; only en-GB in this version."
    )

    @property
    def zone(self) -> ZoneInfo:
        """The zone named by ``timezone``."""
        return ZoneInfo(self.timezone)


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


class HolidaySettings(Section):
    """Public holidays: local dates without support hours."""

    country: Annotated[str, AfterValidator(_country)] = Field(
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

    @field_validator("hours")
    @classmethod
    def _is_open_sometimes(
        cls, hours: Mapping[Weekday, tuple[str, ...]]
    ) -> Mapping[Weekday, tuple[str, ...]]:
        if not any(hours.values()):
            raise ValueError("has no support hours on any day, so no promise could be kept")
        return hours


class MailSecurity(StrEnum):
    """How the connection to the mail server is protected."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


_MAIL_PORTS = {MailSecurity.STARTTLS: 587, MailSecurity.TLS: 465, MailSecurity.NONE: 25}


def _usual_security(data: Mapping[str, Any]) -> MailSecurity:
    return MailSecurity.NONE if is_loopback(data["host"]) else MailSecurity.STARTTLS


class MailSettings(Section):
    """The mail server that carries all mails; while it is dead, mails wait in the outbox."""

    host: Annotated[str, AfterValidator(canonical_host)] = Field(
        default="localhost", description="Name or address of the mail server."
    )
    security: MailSecurity = Field(
        default_factory=_usual_security,
        description="starttls, tls or none. Default: none for this host, starttls for others.",
    )
    port: Annotated[int, Field(ge=1, le=65535), WHOLE] = Field(
        default_factory=lambda data: _MAIL_PORTS[data["security"]],
        description="Port. Default: 587 for starttls, 465 for tls, 25 for none.",
    )
    username: Line | None = Field(
        default=None, description="User name, if the server asks for one; needs a password."
    )
    password: SecretStr | None = Field(
        default=None,
        validate_default=True,
        description="Password of username. Keep it out of the file: set FETTLE_MAIL__PASSWORD_FILE "
        "or FETTLE_MAIL__PASSWORD.",
    )

    @field_validator("password")
    @classmethod
    def _is_whole(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if not {"host", "security", "username"} <= info.data.keys():
            return password
        if password is None and info.data["username"] is not None:
            raise ValueError("is missing: username is set, and one is of no use without the other")
        if password is not None and info.data["username"] is None:
            raise ValueError("is set, but username is not: one is of no use without the other")
        is_open = info.data["security"] is MailSecurity.NONE and not is_loopback(info.data["host"])
        if password is not None and is_open:
            raise ValueError(
                "would cross the network in the clear; set mail.security to starttls or tls"
            )
        return password


def _mail_channel(text: str) -> str:
    scheme, _, rest = text.partition(":")
    if scheme.lower() != "mailto":
        raise ValueError(
            "only mail is supported in this version; write mailto://duty@agency.example"
        )
    return f"mailto://{canonical_mail_address(rest.removeprefix('//'))}"


Channel = Annotated[str, AfterValidator(_mail_channel)]
"""Where staff are told: ``mailto://ADDRESS``, the only kind in this version."""


class StaffChannels(Section):
    """Where the agency's own people are told."""

    duty: tuple[Channel, ...] = Field(
        default=(), description="Who is told at once of every new incident: mailto://ADDRESS."
    )
    lead: tuple[Channel, ...] = Field(
        default=(), description="Who is told as well when a promise is broken: mailto://ADDRESS."
    )

    def duty_addresses(self) -> Sequence[str]:
        """Return the mail addresses of duty, in the order given."""
        return [channel.removeprefix("mailto://") for channel in self.duty]

    def lead_addresses(self) -> Sequence[str]:
        """Return the mail addresses of the lead, in the order given."""
        return [channel.removeprefix("mailto://") for channel in self.lead]


class ContactSettings(Section):
    """A person at a client."""

    name: Line = Field(description="Name of the person or the team, as mails address them.")
    email: MailAddress = Field(description="Mail address.")
    incidents: Flag = Field(
        default=True, description="Whether mails about sites that are down or slow go here."
    )
    tickets: Flag = Field(
        default=True, description="Whether mails about the client's own requests go here."
    )


def _no_twins(contacts: tuple[ContactSettings, ...]) -> tuple[ContactSettings, ...]:
    seen = set[str]()
    for contact in contacts:
        address = contact.email.lower()
        if address in seen:
            raise ValueError(f"{contact.email} is listed twice; one person gets one mail per event")
        seen.add(address)
    return contacts


class ClientSettings(Section):
    """Who owns sites and receives notices."""

    slug: Slug = Field(
        description="The client's identity in links and metrics; it stays when the name changes."
    )
    name: Line = Field(description="The client's name, as people say it.")
    contacts: Annotated[tuple[ContactSettings, ...], AfterValidator(_no_twins)] = Field(
        default=(), description="Who is told at the client."
    )
