"""What becomes of alerts: tickets, who hears of them, repeats and late words, storms, the end."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.alerts.incidents import MOST_TICKETS
from monitor.alerts.places import Places
from monitor.alerts.taking import Intake, Taken
from monitor.rules.alert import read_alerts
from monitor.rules.episode import AlertState
from monitor.rules.verdict import Verdict
from tests.alerts import GRAFANA, POLICY, PROMETHEUS, AlertBench, a_body, an_alert
from tests.builders import a_site
from tests.clocks import FakeClock
from tests.sites import settle, watch
from tests.stores import open_store
from tickets.actions import close, resolve
from tickets.history import Actor
from tickets.rules.plain_text import several_lines
from tickets.rules.ticket import AGENCY, Outcome, Priority, Source, Status
from tickets.store import Store

SAM = Actor("Sam Okafor")
BODIES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "alert_payloads.json").read_text(encoding="utf-8")
)
MINUTE = timedelta(minutes=1)

on_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
"""For what the store has no part in."""

on_postgresql = pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
"""For what is asked of SQLite elsewhere here."""


@pytest.fixture
def bench(store: Store, clock: FakeClock) -> AlertBench:
    return AlertBench(store, clock)


class TestAnAlert:
    async def test_opens_an_internal_ticket_that_duty_hears_of(self, bench: AlertBench) -> None:
        started = bench.ago(2)
        await bench.send(an_alert(severity="critical", starts_at=started, queue="payments"))
        [ticket] = bench.tickets()
        assert (ticket.client, ticket.client_name) == (AGENCY, "Bright Agency")
        assert ticket.title == "QueueStuck: 340 bookings wait"
        assert (ticket.priority, ticket.source) == (Priority.CRITICAL, Source.ALERTMANAGER)
        assert ticket.is_internal
        assert [row.address for row in bench.messages()] == ["duty@agency.test"]
        page = bench.page()
        assert page.entries[0].actor == "Alertmanager"
        lines = {line.label: line.now for line in page.evidence.lines}
        assert lines["label queue"] == "payments"
        assert lines["summary"] == "340 bookings wait"
        assert lines["where it comes from"].startswith("http://prometheus.test/")
        assert page.evidence.seen == started.isoformat()

    async def test_that_ends_leaves_the_ticket_to_people(self, bench: AlertBench) -> None:
        started, ended = bench.ago(10), bench.ago(1)
        await bench.send(an_alert(starts_at=started))
        await bench.send(an_alert(starts_at=started, status="resolved", ends_at=ended))
        [ticket] = bench.tickets()
        assert ticket.status is Status.OPEN
        assert ticket.recovered_at == bench.clock.now()
        assert bench.incidents()[0].ended_at == ended
        told = bench.messages()[-1]
        assert (told.notice, told.address) == ("alert_ended", "duty@agency.test")
        assert told.facts["duration_seconds"] == 540

    @on_sqlite
    async def test_of_a_client_tells_staff_alone(self, bench: AlertBench) -> None:
        await bench.send(an_alert(site="booking"))
        [ticket] = bench.tickets()
        assert (ticket.client, ticket.site, ticket.site_name) == (
            "harbour",
            "booking",
            "Booking site",
        )
        assert ticket.is_internal
        assert {row.audience for row in bench.messages()} == {"staff"}

    async def test_of_a_source_that_tells_clients_is_theirs_if_it_is_mapped(
        self, store: Store, clock: FakeClock
    ) -> None:
        bench = AlertBench(store, clock, sources=[replace(PROMETHEUS, tell_client=True)])
        await bench.send(an_alert("Mapped", site="shop"), an_alert("Unmapped"))
        mapped, unmapped = bench.tickets()
        assert not mapped.is_internal
        assert unmapped.is_internal
        told = [(row.ticket_id, row.address) for row in bench.messages()]
        assert (mapped.id, "anna@harbour.test") in told
        assert (unmapped.id, "anna@harbour.test") not in told

    async def test_that_names_nobody_belongs_to_the_sources_client(
        self, store: Store, clock: FakeClock
    ) -> None:
        bench = AlertBench(store, clock, sources=[replace(PROMETHEUS, default_client="wren")])
        await bench.send(an_alert())
        [ticket] = bench.tickets()
        assert (ticket.client, ticket.client_name) == ("wren", "Wren & Co")

    async def test_on_a_site_that_is_down_joins_its_ticket(
        self, bench: AlertBench, store: Store
    ) -> None:
        site = a_site()
        watch(store, [site], at=bench.ago(60))
        settle(store, site, Verdict.DOWN, since=bench.ago(5), policy=POLICY)
        started = bench.ago(3)
        await bench.send(an_alert(site="booking", starts_at=started))
        await bench.send(
            an_alert(site="booking", starts_at=started, status="resolved", ends_at=bench.ago(1))
        )
        assert len(bench.tickets()) == 1
        assert bench.actions() == ["open", "note", "note"]
        first, second = bench.page().entries[1:]
        assert "QueueStuck: 340 bookings wait" in first.text
        assert second.text.startswith("Ended:\nQueueStuck (site=booking)")
        assert not first.is_visible
        # The end of the alert is not the end of the outage.
        assert bench.tickets()[0].recovered_at is None

    async def test_about_the_same_site_joins_the_first(self, bench: AlertBench) -> None:
        begun = bench.ago(5)
        await bench.send(an_alert("Slow", site="shop", starts_at=begun))
        await bench.send(an_alert("Errors", site="shop", starts_at=begun), source="grafana")
        assert len(bench.tickets()) == 1
        await bench.send(an_alert("Slow", site="shop", starts_at=begun, status="resolved"))
        assert bench.tickets()[0].recovered_at is None
        await bench.send(
            an_alert("Errors", site="shop", starts_at=begun, status="resolved"), source="grafana"
        )
        assert bench.tickets()[0].recovered_at is not None
        assert bench.actions() == ["open", "note", "note", "recover"]

    async def test_that_names_no_start_means_the_present(self, bench: AlertBench) -> None:
        alert = an_alert()
        await bench.send(alert)
        await bench.send(alert)
        assert len(bench.tickets()) == len(bench.alerts()) == 1
        await bench.send({**alert, "status": "resolved"})
        await bench.send({**alert, "status": "resolved"})
        assert bench.states() == [AlertState.RESOLVED]
        bench.clock.advance(MINUTE)
        await bench.send(alert)
        assert bench.states() == [AlertState.RESOLVED, AlertState.FIRING]
        assert len(bench.tickets()) == 1


class TestRepeatsAndLateWords:
    async def test_a_repeat_changes_nothing(self, bench: AlertBench) -> None:
        alert = an_alert(starts_at=bench.ago(5), site="shop")
        await bench.send(alert)
        await bench.send(alert, {**alert, "annotations": {"summary": "341 bookings wait"}})
        assert bench.actions() == ["open"]
        assert bench.source().deduplicated_count == 2

    async def test_an_end_before_its_beginning_opens_nothing_then_or_later(
        self, bench: AlertBench
    ) -> None:
        alert = an_alert(starts_at=bench.ago(5))
        await bench.send({**alert, "status": "resolved"})
        await bench.send(alert)
        assert bench.tickets() == []
        assert bench.states() == [AlertState.RESOLVED]

    async def test_a_late_word_never_touches_a_newer_episode(self, bench: AlertBench) -> None:
        first, second = bench.ago(60), bench.ago(5)
        await bench.send(an_alert(starts_at=first))
        await bench.send(an_alert(starts_at=second))
        await bench.send(an_alert(starts_at=first, status="resolved", ends_at=bench.ago(30)))
        await bench.send(an_alert(starts_at=first))
        assert bench.states() == [AlertState.SUPERSEDED, AlertState.FIRING]
        [ticket] = bench.tickets()
        assert ticket.recovered_at is None

    async def test_the_end_of_a_newer_episode_ends_what_was_never_told_to_end(
        self, bench: AlertBench
    ) -> None:
        await bench.send(an_alert(starts_at=bench.ago(60)))
        await bench.send(an_alert(starts_at=bench.ago(9), status="resolved", ends_at=bench.ago(5)))
        assert bench.states() == [AlertState.SUPERSEDED, AlertState.RESOLVED]
        assert bench.tickets()[0].recovered_at is not None

    @on_sqlite
    async def test_a_sender_whose_clock_runs_ahead_blocks_nothing(self, bench: AlertBench) -> None:
        ahead = an_alert(starts_at=bench.ago(-300))
        await bench.send(ahead)
        await bench.send({**ahead, "status": "resolved"})
        await bench.send(ahead)
        assert bench.states() == [AlertState.RESOLVED]
        assert bench.incidents()[0].started_at == bench.clock.now()
        bench.clock.advance(MINUTE)
        await bench.send(an_alert(starts_at=bench.clock.now()))
        assert {row.state for row in bench.alerts()} == {AlertState.RESOLVED, AlertState.FIRING}
        assert bench.actions() == ["open", "recover", "relapse"]

    @given(
        st.permutations([(e, s) for e in range(3) for s in ("firing", "resolved")] * 2),
        st.integers(0, 12),
        st.booleans(),
    )
    @settings(
        max_examples=20,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @on_sqlite
    def test_every_order_ends_the_same(
        self, bench: AlertBench, words: list[tuple[int, str]], split: int, fires_on: bool
    ) -> None:
        """Three episodes of one alert, of which the last may fire on, each word said twice."""
        bench.clock.advance(timedelta(hours=1))
        now, name = bench.clock.now(), f"A{bench.clock.monotonic()}"
        starts = [now - timedelta(minutes=60 - 10 * number) for number in range(3)]
        words = [word for word in words if word != (2, "resolved")] if fires_on else words
        alerts = [
            an_alert(name, starts_at=starts[e], status=s, ends_at=starts[e] + 5 * MINUTE)
            for e, s in words
        ]
        for some in (alerts[:split], *([alert] for alert in alerts[split:])):
            if some:
                take(bench, *some)
        ours = [row for row in bench.alerts() if row.name == name]
        firing = [row.starts_at for row in ours if row.state is AlertState.FIRING]
        assert firing == ([starts[2]] if fires_on else [])
        ids = {row.incident_id for row in ours}
        mine = [incident for incident in bench.incidents() if incident.id in ids]
        assert [incident.ended_at for incident in mine if incident.ended_at is None] == (
            [None] if fires_on and mine else []
        )
        before = [(ticket.status, ticket.version) for ticket in bench.tickets()]
        assert take(bench, *alerts) == Taken(alerts=len(alerts), begun=0, ended=0)
        assert [(ticket.status, ticket.version) for ticket in bench.tickets()] == before

    async def test_two_senders_at_once_make_one_ticket(
        self, bench: AlertBench, store: Store, store_url: str, clock: FakeClock
    ) -> None:
        """Two Alertmanagers of a cluster, and Grafana, at two processes of the service."""
        second = open_store(store_url)
        other = AlertBench(second, clock)
        for number, site in enumerate(("shop", "rooms", "menus"), start=1):
            body = a_body(an_alert(starts_at=bench.ago(1), site=site))
            answers = await asyncio.gather(
                *(
                    at.post(body, source=source)
                    for at in (bench, other, bench, other)
                    for source in ("prometheus", "grafana")
                )
            )
            assert {answer.status_code for answer in answers} == {200}
            assert len(bench.tickets()) == number
        second.close()


@on_sqlite
class TestARelapse:
    async def again(self, bench: AlertBench, *, after: timedelta) -> None:
        """Let the alert end, and begin once more some time after."""
        alert = an_alert(starts_at=bench.ago(0))
        if not bench.alerts():
            await bench.send(alert)
        last = bench.alerts()[-1].starts_at
        bench.clock.advance(MINUTE)
        await bench.send(an_alert(starts_at=last, status="resolved"))
        bench.clock.advance(after)
        await bench.send(an_alert(starts_at=bench.clock.now()))

    async def test_goes_on_with_a_ticket_that_people_still_have(self, bench: AlertBench) -> None:
        await self.again(bench, after=timedelta(days=3))
        assert len(bench.tickets()) == 1
        assert bench.actions() == ["open", "recover", "relapse"]
        assert bench.tickets()[0].recovered_at is None

    async def test_reopens_a_ticket_within_a_day_with_a_new_promise(
        self, bench: AlertBench
    ) -> None:
        await bench.send(an_alert(starts_at=bench.ago(5)))
        self.resolve(bench)
        await self.again(bench, after=timedelta(hours=23))
        [ticket] = bench.tickets()
        assert (ticket.status, ticket.promise_number) == (Status.OPEN, 2)
        assert bench.page().entries[-1].actor == "Alertmanager"

    async def test_after_a_day_opens_another_that_links_the_old(self, bench: AlertBench) -> None:
        await bench.send(an_alert(starts_at=bench.ago(5)))
        self.resolve(bench)
        await self.again(bench, after=timedelta(hours=24))
        assert [ticket.status for ticket in bench.tickets()] == [Status.RESOLVED, Status.OPEN]
        assert bench.page("T-1002").entries[-1].text.startswith("T-1001")

    async def test_of_a_closed_ticket_opens_another(self, bench: AlertBench) -> None:
        await bench.send(an_alert(starts_at=bench.ago(5)))
        self.close(bench)
        await self.again(bench, after=MINUTE)
        assert [ticket.status for ticket in bench.tickets()] == [Status.CLOSED, Status.OPEN]

    async def test_a_repeat_reopens_nothing_that_people_closed(self, bench: AlertBench) -> None:
        alert = an_alert(starts_at=bench.ago(5), site="shop")
        await bench.send(alert)
        self.close(bench)
        await bench.send(alert)
        assert [ticket.status for ticket in bench.tickets()] == [Status.CLOSED]
        # Another alert about the same site is news.
        await bench.send(an_alert("Errors", site="shop"))
        assert [ticket.status for ticket in bench.tickets()] == [Status.CLOSED, Status.OPEN]

    async def test_that_comes_and_goes_is_told_to_have_ended_once_in_a_while(
        self, bench: AlertBench
    ) -> None:
        for _ in range(4):
            await self.again(bench, after=MINUTE)
        assert Counter(row.notice.value for row in bench.messages()) == {
            "alert": 1,
            "alert_ended": 1,
        }

    def resolve(self, bench: AlertBench) -> None:
        at = bench.clock.now()
        bench.store.write(
            lambda tx: resolve(tx, POLICY, "T-1001", cause="a", done="b", actor=SAM, at=at)
        )

    def close(self, bench: AlertBench) -> None:
        at, outcome = bench.clock.now(), Outcome.NOT_AN_ISSUE
        bench.store.write(
            lambda tx: close(tx, "T-1001", outcome=outcome, reason="known", actor=SAM, at=at)
        )


class TestAStorm:
    async def test_becomes_one_ticket_that_lists_the_rest(self, bench: AlertBench) -> None:
        alerts = [an_alert("Down", instance=f"h{n}", starts_at=bench.ago(5)) for n in range(60)]
        await bench.send(*alerts[:50])
        for alert in alerts[50:]:
            await bench.send(alert)
        tickets = bench.tickets()
        assert len(tickets) == MOST_TICKETS + 1
        storm = tickets[-1]
        assert storm.title == "Storm of alerts from prometheus"
        assert (storm.client, storm.priority) == (AGENCY, Priority.CRITICAL)
        evidence = bench.page(f"T-{1000 + (storm.id or 0)}").evidence.lines
        assert [line.now for line in evidence[:2]] == ["prometheus", "40"]
        assert evidence[2].now == "Down (instance=h20)"
        assert evidence[-1].now == "Down (instance=h59)"
        await bench.send(*({**alert, "status": "resolved"} for alert in alerts))
        assert all(ticket.recovered_at for ticket in bench.tickets())

    @on_sqlite
    async def test_is_over_when_five_minutes_have_passed(self, bench: AlertBench) -> None:
        await bench.send(*(an_alert("Down", instance=f"h{n}") for n in range(MOST_TICKETS)))
        bench.clock.advance(5 * MINUTE)
        await bench.send(an_alert("Down", instance="later"))
        assert bench.tickets()[-1].title.startswith("Down")

    @on_sqlite
    async def test_of_one_source_is_none_of_anothers(self, bench: AlertBench) -> None:
        await bench.send(*(an_alert("Down", instance=f"h{n}") for n in range(MOST_TICKETS)))
        await bench.send(an_alert("Down", instance="other"), source="grafana")
        assert bench.tickets()[-1].source is Source.GRAFANA

    @on_sqlite
    async def test_of_thousands_is_bounded_work(self, bench: AlertBench) -> None:
        alerts = [{"labels": {"alertname": "Down", "n": f"{n}"}} for n in range(5000)]
        answer = await bench.post(json.dumps({"alerts": alerts}).encode())
        assert answer.json() == {"alerts": 5000, "begun": 5000, "ended": 0}
        assert len(bench.tickets()) == MOST_TICKETS + 1
        again = await bench.post(json.dumps({"alerts": alerts}).encode())
        assert again.json() == {"alerts": 5000, "begun": 0, "ended": 0}


@on_sqlite
class TestWhatOpensNothing:
    async def test_grafanas_test_button(self, bench: AlertBench) -> None:
        await bench.send(an_alert("TestAlert"), source="grafana")
        assert bench.tickets() == []
        assert bench.states() == [AlertState.FIRING]
        # An Alertmanager has no such button: there it is an alert like any other.
        await bench.send(an_alert("TestAlert"))
        assert len(bench.tickets()) == 1

    async def test_our_own_rules_about_a_site_that_has_an_incident(
        self, bench: AlertBench, store: Store
    ) -> None:
        site = a_site()
        watch(store, [site], at=bench.ago(60))
        settle(store, site, Verdict.DOWN, since=bench.ago(5), policy=POLICY)
        await bench.send(an_alert("UptimeBudget", service="fettle", site="booking"))
        assert bench.actions() == ["open"]
        await bench.send(an_alert("UptimeBudget", service="fettle", site="shop"))
        assert len(bench.tickets()) == 2

    @pytest.mark.parametrize("name", ["SiteDown", "SiteSlow"])
    async def test_our_own_rules_that_say_what_the_monitor_says(
        self, bench: AlertBench, name: str
    ) -> None:
        await bench.send(an_alert(name, service="fettle", site="booking"))
        assert bench.tickets() == []
        await bench.send(an_alert(name, site="booking"))
        assert len(bench.tickets()) == 1

    async def test_a_dead_data_source_of_grafana_is_one_ticket_and_no_clients(
        self, store: Store, clock: FakeClock
    ) -> None:
        bench = AlertBench(store, clock, sources=[replace(GRAFANA, tell_client=True)])
        for number, name in enumerate(("DatasourceNoData", "DatasourceError", "DatasourceNoData")):
            await bench.send(
                an_alert(name, rulename=f"Rule {number}", datasource_uid="p1", site="booking"),
                source="grafana",
            )
        [ticket] = bench.tickets()
        assert (ticket.client, ticket.is_internal) == (AGENCY, True)
        assert ticket.title == "DatasourceNoData: Rule 0: 340 bookings wait"
        assert {row.audience for row in bench.messages()} == {"staff"}
        await bench.send(an_alert("DatasourceNoData", datasource_uid="p2"), source="grafana")
        assert len(bench.tickets()) == 2


REFUSED = {
    "goalert-smoke-graf-0",
    "alerta-grafana_alert_alerting",
    "alerta-grafana_alert_ok",
    "alerta-grafana_example",
    "alerta-grafana_6",
    "oncall-legacy_alertmanager-test",
    "oncall-grafana-test",
    "zulip-grafana-text-only",
    "zulip-grafana-missing-fields",
    "zulip-grafana7-nodata",
    "zulip-grafana7-paused",
}
"""Legacy bodies of Grafana, single alerts, and a custom payload that holds none."""


class TestEveryBody:
    """Bodies found in the field, each taken or refused on purpose."""

    async def sent(self, bench: AlertBench, order: list[dict[str, Any]]) -> dict[str, int]:
        answers: dict[str, int] = {}
        for each in order:
            source = "grafana" if each["kind"].startswith("grafana") else "prometheus"
            answer = await bench.post(json.dumps(each["payload"]).encode(), source=source)
            answers[each["id"]] = answer.status_code
        return answers

    def outcome(self, bench: AlertBench) -> Any:
        episodes = {
            (row.source, row.fingerprint, row.starts_at): row.state is AlertState.FIRING
            for row in bench.alerts()
        }
        return episodes, [(ticket.version, ticket.status) for ticket in bench.tickets()]

    @on_postgresql
    async def test_is_taken_or_refused_and_a_second_time_changes_nothing(
        self, bench: AlertBench
    ) -> None:
        answers = await self.sent(bench, BODIES)  # some of which begin in the future

        assert {name for name, status in answers.items() if status == 400} == REFUSED
        assert set(answers.values()) == {200, 400}
        before = self.outcome(bench)
        await self.sent(bench, Random(7).sample(BODIES, len(BODIES)))
        assert self.outcome(bench) == before

    @on_sqlite
    async def test_in_any_order_leaves_the_same_alerts_firing(
        self, bench: AlertBench, tmp_path: Path, migrated_sqlite: Path
    ) -> None:
        bench.clock.step(timedelta(days=270))
        await self.sent(bench, BODIES)
        shutil.copy(migrated_sqlite, tmp_path / "other.db")
        other = Store(f"sqlite:///{tmp_path / 'other.db'}")
        shuffled = AlertBench(other, bench.clock)
        await self.sent(shuffled, Random(1).sample(BODIES, len(BODIES)))
        assert self.outcome(shuffled)[0] == self.outcome(bench)[0]
        other.close()


def take(bench: AlertBench, *alerts: dict[str, Any]) -> Taken:
    """Take alerts in without the way over HTTP."""
    now, intake = bench.clock.now(), Intake(POLICY, Places(POLICY))
    body = read_alerts(a_body(*alerts), clean=several_lines, now=now)
    return bench.store.write(lambda tx: intake.take(tx, PROMETHEUS, body, at=now, outcomes={}))
