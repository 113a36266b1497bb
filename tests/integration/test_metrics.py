"""The metrics page: what Prometheus reads of a store, in both formats.

``python -m tests.integration.test_metrics`` writes the tables of ``docs/metrics.md`` anew.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families as text_families
from sqlmodel import col, select

from monitor.alert_tables import AlertSourceRow
from monitor.http_metrics import HTTP_FAMILIES
from monitor.metrics import FAMILIES, MetricsPage, render
from monitor.rules.observation import Cause, Certificate, Observation, Phases
from monitor.rules.verdict import Verdict
from monitor.service_metrics import LATENESS, OUTCOMES, ServiceFigures
from monitor.tables import IncidentRow, ProberRow, SiteRow
from monitor.watched import LATENESS_EDGES, Figures
from tests.builders import a_refusal, a_site, an_observation
from tests.clocks import FakeClock
from tests.prometheus import real
from tests.sites import POLICY, observe, settle, watch
from tests.tickets import opened
from tickets import outbox
from tickets.actions import acknowledge, close, reopen, resolve
from tickets.errors import Unavailable
from tickets.history import Actor
from tickets.metrics import MAIL_KINDS, SOURCES, STATES, Family
from tickets.policy import ClientPromises
from tickets.rules.hours import SupportHours
from tickets.rules.interval import WEEKDAYS, parse_interval
from tickets.rules.message import DeliveryOutcome, FailureReason
from tickets.rules.notice import Notice
from tickets.rules.ticket import OPEN_STATUSES, Outcome, Priority, Source
from tickets.store import Store
from tickets.sweep import sweep
from tickets.tables import MessageRow, TicketRow

START = datetime(2026, 3, 3, 10, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SITE = a_site()
SAM = Actor("Sam Reed")
BREACHES = "fettle_ticket_sla_breaches_total"

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores"
ASKS_FOR_OPENMETRICS = "application/openmetrics-text; version=1.0.0"

PROMETHEUS_ASKS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"
CONTRACT = Path(__file__).parent / "data" / "metric_table.json"

CERTIFICATE = Certificate(
    not_after=datetime(2026, 6, 1, tzinfo=UTC),
    earliest_not_after=datetime(2026, 5, 1, tzinfo=UTC),
    subject="CN=booking.harbour.test",
    issuer="CN=Test authority,O=Authority",
    names=("booking.harbour.test", "www.harbour.test"),
    verified=True,
    fingerprint_sha256="ab12",
    serial_number="0f",
)

SERVICE = ServiceFigures(
    version="1.2.3", revision="abc123", python_version="3.11.9", reloaded_at=START
)

ANSWER = replace(
    an_observation(duration=0.75),
    phases=Phases(resolve=0.05, connect=0.1, tls=0.2, processing=0.3, transfer=0.1),
    hops=("https://harbour.test/", "https://booking.harbour.test/"),
    body_bytes=4321,
    content_length=1234,
    certificate=CERTIFICATE,
    tls_version="TLSv1.3",
    tls_cipher="TLS_AES_128_GCM_SHA256",
    headers={"last-modified": "Tue, 03 Mar 2026 10:00:00 GMT"},
)


class Page:
    """A page as its reader sees it."""

    def __init__(self, text: str) -> None:
        parse = openmetrics_families if text.endswith("# EOF\n") else text_families
        self.families = list(parse(text))
        self.samples = [sample for family in self.families for sample in family.samples]

    def named(self, name: str, /, **labels: str) -> list[Any]:
        """Every sample of that name that carries at least these labels."""
        return [
            sample
            for sample in self.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]

    def value(self, name: str, /, **labels: str) -> float:
        """The value of the one sample of that name with these labels."""
        (sample,) = self.named(name, **labels)
        return sample.value

    def lasting(self) -> list[tuple[Any, ...]]:
        """Every sample but of what this process uses, which differs from one page to the next."""
        return [tuple(s) for s in self.samples if not s.name.startswith("process_")]

    def values(self, name: str, /, label: str) -> dict[str, float]:
        """The values of the samples of that name by one of their labels."""
        return {sample.labels[label]: sample.value for sample in self.named(name)}


def read(
    store: Store, *, at: datetime = START, accept: str = "", service: ServiceFigures = SERVICE
) -> str:
    page, _ = store.read(
        lambda tx: render(tx, policy=POLICY, service=service, now=at, accept=accept)
    )
    return page.decode()


def page(store: Store, *, at: datetime = START, service: ServiceFigures = SERVICE) -> Page:
    return Page(read(store, at=at, service=service))


def seen(store: Store, *observations: Observation) -> Page:
    """Watch the usual site, let it be seen, and return the page right after."""
    watch(store, [SITE], at=START)
    observe(store, SITE, *observations, ended_at=START)
    return page(store)


class TestAProbeIsTold:
    def test_by_the_names_of_blackbox_exporter(self, store: Store) -> None:
        found = seen(store, ANSWER)
        labels = {
            "instance": "https://booking.harbour.test/",
            "site": "booking",
            "client": "harbour",
        }
        plain = {
            sample.name: sample.value
            for sample in found.samples
            if sample.name.startswith("probe_") and sample.labels == labels
        }
        assert plain == {
            "probe_success": 1,
            "probe_duration_seconds": 0.75,
            "probe_timeout_seconds": 10,
            "probe_dns_lookup_time_seconds": 0.05,
            "probe_ip_protocol": 4,
            "probe_ip_addr_hash": 0x7F1EFC2E,
            "probe_http_status_code": 200,
            "probe_http_version": 1.1,
            "probe_http_ssl": 1,
            "probe_http_redirects": 1,
            "probe_http_content_length": 1234,
            "probe_http_uncompressed_body_length": 4321,
            "probe_http_last_modified_timestamp_seconds": START.timestamp(),
            "probe_failed_due_to_regex": 0,
            "probe_ssl_earliest_cert_expiry": CERTIFICATE.earliest_not_after.timestamp(),
            "probe_ssl_last_chain_expiry_timestamp_seconds": CERTIFICATE.not_after.timestamp(),
        }
        assert found.values("probe_http_duration_seconds", "phase") == {
            "resolve": 0.05,
            "connect": 0.1,
            "tls": 0.2,
            "processing": 0.3,
            "transfer": 0.1,
        }
        (chain,) = found.named("probe_ssl_last_chain_info")
        assert chain.labels == labels | {
            "fingerprint_sha256": "ab12",
            "subject": "CN=booking.harbour.test",
            "issuer": "CN=Test authority,O=Authority",
            "subjectalternative": "booking.harbour.test,www.harbour.test",
            "serialnumber": "0f",
        }
        assert found.value("probe_tls_version_info", version="TLS 1.3") == 1
        assert found.value("probe_tls_cipher_info", cipher="TLS_AES_128_GCM_SHA256") == 1

    def test_as_failed_with_every_phase_when_nothing_answered(self, store: Store) -> None:
        found = seen(store, a_refusal())
        assert found.value("probe_success") == 0
        assert len(found.named("probe_http_duration_seconds")) == 5
        for name in ("status_code", "version", "ssl", "content_length", "redirects"):
            assert found.value(f"probe_http_{name}") == 0, name
        assert found.value("probe_ip_protocol") == 4
        for absent in ("probe_ssl_earliest_cert_expiry", "probe_tls_version_info"):
            assert found.named(absent) == []
        assert found.named("probe_http_last_modified_timestamp_seconds") == []

    def test_as_passed_when_it_was_slow_but_correct(self, store: Store) -> None:
        assert seen(store, an_observation(duration=4.2)).value("probe_success") == 1

    def test_as_failed_by_a_text_rule(self, store: Store) -> None:
        found = seen(store, an_observation(cause=Cause.KEYWORD_MISSING, message="no 'Book'"))
        assert found.value("probe_failed_due_to_regex") == 1
        assert found.value("probe_success") == 0

    def test_with_a_length_of_minus_one_when_the_answer_declared_none(self, store: Store) -> None:
        assert seen(store, an_observation()).value("probe_http_content_length") == -1

    def test_not_over_tls_when_the_last_hop_was_plain(self, store: Store) -> None:
        found = seen(store, replace(an_observation(), final_url="http://harbour.test/"))
        assert found.value("probe_http_ssl") == 0

    def test_with_the_end_of_a_certificate_that_expired_and_was_not_verified(
        self, store: Store
    ) -> None:
        ended = START - timedelta(days=2)
        expired = replace(
            a_refusal(),
            cause=Cause.TLS_EXPIRED,
            certificate=replace(
                CERTIFICATE, not_after=ended, earliest_not_after=ended, verified=False
            ),
        )
        found = seen(store, expired)
        assert found.value("probe_success") == 0
        assert found.value("probe_ssl_earliest_cert_expiry") == ended.timestamp()
        assert found.named("probe_ssl_last_chain_info") != []
        assert found.named("probe_ssl_last_chain_expiry_timestamp_seconds") == []

    def test_not_at_all_when_the_fault_was_our_own(self, store: Store) -> None:
        ours = an_observation(cause=Cause.OWN_NETWORK, message="no network", http_status=None)
        found = seen(store, ANSWER, ours)
        assert [sample for sample in found.samples if sample.name.startswith("probe_")] == []
        assert found.value("fettle_checks_total", result="unknown") == 1

    def test_not_at_all_before_the_first(self, store: Store) -> None:
        watch(store, [SITE], at=START)
        found = page(store)
        assert [sample for sample in found.samples if sample.name.startswith("probe_")] == []
        assert found.value("fettle_check_status_code") == 5
        assert found.named("fettle_check_last_run_timestamp_seconds") == []

    def test_until_it_is_older_than_three_intervals(self, store: Store) -> None:
        watch(store, [SITE], at=START)
        observe(store, SITE, ANSWER, ended_at=START)
        settle(store, SITE, Verdict.UP, since=START)
        still, gone = page(store, at=START + 3 * MINUTE), page(store, at=START + 3.01 * MINUTE)
        assert still.value("probe_success") == 1
        assert still.value("fettle_check_status_code") == 1
        assert [sample for sample in gone.samples if sample.name.startswith("probe_")] == []
        assert gone.named("fettle_check_consecutive_failures") == []
        assert gone.value("fettle_check_status_code") == 5
        # What tells that it is too old must not vanish with it.
        assert gone.value("fettle_check_last_run_timestamp_seconds") == START.timestamp()
        assert gone.value("fettle_check_interval_seconds") == 60


class TestASiteIsTold:
    @pytest.mark.parametrize(
        ("verdict", "code"), [(Verdict.DOWN, 0), (Verdict.UP, 1), (Verdict.SLOW, 2)]
    )
    def test_as_it_was_confirmed(self, store: Store, verdict: Verdict, code: int) -> None:
        watch(store, [SITE], at=START)
        observe(store, SITE, ANSWER, ended_at=START)
        settle(store, SITE, verdict, since=START)
        assert page(store).value("fettle_check_status_code") == code

    def test_with_its_last_probes_and_its_settings(self, store: Store) -> None:
        watch(store, [SITE], at=START)
        observe(store, SITE, ANSWER, ended_at=START)
        observe(store, SITE, a_refusal(), a_refusal(), ended_at=START + MINUTE)
        found = page(store, at=START + MINUTE)
        assert found.value("fettle_check_consecutive_failures") == 2
        assert (
            found.value("fettle_check_last_run_timestamp_seconds") == (START + MINUTE).timestamp()
        )
        assert found.value("fettle_check_last_success_timestamp_seconds") == START.timestamp()
        assert found.value("fettle_check_slow_threshold_seconds") == 3
        assert found.value("fettle_check_info", name="Booking site", kind="http") == 1

    def test_with_a_counter_of_every_result(self, store: Store) -> None:
        watch(store, [SITE], at=START)
        ours = an_observation(cause=Cause.OWN_NETWORK, http_status=None)
        slow = an_observation(duration=4)
        observe(store, SITE, ANSWER, ANSWER, slow, a_refusal(), ours, ended_at=START, missed=3)
        assert page(store).values("fettle_checks_total", "result") == {
            "up": 2,
            "slow": 1,
            "down": 1,
            "unknown": 1,
            "error": 3,
        }

    def test_no_more_when_it_is_not_watched_any_longer(self, store: Store) -> None:
        other = a_site("menu", url="https://menu.harbour.test/")
        watch(store, [SITE, other], at=START)
        for site in (SITE, other):
            observe(store, site, ANSWER, ended_at=START)
        watch(store, [other], at=START)
        sites = {s.labels["site"] for s in page(store).samples if "site" in s.labels}
        assert sites == {"menu"}

    def test_under_an_instance_of_its_own_when_two_share_an_address(self, store: Store) -> None:
        sites = [SITE, a_site("booking-words", client="inns")]
        watch(store, sites, at=START)
        for site in sites:
            observe(store, site, ANSWER, ended_at=START)
        found = page(store)
        assert {s.labels["site"]: s.labels["instance"] for s in found.named("probe_success")} == {
            "booking": "https://booking.harbour.test/",
            "booking-words": "https://booking.harbour.test/#booking-words",
        }
        assert found.values("fettle_checks_configured", "client") == {"harbour": 1, "inns": 1}

    def test_with_its_location_only_where_there_are_several(self, store: Store) -> None:
        for location in ("leeds", "york"):
            watch(store, [SITE], at=START, location=location)
        observe(store, SITE, ANSWER, ended_at=START, location="leeds")
        assert "location" not in page(store).named("probe_success")[0].labels
        observe(store, SITE, a_refusal(), ended_at=START, location="york")
        found = page(store)
        assert found.values("probe_success", "location") == {"leeds": 1, "york": 0}
        assert len(found.named("probe_http_duration_seconds")) == 10
        assert found.values("fettle_checks_total", "result")["up"] == 1
        assert len(found.named("fettle_check_status_code")) == 1


HOSTILE = [
    'Bob\'s "best" site',
    "back\\slash \\n \\",
    "two\nlines",
    "} 1\nprobe_success 0",
    "# HELP probe_success lies",
    "\u202eright to left \N{SNOWMAN} é",
    "<script>alert(1)</script>{{ 7 * 7 }}",
    "",
    " ",
]


class TestHostileText:
    @pytest.mark.parametrize("name", HOSTILE)
    @pytest.mark.parametrize("accept", ["", ASKS_FOR_OPENMETRICS])
    def test_comes_back_as_it_was(self, store: Store, name: str, accept: str) -> None:
        watch(store, [a_site(name=name)], at=START)
        subject = replace(CERTIFICATE, subject=name)
        observe(store, SITE, replace(ANSWER, certificate=subject), ended_at=START)
        found = Page(read(store, accept=accept))
        (told,) = found.named("fettle_check_info")
        assert told.labels["name"] == name
        (chain,) = found.named("probe_ssl_last_chain_info")
        assert chain.labels["subject"] == name
        assert found.value("probe_success") == 1

    def test_never_costs_the_page(self, tmp_path: Path, migrated_sqlite: Path) -> None:
        # PostgreSQL takes neither of these characters; SQLite keeps them escaped within JSON.
        shutil.copy(migrated_sqlite, tmp_path / "fettle.db")
        store = Store(f"sqlite:///{tmp_path}/fettle.db")
        bad = replace(CERTIFICATE, subject="CN=\ud800\0\x1b[31m.test", issuer="\udfff")
        found = seen(store, replace(ANSWER, certificate=bad))
        (chain,) = found.named("probe_ssl_last_chain_info")
        assert chain.labels["subject"] == "CN=\ufffd\ufffd\ufffd[31m.test"
        assert chain.labels["issuer"] == "\ufffd"
        store.close()

    def test_is_bounded(self, store: Store) -> None:
        names = tuple(f"name-{number}.harbour.test" for number in range(5000))
        found = seen(store, replace(ANSWER, certificate=replace(CERTIFICATE, names=names)))
        (chain,) = found.named("probe_ssl_last_chain_info")
        assert len(chain.labels["subjectalternative"]) == 1024


class TestIncidents:
    def test_are_told_by_kind(self, store: Store) -> None:
        watch(store, [SITE], at=START)
        settle(store, SITE, Verdict.SLOW, since=START)
        settle(store, SITE, Verdict.DOWN, since=START + MINUTE)
        found = page(store)
        assert found.values("fettle_incident_open", "kind") == {
            "down": 1,
            "slow": 0,
            "tls": 0,
            "domain": 0,
        }
        assert found.values("fettle_incidents_total", "kind") == {
            "down": 1,
            "slow": 1,
            "tls": 0,
            "domain": 0,
        }

    def test_are_told_with_how_long_they_took(self, store: Store) -> None:
        watch(store, [SITE], at=START)
        settle(store, SITE, Verdict.DOWN, since=START)
        settle(store, SITE, Verdict.UP, since=START + 10 * MINUTE)
        found = page(store)
        buckets = {
            sample.labels["le"]: sample.value
            for sample in found.named("fettle_incident_duration_seconds_bucket", kind="down")
        }
        assert buckets == {
            **dict.fromkeys(["60", "300"], 0),
            **dict.fromkeys(["900", "1800", "3600", "7200", "14400", "43200", "86400"], 1),
            "+Inf": 1,
        }
        assert found.value("fettle_incident_duration_seconds_sum", kind="down") == 600
        assert found.value("fettle_incident_duration_seconds_count", kind="slow") == 0

    def test_are_as_many_as_the_store_holds(self, store: Store) -> None:
        sites = [a_site(f"site-{n}", url=f"https://{n}.test/") for n in range(4)]
        watch(store, sites, at=START)
        for number, site in enumerate(sites):
            for turn in range(number):
                since = START + turn * timedelta(hours=1)
                settle(store, site, Verdict.DOWN, since=since)
                settle(store, site, Verdict.UP, since=since + MINUTE)
        told = sum(sample.value for sample in page(store).named("fettle_incidents_total"))
        assert told == store.read(lambda tx: len(tx.exec(select(IncidentRow)).all())) == 6


class TestTheScheduler:
    def test_is_told_from_what_its_prober_stored(self, store: Store) -> None:
        watch(store, [SITE], at=START)
        late = [0, 3, 0, 2, *[0] * 7, 1]
        prober = ProberRow(
            location="main",
            holder="test",
            expires_at=START + MINUTE,
            ticked_at=START - timedelta(seconds=1),
            figures={
                "runs": {"ok": 6, "error": 1, "missed": 2, "skipped": 3},
                "in_flight": 4,
                "due": 5,
                "lateness": {"buckets": late, "sum": 99.5, "count": 6},
            },
        )
        store.write(lambda tx: tx.add(prober))
        found = page(store)
        runs = Counter[tuple[str, str]]()
        for sample in found.named("fettle_scheduler_runs_total"):
            runs[sample.labels["job"], sample.labels["outcome"]] += int(sample.value)
        assert {outcome: runs["probe", outcome] for outcome in OUTCOMES} == {
            "ok": 6,
            "error": 1,
            "missed": 2,
            "skipped": 3,
        }
        assert sum(runs.values()) == 12
        assert found.value("fettle_probes_in_flight") == 4
        assert found.value("fettle_scheduler_due_checks") == 5
        tick = found.value("fettle_scheduler_last_tick_timestamp_seconds")
        assert tick == (START - timedelta(seconds=1)).timestamp()
        buckets = found.values("fettle_scheduler_lateness_seconds_bucket", "le")
        assert [buckets["0.01"], buckets["0.05"], buckets["0.25"], buckets["60"]] == [0, 3, 5, 5]
        assert buckets["+Inf"] == found.value("fettle_scheduler_lateness_seconds_count") == 6
        assert found.value("fettle_scheduler_lateness_seconds_sum") == 99.5

    def test_has_the_buckets_that_the_ticker_fills(self) -> None:
        assert LATENESS.buckets == LATENESS_EDGES


class TestAnswers:
    def test_are_told_for_each_client_with_how_long_they_took(self, store: Store) -> None:
        watch(store, [SITE, a_site("inn", client="inns", url="https://inn.test/")], at=START)
        for location, first in (("leeds", 3), ("york", 4)):
            prober = ProberRow(
                location=location,
                holder="test",
                expires_at=START + MINUTE,
                figures={"answers": {"harbour": {"buckets": [first, *[0] * 10, 1], "sum": 42.5}}},
            )
            store.write(lambda tx, prober=prober: tx.add(prober))
        found = page(store)
        name = "fettle_check_duration_seconds"
        assert found.value(f"{name}_bucket", client="harbour", le="0.05") == 7
        assert found.value(f"{name}_bucket", client="harbour", le="30") == 7
        assert found.value(f"{name}_count", client="harbour") == 9
        assert found.value(f"{name}_sum", client="harbour") == 85
        assert found.value(f"{name}_count", client="inns") == 0

    def test_go_on_where_they_were_after_a_restart(self) -> None:
        before, after = Figures(), Figures()
        for seconds in (0.01, 0.05, 0.3, 31):
            before.note_answer("harbour", seconds)
        stored = json.loads(json.dumps(before.document()))
        after.resume(stored, ["harbour", "new"])
        after.note_answer("harbour", 0.3)
        answers = after.document()["answers"]
        assert answers["harbour"] == {"buckets": [2, 0, 0, 2, *[0] * 7, 1], "sum": 31.66}
        assert answers["new"] == {"buckets": [0] * 12, "sum": 0}

    def test_runs_and_lateness_go_on_as_well(self) -> None:
        before, after = Figures(ok=5, error=1, missed=2, skipped=3), Figures()
        before.lateness[2], before.lateness_sum = 6, 0.9
        after.resume(json.loads(json.dumps(before.document())), [])
        assert after == before

    def test_begin_anew_where_what_was_stored_has_other_edges(self) -> None:
        figures = Figures()
        figures.resume({"answers": {"harbour": {"buckets": [1, 2], "sum": 3}}}, ["harbour"])
        assert figures.document()["answers"]["harbour"]["buckets"] == [0] * 12


class TestTheService:
    def test_tells_how_often_the_store_was_away(self, store: Store, tmp_path: Path) -> None:
        away = Store(f"sqlite:///{tmp_path}/empty.db")
        for work in (away.read, away.write, away.read):
            with pytest.raises(Unavailable):
                work(lambda tx: tx.exec(select(SiteRow)).all())
        assert away.errors == {"read": 2, "write": 1}
        away.close()
        prober = ProberRow(
            location="main",
            holder="test",
            expires_at=START + MINUTE,
            figures={"store_errors": {"write": 4}},
        )
        store.write(lambda tx: tx.add(prober))
        assert page(store).values("fettle_store_errors_total", "operation") == {
            "read": 0,
            "write": 0,
            "prober_read": 0,
            "prober_write": 4,
        }

    def test_tells_what_it_is_and_how_its_configuration_came_to_be(self, store: Store) -> None:
        found = page(store)
        (build,) = found.named("fettle_build_info")
        assert build.labels == {
            "version": "1.2.3",
            "revision": "abc123",
            "python_version": "3.11.9",
        }
        assert found.value("fettle_config_last_reload_successful") == 1
        at = found.value("fettle_config_last_reload_success_timestamp_seconds")
        assert at == START.timestamp()

    def test_tells_of_a_reload_that_failed_and_of_its_own_jobs(self, store: Store) -> None:
        service = replace(SERVICE, is_reload_good=False, runs={"sweep": {"ok": 7}})
        found = page(store, service=service)
        assert found.value("fettle_config_last_reload_successful") == 0
        assert found.value("fettle_scheduler_runs_total", job="sweep", outcome="ok") == 7
        assert found.value("fettle_scheduler_runs_total", job="sweep", outcome="error") == 0


PRIORITIES = [*Priority]


class TestTickets:
    def test_have_every_closed_combination_from_the_start(self, store: Store) -> None:
        found = page(store)
        expected = {
            "fettle_tickets_open": [
                ("priority", PRIORITIES),
                ("state", ["new", "acknowledged", "waiting", "recovered"]),
            ],
            "fettle_tickets_opened_total": [
                ("priority", PRIORITIES),
                (
                    "source",
                    ["monitor", "alertmanager", "grafana", "form", "email", "api", "staff"],
                ),
            ],
            "fettle_tickets_resolved_total": [("priority", PRIORITIES), ("how", ["staff", "auto"])],
            "fettle_tickets_reopened_total": [("priority", PRIORITIES)],
            "fettle_tickets_response_overdue": [("priority", PRIORITIES)],
            "fettle_ticket_sla_breaches_total": [
                ("priority", PRIORITIES),
                ("target", ["response", "resolution"]),
            ],
            "fettle_emails_sent_total": [("kind", MAIL)],
            "fettle_email_failures_total": [("kind", MAIL), ("reason", [*FailureReason])],
            "fettle_outbox_messages": [("state", ["pending", "retrying", "dead"])],
            "fettle_scheduler_runs_total": [
                ("job", ["probe", "deadline", "mail", "sweep", "reload"]),
                ("outcome", OUTCOMES),
            ],
        }
        for name, labels in expected.items():
            combinations = Counter(product(*(values for _, values in labels)))
            told = Counter(
                tuple(sample.labels[label] for label, _ in labels) for sample in found.named(name)
            )
            assert told == combinations, name
            assert {sample.value for sample in found.named(name)} == {0}, name

    def test_are_in_one_state_each(self, store: Store) -> None:
        watch(store, [SITE], at=START)
        settle(store, SITE, Verdict.DOWN, since=START - MINUTE)
        settle(store, SITE, Verdict.UP, since=START)
        refs = [opened(store, POLICY, at=START) for _ in range(3)]
        opened(store, POLICY, at=START, priority=Priority.LOW)
        taken(store, refs[0])
        taken(store, refs[1])
        done(store, refs[1])
        found = page(store)
        critical = {
            sample.labels["state"]: sample.value
            for sample in found.named("fettle_tickets_open", priority="critical")
        }
        assert critical == {"new": 1, "acknowledged": 1, "waiting": 0, "recovered": 1}
        assert found.value("fettle_tickets_open", priority="low", state="new") == 1
        assert sum(sample.value for sample in found.named("fettle_tickets_open")) == count(
            store, col(TicketRow.status).in_([*OPEN_STATUSES])
        )

    def test_are_counted_as_they_open_and_are_resolved_and_reopened(self, store: Store) -> None:
        refs = [opened(store, POLICY, at=START) for _ in range(3)]
        opened(store, POLICY, at=START, priority=Priority.NORMAL)
        done(store, refs[0])
        done(store, refs[1])
        store.write(
            lambda tx: reopen(
                tx, POLICY, refs[0], reason="Down again", actor=SAM, at=START + 3 * MINUTE
            )
        )
        done(store, refs[0], at=START + 4 * MINUTE)
        store.write(
            lambda tx: close(tx, refs[1], outcome=Outcome.FIXED, actor=SAM, at=START + 5 * MINUTE)
        )
        found = page(store)
        opened_by_monitor = {
            sample.labels["priority"]: sample.value
            for sample in found.named("fettle_tickets_opened_total", source="monitor")
        }
        assert opened_by_monitor == {"critical": 3, "normal": 1, "low": 0}
        resolved = found.value("fettle_tickets_resolved_total", priority="critical", how="staff")
        assert resolved == 3
        assert found.value("fettle_tickets_reopened_total", priority="critical") == 1
        assert sum(s.value for s in found.named("fettle_tickets_opened_total")) == count(store)

    def test_show_a_broken_promise_before_and_after_the_sweep(self, store: Store) -> None:
        opened(store, POLICY, at=START)
        late = START + timedelta(hours=1, seconds=1)
        on_time = page(store, at=START + timedelta(hours=1))
        assert on_time.value("fettle_tickets_response_overdue", priority="critical") == 0
        deadline = on_time.value(
            "fettle_ticket_next_response_deadline_timestamp_seconds", priority="critical"
        )
        assert deadline == (START + timedelta(hours=1)).timestamp()
        broken = page(store, at=late)
        assert broken.value("fettle_tickets_response_overdue", priority="critical") == 1
        assert broken.value(BREACHES, priority="critical", target="response") == 0
        for _ in range(2):
            asyncio.run(sweep(store, POLICY, now=late))
        assert page(store).value(BREACHES, priority="critical", target="response") == 1
        taken(store, "T-1001", at=late)
        answered = page(store, at=late)
        assert answered.value("fettle_tickets_response_overdue", priority="critical") == 0
        assert answered.value(BREACHES, priority="critical", target="response") == 1
        assert answered.named("fettle_ticket_next_response_deadline_timestamp_seconds") == []

    def test_show_what_is_promised(self, store: Store) -> None:
        assert page(store).values("fettle_ticket_response_target_seconds", "priority") == {
            "critical": 3600,
            "normal": 48 * 3600,
            "low": 72 * 3600,
        }

    @pytest.mark.parametrize(
        ("at", "is_open"),
        [
            (START, 1),
            (START.replace(hour=17), 0),
            (START.replace(hour=8, minute=59), 0),
            (START.replace(day=7), 0),
            (datetime(2026, 12, 28, 10, 0, tzinfo=UTC), 0),
        ],
    )
    def test_show_whether_support_time_is_running(
        self, store: Store, at: datetime, is_open: int
    ) -> None:
        assert page(store, at=at).value("fettle_support_window_open", calendar="default") == is_open

    def test_show_it_for_each_client_with_hours_of_its_own(self, store: Store) -> None:
        always = SupportHours(
            POLICY.zone, dict.fromkeys(WEEKDAYS, (parse_interval("00:00-24:00"),))
        )
        promises = ClientPromises(hours=always, targets=POLICY.targets)
        policy = replace(POLICY, promises={"harbour": promises, "default": promises})
        at = START.replace(hour=22)
        body, _ = store.read(lambda tx: render(tx, policy=policy, service=SERVICE, now=at))
        name, found = "fettle_support_window_open", Page(body.decode())
        assert found.value(name, calendar="default") == 0
        assert found.value(name, calendar="harbour") == 1
        assert found.value(name, calendar="default (client)") == 1

    def test_do_not_show_it_where_the_calendar_ends(self, store: Store) -> None:
        at = START.replace(year=2040)
        assert page(store, at=at).named("fettle_support_window_open") == []

    def test_have_a_word_for_every_source_status_and_notice(self) -> None:
        assert set(SOURCES) == set(Source)
        assert set(STATES) == OPEN_STATUSES
        assert set(MAIL_KINDS) == set(Notice)


MAIL = [
    "opened",
    "recovered",
    "acknowledged",
    "reply",
    "resolved",
    "reminder",
    "report",
    "test",
]


class TestMail:
    def test_is_counted_by_what_became_of_it(self, store: Store) -> None:
        opened(store, POLICY, at=START)  # tells two contacts and duty
        first, second, third = ids(store)
        settled(store, first, DeliveryOutcome.SENT)
        settled(store, second, DeliveryOutcome.DEFERRED, FailureReason.CONNECT)
        settled(store, second, DeliveryOutcome.DEFERRED, FailureReason.TIMEOUT)
        settled(store, third, DeliveryOutcome.REFUSED, FailureReason.PERMANENT)
        opened(store, POLICY, at=START + MINUTE)
        found = page(store)
        assert found.value("fettle_emails_sent_total", kind="opened") == 1
        took = "fettle_email_delivery_seconds"
        assert found.value(f"{took}_bucket", kind="opened", le="30") == 0
        assert found.value(f"{took}_bucket", kind="opened", le="60") == 1
        assert found.value(f"{took}_sum", kind="opened") == 60
        failures = {
            sample.labels["reason"]: sample.value
            for sample in found.named("fettle_email_failures_total", kind="opened")
            if sample.value
        }
        assert failures == {"connect": 1, "timeout": 1, "permanent": 1}
        assert found.values("fettle_outbox_messages", "state") == {
            "pending": 3,
            "retrying": 1,
            "dead": 1,
        }
        assert found.value("fettle_outbox_oldest_pending_timestamp_seconds") == START.timestamp()

    def test_has_no_oldest_message_when_none_waits(self, store: Store) -> None:
        opened(store, POLICY, at=START)
        for message in ids(store):
            settled(store, message, DeliveryOutcome.SENT)
        assert page(store).named("fettle_outbox_oldest_pending_timestamp_seconds") == []

    def test_is_counted_by_kind(self, store: Store) -> None:
        opened(store, POLICY, at=START)
        taken(store, "T-1001")
        done(store, "T-1001")
        for message in ids(store):
            settled(store, message, DeliveryOutcome.SENT)
        sent = page(store).values("fettle_emails_sent_total", "kind")
        assert {kind: number for kind, number in sent.items() if number} == {
            "opened": 3,
            "acknowledged": 2,
            "resolved": 2,
        }


def taken(store: Store, ref: str, *, at: datetime = START + MINUTE) -> None:
    store.write(lambda tx: acknowledge(tx, POLICY, ref, actor=SAM, at=at))


def done(store: Store, ref: str, *, at: datetime = START + 2 * MINUTE) -> None:
    store.write(
        lambda tx: resolve(tx, POLICY, ref, cause="A full disk", done="Made room", actor=SAM, at=at)
    )


def count(store: Store, *conditions: sa.ColumnElement[bool]) -> int:
    return store.read(lambda tx: len(tx.exec(select(TicketRow).where(*conditions)).all()))


def ids(store: Store) -> Sequence[int]:
    query = select(MessageRow.id).order_by(col(MessageRow.id))
    return [number for number in store.read(lambda tx: tx.exec(query).all()) if number]


def settled(
    store: Store,
    message: int,
    outcome: DeliveryOutcome,
    reason: FailureReason | None = None,
) -> None:
    store.write(
        lambda tx: outbox.settle(
            tx, message, outcome=outcome, answer="250 fine", now=START + MINUTE, reason=reason
        )
    )


def furnish(store: Store) -> None:
    """Fill the store with something for every family."""
    names = [SITE, a_site("odd", name=HOSTILE[0], url="https://odd.test/")]
    watch(store, names, at=START)
    observe(store, SITE, ANSWER, ended_at=START)
    observe(store, names[1], a_refusal(), ended_at=START)
    settle(store, SITE, Verdict.DOWN, since=START - 5 * MINUTE)
    settle(store, SITE, Verdict.UP, since=START - MINUTE)
    settle(store, names[1], Verdict.SLOW, since=START - MINUTE)
    prober = ProberRow(
        location="main", holder="test", expires_at=START + MINUTE, ticked_at=START, figures={}
    )
    store.write(lambda tx: tx.add(prober))
    source = AlertSourceRow(
        name="prometheus", added_at=START, firing_count=7, watchdog_at=START, removed_at=None
    )
    store.write(lambda tx: tx.add(source))


class TestThePage:
    @pytest.mark.parametrize(
        ("accept", "content_type"),
        [
            ("", TEXT),
            ("*/*", TEXT),
            ("text/html,application/xhtml+xml,*/*;q=0.8", TEXT),
            ("text/plain;version=0.0.4", TEXT),
            (
                "text/plain; version=1.0.0; escaping=allow-utf-8",
                "text/plain; version=1.0.0; charset=utf-8; escaping=underscores",
            ),
            ("application/openmetrics-text", OPENMETRICS),
            (ASKS_FOR_OPENMETRICS, OPENMETRICS),
            (PROMETHEUS_ASKS, OPENMETRICS),
            ("application/openmetrics-text; version=1.0.0; escaping=dots", OPENMETRICS),
            ("application/openmetrics-text; version=99.5.0", OPENMETRICS),
            ("application/openmetrics-text; version=newest", TEXT),
            ("application/openmetrics-text; version=", OPENMETRICS),
            ("text/plain; version=<b>", TEXT),
            (";;==,,\N{SNOWMAN}", TEXT),
        ],
    )
    def test_comes_as_it_was_asked_for(self, store: Store, accept: str, content_type: str) -> None:
        watch(store, [SITE], at=START)
        body, told = store.read(
            lambda tx: render(tx, policy=POLICY, service=SERVICE, now=START, accept=accept)
        )
        assert told == content_type
        is_openmetrics = content_type.startswith("application/openmetrics-text")
        assert body.endswith(b"# EOF\n") is is_openmetrics
        assert Page(body.decode()).value("fettle_check_interval_seconds") == 60

    @pytest.mark.parametrize("accept", ["", ASKS_FOR_OPENMETRICS])
    def test_shows_each_series_once_and_none_of_when_it_began(
        self, store: Store, accept: str
    ) -> None:
        furnish(store)
        found = Page(read(store, accept=accept))
        series = Counter((s.name, frozenset(s.labels.items())) for s in found.samples)
        assert [key for key, times in series.items() if times > 1] == []
        assert [s.name for s in found.samples if s.name.endswith("_created")] == []
        assert len({family.name for family in found.families}) == len(found.families)

    def test_says_the_same_in_both_formats(self, store: Store) -> None:
        furnish(store)
        one, other = Page(read(store)), Page(read(store, accept=ASKS_FOR_OPENMETRICS))
        assert len(one.samples) > 100
        assert one.lasting() == other.lasting()

    def test_is_what_promtool_finds_good(self, store: Store) -> None:
        promtool = real("promtool")
        furnish(store)
        # It reads the text format only; OpenMetrics is held by the strict parser elsewhere here.
        checked = subprocess.run(
            [promtool, "check", "metrics"],
            input=read(store).encode(),
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")

    def test_shows_families_only_that_are_listed_with_the_labels_listed(self, store: Store) -> None:
        furnish(store)
        opened(store, POLICY, at=START)
        found = page(store)
        listed = {family.name: family for family in every_family()}
        shown: set[str] = set()
        for family in found.families:
            name = f"{family.name}_total" if family.type == "counter" else family.name
            assert family.type == listed[name].kind, name
            for sample in family.samples:
                assert set(sample.labels) - {"le"} == set(listed[name].labels), name
                shown.add(name)
        of_requests = {family.name for family in HTTP_FAMILIES}  # here are none
        assert set(listed) - shown == of_requests

    async def test_is_kept_for_a_moment(
        self, migrated_sqlite: Path, tmp_path: Path, clock: FakeClock
    ) -> None:
        shutil.copy(migrated_sqlite, tmp_path / "fettle.db")
        store = Store(f"sqlite:///{tmp_path}/fettle.db")
        kept = MetricsPage(store, clock, policy=lambda: POLICY, service=lambda: SERVICE)
        before, content_type = await kept.get()
        assert content_type == TEXT
        await store.awrite(lambda tx: tx.add(a_row()))
        clock.advance(13)
        assert (await kept.get())[0] == before
        other, content_type = await kept.get(ASKS_FOR_OPENMETRICS)
        assert (content_type, b"https://new.test/" in b"".join(other)) == (OPENMETRICS, False)
        clock.advance(1)
        assert b"https://new.test/" in b"".join((await kept.get())[0])
        store.close()

    async def test_is_made_once_for_all_who_ask_at_once(
        self, migrated_sqlite: Path, tmp_path: Path, clock: FakeClock
    ) -> None:
        shutil.copy(migrated_sqlite, tmp_path / "fettle.db")
        store = Store(f"sqlite:///{tmp_path}/fettle.db")
        made: list[datetime] = []

        def service() -> ServiceFigures:
            made.append(clock.now())
            return SERVICE

        kept = MetricsPage(store, clock, policy=lambda: POLICY, service=service)
        pages = await asyncio.gather(*(kept.get(accept) for accept in ("", OPENMETRICS) * 4))
        assert len(made) == 1
        assert len({b"".join(pieces) for pieces, _ in pages}) == 2
        store.close()

    async def test_is_not_kept_in_place_of_a_store_that_is_away(
        self, tmp_path: Path, clock: FakeClock
    ) -> None:
        store = Store(f"sqlite:///{tmp_path}/empty.db")
        kept = MetricsPage(store, clock, policy=lambda: POLICY, service=lambda: SERVICE)
        with pytest.raises(Unavailable):
            await kept.get()
        store.close()


def a_row() -> SiteRow:
    return SiteRow(
        slug="new",
        client="harbour",
        client_name="Harbour Inns",
        name="New",
        url="https://new.test/",
        interval_seconds=60,
        timeout_seconds=10,
        slow_after_seconds=3,
        added_at=START,
    )


NOT_YET = {
    "probe_icmp_duration_seconds",  # nothing is pinged
    "fettle_domain_expiry_timestamp_seconds",  # no domain's registration is followed
}
"""What the contract's table names and this version does not have."""

