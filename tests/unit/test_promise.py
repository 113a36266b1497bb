"""Response targets and deadlines: the three ways to count, the derivation, risk and time left."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.calendars import HOUR, MICROSECOND, MINUTE, a_calendar, at, shipped_calendar
from tickets.rules.hours import OutOfReach
from tickets.rules.promise import (
    CountedIn,
    Deadline,
    MetBy,
    ResponseTarget,
    at_risk_instants,
    deadline,
    is_kept,
    read_derivation,
    time_left,
)

READINGS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "sla_vectors.json").read_text(encoding="utf-8")
)["response_readings"]
PROMISED = {"critical_1h": HOUR, "normal_48h": 48 * HOUR, "low_72h": 72 * HOUR}


def a_target(
    within: timedelta = HOUR,
    counted_in: CountedIn = CountedIn.SUPPORT_HOURS,
    met_by: MetBy = MetBy.ACKNOWLEDGEMENT,
) -> ResponseTarget:
    return ResponseTarget(within=within, counted_in=counted_in, met_by=met_by)


def a_deadline(start: str = "2026-12-23T16:30Z", target: ResponseTarget | None = None) -> Deadline:
    return deadline(shipped_calendar(), target or a_target(), at(start))


@pytest.fixture(params=["UTC", "Asia/Tokyo", "America/St_Johns"])
def host_zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """Set the host's own zone for one test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


@pytest.mark.parametrize(
    ("start", "counted_in", "promised", "due"),
    [
        pytest.param(
            row["start"], CountedIn(unit), PROMISED[priority], due,
            id=f"{row['start']}-{priority}-{unit}",
        )
        for row in READINGS
        for priority in PROMISED
        for unit, due in row[priority].items()
    ],
)  # fmt: skip
def test_the_worked_readings(
    start: str, counted_in: CountedIn, promised: timedelta, due: str
) -> None:
    assert a_deadline(start, a_target(promised, counted_in)).respond_by == at(due)


@pytest.mark.parametrize(
    ("start", "due"),
    [
        ("2026-12-23T16:30+00:00", "2027-01-04T09:30+00:00"),
        ("2026-04-02T16:30+01:00", "2026-04-07T09:30+01:00"),
    ],
)
def test_the_hosts_own_zone_changes_nothing(host_zone: str, start: str, due: str) -> None:
    new_year = datetime(2026, 1, 1)  # noqa: DTZ001
    assert new_year.astimezone().utcoffset() == ZoneInfo(host_zone).utcoffset(new_year)
    found = deadline(shipped_calendar(), a_target(), at(start))
    assert found.respond_by == at(due)
    assert read_derivation(found.derivation()) == found


def test_the_start_may_come_in_any_zone_and_is_kept_in_utc() -> None:
    found = a_deadline("2026-03-03T19:00+09:00")
    assert found.started_at.isoformat() == "2026-03-03T10:00:00+00:00"
    assert found.respond_by.tzinfo is UTC


