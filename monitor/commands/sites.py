"""``fettle sites list``: the sites that are watched, and how they stand."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from monitor.commands.marks import mark
from monitor.commands.screen import Piece, Tone, Toned
from monitor.commands.surroundings import StoreNotReady, Surroundings, open_store
from monitor.commands.ticket_documents import iso
from monitor.rules.site import Site
from monitor.rules.uptime import share_text
from monitor.settings import Settings
from monitor.site_history import recent_uptime
from monitor.sites import list_sites
from monitor.store_watch import StoreWatch
from tickets.pages.watch import SiteState, SiteView
from tickets.quantities import duration_text
from tickets.rules.words import format_short


def list_all(surroundings: Surroundings, arguments: Namespace) -> int:
    """List the sites of the configuration and, once there is a store, how they stand."""
    settings = surroundings.load_settings()
    sites, zone = list_sites(settings), settings.agency.zone
    now = surroundings.clock.now()
    views, uptimes = _views(surroundings, settings), _uptimes(surroundings, settings)
    screen = surroundings.screen
    if arguments.json:
        screen.document(
            [_document(site, views.get(site.slug), uptimes.get(site.slug), zone) for site in sites]
        )
    elif sites:
        screen.table(
            [
                _row(site, views.get(site.slug), uptimes.get(site.slug), now=now, zone=zone)
                for site in sites
            ]
        )
    else:
        screen.line(f"No site is watched yet: list them under clients in {surroundings.config}.")
    return 0


def _views(surroundings: Surroundings, settings: Settings) -> Mapping[str, SiteView]:
    """Return how the sites stand; nothing of a store that is still to be made."""
    watch = StoreWatch(surroundings.clock, settings.agency.zone)
    try:
        with open_store(settings) as store:
            return {view.slug: view for view in store.read(watch.list_sites)}
    except StoreNotReady:
        return {}


def _uptimes(surroundings: Surroundings, settings: Settings) -> Mapping[str, float | None]:
    """Return the uptime of the last 30 days by site."""
    now, zone = surroundings.clock.now(), settings.agency.zone
    try:
        with open_store(settings) as store:
            found = store.read(partial(recent_uptime, days=30, now=now, zone=zone))
    except StoreNotReady:
        return {}
    return {slug: uptime.share for slug, uptime in found.items()}


def _row(
    site: Site, view: SiteView | None, uptime: float | None, *, now: datetime, zone: ZoneInfo
) -> Sequence[Piece]:
    state = SiteState.UNKNOWN if view is None else view.state
    since = None if view is None else view.since
    return [
        mark(state.value),
        "" if since is None else f"since {format_short(since, now=now, zone=zone)}",
        Toned(site.slug, Tone.STRONG),
        site.url,
        f"every {duration_text(site.interval)}",
        "no uptime yet" if uptime is None else f"{share_text(uptime)} in 30 d",
        "not probed yet" if view is None else view.message,
        (view and view.open_ticket_reference) or "",
    ]


def _document(
    site: Site, view: SiteView | None, uptime: float | None, zone: ZoneInfo
) -> dict[str, object]:
    return {
        "slug": site.slug,
        "name": site.name,
        "url": site.url,
        "client": site.client,
        "interval_seconds": site.interval.total_seconds(),
        "timeout_seconds": site.timeout.total_seconds(),
        "slow_after_seconds": site.slow_after.total_seconds(),
        "state": SiteState.UNKNOWN.value if view is None else view.state.value,
        "since": iso(view and view.since, zone),
        "last_probe_at": iso(view and view.last_probe_at, zone),
        "duration_seconds": view and view.duration_seconds,
        "uptime_30_days": uptime,
        "message": "not probed yet" if view is None else view.message,
        "ticket": view and view.open_ticket_reference,
    }
