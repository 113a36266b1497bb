"""A client's agreement laid over the agency's support."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.service import build_policy
from monitor.settings import Settings
from monitor.settings.load import load
from tests.clocks import FakeClock
from tickets.errors import Misconfigured
from tickets.rules.promise import CountedIn
from tickets.rules.ticket import Priority
from tickets.settings.overrides import SupportOverrides, support_of
from tickets.settings.support import ClosureSettings, ExtraHoliday, HolidaySettings, SupportSettings

AGENCY = SupportSettings(
    holidays=HolidaySettings(
        add=(ExtraHoliday(date=date(2026, 6, 15), name="Founding day"),),
        remove=(date(2026, 5, 4),),
    ),
    closures=(
        ClosureSettings.model_validate({"name": "Christmas", "from": "12-24", "to": "01-01"}),
    ),
)


def merged(overrides: dict[str, Any]) -> SupportSettings:
    return support_of(AGENCY, SupportOverrides.model_validate(overrides))


def test_without_an_agreement_the_agency_s_support_counts() -> None:
    assert support_of(AGENCY, None) is AGENCY
    assert merged({}) == AGENCY


def test_days_are_joined_with_the_week() -> None:
    hours = merged({"hours": {"sat": ["10:00-12:00"], "fri": []}}).hours
    assert hours["mon"] == ("09:00-17:00",)
    assert (hours["sat"], hours["fri"]) == (("10:00-12:00",), ())


def test_one_target_leaves_the_others() -> None:
    response = merged({"response": {"critical": {"within": "30m"}}}).response
    assert response.critical.within == timedelta(minutes=30)
    assert response.critical.counted_in is CountedIn.SUPPORT_HOURS
    assert response.normal == AGENCY.response.normal


def test_closures_take_the_place_of_the_agency_s() -> None:
    assert merged({"closures": []}).closures == ()
    assert merged({"hours": {"sat": ["10:00-12:00"]}}).closures == AGENCY.closures


def test_another_part_of_the_country_keeps_added_and_removed_days() -> None:
    holidays = merged({"holidays": {"subdivision": "SCT"}}).holidays
    assert (holidays.country, holidays.subdivision) == ("GB", "SCT")
    assert (holidays.add, holidays.remove) == (AGENCY.holidays.add, AGENCY.holidays.remove)


def test_another_country_starts_from_its_own_calendar() -> None:
    holidays = merged({"holidays": {"country": "ie"}}).holidays
    assert (holidays.country, holidays.subdivision) == ("IE", None)
    assert (holidays.add, holidays.remove) == ((), ())


def read(tmp_path: Path, support: str, *, client: str) -> Settings:
    path = tmp_path / "fettle.yml"
    path.write_text(
        "agency: {name: A, url: 'https://a.example', mail_from: a@a.example}\n"
        f"support: {support}\n"
        "clients:\n"
        "  - slug: harbour\n"
        "    name: Harbour\n"
        f"    support: {client}\n"
    )
    return load(path, environ={})


@pytest.mark.parametrize(
    ("client", "says"),
    [
        ("{hours: {mon: ['17:00-09:00']}}", "clients[0].support.hours.mon[0]: "),
        ("{hours: {mon: ['09:00-12:00', '11:00-17:00']}}", "overlap"),
        (
            "{hours: {mon: [], tue: [], wed: [], thu: [], fri: []}}",
            "clients[0].support.hours: has no support hours on any day",
        ),
        (
            "{closures: [{name: x, from: 2026-02-02, to: 2026-02-01}]}",
            "clients[0].support.closures[0].to: 2026-02-01 lies before the first day",
        ),
        ("{closures: [{name: x, from: 01-01, to: 12-31}]}", "leave no day of the year open"),
        ("{holidays: {country: XX}}", "clients[0].support.holidays.country: 'XX' is no country"),
        ("{holidays: {subdivision: ENGLAND}}", "is no subdivision of GB; allowed are"),
        (
            "{response: {normal: {within: 30h}}}",
            "clients[0].support.response.normal.within: within must be whole support days",
        ),
        ("{zone: Europe/Paris}", "clients[0].support.zone: is not a key of this version"),
    ],
)
def test_an_agreement_is_checked_like_the_agency_s(tmp_path: Path, client: str, says: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        read(tmp_path, "{}", client=client)
    [fault] = caught.value.faults
    assert says in str(fault)
    assert fault.line == 6


def test_a_fault_of_the_agency_s_support_is_told_once(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as caught:
        read(
            tmp_path,
            "{response: {normal: {within: 30h}}}",
            client="{hours: {sat: ['10:00-12:00']}}",
        )
    assert [fault.key for fault in caught.value.faults] == ["support.response.normal.within"]


def test_the_policy_knows_each_client_s_calendar(tmp_path: Path, clock: FakeClock) -> None:
    policy = build_policy(
        read(
            tmp_path, "{}", client="{holidays: {subdivision: SCT}, response: {low: {within: 24h}}}"
        ),
        clock=clock,
    )
    easter_monday = date(2026, 4, 6)
    assert policy.hours.day(easter_monday).why_closed == "Easter Monday"
    assert policy.hours_of("harbour").day(easter_monday).intervals
    assert policy.targets_of("harbour")[Priority.LOW].within == timedelta(hours=24)
    assert policy.hours_of("somebody else") is policy.hours


def test_a_client_with_other_targets_shares_the_agency_s_calendar(
    tmp_path: Path, clock: FakeClock
) -> None:
    settings = read(tmp_path, "{}", client="{response: {critical: {within: 2h}}}")
    policy = build_policy(settings, clock=clock)
    assert policy.hours_of("harbour") is policy.hours
    assert policy.targets_of("harbour")[Priority.CRITICAL].within == timedelta(hours=2)