@pytest.mark.parametrize(
    ("within", "counted_in", "says"),
    [
        (timedelta(), CountedIn.SUPPORT_HOURS, "within must be more than zero"),
        (-HOUR, CountedIn.CLOCK_THEN_ROLL, "within must be more than zero"),
        (36 * HOUR, CountedIn.SUPPORT_DAYS, "whole support days, a multiple of 24h"),
        (HOUR, CountedIn.SUPPORT_DAYS, "whole support days, a multiple of 24h"),
    ],
)
def test_targets_that_promise_nothing_sensible(
    within: timedelta, counted_in: CountedIn, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        a_target(within, counted_in)


def test_a_deadline_beyond_the_calendar_is_refused_not_guessed() -> None:
    for counted_in in CountedIn:
        with pytest.raises(OutOfReach):
            a_deadline("2032-12-31T18:00Z", a_target(24 * HOUR, counted_in))


class TestDerivation:
    def test_it_holds_everything_in_the_calendars_own_time(self) -> None:
        derivation = a_deadline("2026-04-02T15:30Z").derivation()
        assert derivation == {
            "respond_by": "2026-04-07T09:30:00+01:00",
            "started_at": "2026-04-02T16:30:00+01:00",
            "timezone": "Europe/London",
            "target": {
                "within_seconds": 3600,
                "counted_in": "support_hours",
                "met_by": "acknowledgement",
            },
            "counted": [
                {
                    "date": "2026-04-02",
                    "from": "2026-04-02T16:30:00+01:00",
                    "to": "2026-04-02T17:00:00+01:00",
                    "seconds": 1800,
                    "total_seconds": 1800,
                },
                {
                    "date": "2026-04-07",
                    "from": "2026-04-07T09:00:00+01:00",
                    "to": "2026-04-07T09:30:00+01:00",
                    "seconds": 1800,
                    "total_seconds": 3600,
                },
            ],
            "skipped": [
                {"date": "2026-04-03", "why": "Good Friday"},
                {"date": "2026-04-04", "why": "Saturday"},
                {"date": "2026-04-05", "why": "Sunday"},
                {"date": "2026-04-06", "why": "Easter Monday"},
            ],
        }

    @pytest.mark.parametrize("counted_in", CountedIn)
    @pytest.mark.parametrize("start", ["2026-10-23T15:30Z", "2026-12-22T11:00:00.000001Z"])
    def test_it_survives_being_stored_as_json(self, counted_in: CountedIn, start: str) -> None:
        found = a_deadline(start, a_target(72 * HOUR, counted_in, MetBy.REPLY))
        assert read_derivation(json.loads(json.dumps(found.derivation()))) == found

    def test_what_rolled_to_an_opening_ran_by_the_clock(self) -> None:
        found = a_deadline("2026-10-23T15:30Z", a_target(48 * HOUR, CountedIn.CLOCK_THEN_ROLL))
        (counted,) = found.counted
        assert (counted.starts_at, counted.total) == (at("2026-10-23T15:30Z"), 48 * HOUR)
        assert [day.why for day in found.skipped] == ["Sunday"]

    @pytest.mark.parametrize(
        "document",
        [
            {},
            {"target": None},
            a_deadline().derivation() | {"counted": 5},
            a_deadline().derivation() | {"target": {"within_seconds": "an hour"}},
            a_deadline().derivation() | {"respond_by": "soon"},
        ],
    )
    def test_another_document_is_refused(self, document: dict[str, object]) -> None:
        with pytest.raises(ValueError, match=r"derivation|soon"):
            read_derivation(document)


class TestKept:
    @pytest.mark.parametrize(
        ("answered", "kept"),
        [(-MICROSECOND, True), (timedelta(), True), (MICROSECOND, False)],
    )
    def test_an_answer_at_the_deadline_is_in_time(self, answered: timedelta, kept: bool) -> None:
        respond_by = at("2026-03-03T17:00Z")
        assert is_kept(respond_by + answered, respond_by) is kept


class TestAtRisk:
    @pytest.mark.parametrize(
        ("start", "target", "half", "three_quarters"),
        [
            ("2026-03-03T10:00Z", a_target(), "2026-03-03T10:30Z", "2026-03-03T10:45Z"),
            ("2026-12-23T16:40Z", a_target(), "2027-01-04T09:10Z", "2027-01-04T09:25Z"),
            # half of an hour ends exactly at closing time
            ("2026-12-23T16:30Z", a_target(), "2026-12-23T17:00Z", "2027-01-04T09:15Z"),
            (
                "2026-03-03T16:00Z", a_target(48 * HOUR, CountedIn.SUPPORT_DAYS),
                "2026-03-04T16:00Z", "2026-03-05T12:00Z",
            ),
            (
                "2026-03-03T16:00Z", a_target(16 * HOUR, CountedIn.CLOCK_THEN_ROLL),
                "2026-03-03T16:30Z", "2026-03-03T16:45Z",
            ),
        ],
    )  # fmt: skip
    def test_risk_is_counted_on_the_same_calendar(
        self, start: str, target: ResponseTarget, half: str, three_quarters: str
    ) -> None:
        found = a_deadline(start, target)
        instants = at_risk_instants(
            shipped_calendar(), started_at=found.started_at, respond_by=found.respond_by
        )
        assert instants == (at(half), at(three_quarters))

    @pytest.mark.parametrize(
        ("start", "half"),
        [("2026-03-06T16:30Z", "2026-03-06T16:45Z"), ("2026-03-07T12:00Z", "2026-03-09T09:00Z")],
    )
    def test_the_whole_of_the_promise_is_its_deadline(self, start: str, half: str) -> None:
        found = a_deadline(start, a_target(HOUR, CountedIn.CLOCK_THEN_ROLL))
        instants = at_risk_instants(
            shipped_calendar(),
            started_at=found.started_at,
            respond_by=found.respond_by,
            shares=(0.5, 1),
        )
        assert instants == (at(half), at("2026-03-09T09:00Z"))

    @pytest.mark.parametrize("share", [-0.1, 1.1, 50])
    def test_a_share_is_at_most_the_whole(self, share: float) -> None:
        with pytest.raises(ValueError, match="allowed are 0 to 1"):
            at_risk_instants(
                a_calendar(),
                started_at=at("2026-03-03T10:00Z"),
                respond_by=at("2026-03-03T11:00Z"),
                shares=(share,),
            )


class TestTimeLeft:
    @pytest.mark.parametrize(
        ("now", "left"),
        [
            ("2026-12-23T16:30Z", HOUR),
            ("2026-12-28T12:00Z", HOUR / 2),
            ("2027-01-04T09:30Z", timedelta()),
            ("2027-01-04T09:42Z", -12 * MINUTE),
            ("2027-01-05T09:30Z", -8 * HOUR),
        ],
    )
    def test_only_support_time_runs_out(self, now: str, left: timedelta) -> None:
        respond_by = a_deadline().respond_by
        assert time_left(shipped_calendar(), now=at(now), respond_by=respond_by) == left


@settings(max_examples=100, database=None)
@given(
    start=st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1)),  # noqa: DTZ001
    counted_in=st.sampled_from(CountedIn),
    days=st.integers(1, 5),
)
def test_every_deadline_can_be_explained(start: datetime, counted_in: CountedIn, days: int) -> None:
    calendar, target = shipped_calendar(), a_target(days * 24 * HOUR, counted_in)
    found = deadline(calendar, target, start.replace(tzinfo=UTC))
    assert read_derivation(found.derivation()) == found
    assert found.respond_by > found.started_at
    assert not {one.on for one in found.counted[1:]} & {day.on for day in found.skipped}
    half, most = at_risk_instants(
        calendar, started_at=found.started_at, respond_by=found.respond_by
    )
    assert found.started_at <= half <= most <= found.respond_by
    if counted_in is CountedIn.SUPPORT_HOURS:
        assert found.counted[-1].total == target.within
    if counted_in is CountedIn.SUPPORT_DAYS:
        assert calendar.elapsed(found.started_at, found.respond_by) == days * 8 * HOUR
