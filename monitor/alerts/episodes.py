"""The episodes of a source's alerts: what is stored of them, and what a message changes.

Needs the open write transaction of its caller, which holds the source's row (see ``taking``), so
that two senders of one source come one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import TypeVar

import sqlalchemy as sa
from sqlmodel import Session, col, select

from monitor.alert_tables import AlertRow
from monitor.rules.alert import Alert, AlertStatus
from monitor.rules.episode import AlertState, Step, step_of

_AT_ONCE = 400
"""Keys of one query: databases bound how many values a statement may carry."""


Key = TypeVar("Key")

Episode = tuple[str, datetime]
"""Fingerprint and start."""


@dataclass(slots=True)
class Changes:
    """What messages changed: episodes that fire now, with their alert, and those that ended.

    ``unchanged`` counts the messages that changed nothing.
    """

    begun: dict[Episode, tuple[AlertRow, Alert]] = field(
        default_factory=dict[Episode, tuple[AlertRow, Alert]]
    )
    ended: list[AlertRow] = field(default_factory=list[AlertRow])
    unchanged: int = 0


class Episodes:
    """The episodes of the alerts at hand, kept in step with the rows that are added."""

    def __init__(self, tx: Session, source: str, alerts: Sequence[Alert], *, at: datetime) -> None:
        self._tx = tx
        self._source = source
        self._at = at
        self._rows: dict[Episode, AlertRow] = {}
        self._newest: dict[str, tuple[datetime, datetime]] = {}
        self._firing: dict[str, AlertRow] = {}
        self._load({alert.fingerprint for alert in alerts})
        self._load_exact({(a.fingerprint, a.starts_at) for a in alerts if a.starts_at is not None})

    def _load(self, fingerprints: set[str]) -> None:
        of = col(AlertRow.fingerprint)
        for some in in_parts(sorted(fingerprints)):
            is_ours = sa.and_(col(AlertRow.source) == self._source, of.in_(some))
            newest = sa.select(
                of, sa.func.max(col(AlertRow.began_at)), sa.func.max(col(AlertRow.starts_at))
            )
            for fingerprint, began_at, starts_at in self._tx.connection().execute(
                newest.where(is_ours).group_by(of)
            ):
                self._newest[fingerprint] = began_at, starts_at
            firing = select(AlertRow).where(is_ours, col(AlertRow.state) == AlertState.FIRING)
            for row in self._tx.exec(firing.order_by(col(AlertRow.starts_at))).all():
                self._rows[row.fingerprint, row.starts_at] = row
                self._firing[row.fingerprint] = row

    def _load_exact(self, episodes: set[Episode]) -> None:
        for some in in_parts(sorted(episodes - self._rows.keys())):
            # Both conditions for themselves hold more rows than are wanted, but few.
            query = select(AlertRow).where(
                col(AlertRow.source) == self._source,
                col(AlertRow.fingerprint).in_([fingerprint for fingerprint, _ in some]),
                col(AlertRow.starts_at).in_({starts_at for _, starts_at in some}),
            )
            for row in self._tx.exec(query).all():
                self._rows[row.fingerprint, row.starts_at] = row

    def find(self, alert: Alert) -> AlertRow | None:
        """Return the stored episode that a message is about; None for a new one."""
        starts_at = self._start(alert)
        return None if starts_at is None else self._rows.get((alert.fingerprint, starts_at))

    def take(self, alert: Alert, changes: Changes) -> None:
        """Apply one message and add what it changes to ``changes``."""
        starts_at = self._start(alert)
        if starts_at is None:
            changes.unchanged += 1  # the end of something that never began
            return
        is_past = self._is_past(alert.fingerprint, starts_at)
        row = self._rows.get((alert.fingerprint, starts_at))
        step = step_of(alert.status, known=row.state if row is not None else None, is_past=is_past)
        if row is None:
            row = self._add(alert, starts_at, step, is_past=is_past, changes=changes)
        if alert.status is AlertStatus.FIRING:
            row.seen_at, row.missing_since = max(row.seen_at, self._at), None
        match step:
            case Step.BEGIN:
                changes.begun[row.fingerprint, row.starts_at] = row, alert
            case Step.COME_BACK:
                self.revive(row, alert, changes)
            case Step.END:
                self.end(row, AlertState.RESOLVED, alert.ends_at or self._at, changes)
            case Step.CONFIRM:
                row.state = AlertState.RESOLVED
            case Step.KEEP:
                pass
            case Step.NOTHING:
                changes.unchanged += 1

    def _is_past(self, fingerprint: str, starts_at: datetime) -> bool:
        """Tell whether a newer episode of the alert is known.

        A sender whose clock runs ahead names a start in the future, which would be newer than every
        true one for ever. So a start that is past by our clock is compared with when the others
        began or were first heard of, and only one in the future with what they say.
        """
        if fingerprint not in self._newest:
            return False
        began_at, newest = self._newest[fingerprint]
        return (newest if starts_at > self._at else began_at) > starts_at

    def revive(self, row: AlertRow, alert: Alert, changes: Changes) -> None:
        """Let an episode fire again that was thought to be over."""
        row.state, row.ended_at, row.missing_since = AlertState.FIRING, None, None
        self._firing[row.fingerprint] = row
        changes.begun[row.fingerprint, row.starts_at] = row, alert

    def end(self, row: AlertRow, state: AlertState, ended_at: datetime, changes: Changes) -> None:
        """Let an episode that fires end."""
        row.state, row.ended_at = state, max(ended_at, row.began_at)
        if self._firing.get(row.fingerprint) is row:
            del self._firing[row.fingerprint]
        changes.begun.pop((row.fingerprint, row.starts_at), None)
        changes.ended.append(row)

    def _start(self, alert: Alert) -> datetime | None:
        """Return when the message's episode began; a sender that does not say means the present."""
        if alert.starts_at is not None:
            return alert.starts_at
        firing = self._firing.get(alert.fingerprint)
        if firing is not None:
            return firing.starts_at
        return self._at if alert.status is AlertStatus.FIRING else None

    def _add(
        self, alert: Alert, starts_at: datetime, step: Step, *, is_past: bool, changes: Changes
    ) -> AlertRow:
        is_resolved = alert.status is AlertStatus.RESOLVED
        state = AlertState.RESOLVED if is_resolved else AlertState.SUPERSEDED
        began_at = min(starts_at, self._at)
        row = AlertRow(
            source=self._source,
            fingerprint=alert.fingerprint,
            starts_at=starts_at,
            began_at=began_at,
            state=AlertState.FIRING if step is Step.BEGIN else state,
            name=alert.name,
            labels=dict(alert.labels),
            received_at=self._at,
            seen_at=self._at,
            ended_at=None if step is Step.BEGIN else max(alert.ends_at or self._at, began_at),
        )
        if not is_past:
            # At most one alert of a fingerprint fires, so the one before it must be over.
            before = self._firing.get(alert.fingerprint)
            if before is not None:
                self.end(before, AlertState.SUPERSEDED, began_at, changes)
        newest = self._newest.get(alert.fingerprint, (began_at, starts_at))
        self._newest[alert.fingerprint] = max(newest[0], began_at), max(newest[1], starts_at)
        if step is Step.BEGIN:
            self._firing[alert.fingerprint] = row
        self._rows[alert.fingerprint, starts_at] = row
        self._tx.add(row)
        return row


def in_parts(keys: Sequence[Key]) -> Iterator[Sequence[Key]]:
    """Yield ``keys`` in parts of what one statement may carry."""
    rest = iter(keys)
    while part := list(islice(rest, _AT_ONCE)):
        yield part
