"""The composition root: what every role is built from, and how its parts run together.

Roles meet only in the store (decision 11). Each runs until it is told to stop; a part that dies
stops the whole process, so that the supervisor starts it afresh.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

import structlog

from monitor.alerts.listing import sync_sources
from monitor.settings import MonitoredClient, Settings
from monitor.site_rows import sync_sites
from monitor.sites import list_sites
from tickets.calendars import put_into_use
from tickets.clock import Clock
from tickets.errors import Fault, Misconfigured
from tickets.holidays import build_support_hours, calendar_source, calendar_years
from tickets.outbox import Recipient, staff_recipient, staff_service
from tickets.policy import Branding, ClientContacts, ClientProfile, ClientPromises, Policy, SiteName
from tickets.rules.escalation import StaffChannel
from tickets.rules.hours import SupportHours
from tickets.rules.notice import Audience
from tickets.rules.promise import deadline
from tickets.rules.ticket import Priority
from tickets.settings.overrides import support_of
from tickets.settings.support import SupportSettings
from tickets.store import Store

log = structlog.get_logger()


class Role(Protocol):
    """One role of the service: runs until told to stop, raises what it died of."""

    async def run(self, stop: asyncio.Event) -> None:
        """Run until ``stop`` is set."""


Part = Callable[[asyncio.Event], Awaitable[None]]

Beat = Callable[[], None]
"""Gives a sign of life of a role."""

BEAT_SECONDS = 1.0


def give_none() -> None:
    """Give no sign of life: for a role that nobody watches."""


async def beat_until(stop: asyncio.Event, beat: Beat) -> None:
    """Beat once a second until ``stop`` is set, as long as the event loop turns."""
    stopping = asyncio.create_task(stop.wait())
    while not stopping.done():
        beat()
        await asyncio.wait({stopping}, timeout=BEAT_SECONDS)


async def run_together(stop: asyncio.Event, *parts: Part) -> None:
    """Run ``parts`` until ``stop`` is set; one that dies stops the others and is raised."""
    ending = asyncio.Event()
    tasks = [asyncio.ensure_future(part(ending)) for part in parts]
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        ending.set()
        stopping.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        task.result()


def build_policy(settings: Settings, *, clock: Clock) -> Policy:
    """Return the promises and addressees that the settings describe.

    The calendar reaches from some years back to some ahead of today. Raises ``Misconfigured`` when
    it has no deadline for a ticket that opens now.
    """
    agency = settings.agency
    now = clock.now()
    first_year, last_year = calendar_years(now.astimezone(agency.zone).date())
    calendars = _Calendars(settings, first_year=first_year, last_year=last_year)
    hours = calendars.of(settings.support, key="support", now=now)
    return Policy(
        agency_name=agency.name,
        agency_url=agency.url,
        reply_to=agency.reply_to,
        zone=agency.zone,
        mail_domain=agency.mail_from.rpartition("@")[2],
        base_url=settings.web.base_url,
        hours=hours,
        targets=settings.support.response.targets(),
        promises=MappingProxyType(calendars.of_clients(now=now)),
        update_every=settings.support.update_every[Priority.CRITICAL],
        escalation=settings.support.escalation(),
        duty=_staff(settings, StaffChannel.DUTY),
        lead=_staff(settings, StaffChannel.LEAD),
        contacts=MappingProxyType({client.slug: _contacts(client) for client in settings.clients}),
        clients=MappingProxyType({client.slug: _profile(client) for client in settings.clients}),
    )


def _profile(client: MonitoredClient) -> ClientProfile:
    status_key = client.status_page.key
    return ClientProfile(
        name=client.name,
        branding=Branding(
            name=client.branding.name,
            colour=client.branding.colour,
            logo_url=client.branding.logo_url,
        ),
        status_access=client.status_page.access,
        status_key=None if status_key is None else status_key.get_secret_value(),
        everyone=tuple(
            Recipient(contact.name, contact.email, Audience.CLIENT) for contact in client.contacts
        ),
        sites=tuple(SiteName(site.slug, site.name, site.url) for site in client.sites),
        allowance=None if client.allowance is None else client.allowance.allowance(),
    )


class _Calendars:
    """Builds the calendar of the agency and of each client that has its own; equal ones once."""

    def __init__(self, settings: Settings, *, first_year: int, last_year: int) -> None:
        self._settings = settings
        self._years = first_year, last_year
        self._built: list[tuple[SupportSettings, SupportHours]] = []

    def of(self, support: SupportSettings, *, key: str, now: datetime) -> SupportHours:
        """Return the calendar of ``support``, which stands below ``key``.

        Raises ``Misconfigured`` when it has no deadline for a ticket that opens at ``now``.
        """
        first_year, last_year = self._years
        try:
            hours = self._find(support) or build_support_hours(
                support,
                self._settings.agency.timezone,
                first_year=first_year,
                last_year=last_year,
            )
            for target in support.response.targets().values():
                deadline(hours, target, now)
        except ValueError as error:
            fault = Fault(file="configuration", line=None, key=key, message=str(error))
            raise Misconfigured([fault]) from error
        self._built.append((support, hours))
        return hours

    def of_clients(self, *, now: datetime) -> dict[str, ClientPromises]:
        """Return the calendar and the targets of each client with an agreement of its own."""
        found: dict[str, ClientPromises] = {}
        for number, client in enumerate(self._settings.clients):
            if client.support is None:
                continue
            support = support_of(self._settings.support, client.support)
            hours = self.of(support, key=f"clients[{number}].support", now=now)
            found[client.slug] = ClientPromises(hours=hours, targets=support.response.targets())
        return found

    def _find(self, support: SupportSettings) -> SupportHours | None:
        wanted = (support.hours, support.holidays, support.closures)
        for built, hours in self._built:
            if (built.hours, built.holidays, built.closures) == wanted:
                return hours
        return None


def _staff(settings: Settings, channel: StaffChannel) -> tuple[Recipient, ...]:
    """Return everybody behind one list of ``staff_channels``, mail first."""
    channels = settings.staff_channels
    services = [
        staff_service(service.key, f"{service.key.partition(':')[0]} of {channel}")
        for _, service in channels.push_services(channel)
    ]
    return (*map(staff_recipient, channels.mail_addresses(channel)), *services)


def _contacts(client: MonitoredClient) -> ClientContacts:
    def wanting(wants: Sequence[bool]) -> tuple[Recipient, ...]:
        pairs = zip(client.contacts, wants, strict=True)
        return tuple(
            Recipient(contact.name, contact.email, Audience.CLIENT)
            for contact, is_wanted in pairs
            if is_wanted
        )

    return ClientContacts(
        incidents=wanting([contact.incidents for contact in client.contacts]),
        tickets=wanting([contact.tickets for contact in client.contacts]),
        statement=wanting([contact.statement for contact in client.contacts]),
    )


def prepare_store(store: Store, settings: Settings, *, location: str, clock: Clock) -> None:
    """Make the store's sites those of the settings; opens its own transaction.

    Run once at start, before any role. Raises ``Unavailable`` when the store does not answer, and
    ``Misconfigured`` when no role could work with the settings.
    """
    policy = build_policy(settings, clock=clock)
    names = {client.slug: client.name for client in settings.clients}
    sites = [(site, names[site.client]) for site in list_sites(settings)]
    store.write(lambda tx: sync_sites(tx, sites, location=location, at=clock.now()))
    sources = {source.name for source in settings.alerts.sources}
    store.write(lambda tx: sync_sources(tx, sources, at=clock.now()))
    drifts = store.write(
        lambda tx: put_into_use(tx, policy, source=calendar_source(), at=clock.now())
    )
    for drift in drifts:
        log.warning(
            "service.calendar_changed",
            client=drift.client or None,
            version=drift.version + 1,
            days=len(drift.change.days),
            deadlines=[one.reference for one in drift.deadlines],
        )
