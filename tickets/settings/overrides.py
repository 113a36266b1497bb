"""Settings of a client whose agreement differs: what it says is laid over the agency's support.

Mappings are joined key by key, everything else is replaced; the result must be as good as the
agency's own. A client with another country starts from that country's calendar: the agency's
subdivision, added and removed days mean nothing there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, cast

from pydantic import Field

from tickets.rules.promise import CountedIn, MetBy
from tickets.settings.support import (
    ClosureSettings,
    Country,
    DayHours,
    ExtraHoliday,
    SupportSettings,
    Weekday,
)
from tickets.settings.types import Day, Duration, Section, between

Within = Annotated[Duration, between("1m", "365d")]


class HolidayOverrides(Section):
    """Public holidays of one client's calendar."""

    country: Country | None = Field(
        default=None, description="As support.holidays.country, with a calendar of its own."
    )
    subdivision: str | None = Field(default=None, description="As support.holidays.subdivision.")
    add: tuple[ExtraHoliday, ...] | None = Field(
        default=None, description="In place of support.holidays.add."
    )
    remove: tuple[Day, ...] | None = Field(
        default=None, description="In place of support.holidays.remove."
    )


class TargetOverrides(Section):
    """What is promised to one client for one priority."""

    within: Within | None = Field(default=None, description="As in support.response.")
    counted_in: CountedIn | None = Field(default=None, description="As in support.response.")
    met_by: MetBy | None = Field(default=None, description="As in support.response.")


class ResponseOverrides(Section):
    """The response targets of one client."""

    critical: TargetOverrides | None = Field(default=None, description="A site is down or slow.")
    normal: TargetOverrides | None = Field(default=None, description="Most requests.")
    low: TargetOverrides | None = Field(default=None, description="What can wait.")


class SupportOverrides(Section):
    """What one client's agreement says in place of ``support``."""

    hours: Mapping[Weekday, DayHours] | None = Field(
        default=None,
        description="Days that differ from support.hours; [] takes a day's hours away.",
    )
    holidays: HolidayOverrides | None = Field(
        default=None, description="What differs from support.holidays."
    )
    closures: tuple[ClosureSettings, ...] | None = Field(
        default=None, description="In place of support.closures; [] for none."
    )
    response: ResponseOverrides | None = Field(
        default=None, description="What differs from support.response."
    )


def support_of(agency: SupportSettings, own: SupportOverrides | None) -> SupportSettings:
    """Return what counts for a client: ``own`` laid over the agency's support.

    Raises ``pydantic.ValidationError`` if the two make no support together.
    """
    if own is None:
        return agency
    document = agency.model_dump()
    changes = own.model_dump(exclude_none=True)
    if "country" in changes.get("holidays", {}):
        document["holidays"] = {}
    _lay_over(document, changes)
    return SupportSettings.model_validate(document)


def _lay_over(document: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        below = document.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            _lay_over(cast("dict[str, Any]", below), cast("dict[str, Any]", value))
        else:
            document[key] = value
