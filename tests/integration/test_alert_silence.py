"""The dead man's switch, and what Alertmanager is asked: opened, ended, and what is left alone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from monitor.alert_metrics import read_alert_metrics
from monitor.alerts.keeping import KEPT_FOR, forget_old
from monitor.alerts.listing import sync_sources
from monitor.alerts.places import Places
from monitor.alerts.reconcile import LARGEST_LIST, Reconciler
from monitor.alerts.taking import Intake
from monitor.alerts.watchdog import SILENT_AFTER, Listening, sweep_watchdogs
from monitor.metrics import FAMILIES
from monitor.rules.episode import AlertState
from tests.alerts import GRAFANA, POLICY, PROMETHEUS, AlertBench, an_alert
from tests.clocks import FakeClock
from tickets.rules.ticket import AGENCY, Priority, Status
from tickets.store import Store

MINUTE = timedelta(minutes=1)
READ = replace(PROMETHEUS, reconcile_url="http://alertmanager.test/am")

on_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


class TestTheWatchdog:
    def sweep(self, bench: AlertBench, *, listening_since: datetime | None = None) -> None:
        since = listening_since or bench.ago(60)
        bench.store.write(
            lambda tx: sweep_watchdogs(
                tx, POLICY, [PROMETHEUS, GRAFANA], listening_since=since, now=bench.clock.now()
            )
        )

    async def test_that_falls_silent_opens_one_internal_ticket_and_ends_it_when_heard(
        self, store: Store, clock: FakeClock
    ) -> None:
        bench = AlertBench(store, clock)
        self.sweep(bench)
        await bench.send(an_alert("Watchdog", severity="none"))
        heard = clock.now()
        assert bench.source().watchdog_at == heard
        assert bench.alerts() == []
        clock.advance(SILENT_AFTER)
        self.sweep(bench)
        assert bench.tickets() == []
        clock.advance(1)
        self.sweep(bench)
        self.sweep(bench)
        [ticket] = bench.tickets()
        assert ticket.title == "No sign of life from prometheus"
        assert (ticket.client, ticket.priority) == (AGENCY, Priority.CRITICAL)
        assert bench.incidents()[0].started_at == heard
        await bench.send(an_alert("Watchdog"))
        assert bench.tickets()[0].recovered_at == clock.now()
        assert bench.page().entries[-1].text == "The Watchdog is heard again"
        clock.advance(SILENT_AFTER + MINUTE)
        self.sweep(bench)
        assert len(bench.tickets()) == 1
        assert bench.actions() == ["open", "recover", "relapse"]

    @on_sqlite
    async def test_is_not_missed_while_we_were_away_ourselves(
        self, store: Store, clock: FakeClock
    ) -> None:
        bench = AlertBench(store, clock)
        await bench.send(an_alert("Watchdog"))
        clock.advance(timedelta(hours=3))
        self.sweep(bench, listening_since=bench.ago(15))
        assert bench.tickets() == []
        self.sweep(bench, listening_since=bench.ago(15.1))
        assert len(bench.tickets()) == 1

    @on_sqlite
    async def test_that_says_it_ended_is_not_heard(self, store: Store, clock: FakeClock) -> None:
        bench = AlertBench(store, clock)
        await bench.send(an_alert("Watchdog", status="resolved"))
        assert bench.source().watchdog_at is None

    def test_we_listen_since_the_last_break(self, clock: FakeClock) -> None:
        listening, start = Listening(), clock.now()
        assert listening.since(start) == start
        assert listening.since(clock.advance(MINUTE)) == start
        assert listening.since(clock.advance(2 * MINUTE)) == start
        after_a_sleep = clock.advance(3 * MINUTE)
        assert listening.since(after_a_sleep) == after_a_sleep
        stepped_back = clock.step(-MINUTE)
        assert listening.since(stepped_back) == stepped_back


@dataclass
class FakeAlertmanager:
    """An Alertmanager that a test fills: what fires, what is silenced, since when it runs."""

    clock: FakeClock
    firing: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    silenced: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    running_for: timedelta | None = timedelta(days=3)
    skew: timedelta = timedelta()
    asked: list[str] = field(default_factory=list[str])
    broken: httpx.Response | None = None

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        assert request.url.host == "alertmanager.test"
        if self.broken is not None:
            return self.broken
        now = self.clock.now() + self.skew
        if request.url.path == "/am/api/v2/status":
            if self.running_for is None:
                return httpx.Response(404)
            headers = {"Date": format_datetime(now, usegmt=True)}
            return httpx.Response(
                200, json={"uptime": (now - self.running_for).isoformat()}, headers=headers
            )
        assert request.url.path == "/am/api/v2/alerts"
        assert request.url.params["active"] == "true"
        held = request.url.params["silenced"] == "true"
        assert request.url.params["inhibited"] == request.url.params["silenced"]
        return httpx.Response(200, json=[*self.firing, *(self.silenced if held else [])])


def listed(alert: dict[str, Any], *receivers: str) -> dict[str, Any]:
    """An alert as Alertmanager's list shows it: its start is cut to milliseconds."""
    begun = alert["startsAt"] and datetime.fromisoformat(alert["startsAt"])
    return {
        **{name: value for name, value in alert.items() if name != "status"},
        "startsAt": begun and begun.isoformat(timespec="milliseconds"),
        "status": {"state": "active", "silencedBy": [], "inhibitedBy": []},
        "receivers": [{"name": name} for name in receivers or ("fettle",)],
    }


