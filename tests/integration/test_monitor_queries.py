"""How sites stand for the desk, what is counted of incidents, and whether the service is ready."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import select

from monitor.figures import count_incidents, count_probers
from monitor.queries import readiness
from monitor.rules.observation import Cause
from monitor.rules.verdict import Verdict
from monitor.store_watch import StoreWatch
from monitor.tables import IncidentKind, ProberRow
from tests.builders import LONDON, a_refusal, a_site, an_observation
from tests.clocks import FakeClock
from tests.sites import POLICY, observe, settle, watch
from tests.tickets import opened
from tickets import claims
from tickets.actions import resolve
from tickets.history import Actor
from tickets.pages.watch import SiteState, SiteView, WatchSummary
from tickets.rules.message import MessageState
from tickets.store import Store
from tickets.tables import MessageRow

START = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BOOKING = a_site()
MENU = a_site("menu", name="Menu", url="https://menu.harbour.test/")
SAM = Actor("Sam Reed")


def views(store: Store, clock: FakeClock) -> dict[str, SiteView]:
    watching = StoreWatch(clock, LONDON)
    return {view.slug: view for view in store.read(watching.list_sites)}


def summary(store: Store, clock: FakeClock) -> WatchSummary:
    return store.read(StoreWatch(clock, LONDON).summary)


class TestTheDeskSees:
    def test_nothing_while_nothing_is_watched(self, store: Store, clock: FakeClock) -> None:
        assert views(store, clock) == {}
        assert summary(store, clock) == WatchSummary()

    def test_a_site_that_was_never_probed_as_unknown(self, store: Store, clock: FakeClock) -> None:
        watch(store, [BOOKING], at=START)
        assert views(store, clock)["booking"] == SiteView(
            slug="booking",
            name="Booking site",
            url="https://booking.harbour.test/",
            client="harbour",
            client_name="Harbour Inns",
            state=SiteState.UNKNOWN,
            since=None,
            last_probe_at=None,
            message="not probed yet",
            duration_seconds=None,
            open_ticket_reference=None,
            interval=timedelta(seconds=60),
        )

    def test_a_site_that_is_probed_but_not_confirmed_as_unknown(
        self, store: Store, clock: FakeClock
    ) -> None:
        watch(store, [BOOKING], at=START)
        observe(store, BOOKING, a_refusal(), ended_at=START)
        view = views(store, clock)["booking"]
        assert view.state is SiteState.UNKNOWN
        assert "refused" in view.message

    @pytest.mark.parametrize("verdict", [Verdict.UP, Verdict.SLOW, Verdict.DOWN])
    def test_a_site_as_it_was_confirmed(
        self, store: Store, clock: FakeClock, verdict: Verdict
    ) -> None:
        watch(store, [BOOKING], at=START)
        observe(store, BOOKING, an_observation(duration=0.41), ended_at=START)
        settle(store, BOOKING, verdict, since=START - MINUTE)
        view = views(store, clock)["booking"]
        assert view.state == verdict
        assert view.since == START - MINUTE
        assert view.last_probe_at == START
        assert view.duration_seconds == pytest.approx(0.41)
        assert (view.open_ticket_reference == "T-1001") is (verdict is not Verdict.UP)

    def test_a_site_as_it_was_confirmed_while_our_own_network_fails(
        self, store: Store, clock: FakeClock
    ) -> None:
        watch(store, [BOOKING], at=START)
        settle(store, BOOKING, Verdict.UP, since=START - MINUTE)
        ours = an_observation(
            cause=Cause.OWN_NETWORK, message="our own network does not work", http_status=None
        )
        observe(store, BOOKING, ours, ended_at=START)
        view = views(store, clock)["booking"]
        assert (view.state, view.message) == (SiteState.UP, "our own network does not work")

    def test_a_site_as_unknown_once_its_last_probe_is_older_than_three_intervals(
        self, store: Store, clock: FakeClock
    ) -> None:
        watch(store, [BOOKING], at=START)
        observe(store, BOOKING, an_observation(), ended_at=START)
        settle(store, BOOKING, Verdict.UP, since=START - MINUTE)
        clock.advance(3 * MINUTE)
        assert views(store, clock)["booking"].state is SiteState.UP
        clock.advance(1)
        view = views(store, clock)["booking"]
        assert (view.state, view.since) == (SiteState.UNKNOWN, START)
        assert view.message == "not probed since Tue 3 Mar 2026 10:00 GMT"
        assert view.duration_seconds is None
        assert summary(store, clock) == WatchSummary(unknown=1, total=1, worst=SiteState.UNKNOWN)

    def test_a_site_with_a_short_interval_while_observations_are_on_their_way_to_the_store(
        self, store: Store, clock: FakeClock
    ) -> None:
        quick = a_site(interval=1, timeout=1, slow_after=0.5)
        watch(store, [quick], at=START)
        observe(store, quick, an_observation(duration=0.1), ended_at=START)
        settle(store, quick, Verdict.UP, since=START)
        clock.advance(10)
        assert views(store, clock)["booking"].state is SiteState.UP
        clock.advance(6)
        assert views(store, clock)["booking"].state is SiteState.UNKNOWN

    def test_the_worst_that_a_living_location_has_settled_on(
        self, store: Store, clock: FakeClock
    ) -> None:
        for location, verdict in (("leeds", Verdict.UP), ("york", Verdict.DOWN)):
            watch(store, [BOOKING], at=START, location=location)
            observe(store, BOOKING, an_observation(), ended_at=START, location=location)
            settle(store, BOOKING, verdict, since=START, location=location)
        assert views(store, clock)["booking"].state is SiteState.DOWN
        assert summary(store, clock) == WatchSummary(down=1, total=1, worst=SiteState.DOWN)
        clock.advance(4 * MINUTE)
        observe(store, BOOKING, an_observation(), ended_at=clock.now(), location="leeds")
        assert views(store, clock)["booking"].state is SiteState.UP
        assert summary(store, clock) == WatchSummary(up=1, total=1, worst=SiteState.UP)

    def test_no_site_that_is_watched_no_longer(self, store: Store, clock: FakeClock) -> None:
        watch(store, [BOOKING, MENU], at=START)
        watch(store, [MENU], at=START + MINUTE)
        assert list(views(store, clock)) == ["menu"]
        assert summary(store, clock).total == 1

    def test_as_many_of_each_state_in_the_summary_as_in_the_list(
        self, store: Store, clock: FakeClock
    ) -> None:
        sites = [a_site(f"site-{n}", url=f"https://{n}.test/") for n in range(7)]
        watch(store, sites, at=START)
        verdicts = [Verdict.UP, Verdict.UP, Verdict.UP, Verdict.SLOW, Verdict.DOWN, Verdict.DOWN]
        for site, verdict in zip(sites, verdicts, strict=False):
            observe(store, site, an_observation(), ended_at=START)
            settle(store, site, verdict, since=START)
        assert summary(store, clock) == WatchSummary(
            up=3, slow=1, down=2, unknown=1, total=7, worst=SiteState.DOWN
        )
        listed = [view.state for view in views(store, clock).values()]
        assert sorted(listed) == sorted([*verdicts, SiteState.UNKNOWN])


class TestTheTicketToLookAt:
    def test_is_that_of_the_open_incident_even_if_it_was_resolved(
        self, store: Store, clock: FakeClock
    ) -> None:
        watch(store, [BOOKING], at=START)
        settle(store, BOOKING, Verdict.DOWN, since=START)
        opened(store, POLICY, at=START)  # a newer one on the same site
        resolved(store, "T-1001")
        assert views(store, clock)["booking"].open_ticket_reference == "T-1001"

    def test_is_still_there_after_the_recovery(self, store: Store, clock: FakeClock) -> None:
        watch(store, [BOOKING], at=START)
        settle(store, BOOKING, Verdict.DOWN, since=START)
        settle(store, BOOKING, Verdict.UP, since=START + 5 * MINUTE)
        assert views(store, clock)["booking"].open_ticket_reference == "T-1001"
        resolved(store, "T-1001")
        assert views(store, clock)["booking"].open_ticket_reference is None


def resolved(store: Store, ref: str) -> None:
    store.write(
        lambda tx: resolve(
            tx, POLICY, ref, cause="A full disk", done="Made room", actor=SAM, at=START + MINUTE
        )
    )


EDGES = (60, 300, 900)


def opened_counts(store: Store) -> dict[tuple[str, str], int]:
    figures = store.read(lambda tx: count_incidents(tx, edges=EDGES))
    return {(site, kind.value): count for (site, kind), count in figures.opened.items()}


def durations(store: Store) -> dict[str, tuple[list[int], int, float]]:
    figures = store.read(lambda tx: count_incidents(tx, edges=EDGES))
    return {
        kind.value: (list(found.below), found.count, found.sum_seconds)
        for kind, found in figures.durations.items()
    }


class TestIncidentsAreCounted:
    def test_by_site_and_kind_while_open_and_ever(self, store: Store) -> None:
        watch(store, [BOOKING, MENU], at=START)
        settle(store, BOOKING, Verdict.DOWN, since=START)
        settle(store, BOOKING, Verdict.UP, since=START + MINUTE)
        settle(store, BOOKING, Verdict.DOWN, since=START + timedelta(hours=2))
        settle(store, MENU, Verdict.SLOW, since=START)
        figures = store.read(lambda tx: count_incidents(tx, edges=EDGES))
        assert figures.is_open == {("booking", IncidentKind.DOWN), ("menu", IncidentKind.SLOW)}
        assert opened_counts(store) == {("booking", "down"): 2, ("menu", "slow"): 1}

    def test_once_as_slow_and_once_as_down_when_they_worsen(self, store: Store) -> None:
        watch(store, [BOOKING], at=START)
        settle(store, BOOKING, Verdict.SLOW, since=START)
        assert opened_counts(store) == {("booking", "slow"): 1}
        settle(store, BOOKING, Verdict.DOWN, since=START + MINUTE)
        assert opened_counts(store) == {("booking", "slow"): 1, ("booking", "down"): 1}

    def test_with_how_long_each_stretch_took(self, store: Store) -> None:
        watch(store, [BOOKING, MENU], at=START)
        settle(store, BOOKING, Verdict.DOWN, since=START)
        settle(store, BOOKING, Verdict.UP, since=START + 5 * MINUTE)
        settle(store, MENU, Verdict.DOWN, since=START)
        settle(store, MENU, Verdict.UP, since=START + timedelta(minutes=20, milliseconds=500))
        assert durations(store) == {
            "down": ([0, 1, 1], 2, pytest.approx(300 + 1200.5)),
            "slow": ([0, 0, 0], 0, 0.0),
        }

    def test_without_a_count_ever_falling_on_a_relapse_that_is_worse(self, store: Store) -> None:
        watch(store, [BOOKING], at=START)
        settle(store, BOOKING, Verdict.SLOW, since=START)
        settle(store, BOOKING, Verdict.UP, since=START + 2 * MINUTE)
        before = durations(store)
        assert before["slow"] == ([0, 1, 1], 1, 120.0)
        settle(store, BOOKING, Verdict.DOWN, since=START + 10 * MINUTE)
        assert durations(store) == before
        settle(store, BOOKING, Verdict.UP, since=START + 11 * MINUTE)
        assert durations(store) == before | {"down": ([1, 1, 1], 1, 60.0)}
        assert opened_counts(store) == {("booking", "slow"): 1, ("booking", "down"): 1}

    def test_without_the_stretch_that_nobody_saw_the_end_of(self, store: Store) -> None:
        watch(store, [BOOKING], at=START)
        settle(store, BOOKING, Verdict.DOWN, since=START)
        settle(store, BOOKING, Verdict.UP, since=START + MINUTE)
        settle(store, BOOKING, Verdict.DOWN, since=START + 10 * MINUTE)
        watch(store, [], at=START + 15 * MINUTE)
        assert durations(store)["down"] == ([1, 1, 1], 1, 60.0)


def a_prober(
    location: str = "main",
    *,
    ticked_at: datetime | None = START,
    expires_at: datetime = START + timedelta(seconds=15),
    ok: int = 0,
    in_flight: int = 0,
    due: int = 0,
    late: tuple[int, ...] = (0, 0, 0),
) -> ProberRow:
    figures: dict[str, Any] = {
        "runs": {"ok": ok, "error": 0, "missed": 1, "skipped": 0},
        "in_flight": in_flight,
        "due": due,
        "lateness": {"buckets": list(late), "sum": 0.5, "count": sum(late)},
    }
    return ProberRow(
        location=location,
        holder="test",
        expires_at=expires_at,
        ticked_at=ticked_at,
        figures=figures,
    )


def save(store: Store, *rows: ProberRow) -> None:
    store.write(lambda tx: tx.add_all(rows))


class TestProbersAreCounted:
    def test_as_nothing_while_there_is_none(self, store: Store) -> None:
        figures = store.read(lambda tx: count_probers(tx, now=START, buckets=3))
        assert (figures.runs, figures.lateness, figures.ticked_at) == ({}, [0, 0, 0], None)

    def test_together_but_gauges_only_of_those_that_live(self, store: Store) -> None:
        gone = START - timedelta(hours=1)
        save(
            store,
            a_prober("leeds", ok=5, in_flight=2, due=1, late=(4, 1, 0)),
            a_prober("york", ok=7, in_flight=3, late=(7, 0, 2), ticked_at=START - MINUTE),
            a_prober("hull", ok=9, in_flight=9, due=9, ticked_at=gone, expires_at=gone),
        )
        figures = store.read(lambda tx: count_probers(tx, now=START, buckets=3))
        assert figures.runs == {"ok": 21, "error": 0, "missed": 3, "skipped": 0}
        assert (figures.in_flight, figures.due) == (5, 1)
        assert (figures.lateness, figures.lateness_seconds) == ([11, 1, 2], 1.5)
        assert figures.ticked_at == START - MINUTE  # the one that lags is the one to see

    def test_with_the_last_tick_of_any_once_all_are_gone(self, store: Store) -> None:
        gone = START - timedelta(hours=1)
        save(store, a_prober(ticked_at=gone, expires_at=gone))
        figures = store.read(lambda tx: count_probers(tx, now=START, buckets=3))
        assert figures.ticked_at == gone

    def test_without_a_histogram_of_another_shape(self, store: Store) -> None:
        save(store, a_prober(late=(1, 1)))
        figures = store.read(lambda tx: count_probers(tx, now=START, buckets=3))
        assert (figures.lateness, figures.lateness_seconds) == ([0, 0, 0], 0.0)


class TestReadiness:
    def test_is_given_right_after_a_tick(self, store: Store) -> None:
        save(store, a_prober())
        assert store.read(lambda tx: readiness(tx, START + timedelta(seconds=5))) == []

    def test_is_refused_before_any_tick(self, store: Store) -> None:
        save(store, a_prober(ticked_at=None))
        assert store.read(lambda tx: readiness(tx, START)) == ["no prober has ticked yet"]

    def test_is_refused_when_the_newest_tick_is_old(self, store: Store) -> None:
        save(store, a_prober("leeds"), a_prober("york", ticked_at=START - MINUTE))
        reasons = store.read(lambda tx: readiness(tx, START + timedelta(seconds=6)))
        assert reasons == ["the last tick is 6 s old; allowed are 5 seconds"]

    @pytest.mark.parametrize(
        ("after", "is_ready"), [(timedelta(minutes=5), True), (timedelta(minutes=6), False)]
    )
    def test_is_refused_when_a_message_stays_due(
        self, store: Store, after: timedelta, is_ready: bool
    ) -> None:
        opened(store, POLICY, at=START)
        now = START + after
        save(store, a_prober(ticked_at=now))
        reasons = store.read(lambda tx: readiness(tx, now))
        assert reasons == (
            []
            if is_ready
            else ["a message in the outbox has been due for 6 min; allowed are 5 minutes"]
        )

    def test_is_not_refused_for_mail_that_waits_for_its_next_attempt(self, store: Store) -> None:
        opened(store, POLICY, at=START)
        now = START + timedelta(hours=1)
        change_messages(store, lambda message: setattr(message, "not_before", now + MINUTE))
        save(store, a_prober(ticked_at=now))
        assert store.read(lambda tx: readiness(tx, now)) == []

    @pytest.mark.parametrize(
        "state", [MessageState.SENT, MessageState.DEAD, MessageState.CANCELLED]
    )
    def test_is_not_refused_for_mail_that_is_done_with(
        self, store: Store, state: MessageState
    ) -> None:
        opened(store, POLICY, at=START)
        now = START + timedelta(hours=1)
        change_messages(store, lambda message: setattr(message, "state", state))
        save(store, a_prober(ticked_at=now))
        assert store.read(lambda tx: readiness(tx, now)) == []

    def test_is_refused_when_sending_hangs(self, store: Store) -> None:
        opened(store, POLICY, at=START)
        store.write(lambda tx: len(claims.claim(tx, now=START, most=100)))
        now = START + timedelta(minutes=10)
        save(store, a_prober(ticked_at=now))
        assert len(store.read(lambda tx: readiness(tx, now))) == 1


def change_messages(store: Store, change: Callable[[MessageRow], None]) -> None:
    store.write(lambda tx: [change(message) for message in tx.exec(select(MessageRow)).all()])
