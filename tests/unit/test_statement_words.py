"""Months, and the figures of a statement in words."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.rules.month import Month, month_of, parse_month
from monitor.statement import words
from monitor.statement.figures import (
    AllowanceFigures,
    IncidentFigures,
    Kept,
    PromiseFigures,
    ResponseFigures,
    Statement,
)
from tickets.rules.allowance import Allowance
from tickets.rules.ticket import Priority

LONDON = ZoneInfo("Europe/London")
AT = datetime(2026, 3, 12, 9, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("2026-02", 28 * 24),
        ("2028-02", 29 * 24),
        ("2026-03", 31 * 24 - 1),  # the clock goes forward
        ("2026-10", 31 * 24 + 1),  # and back
        ("2026-12", 31 * 24),
    ],
)
def test_a_month_is_as_long_as_its_dates_are_in_its_zone(text: str, hours: int) -> None:
    month = parse_month(text)
    assert str(month) == text
    assert month.end(LONDON) - month.start(LONDON) == hours * HOUR
    assert month.next.previous == month
    assert month.next.start(LONDON) == month.end(LONDON)
    assert [*month.dates()][-1] == month.last
    assert month_of(month.last) == month


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-0", "2026-00", "2026-13", "26-03", "2026-03-01"]
)
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="YYYY-MM"):
        parse_month(text)


def a_promise(
    kept: Kept, *, answered: bool = True, late_by: timedelta | None = None, clock: int = 0
) -> PromiseFigures:
    return PromiseFigures(
        reference="T-1001",
        title="Booking site is down",
        priority=Priority.CRITICAL,
        is_reopened=False,
        started_at=AT,
        respond_by=AT,
        answered_at=AT if answered else None,
        kept=kept,
        took=None,
        late_by=late_by,
        late_on_clock=clock * MINUTE,
    )


@pytest.mark.parametrize(
    ("promise", "said"),
    [
        (a_promise(Kept.KEPT), "kept"),
        (a_promise(Kept.RUNNING, answered=False), "not due yet"),
        (a_promise(Kept.VOID, answered=False), "closed, no answer needed"),
        (a_promise(Kept.BROKEN, late_by=75 * MINUTE, clock=75), "broken: 1 h 15 min late"),
        (a_promise(Kept.BROKEN, late_by=9 * HOUR, clock=1500), "broken: 9 h late"),
        # No support time passed between closing time and the answer: the clock says it.
        (
            a_promise(Kept.BROKEN, late_by=timedelta(), clock=20),
            "broken: 20 min late, out of hours",
        ),
        (a_promise(Kept.BROKEN, late_by=None, clock=20), "broken: 20 min late"),
        (
            a_promise(Kept.BROKEN, answered=False, late_by=2 * HOUR, clock=120),
            "broken: unanswered, 2 h late so far",
        ),
    ],
)
def test_a_broken_promise_says_by_how_much(promise: PromiseFigures, said: str) -> None:
    assert words.kept(promise) == said


def a_statement(month: str = "2026-02", *promises: PromiseFigures) -> Statement:
    kept = sum(one.kept is Kept.KEPT for one in promises)
    broken = sum(one.kept is Kept.BROKEN for one in promises)
    response = ResponseFigures(
        priority=Priority.CRITICAL,
        kept=kept,
        broken=broken,
        running=len(promises) - kept - broken,
        void=0,
        median=None,
        worst=None,
    )
    parsed = parse_month(month)
    return Statement(
        client="harbour",
        client_name="Harbour Inns",
        month=parsed,
        zone=LONDON,
        at=AT,
        is_so_far=parsed.end(LONDON) > AT,
        sites=(),
        incidents=(),
        promises=promises,
        responses=(response,) if promises else (),
        certificates=(),
        allowance=None,
    )


def test_a_period_is_a_month_or_what_has_passed_of_it() -> None:
    assert words.period(a_statement()) == "1 to 28 February 2026"
    assert words.period(a_statement("2026-03")) == "1 to 12 March 2026, so far"


def test_answers_count_only_what_was_due() -> None:
    kept, broken = a_promise(Kept.KEPT), a_promise(Kept.BROKEN)
    running = a_promise(Kept.RUNNING, answered=False)
    assert words.answers(a_statement()) == "nothing asked of us"
    assert words.answers(a_statement("2026-02", running)) == "no answer due"
    stated = a_statement("2026-02", kept, broken, running)
    assert words.answers(stated) == "1 of 2 answers in time"
    assert words.outcome(stated.responses[0]) == "1 of 2 in time, 1 not due yet"


def an_incident(**how: object) -> IncidentFigures:
    facts: dict[str, object] = {
        "site": "Booking",
        "kind": "down",
        "words": "is not answering",
        "started_at": AT,
        "ended_at": AT + HOUR,
        "is_watched": True,
        "duration": HOUR,
        "within": HOUR,
        "stretches": 1,
        "reference": "T-1001",
    }
    return IncidentFigures(**{**facts, **how})  # pyright: ignore[reportArgumentType] (as above)


@pytest.mark.parametrize(
    ("how", "lasted", "ending"),
    [
        ({}, "1 h", ""),
        ({"stretches": 2}, "1 h in 2 stretches", ""),
        ({"within": 20 * MINUTE}, "1 h, 20 min of it in this month", ""),
        ({"ended_at": None}, "1 h until now", "goes on"),
        ({"is_watched": False}, "1 h", "no longer watched"),
    ],
)
def test_an_incident_says_how_long_it_was_and_how_it_ended(
    how: dict[str, object], lasted: str, ending: str
) -> None:
    incident = an_incident(**how)
    assert (words.lasted(incident), words.ending(incident)) == (lasted, ending)


def test_instants_leave_the_year_out_where_it_is_the_months_own() -> None:
    stated = a_statement()
    assert words.moment(datetime(2026, 2, 3, 10, tzinfo=UTC), stated) == "Tue 3 Feb 10:00 GMT"
    assert words.moment(datetime(2025, 12, 31, tzinfo=UTC), stated) == "Wed 31 Dec 2025 00:00 GMT"


def test_the_allowance_is_told_as_used_of_what_is_included() -> None:
    used = AllowanceFigures(Allowance(per_month=5 * HOUR), 135 * MINUTE)
    assert words.used(used) == "2 h 15 min of 5 h (45 %)"


def test_a_month_needs_its_first_date() -> None:
    with pytest.raises(ValueError, match="not the first"):
        Month(date(2026, 3, 2))
