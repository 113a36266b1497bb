"""What the agency has promised and whom it tells: settings in the shape that actions need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from tickets.outbox import Recipient
from tickets.rules.hours import SupportHours
from tickets.rules.promise import ResponseTarget
from tickets.rules.ticket import Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientContacts:
    """The contacts of one client: who hears of incidents, who of tickets."""

    incidents: tuple[Recipient, ...] = ()
    tickets: tuple[Recipient, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Promises and addressees, built once from the settings and passed to every action.

    ``update_every`` is support time between words to the client on an open critical ticket.
    ``mail_domain`` is the domain of our Message-IDs.
    """

    agency_name: str
    zone: ZoneInfo
    mail_domain: str
    base_url: str
    hours: SupportHours
    targets: Mapping[Priority, ResponseTarget]
    update_every: timedelta = timedelta(hours=1)
    duty: tuple[Recipient, ...] = ()
    lead: tuple[Recipient, ...] = ()
    contacts: Mapping[str, ClientContacts] = field(
        default_factory=lambda: MappingProxyType[str, ClientContacts]({})
    )

    def contacts_of(self, client: str) -> ClientContacts:
        """Return the contacts of the client with slug ``client``; none if it is not configured."""
        return self.contacts.get(client, ClientContacts())
