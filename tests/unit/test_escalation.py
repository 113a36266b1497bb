"""When a step of an escalation is due, and whom it tells."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

import pytest

from tests.builders import a_policy
from tickets.rules.escalation import (
    DEFAULT_STEPS,
    Escalation,
    EscalationStep,
    StaffChannel,
    due_escalation,
)
from tickets.rules.promise import deadline
from tickets.rules.ticket import Priority

POLICY = a_policy()
DUTY, LEAD = StaffChannel.DUTY, StaffChannel.LEAD
MOMENT = timedelta(microseconds=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def due(
    started: str,
    now: datetime,
    *,
    told: Collection[int] = (),
    priority: Priority = Priority.CRITICAL,
) -> Escalation | None:
    promise = deadline(POLICY.hours, POLICY.targets[priority], at(started))
    return due_escalation(
        POLICY.hours,
        DEFAULT_STEPS,
        started_at=promise.started_at,
        respond_by=promise.respond_by,
        told=told,
        now=now,
    )


@pytest.mark.parametrize(
    ("started", "now", "percent"),
    [
        # Within one Tuesday: half an hour, three quarters, and the hour itself.
        ("2026-03-03T10:00", "2026-03-03T10:29:59.999999", None),
        ("2026-03-03T10:00", "2026-03-03T10:30", 50),
        ("2026-03-03T10:00", "2026-03-03T10:45", 75),
        ("2026-03-03T10:00", "2026-03-03T11:00", 75),
        ("2026-03-03T10:00", "2026-03-03T11:00:00.000001", 100),
        # Raised on Friday 16:30: half of it is used up at closing time, which is out of hours.
        ("2026-03-06T16:30", "2026-03-06T17:00", None),
        ("2026-03-06T16:30", "2026-03-08T12:00", None),
        ("2026-03-06T16:30", "2026-03-09T08:59:59", None),
        ("2026-03-06T16:30", "2026-03-09T09:00", 50),
        ("2026-03-06T16:30", "2026-03-09T09:15", 75),
        # Due at closing time itself: broken a moment later, told when support opens again.
        ("2026-03-03T16:00", "2026-03-03T16:59", 75),
        ("2026-03-03T16:00", "2026-03-03T17:00:01", None),
        ("2026-03-03T16:00", "2026-03-04T09:00", 100),
        # Raised at night, and before Christmas.
        ("2026-03-03T23:00", "2026-03-04T09:29", None),
        ("2026-03-03T23:00", "2026-03-04T09:30", 50),
        ("2026-12-23T16:30", "2026-12-28T11:00", None),
        ("2026-12-23T16:30", "2027-01-04T09:00", 50),
    ],
)
def test_steps_fall_due_in_support_hours_only(started: str, now: str, percent: int | None) -> None:
    found = due(started, at(now))
    assert (found.percents[-1] if found else None) == percent


def test_a_promise_in_support_days_is_counted_on_the_same_calendar() -> None:
    # Two support days from Thursday 10:00 end on Monday 10:00; half of them on Friday 10:00.
    assert (
        due("2026-03-05T10:00", at("2026-03-06T10:00") - MOMENT, priority=Priority.NORMAL) is None
    )
    found = due("2026-03-05T10:00", at("2026-03-06T10:00"), priority=Priority.NORMAL)
    assert found == Escalation(percents=(50,), tell=(DUTY,))


def test_what_was_told_is_not_due_again() -> None:
    now = at("2026-03-03T10:46")
    assert due("2026-03-03T10:00", now, told={50}) == Escalation(percents=(75,), tell=(DUTY, LEAD))
    assert due("2026-03-03T10:00", now, told={50, 75}) is None


def test_steps_missed_while_we_were_away_make_one_notice_to_everybody_they_name() -> None:
    found = due("2026-03-03T10:00", at("2026-03-03T12:00"))
    assert found == Escalation(percents=(50, 75, 100), tell=(DUTY, LEAD))
    assert found is not None
    assert found.is_broken


@pytest.mark.parametrize(
    ("percent", "tell", "says"),
    [
        (0, (DUTY,), "0% is no share of a promise; allowed are 1% to 100%"),
        (101, (DUTY,), "101% is no share"),
        (50, (), "nobody is told at 50%; name duty, lead or both"),
    ],
)
def test_a_step_that_makes_no_sense(
    percent: int, tell: tuple[StaffChannel, ...], says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        EscalationStep(percent=percent, tell=tell)
