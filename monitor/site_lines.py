"""The lines of every site on the metrics page, kept from one page to the next.

With ten thousand sites the page has half a million lines. What a site's lines say follows from its
row, its sightings and its incidents, and changes with the time only when a probe becomes too old or
a maintenance window begins or ends; so only the lines of sites that changed are written anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from monitor.figures import IncidentFigures
from monitor.probe_metrics import PROBE_FAMILIES, list_probed
from monitor.queries import Standing, fresh_for
from monitor.site_facts import Facts, SiteFacts
from monitor.site_metrics import COUNT_FAMILIES, SITE_FAMILIES, Counted, Labels, Stood, label
from tickets.metrics import Family

SEVERAL_WITHIN = timedelta(days=1)
"""A location counts as one of several while it has seen anything in this time."""

_FAR = datetime.max.replace(tzinfo=UTC)
_NO_INCIDENTS: Facts = ()

LINE_FAMILIES: Sequence[Family] = [
    *(told.family for told in PROBE_FAMILIES),
    *(told.family for told in SITE_FAMILIES),
    *(told.family for told in COUNT_FAMILIES),
]
"""The families that have lines for each site, in the order of the page."""

Block = tuple[Family, bytes]
"""A family and the lines of all sites; both formats write them the same."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A site's lines, one text for each family, and what they follow from.

    They hold from ``since`` to ``until`` as long as ``facts`` stay as they are.
    """

    facts: Facts
    since: datetime
    until: datetime
    labels: Labels
    lines: Sequence[str]


class SiteLines:
    """Writes the lines of all sites; for one thread at a time."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._is_told = False
        self.written = 0

    def blocks(
        self, sites: Sequence[SiteFacts], incidents: IncidentFigures, now: datetime
    ) -> Sequence[Block]:
        """Return the lines of all sites, family by family, as they are at ``now`` (aware UTC).

        ``written`` is then how many sites' lines had to be written anew.
        """
        is_told = len(_locations(sites, now)) > 1
        before = self._kept if is_told == self._is_told else {}
        self._is_told = is_told
        opened = _by_site(incidents)
        kept: dict[str, _Kept] = {}
        self.written = 0
        for site, instance in _instances(sites):
            facts = (
                instance,
                site.interval_seconds,
                site.windows,
                opened.get(site.slug, _NO_INCIDENTS),
                site.facts,
                *[seen.facts for seen in site.seen],
            )
            found = before.get(site.slug)
            if found is None or found.facts != facts or not found.since <= now <= found.until:
                labels = None if found is None or found.facts[0] != instance else found.labels
                found = _write(site, facts, labels, incidents, is_told=is_told, now=now)
                self.written += 1
            kept[site.slug] = found
        self._kept = kept
        columns = zip(*(each.lines for each in kept.values()), strict=True)
        texts = map("".join, columns) if kept else ("" for _ in LINE_FAMILIES)
        return [(family, text.encode()) for family, text in zip(LINE_FAMILIES, texts, strict=True)]


def _write(
    site: SiteFacts,
    facts: Facts,
    labels: Labels | None,
    incidents: IncidentFigures,
    *,
    is_told: bool,
    now: datetime,
) -> _Kept:
    standing = site.standing()
    labels = labels or _labels(site, facts[0])
    fresh = standing.fresh(now)
    probed = list_probed(fresh, standing, labels, is_told=is_told)
    stood = [Stood(labels.with_address, standing, standing.state(now), fresh)]
    counted = [Counted(labels.without_address, standing, incidents)]
    lines = [told.text(probed) for told in PROBE_FAMILIES]
    lines += [told.text(stood) for told in SITE_FAMILIES]
    lines += [told.text(counted) for told in COUNT_FAMILIES]
    return _Kept(facts, now, _until(standing, now), labels, lines)


def _until(standing: Standing, now: datetime) -> datetime:
    """Return until when the site's lines stay as they are if nothing happens to it."""
    if standing.windows:
        return now
    good_for = fresh_for(standing.interval)
    ends = [s.observed_at + good_for for s in standing.sightings if s.observed_at is not None]
    return min((end for end in ends if end >= now), default=_FAR)


def _labels(site: SiteFacts, instance: str) -> Labels:
    without = f"{label('site', site.slug)},{label('client', site.client)}"
    return Labels(f"{label('instance', instance)},{without}", without)


def _instances(sites: Iterable[SiteFacts]) -> Iterator[tuple[SiteFacts, str]]:
    """Yield each site with its ``instance``, which tells it from all others.

    Of several sites with one address the first keeps it bare.
    """
    taken: set[str] = set()
    for site in sites:
        url = site.url
        yield site, f"{url}#{site.slug}" if url in taken else url
        taken.add(url)


def _locations(sites: Iterable[SiteFacts], now: datetime) -> frozenset[str]:
    newest: dict[str, datetime] = {}
    for site in sites:
        for seen in site.seen:
            at = seen.observed_at
            if at is not None and (seen.location not in newest or at > newest[seen.location]):
                newest[seen.location] = at
    return frozenset(place for place, at in newest.items() if now - at <= SEVERAL_WITHIN)


def _by_site(incidents: IncidentFigures) -> Mapping[str, Facts]:
    """Return what the lines of each site that ever had an incident follow from."""
    found: dict[str, Facts] = {}
    for (slug, kind), count in sorted(incidents.opened.items()):
        is_open = (slug, kind) in incidents.is_open
        found[slug] = (*found.get(slug, ()), kind, count, is_open)
    return found