ADDED = {
    "fettle_location_blind",
    "fettle_mail_limits_in_force",
    "fettle_mail_server_failing",
    "fettle_mail_undeliverable_addresses",
    "fettle_outbox_held_messages",
    "fettle_tickets_oldest_unanswered_timestamp_seconds",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
}
"""What this version tells beside the contract's table."""

WITHOUT_SITE = {"fettle_check_duration_seconds": ["client"]}
"""No histogram per site (contract, section 5): its labels in the table are fewer here."""


def every_family() -> Iterator[Family]:
    return (family for families in FAMILIES.values() for family in families)


class TestTheContract:
    def test_is_kept_name_by_name(self) -> None:
        contract = {row["name"]: row for row in json.loads(CONTRACT.read_text(encoding="utf-8"))}
        ours = {family.name: family for family in every_family()}
        assert set(contract) - set(ours) == NOT_YET
        assert set(ours) - set(contract) == ADDED
        for name, family in ours.items():
            if name in ADDED:
                continue
            row = contract[name]
            assert family.kind == row["type"], name
            assert list(family.labels) == WITHOUT_SITE.get(name, row["labels"]), name
            assert family.unit == row["unit"], name
            assert list(family.buckets) == row.get("buckets", []), name
            assert not row.get("present_when") or family.present_when, name

    def test_is_what_the_documentation_lists(self) -> None:
        _, _, told = DOCS.read_text(encoding="utf-8").partition("\n## ")
        assert f"## {told}" == tables(), "run: python -m tests.integration.test_metrics"


def tables() -> str:
    """Return the documentation's tables of families, one for each group."""
    return "\n".join(_table(group, families) for group, families in FAMILIES.items())


def _table(group: str, families: Sequence[Family]) -> str:
    head = "| name | type | labels | unit | meaning |\n|---|---|---|---|---|\n"
    return f"## {group}\n\n{head}" + "".join(_line(family) for family in families)


def _line(family: Family) -> str:
    labels = ", ".join(family.labels)
    meaning = family.meaning
    if family.present_when:
        meaning += f" Present when {family.present_when}."
    if family.buckets:
        meaning += f" Buckets: {', '.join(f'{edge:g}' for edge in family.buckets)}."
    return f"| `{family.name}` | {family.kind} | {labels} | {family.unit} | {meaning} |\n"


if __name__ == "__main__":
    introduction, _, _ = DOCS.read_text(encoding="utf-8").partition("\n## ")
    DOCS.write_text(f"{introduction}\n{tables()}", encoding="utf-8")
