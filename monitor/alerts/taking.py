"""Takes what a source says into the store: counts, heartbeat, episodes, incidents, tickets.

Needs the open write transaction of its caller. The source's row is locked first, so that what two
Alertmanagers of a cluster say at once comes one after the other; a second word about an episode
then finds the first. Another source's word about the same site may still collide with ours in the
schema's uniqueness: the caller begins again on ``IntegrityError``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, select

from monitor.alert_tables import AlertSourceRow
from monitor.alerts.episodes import Changes, Episodes
from monitor.alerts.incidents import AlertIncidents
from monitor.alerts.places import Places
from monitor.alerts.source import AlertSource
from monitor.alerts.watchdog import hear_watchdog
from monitor.rules.alert import Alert, AlertBody, AlertStatus
from monitor.rules.label import WATCHDOG
from tickets.policy import Policy

MOST_RECEIVERS = 20
"""Names of receivers that are remembered of one source."""

OUTCOMES = ("ok", "unauthorised", "malformed", "too_large", "store_error")
"""How a request may end; each has a count of its name in the source's row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What came of a body: how many alerts it held, how many began to fire, and how many ended."""

    alerts: int = 0
    begun: int = 0
    ended: int = 0

    def plus(self, other: Taken) -> Taken:
        """Return what came of this body and another."""
        return Taken(
            alerts=self.alerts + other.alerts,
            begun=self.begun + other.begun,
            ended=self.ended + other.ended,
        )


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes alerts in, under the promises of ``policy`` and for its clients and sites."""

    policy: Policy
    places: Places

    def take(
        self,
        tx: Session,
        source: AlertSource,
        body: AlertBody,
        *,
        at: datetime,
        outcomes: Mapping[str, int],
    ) -> Taken:
        """Store what ``body`` says, received at ``at``, and open, join and end what follows.

        ``outcomes`` are requests to be counted with it, by how they ended.
        """
        row = lock_source(tx, source.name, at=at)
        count_requests(row, outcomes)
        row.truncated_count += body.truncated
        if body.receiver and body.receiver not in row.receivers:
            row.receivers = [*row.receivers, body.receiver][-MOST_RECEIVERS:]
        firing = sum(alert.status is AlertStatus.FIRING for alert in body.alerts)
        row.firing_count += firing
        row.resolved_count += len(body.alerts) - firing
        alerts = [alert for alert in body.alerts if not is_watchdog(alert)]
        if any(is_watchdog(a) and a.status is AlertStatus.FIRING for a in body.alerts):
            hear_watchdog(tx, self.policy, source, row, at=at)
        episodes, changes = Episodes(tx, source.name, alerts, at=at), Changes()
        for alert in sorted(alerts, key=lambda alert: alert.starts_at or at):
            episodes.take(alert, changes)
        row.deduplicated_count += changes.unchanged
        self.follow(tx, source, changes, at=at)
        return Taken(alerts=len(body.alerts), begun=len(changes.begun), ended=len(changes.ended))

    def follow(self, tx: Session, source: AlertSource, changes: Changes, *, at: datetime) -> None:
        """Open, join and end the incidents that ``changes`` of episodes ask for."""
        AlertIncidents(tx, self.policy, self.places, source, at=at).follow(changes)
        tx.flush()


def is_watchdog(alert: Alert) -> bool:
    """Tell whether the alert is the one that always fires."""
    return alert.labels.get("alertname") == WATCHDOG


def lock_source(tx: Session, name: str, *, at: datetime) -> AlertSourceRow:
    """Return the source's row, locked until the transaction ends; made if it is not there."""
    query = select(AlertSourceRow).where(col(AlertSourceRow.name) == name).with_for_update()
    row = tx.exec(query).first()
    if row is None:
        row = AlertSourceRow(name=name, added_at=at)
        tx.add(row)
        tx.flush()
    return row


def count_requests(row: AlertSourceRow, outcomes: Mapping[str, int]) -> None:
    """Add requests to the counts of ``OUTCOMES``."""
    for outcome, number in outcomes.items():
        name = f"{outcome}_count"
        setattr(row, name, getattr(row, name) + number)
