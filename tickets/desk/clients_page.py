"""The clients: their pages, their sites by state, their contacts and what each wants to hear."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from tickets.accounts import SignedIn
from tickets.desk.answers import Desk
from tickets.desk.context import read_page
from tickets.outbox import Recipient
from tickets.pages.watch import SiteState, SiteView, Watch, badness
from tickets.policy import Policy
from tickets.queries.tickets import count_open_by_client
from tickets.rules.status_access import StatusAccess
from tickets.store import Session


@dataclass(frozen=True, slots=True)
class ContactLine:
    """A contact and what it hears of, such as ``incidents, requests``; nothing is an empty text."""

    contact: Recipient
    hears: str


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
        return list_lines(tx, context.policy, context.watch)

    frame, lines = await read_page(context, me, read)
    return desk.page("clients.html", frame=frame, clients=lines)


def list_lines(tx: Session, policy: Policy, watch: Watch) -> Sequence[ClientLine]:
    """Return a line for each client of ``policy``, by name."""
    counts = count_open_by_client(tx)
    sites: dict[str, list[SiteView]] = {}
    for site in watch.list_sites(tx):
        sites.setdefault(site.client, []).append(site)
    lines = [
        _line(policy, slug, sites=sites.get(slug, ()), counts=counts) for slug in policy.clients
    ]
    return sorted(lines, key=lambda line: line.name.casefold())


def _line(
    policy: Policy, slug: str, *, sites: Sequence[SiteView], counts: Mapping[str, int]
) -> ClientLine:
    profile = policy.clients[slug]
    states = Counter(site.state for site in sites)
    return ClientLine(
        slug=slug,
        name=profile.name,
        states=sorted(states.items(), key=lambda pair: badness(pair[0])),
        open_tickets=counts.get(slug, 0),
        contacts=[ContactLine(one, _hears(policy, slug, one)) for one in profile.everyone],
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
