"""Settings of one client: who owns sites and receives notices."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

from tickets.addresses import shown
from tickets.rules.allowance import Allowance
from tickets.rules.colour import LEAST_CONTRAST, contrast_with_white
from tickets.rules.status_access import StatusAccess
from tickets.settings.overrides import SupportOverrides
from tickets.settings.types import WHOLE, Flag, Line, MailAddress, Section, Slug, WebUrl

_KEY = re.compile(r"[A-Za-z0-9_-]{20,100}", re.ASCII)
_COLOUR = re.compile(r"#[0-9a-f]{6}", re.ASCII)


def _colour(text: str) -> str:
    colour = text.lower()
    if not _COLOUR.fullmatch(colour):
        raise ValueError(f"{shown(text)} is no colour such as #3b2db0")
    found = contrast_with_white(colour)
    if found < LEAST_CONTRAST:
        raise ValueError(
            f"{colour} is too light: white text on it has a contrast of {found:.1f} to 1, "
            f"and at least {LEAST_CONTRAST} to 1 is needed"
        )
    return colour


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
    statement: Flag = Field(
        default=False,
        description="Whether the monthly statement goes here, until the contact unsubscribes.",
    )


class BrandingSettings(Section):
    """How the client's pages and mails look; what is left out is the agency's."""

    name: Line | None = Field(
        default=None,
        description="Name on the client's pages and mails. Default: the client's name.",
    )
    colour: Annotated[str, AfterValidator(_colour)] | None = Field(
        default=None,
        description="Colour of buttons and links, #RRGGBB; dark enough for white text on it.",
    )
    logo_url: WebUrl | None = Field(
        default=None,
        description="Address of a logo that the client's pages show; mails only link to the pages.",
    )


class StatusPageSettings(Section):
    """Who may read the client's status page."""

    access: StatusAccess = Field(
        default=StatusAccess.PUBLIC,
        description="public: whoever knows the address; link: whoever has the link with the key; "
        "off: nobody.",
    )
    key: SecretStr | None = Field(
        default=None,
        validate_default=True,
        description="The secret end of the link, at least 20 letters and digits; needed with link, "
        "and best set by environment.",
    )

    @field_validator("key")
    @classmethod
    def _fits(cls, key: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        access = info.data.get("access")
        if access is StatusAccess.LINK and key is None:
            raise ValueError(
                "is missing: access is link; make one, for example by openssl rand -hex 16"
            )
        if key is not None and access in {StatusAccess.PUBLIC, StatusAccess.OFF}:
            raise ValueError(f"is set, but access is {access}: set access to link, or leave it out")
        if key is not None and not _KEY.fullmatch(key.get_secret_value()):
            raise ValueError("must be 20 to 100 letters, digits, - or _")
        return key


class AllowanceSettings(Section):
    """Work that the client may ask for in a calendar month."""

    hours_per_month: Annotated[int, Field(ge=1, le=1000), WHOLE] = Field(
        description="Hours a calendar month; the lead is told at 80 % and at 100 %."
    )
    counts_incidents: Flag = Field(
        default=False,
        description="Whether time spent on tickets that a machine opened counts as well.",
    )

    def allowance(self) -> Allowance:
        """Return the same as the rules have it."""
        return Allowance(
            per_month=timedelta(hours=self.hours_per_month),
            counts_incidents=self.counts_incidents,
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
    support: SupportOverrides | None = Field(
        default=None,
        description="What the client's agreement says in place of support; by default nothing.",
    )
    branding: BrandingSettings = Field(
        default=BrandingSettings(), description="How the client's pages and mails look."
    )
    status_page: StatusPageSettings = Field(
        default=StatusPageSettings(), description="Who may read the client's status page."
    )
    allowance: AllowanceSettings | None = Field(
        default=None, description="Work included each month; without it nothing is measured."
    )
