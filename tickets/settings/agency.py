"""Settings of the agency itself: its name, its addresses, its zone."""

from __future__ import annotations

import zoneinfo
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from tickets.addresses import shown
from tickets.settings.types import Line, MailAddress, Section, WebUrl, did_you_mean

_HOST_ZONES = frozenset({"localtime", "posixrules", "Factory"})


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
