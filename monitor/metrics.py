"""The metrics page: read in one transaction, rendered off the event loop, kept for a moment.

Names, labels and label values are the contract's (``docs/metrics.md`` lists them). The page is made
from the store, and from what the process that serves it knows of itself: nothing is registered
anywhere, so there are neither ``_created`` series nor series of sites that are gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from prometheus_client import Metric
from prometheus_client.registry import Collector

from monitor.alert_metrics import ALERT_FAMILIES, read_alert_metrics
from monitor.figures import (
    IncidentFigures,
    ProberFigures,
    count_incidents,
    count_probers,
    count_recovered,
)
from monitor.formats import negotiated
from monitor.http_metrics import HTTP_FAMILIES, Requests
from monitor.probe_metrics import PROBE_FAMILIES
from monitor.process_metrics import PROCESS_FAMILIES, read_process_metrics
from monitor.service_metrics import (
    ANSWERED,
    DURATION,
    LATENESS,
    SCHEDULER_FAMILIES,
    SERVICE_FAMILIES,
    ServiceFigures,
    monitor_metrics,
    service_metrics,
)
from monitor.site_facts import SiteFacts, count_by_client, list_site_facts
from monitor.site_lines import Block, SiteLines
from monitor.site_metrics import COUNT_FAMILIES, SITE_FAMILIES
from tickets.clock import Clock
from tickets.mail_metrics import MAIL_FAULT_FAMILIES, read_mail_fault_metrics
from tickets.metrics import MAIL_FAMILIES, TICKET_FAMILIES, Family, ticket_metrics
from tickets.policy import Policy
from tickets.queries.figures import TicketFigures, count_figures
from tickets.queries.times import Times
from tickets.rules.hours import SupportHours
from tickets.rules.notice import Notice
from tickets.rules.ticket import Priority, Status
from tickets.store import Session, Store
from tickets.time_metrics import (
    DELIVERY_TIME,
    TIME_FAMILIES,
    SupportTimes,
    delivery_metric,
    read_deliveries,
)

AGENCY_CALENDAR = "default"

KEPT_SECONDS = 14.0
"""How long a page is served again, unless told otherwise: see ``web.metrics_interval``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Families that another part of Fettle owns, with the one read that fills them.

    ``read`` is called in the page's transaction with the instant of the page, and returns every
    family with its samples, closed combinations of labels included.
    """

    name: str
    families: Sequence[Family]
    read: Callable[[Session, datetime], Iterable[Metric]]


GROUPS: Sequence[Group] = (
    Group(name="Alerts in", families=ALERT_FAMILIES, read=read_alert_metrics),
    Group(name="Locations and processes", families=PROCESS_FAMILIES, read=read_process_metrics),
    Group(name="Faults of mail", families=MAIL_FAULT_FAMILIES, read=read_mail_fault_metrics),
)
"""Groups beside those that are built in here, in the order of the page."""

FAMILIES: Mapping[str, Sequence[Family]] = {
    "Probe": [told.family for told in PROBE_FAMILIES],
    "Sites and incidents": [
        *(told.family for told in SITE_FAMILIES),
        *(told.family for told in COUNT_FAMILIES),
        DURATION,
        ANSWERED,
    ],
    "Scheduler": SCHEDULER_FAMILIES,
    "Tickets": [*TICKET_FAMILIES, *TIME_FAMILIES],
    **{group.name: group.families for group in GROUPS},
    "Mail": [*MAIL_FAMILIES, DELIVERY_TIME],
    "Service": [*SERVICE_FAMILIES, *HTTP_FAMILIES],
}
"""Every family that the page may show, by group."""


@dataclass(slots=True)
class Memory:
    """What is kept from one page to the next, so that a page costs what has changed."""

    sites: SiteLines = field(default_factory=SiteLines)
    support: SupportTimes = field(default_factory=SupportTimes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All that the page tells of the store, as it stood in one transaction at ``now``."""

    now: datetime
    sites: Sequence[SiteFacts]
    incidents: IncidentFigures
    probers: ProberFigures
    tickets: TicketFigures
    recovered: Mapping[tuple[Priority, Status], int]
    deliveries: Mapping[Notice, Times]
    support: Sequence[Metric]
    others: Sequence[Metric]


def read_figures(tx: Session, policy: Policy, *, now: datetime, memory: Memory) -> Figures:
    """Read what the page tells; needs an open (read) transaction. ``now`` is aware UTC."""
    memory.support.read(tx, policy)
    return Figures(
        now=now,
        sites=list_site_facts(tx),
        incidents=count_incidents(tx, edges=DURATION.buckets),
        probers=count_probers(tx, now=now, buckets=len(LATENESS.buckets) + 1),
        tickets=count_figures(tx, now=now),
        recovered=count_recovered(tx),
        deliveries=read_deliveries(tx),
        support=[*memory.support.metrics()],
        others=[metric for group in GROUPS for metric in group.read(tx, now)],
    )


