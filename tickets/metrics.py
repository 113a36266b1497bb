"""Tickets, promises and mail as metric families, and what a family is.

Everything here is made from figures that were read before; nothing reads the store. Names, labels
and label values are the contract's, also where they differ from the glossary. Label values may come
from sites and people, so each of them goes through ``label_text``.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from prometheus_client import Metric
from prometheus_client.samples import Sample

from tickets.queries.figures import TicketFigures
from tickets.rules.hours import OutOfReach, SupportHours
from tickets.rules.message import FailureReason
from tickets.rules.notice import Notice
from tickets.rules.promise import ResponseTarget
from tickets.rules.ticket import OPEN_STATUSES, Priority, Source, Status

MAX_LABEL = 1024
"""Longest label value, in characters: a certificate may carry thousands of names."""

_UNFIT = re.compile("[\0-\x09\x0b-\x1f\x7f\ud800-\udfff]")

Row = tuple[tuple[str, ...], float]
"""The values of a family's labels, in its order, and the value of the sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """One exported name: its type, labels and meaning.

    ``unit`` is for readers only. ``present_when`` is empty for what is always there. A histogram
    has upper edges in ``buckets``, without infinity.
    """

    name: str
    kind: Literal["gauge", "counter", "histogram"] = "gauge"
    labels: tuple[str, ...] = ()
    unit: str = ""
    meaning: str
    present_when: str = ""
    buckets: tuple[float, ...] = ()

    def metric(self, rows: Iterable[Row] = ()) -> Metric:
        """Return the family with a sample for each of ``rows``; not for histograms."""
        metric = Metric(self.name.removesuffix("_total"), self.meaning, self.kind)
        metric.samples = [
            Sample(self.name, dict(zip(self.labels, map(label_text, values), strict=True)), number)
            for values, number in rows
        ]
        return metric

    def histogram(self, values: tuple[str, ...], counts: Iterable[int], total: float) -> Metric:
        """Return the histogram with one set of labels.

        ``counts`` holds how many fell into each bucket, the one above the last edge included, and
        ``total`` is their sum.
        """
        metric = self.metric()
        metric.samples = [*self.histogram_samples(values, counts, total)]
        return metric

    def histogram_samples(
        self, values: tuple[str, ...], counts: Iterable[int], total: float
    ) -> Iterator[Sample]:
        """Yield the samples of one set of labels; see ``histogram``."""
        labels = dict(zip(self.labels, map(label_text, values), strict=True))
        below = 0
        edges = [*(f"{float(edge):g}" for edge in self.buckets), "+Inf"]
        for edge, count in zip(edges, counts, strict=True):
            below += count
            yield Sample(f"{self.name}_bucket", labels | {"le": edge}, below)
        yield Sample(f"{self.name}_count", labels, below)
        yield Sample(f"{self.name}_sum", labels, total)


def label_text(text: str) -> str:
    """Return ``text`` fit for a label value: bounded, no lone surrogates, no control characters.

    A single lone surrogate would otherwise cost the whole page. A line break stays: the formats
    escape it.
    """
    if len(text) > MAX_LABEL:
        text = text[: MAX_LABEL - 1] + "…"
    if text.isprintable():  # nearly always, and quickly told
        return text
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)


OPEN = Family(
    name="fettle_tickets_open",
    labels=("priority", "state"),
    meaning="Tickets with work outstanding; recovered means that their site is well again.",
)
OPENED = Family(
    name="fettle_tickets_opened_total",
    kind="counter",
    labels=("priority", "source"),
    meaning="Tickets opened, by what opened them.",
)
RESOLVED = Family(
    name="fettle_tickets_resolved_total",
    kind="counter",
    labels=("priority", "how"),
    meaning="Tickets resolved by staff or without them.",
)
REOPENED = Family(
    name="fettle_tickets_reopened_total",
    kind="counter",
    labels=("priority",),
    meaning="Resolved tickets that were taken up again.",
)
TARGET = Family(
    name="fettle_ticket_response_target_seconds",
    labels=("priority",),
    unit="seconds of support time",
    meaning="The response target; where it counts in support days, one day is 86400.",
)
UNANSWERED_LATE = Family(
    name="fettle_tickets_response_overdue",
    labels=("priority",),
    meaning="Tickets whose response deadline has passed and that nobody has answered yet.",
)
BREACHES = Family(
    name="fettle_ticket_sla_breaches_total",
    kind="counter",
    labels=("priority", "target"),
    meaning="Promises broken, counted once each, when the deadline passed.",
)
NEXT_DEADLINE = Family(
    name="fettle_ticket_next_response_deadline_timestamp_seconds",
    labels=("priority",),
    unit="unix seconds",
    meaning="The nearest response deadline among unanswered tickets; it may have passed.",
    present_when="a ticket is unanswered",
)
OLDEST_UNANSWERED = Family(
    name="fettle_tickets_oldest_unanswered_timestamp_seconds",
    labels=("priority",),
    unit="unix seconds",
    meaning="When the ticket was opened or reopened that has waited longest for an answer.",
    present_when="a ticket is unanswered",
)
SUPPORT_OPEN = Family(
    name="fettle_support_window_open",
    labels=("calendar",),
    unit="bool",
    meaning="Whether support time is running now: on the agency's calendar, which is called "
    "default, and on those of clients with an agreement of their own, by their slugs.",
    present_when="the calendar knows today's date",
)
SENT = Family(
    name="fettle_emails_sent_total",
    kind="counter",
    labels=("kind",),
    meaning="Mails that the mail server accepted.",
)
FAILURES = Family(
    name="fettle_email_failures_total",
    kind="counter",
    labels=("kind", "reason"),
    meaning="Attempts to send a mail that failed, whether or not a later one got through.",
)
MESSAGES = Family(
    name="fettle_outbox_messages",
    labels=("state",),
    meaning="Messages not sent: never tried, tried and to be tried again, or given up.",
)
OLDEST_PENDING = Family(
    name="fettle_outbox_oldest_pending_timestamp_seconds",
    unit="unix seconds",
    meaning="When the oldest message that is still to be sent was written.",
    present_when="a message is waiting",
)

TICKET_FAMILIES = (
    OPEN,
    OPENED,
    RESOLVED,
    REOPENED,
    TARGET,
    UNANSWERED_LATE,
    BREACHES,
    NEXT_DEADLINE,
    OLDEST_UNANSWERED,
    SUPPORT_OPEN,
)
MAIL_FAMILIES = (SENT, FAILURES, MESSAGES, OLDEST_PENDING)

STATES = {Status.OPEN: "new", Status.ACKNOWLEDGED: "acknowledged", Status.WAITING: "waiting"}
"""What the contract's label ``state`` calls the statuses; ``recovered`` outranks all three."""

