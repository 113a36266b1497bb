"""The metrics page: read in one transaction, rendered off the event loop, kept for a moment.

Names, labels and label values are the contract's (``docs/metrics.md`` lists them). The page is made
anew for each rendering, from the store alone: nothing is registered anywhere, so there are neither
``_created`` series nor series of sites that are gone.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain

from prometheus_client import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from monitor.figures import (
    IncidentFigures,
    ProberFigures,
    count_incidents,
    count_probers,
    count_recovered,
)
from monitor.probe_metrics import PROBE_FAMILIES, list_probed
from monitor.queries import Standing, list_standings
from monitor.site_metrics import (
    COUNT_FAMILIES,
    INCIDENT_KINDS,
    LATER_INCIDENT_KINDS,
    SITE_FAMILIES,
    labels_of,
    list_counted,
    list_stood,
)
from tickets.clock import Clock
from tickets.metrics import MAIL_FAMILIES, TICKET_FAMILIES, Family, Row, ticket_metrics
from tickets.policy import Policy
from tickets.queries.figures import TicketFigures, count_figures
from tickets.rules.ticket import Priority, Status
from tickets.store import Session, Store

KEPT_SECONDS = 2.0
"""How long a rendered page is served again, so that several scrapers cost one rendering."""

_OPENMETRICS = "application/openmetrics-text"
_ESCAPING = re.compile(r";\s*escaping\s*=[^;,]*")
"""Our names need no escaping; whoever asks for a scheme gets plain names, and is told so."""

DURATION = Family(
    name="fettle_incident_duration_seconds",
    kind="histogram",
    labels=("kind",),
    unit="seconds",
    meaning="Stretches of incidents, from the first bad probe to the recovery.",
    buckets=(60, 300, 900, 1800, 3600, 7200, 14400, 43200, 86400),
)
LATENESS = Family(
    name="fettle_scheduler_lateness_seconds",
    kind="histogram",
    unit="seconds",
    meaning="How long after its due time a probe started.",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
RUNS = Family(
    name="fettle_scheduler_runs_total",
    kind="counter",
    labels=("job", "outcome"),
    meaning="Runs of the job since its process started, by outcome.",
)
DUE = Family(
    name="fettle_scheduler_due_checks",
    meaning="Probes that are due and not started.",
)
IN_FLIGHT = Family(name="fettle_probes_in_flight", meaning="Probes running now.")
LAST_TICK = Family(
    name="fettle_scheduler_last_tick_timestamp_seconds",
    unit="unix seconds",
    meaning="The prober's last tick.",
    present_when="a prober has ticked",
)
BUILD = Family(
    name="fettle_build_info",
    labels=("version", "revision", "python_version"),
    unit="info",
    meaning="What is running; always 1.",
)
RELOADED = Family(
    name="fettle_config_last_reload_successful",
    unit="bool",
    meaning="Whether the last load of the configuration worked.",
)
RELOADED_AT = Family(
    name="fettle_config_last_reload_success_timestamp_seconds",
    unit="unix seconds",
    meaning="When the configuration was last loaded with success.",
)
CONFIGURED = Family(
    name="fettle_checks_configured",
    labels=("client",),
    meaning="Sites watched for the client.",
)

FAMILIES: Mapping[str, Sequence[Family]] = {
    "Probe": [told.family for told in PROBE_FAMILIES],
    "Sites and incidents": [
        *(told.family for told in SITE_FAMILIES),
        *(told.family for told in COUNT_FAMILIES),
        DURATION,
    ],
    "Scheduler": [LATENESS, RUNS, DUE, IN_FLIGHT, LAST_TICK],
    "Tickets": TICKET_FAMILIES,
    "Mail": MAIL_FAMILIES,
    "Service": [BUILD, RELOADED, RELOADED_AT, CONFIGURED],
}
"""Every family that the page may show, by group."""

OUTCOMES = ("ok", "error", "missed", "skipped")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFigures:
    """What the process that serves the page knows of itself.

    ``reloaded_at`` is when the configuration in force was loaded; ``is_reload_good`` is False while
    a later load has failed. ``runs`` counts what the process has run, by job and outcome: jobs are
    deadline, mail, sweep and reload. The prober's own job, probe, comes from the store.
    """

    version: str
    revision: str
    python_version: str
    reloaded_at: datetime
    is_reload_good: bool = True
    runs: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, Mapping[str, int]])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Figures:
    """All that the page tells, as it stood in one transaction."""

    standings: Sequence[Standing]
    incidents: IncidentFigures
    probers: ProberFigures
    tickets: TicketFigures
    recovered: Mapping[tuple[Priority, Status], int]


class _Page(Collector):
    """Gives an encoder families that are already made."""

    def __init__(self, metrics: Iterable[Metric] = ()) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """Return the families."""
        return self._metrics


Encoder = Callable[[Collector], bytes]


def render(
    tx: Session, *, policy: Policy, service: ServiceFigures, now: datetime, accept: str = ""
) -> tuple[bytes, str]:
    """Return the page and its content type, as the Accept header ``accept`` asks for it.

    Needs an open (read) transaction. Takes a second with ten thousand sites: never call it on the
    event loop. ``now`` is aware UTC.
    """
    figures = _Figures(
        standings=list_standings(tx),
        incidents=count_incidents(tx, edges=DURATION.buckets),
        probers=count_probers(tx, now=now, buckets=len(LATENESS.buckets) + 1),
        tickets=count_figures(tx, now=now),
        recovered=count_recovered(tx),
    )
    encode, content_type = _negotiated(accept)
    end = encode(_Page())
    page = bytearray()
    metrics = chain(
        _monitor_metrics(figures),
        ticket_metrics(
            figures.tickets,
            recovered=figures.recovered,
            targets=policy.targets,
            hours=policy.hours,
            now=now,
        ),
        _service_metrics(figures, service),
    )
    page += encode(_Page(metrics)).removesuffix(end)
    for family, lines in _site_blocks(figures, now):
        # The encoder writes what differs between the formats; the lines are the same in both.
        page += encode(_Page([family.metric()])).removesuffix(end)
        page += lines.encode()
    page += end
    return bytes(page), content_type


def _negotiated(accept: str) -> tuple[Encoder, str]:
    try:
        encode, content_type = choose_encoder(_ESCAPING.sub("", accept))
    except TypeError:  # a version that is no number
        return choose_encoder("")
    if content_type.startswith(_OPENMETRICS):
        return choose_encoder(f"{_OPENMETRICS}; version=1.0.0")  # whichever later one was asked for
    return encode, content_type


def _site_blocks(figures: _Figures, now: datetime) -> Iterator[tuple[Family, str]]:
    standings = figures.standings
    labels = labels_of(standings)
    probed = list_probed(standings, labels, now)
    for told in PROBE_FAMILIES:
        yield told.family, told.text(probed)
    stood = list_stood(standings, labels, now)
    for told in SITE_FAMILIES:
        yield told.family, told.text(stood)
    counted = list_counted(standings, labels, figures.incidents)
    for told in COUNT_FAMILIES:
        yield told.family, told.text(counted)


def _monitor_metrics(figures: _Figures) -> Iterator[Metric]:
    yield _durations(figures.incidents)
    probers = figures.probers
    yield LATENESS.histogram((), probers.lateness, probers.lateness_seconds)
    yield DUE.metric([((), probers.due)])
    yield IN_FLIGHT.metric([((), probers.in_flight)])
    ticked_at = probers.ticked_at
    yield LAST_TICK.metric([] if ticked_at is None else [((), ticked_at.timestamp())])


def _durations(incidents: IncidentFigures) -> Metric:
    metric = DURATION.metric()
    counts: list[int] = []
    for kind, name in INCIDENT_KINDS.items():
        durations = incidents.durations[kind]
        counts = [*durations.below, durations.count]
        within = [count - below for below, count in zip([0, *counts], counts, strict=False)]
        metric.samples += DURATION.histogram_samples((name,), within, durations.sum_seconds)
    for name in LATER_INCIDENT_KINDS:
        metric.samples += DURATION.histogram_samples((name,), [0] * len(counts), 0.0)
    return metric


def _service_metrics(figures: _Figures, service: ServiceFigures) -> Iterator[Metric]:
    yield RUNS.metric(_runs({"probe": figures.probers.runs, **service.runs}))
    build = (service.version, service.revision, service.python_version)
    yield BUILD.metric([(build, 1)])
    yield RELOADED.metric([((), int(service.is_reload_good))])
    yield RELOADED_AT.metric([((), service.reloaded_at.timestamp())])
    clients: dict[str, int] = {}
    for standing in figures.standings:
        clients[standing.client] = clients.get(standing.client, 0) + 1
    yield CONFIGURED.metric(((client,), count) for client, count in sorted(clients.items()))


def _runs(runs: Mapping[str, Mapping[str, int]]) -> Iterator[Row]:
    for job, outcomes in runs.items():
        for outcome in OUTCOMES:
            yield (job, outcome), outcomes.get(outcome, 0)


class MetricsPage:
    """Serves the page from memory for a moment and renders it in the store's reader thread."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        *,
        policy: Callable[[], Policy],
        service: Callable[[], ServiceFigures],
    ) -> None:
        self._store = store
        self._clock = clock
        self._policy = policy
        self._service = service
        self._lock = asyncio.Lock()
        self._kept: dict[str, tuple[float, bytes]] = {}

    async def get(self, accept: str = "") -> tuple[bytes, str]:
        """Return the page and its content type; raises ``Unavailable`` when the store is away."""
        _, content_type = _negotiated(accept)
        async with self._lock:
            kept = self._kept.get(content_type)
            if kept is not None and self._clock.monotonic() - kept[0] < KEPT_SECONDS:
                return kept[1], content_type
            now, policy, service = self._clock.now(), self._policy(), self._service()
            page, content_type = await self._store.aread(
                lambda tx: render(tx, policy=policy, service=service, now=now, accept=accept)
            )
            self._kept[content_type] = self._clock.monotonic(), page
            return page, content_type