class Scene(AlertBench):
    """An intake whose source is read as well."""

    def __init__(self, store: Store, clock: FakeClock) -> None:
        super().__init__(store, clock, sources=[READ])
        self.alertmanager = FakeAlertmanager(clock)
        self.reconciler = Reconciler(
            store,
            Intake(POLICY, Places(POLICY)),
            [READ, GRAFANA],
            clock=clock,
            transport=httpx.MockTransport(self.alertmanager.answer),
        )

    async def read(self, *, after: timedelta = 2 * MINUTE) -> int:
        """Let time pass, then read the list as if at a start."""
        self.clock.advance(after)
        return await self.reconciler.read_all(is_start=True)


@pytest.fixture
def scene(store: Store, clock: FakeClock) -> Scene:
    return Scene(store, clock)


class TestAListThatIsRead:
    async def test_opens_what_was_missed_and_ends_what_is_gone(self, scene: Scene) -> None:
        gone, stays = an_alert("Gone", starts_at=scene.ago(9)), an_alert(starts_at=scene.ago(8))
        await scene.send(gone, stays)
        missed = an_alert("Missed", starts_at=scene.ago(7))
        scene.alertmanager.firing = [listed(stays), listed(missed), listed(an_alert("Watchdog"))]
        assert await scene.read() == 0
        states = {row.name: row.state for row in scene.alerts()}
        assert states == {
            "Gone": AlertState.GONE,
            "QueueStuck": AlertState.FIRING,
            "Missed": AlertState.FIRING,
        }
        assert len(scene.tickets()) == 3
        assert scene.tickets()[0].recovered_at == scene.clock.now()
        assert "ended while nobody told us" in scene.page().entries[-1].text
        assert scene.source().watchdog_at is None
        before = [ticket.version for ticket in scene.tickets()]
        await scene.read()
        assert [ticket.version for ticket in scene.tickets()] == before

    @on_sqlite
    async def test_leaves_alone_what_is_silenced(self, scene: Scene) -> None:
        alert = an_alert(starts_at=scene.ago(9))
        await scene.send(alert)
        scene.alertmanager.silenced = [listed(alert)]
        await scene.read()
        assert scene.states() == [AlertState.FIRING]
        scene.alertmanager.silenced = []
        await scene.read()
        assert scene.states() == [AlertState.GONE]

    @on_sqlite
    async def test_believes_no_emptiness_just_after_a_restart(self, scene: Scene) -> None:
        await scene.send(an_alert(starts_at=scene.ago(9)))
        scene.alertmanager.running_for = MINUTE
        await scene.read(after=10 * MINUTE)
        assert scene.states() == [AlertState.FIRING]
        scene.alertmanager.running_for = 5 * MINUTE
        await scene.read(after=4 * MINUTE)
        assert scene.states() == [AlertState.GONE]

    @on_sqlite
    @pytest.mark.parametrize("skew", [timedelta(hours=1), timedelta(hours=-1)])
    async def test_needs_no_clock_in_step_with_ours(self, scene: Scene, skew: timedelta) -> None:
        await scene.send(an_alert(starts_at=scene.ago(9)))
        scene.alertmanager.skew, scene.alertmanager.running_for = skew, MINUTE
        await scene.read(after=3 * MINUTE)
        assert scene.states() == [AlertState.FIRING]
        scene.alertmanager.running_for = 4 * MINUTE
        await scene.read(after=MINUTE / 2)
        assert scene.states() == [AlertState.GONE]

    @on_sqlite
    async def test_waits_where_nobody_says_since_when_it_runs(self, scene: Scene) -> None:
        await scene.send(an_alert(starts_at=scene.ago(9)))
        scene.alertmanager.running_for = None
        for _ in range(3):
            await scene.read()
            assert scene.states() == [AlertState.FIRING]
        await scene.read()
        assert scene.states() == [AlertState.GONE]

    @on_sqlite
    async def test_may_have_been_crossed_by_a_message(self, scene: Scene) -> None:
        await scene.send(an_alert())
        await scene.read(after=timedelta(seconds=10))
        assert scene.states() == [AlertState.FIRING]
        await scene.read(after=timedelta(seconds=1))
        assert scene.states() == [AlertState.GONE]

    async def test_lets_fire_again_what_was_thought_to_be_over(self, scene: Scene) -> None:
        alert = an_alert(starts_at=scene.ago(9) + timedelta(microseconds=123_456))
        await scene.send(alert)
        await scene.send({**alert, "status": "resolved", "endsAt": scene.ago(1).isoformat()})
        # Prometheus could not reach Alertmanager for a while, which took the alert for ended.
        scene.alertmanager.firing = [listed(alert)]
        await scene.read()
        assert scene.states() == [AlertState.FIRING]
        assert scene.actions() == ["open", "recover", "relapse"]
        assert scene.tickets()[0].status is Status.OPEN

    @on_sqlite
    async def test_a_word_brings_back_what_was_gone(self, scene: Scene) -> None:
        alert = an_alert(starts_at=scene.ago(9))
        await scene.send(alert)
        await scene.read()
        await scene.send(alert)
        assert scene.states() == [AlertState.FIRING]
        assert scene.actions() == ["open", "recover", "relapse"]

    @on_sqlite
    async def test_counts_only_what_goes_to_our_receiver(self, scene: Scene) -> None:
        scene.alertmanager.firing = [listed(an_alert("First"), "mail")]
        await scene.read()  # nobody has posted yet, so any receiver may be ours
        await scene.send(an_alert("Posted"))
        scene.alertmanager.firing = [
            listed(an_alert("Posted")),
            listed(an_alert("Theirs"), "mail"),
            listed(an_alert("Both"), "mail", "fettle"),
            {**listed(an_alert("Muted")), "status": {"state": "active", "mutedBy": ["nights"]}},
        ]
        await scene.read()
        assert {row.name for row in scene.alerts()} == {"First", "Posted", "Both"}

    @on_sqlite
    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(302, headers={"Location": "http://elsewhere.test/"}),
            httpx.Response(200, content=b"<html>"),
            httpx.Response(200, json={}),
            httpx.Response(200, content=b" " * (LARGEST_LIST + 1)),
            httpx.Response(503),
        ],
        ids=["redirect", "html", "object", "huge", "503"],
    )
    async def test_that_cannot_be_read_changes_nothing(
        self, scene: Scene, answer: httpx.Response
    ) -> None:
        await scene.send(an_alert(starts_at=scene.ago(9)))
        scene.alertmanager.broken = answer
        assert await scene.read() == 1
        assert scene.states() == [AlertState.FIRING]
        assert len(scene.alertmanager.asked) == 1

    @on_sqlite
    async def test_is_read_by_one_process_at_a_time_and_when_it_is_due(self, scene: Scene) -> None:
        asked = scene.alertmanager.asked
        await scene.reconciler.read_all()
        assert len(asked) == 1
        await scene.reconciler.read_all()
        assert len(asked) == 1
        scene.clock.advance(2 * MINUTE)
        await scene.reconciler.read_all()
        assert len(asked) == 2
        other = Scene(scene.store, scene.clock)

        async def read_meanwhile(request: httpx.Request) -> httpx.Response:
            await other.reconciler.read_all(is_start=True)
            return scene.alertmanager.answer(request)

        busy = Reconciler(
            scene.store,
            Intake(POLICY, Places(POLICY)),
            [READ],
            clock=scene.clock,
            transport=httpx.MockTransport(read_meanwhile),
        )
        await busy.read_all(is_start=True)
        assert other.alertmanager.asked == []


