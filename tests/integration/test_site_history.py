"""How a site stood, as its page and ``fettle sites show`` read it from the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.rules.maintenance import DatedWindow
from monitor.rules.verdict import Verdict
from monitor.site_history import recent_uptime
from monitor.store_watch import StoreWatch
from tests.alerts import AlertBench, an_alert
from tests.builders import LONDON, a_refusal, a_site
from tests.clocks import FakeClock
from tests.sites import observe, see_minutes, settle, watch
from tickets.pages.watch import SiteHistory, SiteState
from tickets.store import Store

MINUTE = timedelta(minutes=1)


def history_of(store: Store, clock: FakeClock, slug: str = "booking") -> SiteHistory:
    history = store.read(lambda tx: StoreWatch(clock, LONDON).find_site(tx, slug))
    assert history is not None
    return history


UP, DOWN, UNKNOWN = Verdict.UP, Verdict.DOWN, Verdict.UNKNOWN


def test_the_past_of_a_site_is_told_by_period_and_day(store: Store, clock: FakeClock) -> None:
    site = a_site()
    watch(store, [site, a_site("other")], at=clock.now())
    see_minutes(store, site, clock, [UP] * 100 + [DOWN] * 20 + [UNKNOWN] * 10 + [UP] * 70)
    clock.advance(timedelta(days=1))
    see_minutes(store, site, clock, [UP] * 60)
    history = history_of(store, clock)
    by_name = {period.name: period.uptime for period in history.periods}
    assert by_name["24 h"].share == 1
    assert by_name["24 h"].unwatched > timedelta(hours=22)
    month = by_name["30 d"]
    assert (month.up, month.down, month.unknown) == (230 * MINUTE, 20 * MINUTE, 10 * MINUTE)
    assert month.text == "92.00 %"
    assert by_name["90 d"] == by_name["7 d"] == month
    assert [day.uptime is None for day in history.days] == [True] * 88 + [False] * 2
    yesterday, today = (day.uptime for day in history.days[-2:])
    assert yesterday is not None
    assert today is not None
    assert (yesterday.down, today.down) == (20 * MINUTE, timedelta())
    shares = store.read(lambda tx: recent_uptime(tx, days=30, now=clock.now(), zone=LONDON))
    assert {slug: uptime.share for slug, uptime in shares.items()} == {"booking": 0.92}


def test_what_may_still_be_written_does_not_count_as_not_watched(
    store: Store, clock: FakeClock
) -> None:
    site = a_site()
    watch(store, [site], at=clock.now())
    see_minutes(store, site, clock, [UP] * 30)
    assert history_of(store, clock).periods[0].uptime.unwatched == timedelta()
    clock.advance(2 * MINUTE)
    assert history_of(store, clock).periods[0].uptime.unwatched == timedelta()
    clock.advance(30 * MINUTE)
    assert 29 * MINUTE < history_of(store, clock).periods[0].uptime.unwatched < 31 * MINUTE


def test_response_times_and_incidents_are_told(store: Store, clock: FakeClock) -> None:
    site = a_site()
    watch(store, [site], at=clock.now())
    started_at = clock.now()
    see_minutes(store, site, clock, [UP] * 30)
    settle(store, site, Verdict.DOWN, since=clock.now())
    history = history_of(store, clock)
    (told,) = [one for one in history.answers if one.median_seconds is not None]
    assert told.at == started_at
    assert told.median_seconds == pytest.approx(0.5, abs=0.1)
    (incident,) = history.incidents
    assert (incident.state, incident.ended_at) == (SiteState.DOWN, None)
    assert incident.ticket_reference == "T-1001"
    settle(store, site, Verdict.UP, since=clock.advance(MINUTE))
    assert history_of(store, clock).incidents[0].ended_at == clock.now()


def test_a_site_that_was_never_seen_has_no_figures(store: Store, clock: FakeClock) -> None:
    watch(store, [a_site()], at=clock.now())
    history = history_of(store, clock)
    assert {period.uptime.share for period in history.periods} == {None}
    assert history.incidents == []
    assert store.read(lambda tx: StoreWatch(clock, LONDON).find_site(tx, "gone")) is None


def test_a_site_in_a_window_stands_in_maintenance_unless_an_incident_goes_on(
    store: Store, clock: FakeClock
) -> None:
    now = clock.now()
    window = DatedWindow(start=now - MINUTE, end=now + timedelta(hours=2))
    sites = [replace(a_site(slug), maintenance=(window,)) for slug in ("well", "ill", "unseen")]
    watch(store, sites, at=now - timedelta(hours=1))
    observe(store, sites[0], a_refusal(started_at=now), ended_at=now)
    settle(store, sites[0], Verdict.UP, since=now - timedelta(minutes=30))
    observe(store, sites[1], a_refusal(started_at=now), ended_at=now)
    settle(store, sites[1], Verdict.DOWN, since=now - timedelta(minutes=30))
    looking = StoreWatch(clock, LONDON)
    views = {view.slug: view for view in store.read(looking.list_sites)}
    assert {slug: view.state for slug, view in views.items()} == {
        "well": SiteState.MAINTENANCE,
        "ill": SiteState.DOWN,
        "unseen": SiteState.MAINTENANCE,
    }
    assert views["well"].message == (
        "until Tue 3 Mar 2026 12:00 GMT; the server at 203.0.113.7 refused the connection"
    )
    summary = store.read(looking.summary)
    assert (summary.maintenance, summary.down, summary.total) == (2, 1, 3)
    assert history_of(store, clock, "well").windows == [
        "Tue 3 Mar 2026 09:59 GMT to Tue 3 Mar 2026 12:00 GMT"
    ]
    clock.advance(timedelta(hours=2))
    assert store.read(looking.summary).maintenance == 0


async def test_alerts_about_a_site_are_told_to_staff_and_to_no_client(
    sqlite_store: Store, clock: FakeClock
) -> None:
    watch(sqlite_store, [a_site()], at=clock.now())
    bench = AlertBench(sqlite_store, clock)
    await bench.send(
        an_alert(starts_at=bench.ago(10), site="booking"),
        an_alert("Elsewhere", starts_at=bench.ago(5)),
    )
    looking = StoreWatch(clock, LONDON)
    found = sqlite_store.read(lambda tx: looking.find_site(tx, "booking"))
    assert found is not None
    [alert] = found.alerts
    assert (alert.title, alert.source) == (
        "Harbour Inns: QueueStuck: 340 bookings wait",
        "prometheus",
    )
    assert (alert.started_at, alert.ended_at) == (bench.ago(10), None)
    assert alert.ticket_reference == "T-1001"
    for_client = sqlite_store.read(lambda tx: looking.list_histories(tx, "harbour"))
    assert [(one.view.slug, one.alerts) for one in for_client] == [("booking", ())]
