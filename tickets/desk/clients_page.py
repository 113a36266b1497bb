"""The clients: their pages, their sites, their contacts, what each hears and who takes no mail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from tickets.accounts import SignedIn
from tickets.desk.answers import Desk
from tickets.desk.context import read_page
from tickets.outbox import Recipient
from tickets.pages.watch import SiteState, SiteView, Watch, badness
from tickets.policy import Policy
from tickets.queries.mail_faults import UndeliverableView, find_mail_faults
from tickets.queries.messages import find_last_refusals
from tickets.queries.tickets import count_open_by_client
from tickets.rules.status_access import StatusAccess
from tickets.store import Session


@dataclass(frozen=True, slots=True)
class ContactLine:
    """A contact and what it hears of, such as ``incidents, requests``; nothing is an empty text.

    ``mark`` stands while its address takes no mail; ``refused_at`` is when it last refused one,
    None if no such message is kept.
    """

    contact: Recipient
    hears: str
    mark: UndeliverableView | None = None
    refused_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLine:
    """One client as the desk lists it; ``states`` counts its sites, the worst state first."""

    slug: str
    name: str
    states: Sequence[tuple[SiteState, int]]
    open_tickets: int
    contacts: Sequence[ContactLine]
    support_url: str
    status_url: str | None
    needs_key: bool


async def show_clients(desk: Desk, _request: Request, me: SignedIn) -> Response:
    """Show every client that is configured, by name."""
    context = desk.context

    def read(tx: Session) -> Sequence[ClientLine]:
        marks = find_mail_faults(tx, context.clock.now()).undeliverable
        return list_lines(tx, context.policy, context.watch, marks=marks)

    frame, lines = await read_page(context, me, read)
    return desk.page("clients.html", frame=frame, clients=lines)


def list_lines(
    tx: Session, policy: Policy, watch: Watch, *, marks: Sequence[UndeliverableView]
) -> Sequence[ClientLine]:
    """Return a line for each client of ``policy``, by name; ``marks`` are of addresses."""
    counts = count_open_by_client(tx)
    refused = find_last_refusals(tx, [mark.address for mark in marks])
    marked = {mark.address: (mark, refused.get(mark.address)) for mark in marks}
    sites: dict[str, list[SiteView]] = {}
    for site in watch.list_sites(tx):
        sites.setdefault(site.client, []).append(site)
    lines = [
        _line(policy, slug, sites=sites.get(slug, ()), counts=counts, marked=marked)
        for slug in policy.clients
    ]
    return sorted(lines, key=lambda line: line.name.casefold())


def find_clients(policy: Policy, address: str) -> Sequence[tuple[str, str]]:
    """Return slug and name of the clients of which ``address`` is a contact, by name."""
    found = [
        (slug, profile.name)
        for slug, profile in policy.clients.items()
        if address.lower() in {one.address.lower() for one in profile.everyone}
    ]
    return sorted(found, key=lambda pair: pair[1].casefold())


def _line(
    policy: Policy,
    slug: str,
    *,
    sites: Sequence[SiteView],
    counts: Mapping[str, int],
    marked: Mapping[str, tuple[UndeliverableView, datetime | None]],
) -> ClientLine:
    profile = policy.clients[slug]
    states = Counter(site.state for site in sites)
    return ClientLine(
        slug=slug,
        name=profile.name,
        states=sorted(states.items(), key=lambda pair: badness(pair[0])),
        open_tickets=counts.get(slug, 0),
        contacts=[
            ContactLine(
                one,
                _hears(policy, slug, one),
                *marked.get(one.address.lower(), (None, None)),
            )
            for one in profile.everyone
        ],
        support_url=policy.support_url(slug),
        status_url=policy.status_url(slug),
        needs_key=profile.status_access is StatusAccess.LINK,
    )


def _hears(policy: Policy, slug: str, contact: Recipient) -> str:
    contacts = policy.contacts_of(slug)
    subjects = {
        "incidents": contacts.incidents,
        "requests": contacts.tickets,
        "statement": contacts.statement,
    }
    return ", ".join(subject for subject, who in subjects.items() if contact in who)
