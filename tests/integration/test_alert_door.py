"""Requests that bring alerts: who may, what is too large, what is tried again; and hostile text."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import hmac
import json
import sqlite3
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitor.alert_metrics import read_alert_metrics
from monitor.alerts.door import LARGEST_BODY
from monitor.alerts.source import AlertSource
from monitor.alerts.taking import OUTCOMES
from monitor.metrics import ServiceFigures
from monitor.web import Web, create_app
from tests.alerts import GRAFANA, POLICY, PROMETHEUS, TOKEN, AlertBench, a_body, an_alert
from tests.api import ApiBench
from tests.clocks import FakeClock
from tests.desk import DeskBench, Page
from tickets.letters import Letters
from tickets.store import Store

on_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
"""For what the store has no part in, which is nearly all here."""

SECRET = "the secret of the tests"
SIGNED = AlertSource(name="signed", kind=GRAFANA.kind, hmac_secret=SECRET)
STAMPED = replace(SIGNED, name="stamped", hmac_timestamp_header="x-signed-at")
BODY = a_body(an_alert())


@pytest.fixture
def bench(store: Store, clock: FakeClock) -> AlertBench:
    return AlertBench(store, clock, sources=(PROMETHEUS, GRAFANA, SIGNED, STAMPED))


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@on_sqlite
@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN}", 200),
        (f"Token {TOKEN}", 200),
        (basic("anybody", TOKEN), 200),
        (basic(TOKEN, ""), 401),
        ("Basic !", 401),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        (TOKEN, 401),
        ("Bearer", 401),
        ("", 401),
        (None, 401),
    ],
)
async def test_the_token_is_asked_for(
    bench: AlertBench, authorization: str | None, status: int
) -> None:
    answer = await bench.post(BODY, authorization=authorization)
    assert answer.status_code == status
    assert len(bench.tickets()) == (status == 200)
    assert bench.source().unauthorised_count == (status == 401)


def signature(body: bytes, *, at: datetime | None = None) -> str:
    stamp = b"" if at is None else f"{int(at.timestamp())}:".encode()
    return hmac.new(SECRET.encode(), stamp + body, hashlib.sha256).hexdigest()


@on_sqlite
async def test_a_signature_of_grafana_is_asked_for(bench: AlertBench) -> None:
    async def send(signed: str, name: str = "signed", **headers: str) -> int:
        all_headers = {"X-Grafana-Alerting-Signature": signed, **headers}
        answer = await bench.post(BODY, source=name, authorization=None, headers=all_headers)
        return answer.status_code

    now = bench.clock.now()
    stamp = {"X-Signed-At": str(int(now.timestamp()))}
    assert await send(signature(BODY)) == 200
    assert await send(signature(BODY + b" ")) == 401
    assert await send("") == 401
    assert await send(signature(BODY, at=now), "stamped", **stamp) == 200
    assert await send(signature(BODY, at=now), "stamped") == 401
    assert await send(signature(BODY), "stamped", **stamp) == 401
    old = now - timedelta(minutes=6)
    stamp = {"X-Signed-At": str(int(old.timestamp()))}
    assert await send(signature(BODY, at=old), "stamped", **stamp) == 401


@on_sqlite
async def test_put_is_taken_like_post(bench: AlertBench) -> None:
    assert (await bench.post(BODY, source="grafana", method="PUT")).status_code == 200


@on_sqlite
async def test_an_unknown_source_is_not_found(bench: AlertBench) -> None:
    answer = await bench.post(BODY, source="nagios")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "There is no source of alerts 'nagios'."


@on_sqlite
async def test_what_is_no_body_of_alerts_is_refused_with_a_sentence(bench: AlertBench) -> None:
    answer = await bench.post(b'{"ruleId": 7}')
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert "of Grafana's legacy alerting" in answer.json()["detail"]
    assert bench.source().malformed_count == 1


@on_sqlite
async def test_a_compressed_body_is_refused_for_what_it_is(bench: AlertBench) -> None:
    answer = await bench.post(gzip.compress(BODY), headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, bench.source().malformed_count) == (415, 1)
    assert "encoded as 'gzip'" in answer.json()["detail"]


@on_sqlite
async def test_a_body_that_is_too_large_is_not_read_to_its_end(bench: AlertBench) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 64:
            sent += 1
            yield b" " * 65536

    transport = httpx.ASGITransport(bench.app)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test") as http:
        address = "/api/v1/alerts/prometheus"
        streamed = await http.post(address, content=endless(), headers=headers)
        declared = await http.post(
            address, content=b"", headers={**headers, "Content-Length": str(LARGEST_BODY + 1)}
        )
    assert (streamed.status_code, declared.status_code) == (413, 413)
    assert sent < 20
    assert bench.source().too_large_count == 2


@on_sqlite
async def test_a_body_as_large_as_allowed_is_taken(bench: AlertBench) -> None:
    body = a_body(an_alert())
    assert (await bench.post(body + b" " * (LARGEST_BODY - len(body)))).status_code == 200


@on_sqlite
async def test_a_locked_store_is_answered_503_and_the_next_try_counts_it(
    tmp_path: Path, store: Store, clock: FakeClock
) -> None:
    hasty = Store(store.url, busy_timeout=timedelta(milliseconds=50))
    bench = AlertBench(hasty, clock)
    other = sqlite3.connect(store.url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    locked = await bench.post(BODY)
    refused = await bench.post(BODY, authorization=None)
    other.execute("ROLLBACK")
    other.close()
    assert (locked.status_code, locked.headers["retry-after"]) == (503, "5")
    assert refused.status_code == 401
    assert (await bench.post(BODY)).status_code == 200
    counted = bench.source()
    assert len(bench.tickets()) == 1
    assert (counted.store_error_count, counted.unauthorised_count, counted.ok_count) == (1, 1, 1)
    hasty.close()


@on_sqlite
async def test_the_service_has_the_intake_before_its_api_and_redirects_nobody(
    store: Store, clock: FakeClock
) -> None:
    figures = ServiceFigures(version="1", revision="", python_version="3", reloaded_at=clock.now())
    app = create_app(
        Web(store=store, policy=POLICY, clock=clock, service=figures, alert_sources=(PROMETHEUS,))
    )
    transport = httpx.ASGITransport(app)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test") as http:
        statuses = {
            path: (await http.post(path, content=BODY, headers=headers)).status_code
            for path in (
                "/api/v1/alerts/prometheus",
                "/api/v1/alerts/prometheus/",
                "/api/v1/alerts/none",
                "/api/v1/alerts",
                "/api/v1/alerts/prometheus/x",
            )
        }
        got = await http.get("/api/v1/alerts/prometheus", headers=headers)
    assert list(statuses.values()) == [200, 200, 404, 404, 404]
    assert 400 <= got.status_code < 500


HOSTILE = (
    "<img src=x onerror=alert(1)> {{ 7**9 }} {% raise %} {0.__class__} %s"
    ' "}\n# HELP x y\r\nBcc: a@b'
)


@on_sqlite
async def test_no_label_becomes_markup_a_header_a_template_or_a_metric(
    store: Store, clock: FakeClock
) -> None:
    bench = AlertBench(store, clock, sources=[replace(PROMETHEUS, tell_client=True)])
    labels = {"alertname": HOSTILE, "severity": HOSTILE, HOSTILE: HOSTILE, "site": "booking"}
    links: Mapping[str, str] = {
        "generatorURL": "javascript:alert(1)",
        "dashboardURL": 'https://grafana.test/"onclick="alert(1)',
    }
    alert = {
        "labels": labels,
        "annotations": {"summary": HOSTILE, HOSTILE: HOSTILE, "runbook_url": "javascript:alert(2)"},
        **links,
    }
    assert (await bench.post(json.dumps({"alerts": [alert]}).encode())).status_code == 200
    desk = DeskBench(store, clock)
    async with desk.browser(desk.session(desk.staff())) as browser:
        answer = await browser.get("/tickets/T-1001")
        listed = await browser.get("/")
        outbox = await browser.get("/outbox")
    for page in (answer, listed, outbox):
        assert page.status_code == 200
        names = {name for name, _ in Page(page).elements}
        attributes = {key for _, each in Page(page).elements for key in each}
        assert "img" not in names
        assert not {key for key in attributes if key.startswith("on")}
        assert "40353607" not in page.text or "{{ 7**9 }}" in page.text
    text = Page(answer).text
    assert "{{ 7**9 }} {% raise %} {0.__class__} %s" in text
    assert not [link for link in Page(answer).links.values() if "javascript" in link]
    metrics = store.read(lambda tx: [*read_alert_metrics(tx, clock.now())])
    labels_told = {value for each in metrics for s in each.samples for value in s.labels.values()}
    assert labels_told == {"prometheus", *OUTCOMES, "firing", "resolved"}
    for row in bench.messages():
        letter = Letters().write(row.notice, row.audience, row.facts)
        assert "\n" not in letter.subject
        assert "<img" not in str(letter.html)
        assert "40353607" not in letter.subject


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(
        ["", "firing", "resolved", "2026-03-03T09:00:00Z", "\0", "\ud800", "é" * 3000]
    )
    | st.text(max_size=8),
    lambda each: (
        st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=4), each, max_size=3)
    ),
    max_leaves=6,
)
FIELDS = ("status", "labels", "annotations", "startsAt", "endsAt", "fingerprint", "generatorURL")
LABELS = ("alertname", "severity", "site", "client", "instance", "datasource_uid", "rulename")
ODD_LABELS = st.dictionaries(st.sampled_from(LABELS) | st.text(max_size=4), ODD, max_size=5)
ODD_ALERT = ODD | st.fixed_dictionaries(
    {"labels": ODD_LABELS}, optional={name: ODD for name in FIELDS if name != "labels"}
)


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
@given(st.lists(ODD_ALERT, max_size=3), ODD, ODD)
@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_no_body_whatever_is_answered_with_a_fault_of_ours(
    bench: AlertBench, alerts: list[Any], status: Any, truncated: Any
) -> None:
    body = {"alerts": alerts, "status": status, "truncatedAlerts": truncated, "receiver": status}
    answer = asyncio.run(bench.post(json.dumps(body).encode()))
    assert answer.status_code in {200, 400}, answer.text


@on_sqlite
async def test_a_client_sees_no_internal_ticket_by_its_token(
    store: Store, clock: FakeClock
) -> None:
    bench = AlertBench(store, clock)
    await bench.send(an_alert("Internal"), an_alert("Theirs", client="harbour"))
    api = ApiBench(store, clock)
    async with api.program(api.token(client="harbour")) as program:
        assert (await program.get("/tickets")).json()["tickets"] == []
        for ref in ("T-1001", "T-1002"):
            assert (await program.get(f"/tickets/{ref}")).status_code == 404
            assert (await program.get(f"/tickets/{ref}/entries")).status_code == 404
            noted = await program.post(
                f"/tickets/{ref}/note", json={"version": 1, "text": "Seen by a stranger"}
            )
            assert noted.status_code == 404
    async with api.program(api.token("All")) as program:
        found = (await program.get("/tickets")).json()["tickets"]
    assert [ticket["client"] for ticket in found] == ["harbour", "_agency"]