@on_sqlite
async def test_episodes_are_forgotten_long_after_their_end(store: Store, clock: FakeClock) -> None:
    bench = AlertBench(store, clock)
    await bench.send(an_alert("Old", status="resolved"), an_alert("Fires", starts_at=clock.now()))
    await bench.send(an_alert("Ended", starts_at=clock.now()))
    await bench.send(an_alert("Ended", starts_at=bench.ago(0), status="resolved"))
    clock.advance(KEPT_FOR + MINUTE)
    assert store.write(lambda tx: forget_old(tx, now=clock.now())) == 1
    assert [row.name for row in bench.alerts()] == ["Fires"]
    assert len(bench.tickets()) == 2


async def test_a_source_that_is_removed_ends_its_incidents_and_leaves_its_tickets(
    store: Store, clock: FakeClock
) -> None:
    bench = AlertBench(store, clock)
    await bench.send(an_alert("Ours"), an_alert("Both", site="shop"))
    await bench.send(an_alert("Theirs", site="shop"), source="grafana")
    for _ in range(2):
        store.write(lambda tx: sync_sources(tx, {"grafana"}, at=clock.now()))
    assert [incident.ended_at for incident in bench.incidents()] == [clock.now(), None]
    assert bench.actions() == ["open", "unwatch"]
    assert "Nobody listens to prometheus any more" in bench.page().entries[-1].text
    assert {ticket.status for ticket in bench.tickets()} == {Status.OPEN}


def test_the_sources_of_the_configuration_are_told_from_the_start(
    store: Store, clock: FakeClock
) -> None:
    [read] = [families for name, families in FAMILIES.items() if name == "Alerts in"]
    assert {family.labels[0] for family in read} == {"source"}
    store.write(lambda tx: sync_sources(tx, {"one", "two"}, at=clock.now()))
    store.write(lambda tx: sync_sources(tx, {"two", "three"}, at=clock.now()))
    metrics = store.read(lambda tx: [*read_alert_metrics(tx, clock.now())])
    names = [sample.labels["source"] for sample in metrics[0].samples]
    assert sorted(set(names)) == ["three", "two"]
    assert len(names) == 10
