"""Incidents, the scheduler and the process that serves the page, as metric families."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client import Metric

from monitor.figures import IncidentFigures, ProberFigures
from monitor.site_metrics import INCIDENT_KINDS, LATER_INCIDENT_KINDS
from monitor.watched import DURATION_EDGES
from tickets.metrics import Family, Row

DURATION = Family(
    name="fettle_incident_duration_seconds",
    kind="histogram",
    labels=("kind",),
    unit="seconds",
    meaning="Stretches of incidents, from the first bad probe to the recovery.",
    buckets=(60, 300, 900, 1800, 3600, 7200, 14400, 43200, 86400),
)
ANSWERED = Family(
    name="fettle_check_duration_seconds",
    kind="histogram",
    labels=("client",),
    unit="seconds",
    meaning="Probes of the client's sites that were answered, well or not, by how long they took.",
    buckets=DURATION_EDGES,
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
    meaning="Runs of the job, by outcome; the prober goes on counting when it starts again.",
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
STORE_ERRORS = Family(
    name="fettle_store_errors_total",
    kind="counter",
    labels=("operation",),
    meaning="Reads and writes that found the store away: read and write of the process that serves "
    "the page, since it started, prober_read and prober_write of the probers.",
)

SCHEDULER_FAMILIES = (LATENESS, RUNS, DUE, IN_FLIGHT, LAST_TICK)
SERVICE_FAMILIES = (BUILD, RELOADED, RELOADED_AT, CONFIGURED, STORE_ERRORS)

OUTCOMES = ("ok", "error", "missed", "skipped")
JOBS = ("probe", "deadline", "mail", "sweep", "reload")
"""Jobs that are always told of; others once they have run."""

OPERATIONS = ("read", "write")


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


def monitor_metrics(incidents: IncidentFigures, probers: ProberFigures) -> Iterator[Metric]:
    """Yield how long incidents took, how long answers took, and how the schedulers run."""
    yield _durations(incidents)
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


def service_metrics(
    service: ServiceFigures,
    probers: ProberFigures,
    *,
    clients: Mapping[str, int],
    store_errors: Mapping[str, int],
) -> Iterator[Metric]:
    """Yield what is known of the process that serves the page, and of each client.

    ``clients`` counts the sites of each; ``store_errors`` are this process's, by operation.
    """
    yield _answered(probers, clients)
    heartbeats = {"heartbeat": probers.heartbeats} if probers.heartbeats else {}
    yield RUNS.metric(_runs({"probe": probers.runs, **heartbeats, **service.runs}))
    build = (service.version, service.revision, service.python_version)
    yield BUILD.metric([(build, 1)])
    yield RELOADED.metric([((), int(service.is_reload_good))])
    yield RELOADED_AT.metric([((), service.reloaded_at.timestamp())])
    yield CONFIGURED.metric(((client,), count) for client, count in clients.items())
    # Apart, for a sum of both would fall when one of the processes starts again.
    probing = {f"prober_{name}": probers.store_errors.get(name, 0) for name in OPERATIONS}
    own = {name: store_errors.get(name, 0) for name in OPERATIONS}
    yield STORE_ERRORS.metric(((name,), count) for name, count in (own | probing).items())


def _answered(probers: ProberFigures, clients: Mapping[str, int]) -> Metric:
    metric = ANSWERED.metric()
    none = [0] * (len(ANSWERED.buckets) + 1), 0.0
    for client in clients:
        counts, seconds = probers.answers.get(client, none)
        metric.samples += ANSWERED.histogram_samples((client,), counts, seconds)
    return metric


def _runs(runs: Mapping[str, Mapping[str, int]]) -> Iterator[Row]:
    for job in dict.fromkeys((*JOBS, *runs)):
        for outcome in OUTCOMES:
            yield (job, outcome), runs.get(job, {}).get(outcome, 0)
