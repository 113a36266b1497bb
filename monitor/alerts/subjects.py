"""What alerts are about: a site, a data source, or one alert alone; and those that open nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from monitor.alert_tables import AlertRow
from monitor.alerts.places import Place, Places
from monitor.alerts.source import AlertSource
from monitor.rules.alert import Alert
from monitor.rules.label import DATASOURCE_ALERTS, OUR_DOUBLES, TEST, urgency_of
from monitor.settings.alerts import AlertSourceKind
from tickets.rules.ticket import Priority

_ORDER = (Priority.CRITICAL, Priority.NORMAL, Priority.LOW)


@dataclass(slots=True)
class Subject:
    """One thing that alerts are about, and those that begin to fire now; ``key`` names it."""

    key: str
    place: Place
    alerts: list[Alert] = field(default_factory=list[Alert])
    rows: list[AlertRow] = field(default_factory=list[AlertRow])

    @property
    def priority(self) -> Priority:
        """The most urgent priority of its alerts."""
        words = {urgency_of(alert.labels) for alert in self.alerts}
        return next(priority for priority in _ORDER if priority.value in words)

    @property
    def since(self) -> datetime:
        """When the first of them began."""
        return min(row.began_at for row in self.rows)


def list_subjects(
    begun: Sequence[tuple[AlertRow, Alert]], *, source: AlertSource, places: Places
) -> Sequence[Subject]:
    """Return what the alerts are about, without those that open nothing in any case."""
    subjects: dict[str, Subject] = {}
    for row, alert in begun:
        if _opens_nothing(alert, source):
            continue
        key, place = _key(alert, source, places)
        subject = subjects.setdefault(key, Subject(key=key, place=place))
        subject.alerts.append(alert)
        subject.rows.append(row)
    return list(subjects.values())


def _opens_nothing(alert: Alert, source: AlertSource) -> bool:
    name = alert.labels.get("alertname")
    if source.kind is AlertSourceKind.GRAFANA and name == TEST:
        return True
    return _is_our_own(alert) and name in OUR_DOUBLES


def _key(alert: Alert, source: AlertSource, places: Places) -> tuple[str, Place]:
    if alert.labels.get("alertname") in DATASOURCE_ALERTS:
        # A dead data source says nothing of the site that its rule is about.
        return f"{source.name}/datasource/{alert.labels.get('datasource_uid', '')}", places.agency
    place = places.find(alert.labels, default_client=source.default_client)
    if place.site is not None:
        return f"site/{place.site.slug}", place
    return f"{source.name}/alert/{alert.fingerprint}", place


def _is_our_own(alert: Alert) -> bool:
    return alert.labels.get("service") == "fettle"


def drop_our_own(subject: Subject) -> None:
    """Leave out what our own rules say of a site that has an incident: the loop guard."""
    if subject.place.site is None:
        return
    pairs = [
        pair for pair in zip(subject.rows, subject.alerts, strict=True) if not _is_our_own(pair[1])
    ]
    subject.rows = [row for row, _ in pairs]
    subject.alerts = [alert for _, alert in pairs]
