"""Calendars put into use version by version: what changed, and what stays as it was promised."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from sqlmodel import select

from tests.builders import LEAD, a_policy
from tests.tickets import opened
from tickets.calendars import (
    Drift,
    ends_soon,
    find_drifts,
    find_last_change,
    put_into_use,
    tell_ending,
)
from tickets.holidays import build_support_hours
from tickets.policy import ClientPromises, Policy
from tickets.queries.tickets import get_ticket_page
from tickets.rules.notice import Notice
from tickets.settings.support import ExtraHoliday, HolidaySettings, SupportSettings
from tickets.store import Store
from tickets.sweep import sweep
from tickets.tables import CalendarRow, MessageRow

NOW = datetime(2026, 3, 3, 16, 30, tzinfo=UTC)
TOMORROW = date(2026, 3, 4)
MOURNING = ExtraHoliday(date=TOMORROW, name="Day of mourning")


def a_policy_with(*added: ExtraHoliday, last_year: int = 2032) -> Policy:
    support = SupportSettings(holidays=HolidaySettings(add=added))
    hours = build_support_hours(support, "Europe/London", first_year=2024, last_year=last_year)
    return replace(a_policy(), hours=hours)


def put(store: Store, policy: Policy, *, at: datetime = NOW) -> list[Drift]:
    return list(store.write(lambda tx: put_into_use(tx, policy, source="holidays 1", at=at)))


def versions(store: Store) -> list[tuple[str, int]]:
    rows = store.read(lambda tx: tx.exec(select(CalendarRow)).all())
    return sorted((row.client, row.version) for row in rows)


def test_the_first_start_stores_the_days_by_name_and_changes_nothing(store: Store) -> None:
    assert put(store, a_policy()) == []
    assert put(store, a_policy()) == []
    assert versions(store) == [("", 1)]
    [row] = store.read(lambda tx: tx.exec(select(CalendarRow)).all())
    assert row.days["2026-12-25"] == "Christmas Day"
    assert row.days["2026-12-30"] == "Christmas closure"
    assert row.week["mon"] == ["09:00-17:00"]
    assert store.read(find_last_change) is None


def test_an_edit_is_told_before_it_is_put_into_use_with_the_deadlines_it_would_move(
    store: Store,
) -> None:
    policy, edited = a_policy(), a_policy_with(MOURNING)
    put(store, policy)
    moved = opened(store, policy, at=NOW)  # due tomorrow 09:30
    kept = opened(store, policy, at=NOW - timedelta(hours=5))  # due today 12:30
    [drift] = store.read(lambda tx: find_drifts(tx, edited))
    assert (drift.client, drift.version) == ("", 1)
    assert [(day.on, day.word, day.after) for day in drift.change.days] == [
        (TOMORROW, "added", "Day of mourning")
    ]
    [deadline] = drift.deadlines
    assert (deadline.reference, deadline.respond_by, deadline.would_be) == (
        moved,
        datetime(2026, 3, 4, 9, 30, tzinfo=UTC),
        datetime(2026, 3, 5, 9, 30, tzinfo=UTC),
    )
    assert kept != moved
    assert versions(store) == [("", 1)]  # told, not done


def test_putting_an_edit_into_use_leaves_promised_deadlines_as_they_were(store: Store) -> None:
    put(store, a_policy())
    ref = opened(store, a_policy(), at=NOW)
    later = NOW + timedelta(hours=1)
    assert len(put(store, a_policy_with(MOURNING), at=later)) == 1
    assert versions(store) == [("", 1), ("", 2)]
    page = store.read(lambda tx: get_ticket_page(tx, ref))
    assert page.ticket.promise.respond_by == datetime(2026, 3, 4, 9, 30, tzinfo=UTC)
    last = store.read(find_last_change)
    assert last is not None
    assert (last.version, last.made_at, last.source) == (2, later, "holidays 1")
    assert [day.after for day in last.change.days] == ["Day of mourning"]
    assert store.read(lambda tx: find_drifts(tx, a_policy_with(MOURNING))) == []


def test_a_new_year_widens_the_calendar_without_a_new_version(store: Store) -> None:
    put(store, a_policy_with(last_year=2032))
    assert put(store, a_policy_with(last_year=2033)) == []
    [row] = store.read(lambda tx: tx.exec(select(CalendarRow)).all())
    assert (row.version, row.last) == (1, date(2033, 12, 31))
    assert row.days["2033-12-26"] == "Boxing Day"


def test_a_client_s_calendar_has_versions_of_its_own(store: Store) -> None:
    def with_client(*added: ExtraHoliday) -> Policy:
        own = ClientPromises(hours=a_policy_with(*added).hours, targets=a_policy().targets)
        return replace(a_policy(), promises={"harbour": own})

    put(store, with_client())
    ref = opened(store, with_client(), at=NOW)
    [drift] = store.read(lambda tx: find_drifts(tx, with_client(MOURNING)))
    assert (drift.client, [one.reference for one in drift.deadlines]) == ("harbour", [ref])
    put(store, with_client(MOURNING))
    assert versions(store) == [("", 1), ("harbour", 1), ("harbour", 2)]


async def test_the_lead_is_told_once_that_holidays_are_known_for_less_than_18_months(
    store: Store,
) -> None:
    policy = a_policy_with(last_year=2027)
    assert ends_soon(policy, datetime(2026, 6, 1, tzinfo=UTC)) is None
    late = datetime(2026, 7, 10, tzinfo=UTC)
    assert ends_soon(policy, late) == date(2027, 12, 31)
    for days in range(3):
        await sweep(store, policy, now=late + timedelta(days=days))
    [message] = store.read(lambda tx: tx.exec(select(MessageRow)).all())
    assert (message.notice, message.address) == (Notice.CALENDAR_ENDS, LEAD.address)
    assert message.facts["until"] == "2028-01-01T00:00:00+00:00"
    assert store.write(lambda tx: tell_ending(tx, a_policy(), at=late)) is False


def test_a_country_whose_holidays_are_known_for_a_short_time_ends_the_calendar_there() -> None:
    support = SupportSettings(holidays=HolidaySettings(country="LK"))
    hours = build_support_hours(support, "Asia/Colombo", first_year=2024, last_year=2032)
    assert hours.last == date(2026, 12, 31)
