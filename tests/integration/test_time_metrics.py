"""Histograms of how long answers, resolutions and mails took: in support time, and never back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import Metric

from tests.builders import TARGETS
from tests.sites import POLICY
from tests.tickets import opened
from tickets.actions import acknowledge, reopen, resolve
from tickets.calendars import put_into_use
from tickets.history import Actor
from tickets.policy import ClientPromises, Policy
from tickets.rules.hours import SupportHours, parse_week
from tickets.rules.ticket import Priority
from tickets.store import Store
from tickets.time_metrics import SupportTimes, delivery_metric, read_deliveries

SAM = Actor("Sam Reed")
FRIDAY = datetime(2026, 3, 6, 16, 50, tzinfo=UTC)
MONDAY = datetime(2026, 3, 9, 9, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

RESPONSE = "fettle_ticket_response_support_seconds"
RESOLUTION = "fettle_ticket_resolution_support_seconds"

ALWAYS = SupportHours(POLICY.zone, parse_week({day: ["00:00-24:00"] for day in POLICY.hours.week}))
"""A calendar without a closing time."""


def told(
    metrics: Sequence[Metric], name: str, *, priority: str = "critical"
) -> tuple[float, float]:
    """Return count and sum of one histogram."""
    samples = [s for m in metrics for s in m.samples if s.labels.get("priority") == priority]
    [count] = [s.value for s in samples if s.name == f"{name}_count"]
    [total] = [s.value for s in samples if s.name == f"{name}_sum"]
    return count, total


def read(store: Store, times: SupportTimes, policy: Policy = POLICY) -> Sequence[Metric]:
    store.read(lambda tx: times.read(tx, policy))
    return [*times.metrics()]


def taken(store: Store, ref: str, *, at: datetime, policy: Policy = POLICY) -> None:
    store.write(lambda tx: acknowledge(tx, policy, ref, actor=SAM, at=at))


def done(store: Store, ref: str, *, at: datetime) -> None:
    store.write(
        lambda tx: resolve(tx, POLICY, ref, cause="A full disk", done="Made room", actor=SAM, at=at)
    )


def test_every_priority_is_there_from_the_start(store: Store) -> None:
    metrics = read(store, SupportTimes())
    for name in (RESPONSE, RESOLUTION):
        for priority in Priority:
            assert told(metrics, name, priority=priority) == (0, 0)


def test_only_support_time_counts(store: Store) -> None:
    ref = opened(store, POLICY, at=FRIDAY)
    times = SupportTimes()
    assert told(read(store, times), RESPONSE) == (0, 0)
    taken(store, ref, at=MONDAY)
    metrics = read(store, times)
    assert told(metrics, RESPONSE) == (1, 20 * 60)
    assert told(metrics, RESOLUTION) == (0, 0)
    done(store, ref, at=MONDAY + timedelta(hours=1))
    assert told(read(store, times), RESOLUTION) == (1, 80 * 60)


def test_what_was_counted_is_not_counted_again(store: Store) -> None:
    first, second = (opened(store, POLICY, at=FRIDAY) for _ in range(2))
    times = SupportTimes()
    taken(store, first, at=MONDAY)
    assert told(read(store, times), RESPONSE) == (1, 1200)
    assert told(read(store, times), RESPONSE) == (1, 1200)
    # Somebody's clock is behind: an answer that is written later may be older.
    taken(store, second, at=MONDAY - 5 * MINUTE)
    assert told(read(store, times), RESPONSE) == (2, 1200 + 900)
    assert read(store, SupportTimes()) == read(store, times)


def test_a_reopened_ticket_is_answered_and_resolved_from_then_on(store: Store) -> None:
    ref = opened(store, POLICY, at=FRIDAY)
    taken(store, ref, at=FRIDAY + MINUTE)
    done(store, ref, at=FRIDAY + 2 * MINUTE)
    store.write(lambda tx: reopen(tx, POLICY, ref, reason="Down again", actor=SAM, at=MONDAY))
    done(store, ref, at=MONDAY + 10 * MINUTE)
    metrics = read(store, SupportTimes())
    assert told(metrics, RESOLUTION) == (2, 120 + 600)


def test_the_clients_own_calendar_counts(store: Store) -> None:
    own = replace(POLICY, promises={"harbour": ClientPromises(hours=ALWAYS, targets=TARGETS)})
    ref = opened(store, own, at=FRIDAY)
    taken(store, ref, at=FRIDAY + timedelta(hours=3), policy=own)
    assert told(read(store, SupportTimes(), own), RESPONSE) == (1, 3 * 3600)


@pytest.mark.parametrize("is_own", [False, True])
def test_a_changed_calendar_moves_nothing_that_was_counted(store: Store, is_own: bool) -> None:
    before = POLICY
    after = (
        replace(POLICY, promises={"harbour": ClientPromises(hours=ALWAYS, targets=TARGETS)})
        if is_own
        else replace(POLICY, hours=ALWAYS)
    )
    store.write(lambda tx: put_into_use(tx, before, source="test", at=FRIDAY))
    early, late = opened(store, before, at=FRIDAY), opened(store, before, at=FRIDAY)
    taken(store, early, at=MONDAY)
    changed_at = MONDAY + timedelta(hours=1)
    store.write(lambda tx: put_into_use(tx, after, source="test", at=changed_at))
    assert told(read(store, SupportTimes(), after), RESPONSE) == (1, 1200)
    taken(store, late, at=changed_at + MINUTE)
    in_all = (changed_at + MINUTE - FRIDAY).total_seconds()
    assert told(read(store, SupportTimes(), after), RESPONSE) == (2, 1200 + in_all)


def test_kinds_of_mail_that_were_never_sent_are_there(store: Store) -> None:
    metric = delivery_metric(store.read(read_deliveries))
    kinds = {s.labels["kind"] for s in metric.samples if s.name.endswith("_count")}
    assert {"opened", "recovered", "acknowledged", "resolved", "reminder", "report"} <= kinds
    assert {s.value for s in metric.samples} == {0}
