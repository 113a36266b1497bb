"""The sites that are watched, the worst first."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from tickets.accounts import SignedIn
from tickets.desk.answers import Desk
from tickets.desk.context import read_page
from tickets.desk.queue import LONGEST_SEARCH
from tickets.pages.forms import plain_text
from tickets.pages.watch import SiteState, SiteView, badness

MOST_SITES = 500
"""Longest list of sites that one page shows."""


async def show_sites(desk: Desk, request: Request, me: SignedIn) -> Response:
    """Show every site with its state, since when, and what the last probe saw."""
    query = request.query_params
    state = next((one for one in SiteState if one.value == query.get("state")), None)
    search = plain_text(query.get("search", "")).strip()[:LONGEST_SEARCH]
    frame, sites = await read_page(desk.context, me, desk.context.watch.list_sites)
    found = select_sites(sites, state=state, search=search)
    return desk.page(
        "sites.html",
        frame=frame,
        sites=found[:MOST_SITES],
        left_out=max(0, len(found) - MOST_SITES),
        state=state,
        states=list(SiteState),
        search=search,
    )


def select_sites(
    sites: Sequence[SiteView], *, state: SiteState | None, search: str
) -> Sequence[SiteView]:
    """Return the sites in ``state`` whose name, client or address holds ``search``, worst first."""
    wanted = search.casefold()
    found = [
        site
        for site in sites
        if state in {None, site.state}
        and wanted in f"{site.name}\n{site.client_name}\n{site.url}".casefold()
    ]
    return sorted(
        found,
        key=lambda site: (badness(site.state), site.client_name.casefold(), site.name.casefold()),
    )
