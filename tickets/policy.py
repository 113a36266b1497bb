"""What the agency has promised and whom it tells: settings in the shape that actions need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from tickets.outbox import Recipient
from tickets.rules.allowance import Allowance
from tickets.rules.escalation import DEFAULT_STEPS, EscalationStep, StaffChannel
from tickets.rules.hours import SupportHours
from tickets.rules.promise import ResponseTarget
from tickets.rules.status_access import StatusAccess
from tickets.rules.ticket import Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientContacts:
    """The contacts of one client: who hears of incidents, of tickets, who gets the statement."""

    incidents: tuple[Recipient, ...] = ()
    tickets: tuple[Recipient, ...] = ()
    statement: tuple[Recipient, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Branding:
    """How a client's pages and mails look; None for what is not the client's own.

    ``colour`` is ``#rrggbb``, dark enough for white text on it.
    """

    name: str | None = None
    colour: str | None = None
    logo_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientPromises:
    """The calendar and the response targets of a client whose agreement has its own."""

    hours: SupportHours
    targets: Mapping[Priority, ResponseTarget]


@dataclass(frozen=True, slots=True)
class SiteName:
    """A site of a client, as far as a ticket names it."""

    slug: str
    name: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientProfile:
    """A client for whom tickets may be opened, its sites, and the work that it may ask for.

    ``everyone`` are all its contacts, whatever they want to hear. ``status_key`` is the secret end
    of the status page's link where ``status_access`` asks for one.
    """

    name: str
    branding: Branding = Branding()
    everyone: tuple[Recipient, ...] = ()
    status_access: StatusAccess = StatusAccess.PUBLIC
    status_key: str | None = field(default=None, repr=False)
    sites: tuple[SiteName, ...] = ()
    allowance: Allowance | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Promises and addressees, built once from the settings and passed to every action.

    ``hours`` and ``targets`` are the agency's; ``promises`` holds those of clients that have their
    own, so ask ``hours_of`` and ``targets_of`` wherever a client is known. ``update_every`` is
    support time between words to the client on an open critical ticket. ``escalation`` says who is
    told while a promise runs out. ``mail_domain`` is the domain of our Message-IDs, and clients
    write to ``reply_to``.
    """

    agency_name: str
    zone: ZoneInfo
    mail_domain: str
    base_url: str
    hours: SupportHours
    targets: Mapping[Priority, ResponseTarget]
    promises: Mapping[str, ClientPromises] = field(
        default_factory=lambda: MappingProxyType[str, ClientPromises]({})
    )
    update_every: timedelta = timedelta(hours=1)
    escalation: tuple[EscalationStep, ...] = DEFAULT_STEPS
    duty: tuple[Recipient, ...] = ()
    lead: tuple[Recipient, ...] = ()
    agency_url: str | None = None
    reply_to: str | None = None
    contacts: Mapping[str, ClientContacts] = field(
        default_factory=lambda: MappingProxyType[str, ClientContacts]({})
    )
    clients: Mapping[str, ClientProfile] = field(
        default_factory=lambda: MappingProxyType[str, ClientProfile]({})
    )

    def contacts_of(self, client: str) -> ClientContacts:
        """Return the contacts of the client with slug ``client``; none if it is not configured."""
        return self.contacts.get(client, ClientContacts())

    def hours_of(self, client: str) -> SupportHours:
        """Return the calendar that counts for the client with slug ``client``."""
        own = self.promises.get(client)
        return self.hours if own is None else own.hours

    def targets_of(self, client: str) -> Mapping[Priority, ResponseTarget]:
        """Return the response targets that count for the client with slug ``client``."""
        own = self.promises.get(client)
        return self.targets if own is None else own.targets

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach our pages by https."""
        return self.base_url.lower().startswith("https:")

    def support_url(self, client: str) -> str:
        """Return the address of the request form of the client with slug ``client``."""
        return f"{self.base_url}/support/{client}"

    def status_url(self, client: str) -> str | None:
        """Return where a client's own people read its status page, with its key if it has one.

        None for a client that is not configured or whose page is off.
        """
        profile = self.clients.get(client)
        if profile is None or profile.status_access is StatusAccess.OFF:
            return None
        key = "" if profile.status_key is None else f"?key={profile.status_key}"
        return f"{self.base_url}/status/{client}{key}"

    def staff_of(self, channel: StaffChannel) -> tuple[Recipient, ...]:
        """Return who stands behind one list of ``staff_channels``."""
        return self.duty if channel is StaffChannel.DUTY else self.lead
