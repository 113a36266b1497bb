"""The desk's calendar page: each client's own, and what the last version changed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from tests.clocks import FakeClock
from tests.desk import DeskBench, see
from tickets.calendars import put_into_use
from tickets.holidays import build_support_hours
from tickets.policy import ClientPromises, Policy
from tickets.settings.support import ExtraHoliday, HolidaySettings, SupportSettings
from tickets.store import Store


@pytest.fixture
def bench(tmp_path: Path, migrated_sqlite: Path, clock: FakeClock) -> Iterator[DeskBench]:
    path = tmp_path / "desk.db"
    shutil.copy(migrated_sqlite, path)
    store = Store(f"sqlite:///{path}")
    yield DeskBench(store, clock)
    store.close()


def mourning(bench: DeskBench) -> Policy:
    """Return the bench's policy on a calendar with one more holiday."""
    added = ExtraHoliday(date=date(2026, 3, 4), name="Day of mourning")
    support = SupportSettings(holidays=HolidaySettings(add=(added,)))
    hours = build_support_hours(support, "Europe/London", first_year=2024, last_year=2032)
    return replace(bench.policy, hours=hours)


async def test_the_calendar_tells_what_its_last_version_changed(bench: DeskBench) -> None:
    now, after = bench.clock.now(), mourning(bench)
    bench.store.write(lambda tx: put_into_use(tx, bench.policy, source="holidays 1", at=now))
    browser = bench.browser(bench.session(bench.staff("Mia")))
    assert "Last change" not in (await see(browser, "/calendar")).text
    bench.store.write(lambda tx: put_into_use(tx, after, source="holidays 2", at=now))
    bench.with_policy(after)
    browser = bench.browser(bench.session(bench.staff("Mo")))
    text = (await see(browser, "/calendar")).text
    assert "Version 2 of the calendar of the agency, in use since Tue 3 Mar 2026 10:00 GMT" in text
    assert "with holidays 2" in text
    assert "Wed 4 Mar 2026 added: Day of mourning" in text


async def test_a_client_with_an_agreement_has_a_calendar_of_its_own(bench: DeskBench) -> None:
    own = ClientPromises(hours=mourning(bench).hours, targets=bench.policy.targets)
    bench.with_policy(replace(bench.policy, promises={"harbour": own}))
    browser = bench.browser(bench.session(bench.staff("Mia")))
    agency = (await see(browser, "/calendar")).text
    client = (await see(browser, "/calendar?client=harbour")).text
    assert "normal respond by Thu 5 Mar 2026 10:00 GMT" in agency
    assert "normal respond by Fri 6 Mar 2026 10:00 GMT" in client
    assert "4 Day of mourning" in client
    unknown = (await see(browser, "/calendar?client=nobody%3Cb%3E")).text
    assert "normal respond by Thu 5 Mar 2026 10:00 GMT" in unknown
