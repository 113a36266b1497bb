"""Settings of one client: who owns sites and receives notices."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from tickets.rules.allowance import Allowance
from tickets.settings.overrides import SupportOverrides
from tickets.settings.types import WHOLE, Flag, Line, MailAddress, Section, Slug


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
    allowance: AllowanceSettings | None = Field(
        default=None, description="Work included each month; without it nothing is measured."
    )