SOURCES = {source: source.value for source in Source} | {Source.PORTAL: "form"}
"""What the contract's label ``source`` calls each source."""

MAIL_KINDS = {
    Notice.DOWN: "opened",
    Notice.SLOW: "opened",
    Notice.REOPENED: "opened",
    Notice.RECOVERED: "recovered",
    Notice.ACKNOWLEDGED: "acknowledged",
    Notice.REPLY: "reply",
    Notice.RESOLVED: "resolved",
    Notice.BREACHED: "reminder",
    Notice.BLIND: "reminder",
    Notice.SIGHTED: "reminder",
    Notice.AT_RISK: "reminder",
    Notice.UPDATE_DUE: "reminder",
    Notice.CALENDAR_ENDS: "reminder",
    Notice.RECEIVED: "opened",
    Notice.PRIORITY_CHANGED: "opened",
    Notice.ASSIGNED: "reminder",
    Notice.QUESTION: "reply",
    Notice.RESUMED: "reminder",
    Notice.CLIENT_REPLIED: "reply",
    Notice.MERGED: "reply",
    Notice.ALLOWANCE: "report",
    Notice.ALERT: "opened",
    Notice.ALERT_ENDED: "recovered",
    Notice.NEW_LINK: "reply",
    Notice.VERIFY: "opened",
    Notice.STATEMENT: "report",
    Notice.DIGEST: "reminder",
    Notice.MAIL_FAULT: "reminder",
}
"""What the contract's label ``kind`` calls each notice."""

