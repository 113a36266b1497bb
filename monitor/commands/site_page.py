"""``fettle sites show``: one site, how it stood over 24 hours to 90 days, its last incidents."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from monitor.commands.marks import mark
from monitor.commands.screen import Piece, Screen, Tone, Toned
from monitor.commands.surroundings import Surroundings, open_store
from monitor.commands.ticket_documents import iso
from monitor.store_watch import StoreWatch
from tickets.errors import NotFound
from tickets.pages.charts import day_words, uptime_parts
from tickets.pages.watch import IncidentView, SiteHistory, UptimeView, uptime_document
from tickets.rules.words import format_duration, format_instant


def show(surroundings: Surroundings, arguments: Namespace) -> int:
    """Show the site with the slug that was given; raises ``NotFound``."""
    settings = surroundings.load_settings()
    zone, slug = settings.agency.zone, arguments.slug
    watch = StoreWatch(surroundings.clock, zone)
    with open_store(settings) as store:
        history = store.read(partial(watch.find_site, slug=slug))
    if history is None:
        raise NotFound(f"no site {slug!r} is watched; fettle sites list names them")
    if arguments.json:
        surroundings.screen.document(_document(history, zone))
    else:
        _write(surroundings.screen, history, now=surroundings.clock.now(), zone=zone)
    return 0


def _write(screen: Screen, history: SiteHistory, *, now: datetime, zone: ZoneInfo) -> None:
    site = history.view
    screen.line(Toned(f"{site.name}  ", Tone.STRONG), site.url)
    stands: list[Piece] = [mark(site.state.value)]
    if site.since is not None:
        stands.append(f"  since {format_instant(site.since, zone)}")
    if site.message:
        stands.append(f"  {site.message}")
    screen.line(*stands)
    facts: list[Sequence[Piece]] = [["client", f"{site.client_name} ({site.client})"]]
    if site.last_probe_at is not None:
        facts.append(["last probe", f"{format_duration(now - site.last_probe_at)} ago"])
    if site.open_ticket_reference is not None:
        facts.append(["ticket", site.open_ticket_reference])
    facts.extend(["maintenance", words] for words in history.windows)
    screen.table(facts)
    screen.line()
    screen.line("Uptime (up or slow, of the time up, slow or down)")
    screen.table([_period_row(period.name, period.uptime) for period in history.periods])
    bad = [day for day in history.days if day.uptime and (day.uptime.down or day.uptime.slow)]
    for day in reversed(bad):
        screen.line(f"  {day_words(day)}")
    if history.incidents:
        screen.line()
        screen.line("Last incidents")
        screen.table([_incident_row(incident, zone) for incident in history.incidents])


def _period_row(name: str, uptime: UptimeView) -> Sequence[Piece]:
    share = "nothing judged yet" if uptime.share is None else uptime.text
    return ["", f"last {name}", Toned(share, Tone.STRONG), ", ".join(uptime_parts(uptime))]


def _incident_row(incident: IncidentView, zone: ZoneInfo) -> Sequence[Piece]:
    until = "goes on"
    if incident.ended_at is not None:
        until = f"for {format_duration(incident.ended_at - incident.started_at)}"
    since = f"since {format_instant(incident.started_at, zone)}"
    return [
        "", mark(incident.state.value), since, until, incident.message, incident.ticket_reference
    ]  # fmt: skip


def _document(history: SiteHistory, zone: ZoneInfo) -> dict[str, object]:
    site = history.view
    return {
        "slug": site.slug,
        "name": site.name,
        "url": site.url,
        "client": site.client,
        "state": site.state.value,
        "since": iso(site.since, zone),
        "last_probe_at": iso(site.last_probe_at, zone),
        "message": site.message,
        "ticket": site.open_ticket_reference,
        "maintenance": list(history.windows),
        "uptime": {period.name: uptime_document(period.uptime) for period in history.periods},
        "days": [
            {"date": day.on.isoformat()}
            | ({"share": None} if day.uptime is None else uptime_document(day.uptime))
            for day in history.days
        ],
        "response": [
            {
                "from": iso(one.at, zone),
                "median_seconds": one.median_seconds,
                "percentile_95_seconds": one.slow_seconds,
            }
            for one in history.answers
        ],
        "incidents": [
            {
                "kind": incident.state.value,
                "since": iso(incident.started_at, zone),
                "until": iso(incident.ended_at, zone),
                "message": incident.message,
                "ticket": incident.ticket_reference,
            }
            for incident in history.incidents
        ],
    }