@dataclass(frozen=True, slots=True)
class Page:
    """A rendered page but for the lines that differ between the formats."""

    metrics: Sequence[Metric]
    blocks: Sequence[Block]

    def encode(self, accept: str) -> tuple[Sequence[bytes], str]:
        """Return the page in pieces, and its content type, as the Accept header asks for it."""
        encode, content_type = negotiated(accept)
        end = encode(_Families())
        pieces = [encode(_Families(self.metrics)).removesuffix(end)]
        for family, lines in self.blocks:
            # The encoder writes what differs between the formats; the lines are the same in both.
            pieces += [encode(_Families([family.metric()])).removesuffix(end), lines]
        return [*pieces, end], content_type


def build_page(
    figures: Figures,
    *,
    policy: Policy,
    service: ServiceFigures,
    memory: Memory,
    store_errors: Mapping[str, int] | None = None,
    requests: Requests | None = None,
) -> Page:
    """Make the page of ``figures``; takes processor time with many sites, but no transaction."""
    now = figures.now
    metrics = [
        *monitor_metrics(figures.incidents, figures.probers),
        *ticket_metrics(
            figures.tickets,
            recovered=figures.recovered,
            targets=policy.targets,
            calendars=_calendars(policy),
            now=now,
        ),
        *figures.support,
        *figures.others,
        delivery_metric(figures.deliveries),
        *service_metrics(
            service,
            figures.probers,
            clients=count_by_client(figures.sites),
            store_errors=store_errors or {},
        ),
        *(requests or Requests()).metrics(),
    ]
    return Page(metrics, memory.sites.blocks(figures.sites, figures.incidents, now))


def _calendars(policy: Policy) -> Mapping[str, SupportHours]:
    """Return the agency's calendar and those of clients that have their own, by their names."""
    own = {slug: promises.hours for slug, promises in policy.promises.items()}
    if AGENCY_CALENDAR in own:  # a slug that somebody chose; both must be seen
        own[f"{AGENCY_CALENDAR} (client)"] = own.pop(AGENCY_CALENDAR)
    return {AGENCY_CALENDAR: policy.hours, **own}


def render(
    tx: Session, *, policy: Policy, service: ServiceFigures, now: datetime, accept: str = ""
) -> tuple[bytes, str]:
    """Return the page and its content type at once, with nothing kept.

    Needs an open (read) transaction. Takes a second with ten thousand sites: never call it on the
    event loop. ``now`` is aware UTC.
    """
    memory = Memory()
    figures = read_figures(tx, policy, now=now, memory=memory)
    page = build_page(figures, policy=policy, service=service, memory=memory)
    pieces, content_type = page.encode(accept)
    return b"".join(pieces), content_type


class _Families(Collector):
    """Gives an encoder families that are already made."""

    def __init__(self, metrics: Iterable[Metric] = ()) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """Return the families."""
        return self._metrics


class MetricsPage:
    """Serves the page from memory for ``kept`` and makes it anew when somebody asks after that.

    However many ask at once, it is made once. It is read in the store's reader thread and made in
    another: the event loop only hands it out.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        policy: Callable[[], Policy],
        service: Callable[[], ServiceFigures],
        requests: Requests | None = None,
        kept: timedelta = timedelta(seconds=KEPT_SECONDS),
    ) -> None:
        self._store = store
        self._clock = clock
        self._policy = policy
        self._service = service
        self._requests = requests
        self._keep_seconds = kept.total_seconds()
        self._memory = Memory()
        self._lock = asyncio.Lock()
        self._page: tuple[float, Page] | None = None

    async def get(self, accept: str = "") -> tuple[Sequence[bytes], str]:
        """Return the page in pieces and its content type.

        Raises ``Unavailable`` when the store is away.
        """
        async with self._lock:
            page = await self._kept_or_made()
            return await asyncio.to_thread(page.encode, accept)

    async def _kept_or_made(self) -> Page:
        now = self._clock.monotonic()
        if self._page is not None and now - self._page[0] < self._keep_seconds:
            return self._page[1]
        self._page = None  # the lines of the old one need not stand in memory beside the new
        at, policy, service = self._clock.now(), self._policy(), self._service()
        figures = await self._store.aread(
            lambda tx: read_figures(tx, policy, now=at, memory=self._memory)
        )
        page = await asyncio.to_thread(
            build_page,
            figures,
            policy=policy,
            service=service,
            memory=self._memory,
            store_errors=self._store.errors,
            requests=self._requests,
        )
        self._page = now, page
        return page