_LATER_SOURCES = ("email",)
_LATER_MAIL_KINDS = ("report", "test")


def ticket_metrics(
    figures: TicketFigures,
    *,
    recovered: Mapping[tuple[Priority, Status], int],
    targets: Mapping[Priority, ResponseTarget],
    calendars: Mapping[str, SupportHours],
    now: datetime,
) -> Iterator[Metric]:
    """Yield the families of tickets, promises and mail, every closed combination present.

    ``recovered`` counts those of the open tickets whose site is well again; ``calendars`` are told
    by their names. ``now`` is aware UTC.
    """
    yield OPEN.metric(_open_rows(figures, recovered))
    opened = {(p, SOURCES[source]): count for (p, source), count in figures.opened.items()}
    sources = (*SOURCES.values(), *_LATER_SOURCES)
    yield OPENED.metric(((p, s), opened.get((p, s), 0)) for p in Priority for s in sources)
    yield RESOLVED.metric(
        row
        for p in Priority
        for row in (((p, "staff"), figures.resolved.get(p, 0)), ((p, "auto"), 0))
    )
    yield REOPENED.metric(_by_priority(figures.reopened))
    yield TARGET.metric(((p,), target.within.total_seconds()) for p, target in targets.items())
    yield UNANSWERED_LATE.metric(_by_priority(figures.overdue))
    yield BREACHES.metric(
        row
        for p in Priority
        # Nothing is promised of a resolution, so that no such promise is ever broken.
        for row in (((p, "response"), figures.breaches.get(p, 0)), ((p, "resolution"), 0))
    )
    yield NEXT_DEADLINE.metric(
        ((p,), deadline.timestamp()) for p, deadline in figures.next_deadline.items()
    )
    yield OLDEST_UNANSWERED.metric(
        ((p,), since.timestamp()) for p, since in figures.oldest_unanswered.items()
    )
    yield SUPPORT_OPEN.metric(_support_open(calendars, now))
    yield from _mail_metrics(figures)


def _open_rows(
    figures: TicketFigures, recovered: Mapping[tuple[Priority, Status], int]
) -> Iterator[Row]:
    for priority in Priority:
        for status, state in STATES.items():
            key = priority, status
            still_bad = figures.open_by_priority_status.get(key, 0) - recovered.get(key, 0)
            yield (priority, state), still_bad
        well = sum(recovered.get((priority, status), 0) for status in OPEN_STATUSES)
        yield (priority, "recovered"), well


def _by_priority(counts: Mapping[Priority, int]) -> Iterator[Row]:
    return (((priority,), counts.get(priority, 0)) for priority in Priority)


def _support_open(calendars: Mapping[str, SupportHours], now: datetime) -> Iterator[Row]:
    for name, hours in calendars.items():
        with contextlib.suppress(OutOfReach):
            yield (name,), int(hours.is_open(now))


def _mail_metrics(figures: TicketFigures) -> Iterator[Metric]:
    kinds = dict.fromkeys((*MAIL_KINDS.values(), *_LATER_MAIL_KINDS), 0)
    failures = {(kind, reason): 0 for kind in kinds for reason in FailureReason}
    for notice, count in figures.sent.items():
        kinds[MAIL_KINDS[notice]] += count
    for (notice, reason), count in figures.failures.items():
        if reason is not None:
            failures[MAIL_KINDS[notice], reason] += count
    yield SENT.metric(((kind,), count) for kind, count in kinds.items())
    yield FAILURES.metric(failures.items())
    yield MESSAGES.metric(
        ((state,), figures.messages.get(state, 0)) for state in ("pending", "retrying", "dead")
    )
    oldest = figures.oldest_pending
    yield OLDEST_PENDING.metric([] if oldest is None else [((), oldest.timestamp())])
