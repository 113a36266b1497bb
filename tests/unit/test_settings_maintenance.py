"""What may be written for a site's maintenance windows, and what is refused with which words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.rules.maintenance import DatedWindow, WeeklyWindow
from monitor.sites import list_sites
from tests.builders import LONDON
from tests.unit.test_settings import faults_in, read, site


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "{days: [sun], from: '02:00', to: '04:00'}",
            WeeklyWindow(
                days=frozenset({6}),
                opens=timedelta(hours=2),
                closes=timedelta(hours=4),
                zone=LONDON,
            ),
        ),
        (
            "{days: [mon, fri], from: 22:30, to: 24:00}",
            WeeklyWindow(
                days=frozenset({0, 4}),
                opens=timedelta(hours=22, minutes=30),
                closes=timedelta(hours=24),
                zone=LONDON,
            ),
        ),
        (
            "{from: 2026-07-09T22:00, to: 2026-07-10T02:00}",
            DatedWindow(
                start=datetime(2026, 7, 9, 21, tzinfo=UTC), end=datetime(2026, 7, 10, 1, tzinfo=UTC)
            ),
        ),
        (
            "{from: '2026-07-09 22:00:30Z', to: '2026-07-10T02:00+02:00'}",
            DatedWindow(
                start=datetime(2026, 7, 9, 22, 0, 30, tzinfo=UTC),
                end=datetime(2026, 7, 10, 0, tzinfo=UTC),
            ),
        ),
    ],
)
def test_windows_are_weekly_or_dated(
    tmp_path: Path, text: str, expected: WeeklyWindow | DatedWindow
) -> None:
    (found,) = list_sites(read(tmp_path, site(f"maintenance: [{text}]")))
    assert found.maintenance == (expected,)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("{days: [sun], from: 2:00, to: 4:00}", "'2:00' is not a time of day; write HH:MM"),
        ("{days: [sun], from: 02:00, to: 02:00}", "must differ from from"),
        ("{days: [sun], from: 24:00, to: 02:00}", "24:00 is no start"),
        ("{days: [sunday], from: 02:00, to: 04:00}", "sunday"),
        ("{from: 02:00, to: 04:00}", "or list days for a weekly window"),
        ("{from: 2026-02-30T02:00, to: 2026-03-01T04:00}", "no time in the calendar"),
        ("{from: 2026-03-02T02:00, to: 2026-03-01T04:00}", "is not after the start"),
        ("{from: 2026-03-02T02:00Z, to: 2026-03-02T04:00}", "must have the same form as from"),
        ("{from: 2026-03-02T02:00, to: 2027-03-02T04:00}", "at most 31 allowed"),
        ("{from: 2026-03-02T02:00}", "to: is missing"),
    ],
)
def test_a_window_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, fault: str) -> None:
    faults = faults_in(tmp_path, site(f"maintenance: [{text}]"))
    assert any(fault in each and "maintenance" in each for each in faults), faults


def test_readings_are_kept_for_at_least_as_long_as_they_are_shown(tmp_path: Path) -> None:
    text = site("name: Home") + "readings: {keep_fine: 1d, keep_daily: 30d}\n"
    faults = faults_in(tmp_path, text)
    assert len(faults) == 2
    assert "not between 2d and 35d" in faults[0]
