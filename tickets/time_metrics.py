"""How long answers, resolutions and deliveries took, as histograms that never go back.

Support time is counted on the client's calendar as it was in use when the answer or the resolution
came, so that a later change of hours or holidays moves nothing that was counted. Each stretch is
counted once and kept as a number: a page costs the same after ten years.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from prometheus_client import Metric

from tickets.calendars import AGENCY, hours_of_row
from tickets.metrics import MAIL_KINDS, Family
from tickets.policy import Policy
from tickets.queries.times import (
    Stretch,
    Times,
    count_deliveries,
    list_answers,
    list_calendars,
    list_resolutions,
)
from tickets.rules.hours import SupportHours
from tickets.rules.notice import Notice
from tickets.rules.ticket import Priority
from tickets.store import Session

RESPONSE_TIME = Family(
    name="fettle_ticket_response_support_seconds",
    kind="histogram",
    labels=("priority",),
    unit="seconds of support time",
    meaning="From the opening or reopening of a ticket to a person's answer that meets its "
    "promise.",
    buckets=(300, 600, 900, 1800, 2700, 3600, 5400, 7200, 14400, 28800),
)
RESOLUTION_TIME = Family(
    name="fettle_ticket_resolution_support_seconds",
    kind="histogram",
    labels=("priority",),
    unit="seconds of support time",
    meaning="From the opening or reopening of a ticket to its resolution.",
    buckets=(900, 1800, 3600, 7200, 14400, 28800, 57600, 144000),
)
DELIVERY_TIME = Family(
    name="fettle_email_delivery_seconds",
    kind="histogram",
    labels=("kind",),
    unit="seconds",
    meaning="From what a mail tells of to its acceptance by the mail server.",
    buckets=(1, 5, 10, 30, 60, 300, 900, 3600),
)

_OTHER_KINDS = ("report", "test")
"""Kinds of mail that may have no notice of their own."""

READ_AGAIN = timedelta(days=1)
"""How far back new stretches are looked for: what was written late must not be missed."""


@dataclass(slots=True)
class _Tally:
    """One histogram by priority: what has been counted, and what may be read again."""

    family: Family
    read: Callable[..., Sequence[Stretch]]
    within: dict[Priority, list[int]] = field(init=False)
    seconds: dict[Priority, float] = field(init=False)
    recent: dict[tuple[int, int], datetime] = field(default_factory=dict[tuple[int, int], datetime])
    newest: datetime | None = None

    def __post_init__(self) -> None:
        self.within = {priority: [0] * (len(self.family.buckets) + 1) for priority in Priority}
        self.seconds = dict.fromkeys(Priority, 0.0)

    def find_new(self, tx: Session) -> Sequence[Stretch]:
        """Return the stretches that are not counted yet."""
        since = None if self.newest is None else self.newest - READ_AGAIN
        found = {stretch.key: stretch for stretch in self.read(tx, since=since)}
        return [stretch for key, stretch in found.items() if key not in self.recent]

    def count(self, stretch: Stretch, seconds: float) -> None:
        """Count one stretch, once."""
        self.within[stretch.priority][bisect_left(self.family.buckets, seconds)] += 1
        self.seconds[stretch.priority] += seconds
        self.recent[stretch.key] = stretch.ended_at
        self.newest = max(self.newest or stretch.ended_at, stretch.ended_at)

    def forget(self) -> None:
        """Let go of what is too old to be read again."""
        if self.newest is not None:
            edge = self.newest - READ_AGAIN
            self.recent = {key: at for key, at in self.recent.items() if at > edge}

    def metric(self) -> Metric:
        metric = self.family.metric()
        for priority in Priority:
            counts, seconds = self.within[priority], self.seconds[priority]
            metric.samples += self.family.histogram_samples((priority,), counts, seconds)
        return metric


class SupportTimes:
    """Support time to answers and resolutions, kept from one page to the next.

    ``read`` and ``metrics`` are for one thread at a time.
    """

    def __init__(self) -> None:
        self._tallies = (
            _Tally(RESPONSE_TIME, list_answers),
            _Tally(RESOLUTION_TIME, list_resolutions),
        )

    def read(self, tx: Session, policy: Policy) -> None:
        """Count what came since the last time; needs an open (read) transaction."""
        new = [(tally, tally.find_new(tx)) for tally in self._tallies]
        if not any(stretches for _, stretches in new):
            return
        calendars = _PastCalendars(tx, policy)
        for tally, stretches in new:
            for stretch in stretches:
                hours = calendars.of(stretch.client, at=stretch.ended_at)
                taken = hours.elapsed(stretch.started_at, stretch.ended_at)
                tally.count(stretch, taken.total_seconds())
            tally.forget()

    def metrics(self) -> Iterator[Metric]:
        """Yield both histograms, every priority present."""
        return (tally.metric() for tally in self._tallies)


class _PastCalendars:
    """The calendars as they were in use, built when they are first asked for."""

    def __init__(self, tx: Session, policy: Policy) -> None:
        self._policy = policy
        self._rows = list_calendars(tx)
        self._built: dict[tuple[str, int], SupportHours] = {}

    def of(self, client: str, *, at: datetime) -> SupportHours:
        """Return the calendar that counted for ``client`` at ``at``.

        That is the one in force now where none was stored, and the first stored one for what is
        older than it.
        """
        is_own = self._policy.hours_of(client) is not self._policy.hours
        for whose in (client, AGENCY) if is_own else (AGENCY,):
            versions = [row for row in self._rows if row.client == whose]
            in_use = [row for row in versions if row.made_at <= at]
            if in_use or (versions and whose == AGENCY):
                row = in_use[0] if in_use else versions[-1]
                key = whose, row.version
                if key not in self._built:
                    self._built[key] = hours_of_row(row, self._policy.zone)
                return self._built[key]
        return self._policy.hours_of(client)


def delivery_metric(times: Mapping[Notice, Times]) -> Metric:
    """Return the histogram of deliveries, every kind of mail present."""
    none = [0] * (len(DELIVERY_TIME.buckets) + 1)
    metric = DELIVERY_TIME.metric()
    for kind in dict.fromkeys((*MAIL_KINDS.values(), *_OTHER_KINDS)):
        ours = [
            times[notice] for notice, of in MAIL_KINDS.items() if of == kind and notice in times
        ]
        within = _summed([none, *(each.within for each in ours)])
        total = sum(each.sum_seconds for each in ours)
        metric.samples += DELIVERY_TIME.histogram_samples((kind,), within, total)
    return metric


def _summed(counts: Iterable[Sequence[int]]) -> Sequence[int]:
    return [sum(column) for column in zip(*counts, strict=True)]


def read_deliveries(tx: Session) -> Mapping[Notice, Times]:
    """Count deliveries for ``delivery_metric``; needs an open (read) transaction."""
    return count_deliveries(tx, edges=DELIVERY_TIME.buckets)


TIME_FAMILIES = (RESPONSE_TIME, RESOLUTION_TIME)
