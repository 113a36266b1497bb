"""What senders of alerts have sent, as metric families.

Every count stands in the store, so none falls when the service starts again. The only label from
outside is ``source``, a name of the configuration: text of an alert is never a label.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from prometheus_client import Metric

from monitor.alert_figures import SourceFigures, list_source_figures
from tickets.metrics import Family, Row
from tickets.store import Session

REQUESTS = Family(
    name="fettle_alert_webhook_requests_total",
    kind="counter",
    labels=("source", "outcome"),
    meaning="Requests that brought alerts, by outcome.",
)
RECEIVED = Family(
    name="fettle_alerts_received_total",
    kind="counter",
    labels=("source", "status"),
    meaning="Alerts received (not requests).",
)
DEDUPLICATED = Family(
    name="fettle_alerts_deduplicated_total",
    kind="counter",
    labels=("source",),
    meaning="Alerts that changed nothing.",
)
TRUNCATED = Family(
    name="fettle_alerts_truncated_total",
    kind="counter",
    labels=("source",),
    meaning="Alerts that the sender left out; above 0 means that it hides alerts.",
)
WATCHDOG = Family(
    name="fettle_watchdog_last_received_timestamp_seconds",
    labels=("source",),
    unit="unix seconds",
    meaning="The last Watchdog alert from this sender.",
    present_when="one was received",
)

ALERT_FAMILIES = [REQUESTS, RECEIVED, DEDUPLICATED, TRUNCATED, WATCHDOG]


def read_alert_metrics(tx: Session, now: datetime) -> Iterable[Metric]:
    """Return the families of all sources that are configured; needs a (read) transaction."""
    del now  # counters tell the same at any time
    sources = list_source_figures(tx)
    return [
        REQUESTS.metric(_requests(sources)),
        RECEIVED.metric(_received(sources)),
        DEDUPLICATED.metric(((each.name,), each.deduplicated) for each in sources),
        TRUNCATED.metric(((each.name,), each.truncated) for each in sources),
        WATCHDOG.metric(
            ((each.name,), each.watchdog_at.timestamp())
            for each in sources
            if each.watchdog_at is not None
        ),
    ]


def _requests(sources: Iterable[SourceFigures]) -> Iterator[Row]:
    for each in sources:
        for outcome, count in each.requests.items():
            yield (each.name, outcome), count


def _received(sources: Iterable[SourceFigures]) -> Iterator[Row]:
    for each in sources:
        yield (each.name, "firing"), each.firing
        yield (each.name, "resolved"), each.resolved
