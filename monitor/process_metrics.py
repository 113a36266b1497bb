"""Which locations are blind, and what Fettle's processes use, as metric families.

Names of processes are those of their roles; the names of the usage are those that other exporters
use, so that dashboards of theirs show it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from prometheus_client import Metric

from monitor.figures import Host, list_hosts
from monitor.own_process import measure
from tickets.metrics import Family, Row
from tickets.store import Session

BLIND = Family(
    name="fettle_location_blind",
    labels=("location",),
    unit="bool",
    meaning="Whether staff were told that the location cannot see, or gives no sign of life.",
    present_when="a prober has run there",
)
MEMORY = Family(
    name="process_resident_memory_bytes",
    labels=("process", "location"),
    unit="bytes",
    meaning="Resident memory of a process of Fettle; the desk has no location.",
    present_when="the host tells it",
)
PROCESSOR = Family(
    name="process_cpu_seconds_total",
    kind="counter",
    labels=("process", "location"),
    unit="seconds",
    meaning="Processor time that a process of Fettle has used; the desk has no location.",
)

PROCESS_FAMILIES = [BLIND, MEMORY, PROCESSOR]


def read_process_metrics(tx: Session, now: datetime) -> Iterable[Metric]:
    """Return the families; needs a (read) transaction. The desk is the process that asks."""
    hosts = list_hosts(tx, now=now)
    own = measure()
    memory: list[Row] = [(("desk", ""), own.resident_bytes)] if own.resident_bytes else []
    return [
        BLIND.metric(((host.location,), int(host.is_blind)) for host in hosts),
        MEMORY.metric([*memory, *_memory(hosts)]),
        PROCESSOR.metric([(("desk", ""), own.cpu_seconds), *_processor(hosts)]),
    ]


def _memory(hosts: Iterable[Host]) -> Iterator[Row]:
    for host in hosts:
        if host.resident_bytes is not None:
            yield ("prober", host.location), host.resident_bytes


def _processor(hosts: Iterable[Host]) -> Iterator[Row]:
    for host in hosts:
        if host.cpu_seconds is not None:
            yield ("prober", host.location), host.cpu_seconds
