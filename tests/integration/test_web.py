"""Health, readiness and who asks: what every request to the service goes through."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from monitor import lease
from monitor.alerts.door import LARGEST_BODY
from monitor.rules.site import Network
from monitor.service_metrics import ServiceFigures
from monitor.web import Web, create_app, serve
from tests.alerts import PROMETHEUS, TOKEN
from tests.builders import a_policy
from tests.clocks import FakeClock
from tests.system.running import free_port
from tickets.store import Store

LOOPBACK = (ip_network("127.0.0.0/8"),)
CLAIM = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}


async def whoami(request: Request) -> PlainTextResponse:
    assert request.client is not None
    return PlainTextResponse(f"{request.url.scheme} {request.client.host}")


@pytest.mark.parametrize(
    ("trusted", "expected"), [((), "http 127.0.0.1"), (LOOPBACK, "https 203.0.113.9")]
)
async def test_who_asks_is_told_by_the_connection_unless_it_is_a_trusted_proxys(
    trusted: Sequence[Network], expected: str
) -> None:
    port, stop = free_port(), asyncio.Event()
    app = Starlette(routes=[Route("/", whoami)])
    serving = asyncio.create_task(
        serve(app, host="127.0.0.1", port=port, trusted_proxies=trusted, stop=stop)
    )
    transport = httpx.AsyncHTTPTransport(retries=5)
    async with httpx.AsyncClient(transport=transport) as client:
        answer = await client.get(f"http://127.0.0.1:{port}/", headers=CLAIM)
    stop.set()
    await serving
    assert answer.text == expected


async def test_ready_once_a_prober_ticks_and_not_when_it_falls_silent(
    store: Store, clock: FakeClock
) -> None:
    service = ServiceFigures(version="1", revision="", python_version="3", reloaded_at=clock.now())
    app = create_app(Web(store=store, policy=a_policy(), clock=clock, service=service))
    transport = httpx.ASGITransport(app)
    base = "http://desk.agency.test"
    async with httpx.AsyncClient(transport=transport, base_url=base) as client:
        first = await client.get("/-/ready")
        await store.awrite(
            lambda tx: lease.acquire(tx, location="main", holder="a", now=clock.now())
        )
        await store.awrite(
            lambda tx: lease.renew(
                tx, location="main", fence=1, now=clock.now(), ticked_at=clock.now(), figures={}
            )
        )
        ticking = await client.get("/-/ready")
        clock.advance(timedelta(seconds=30))
        silent = await client.get("/-/ready")
        healthy = await client.get("/-/healthy")
        clock.step(datetime(2032, 1, 1, tzinfo=UTC) - clock.now())
        ending = await client.get("/-/ready")
    assert (first.status_code, first.json()["reasons"]) == (503, ["no prober has ticked yet"])
    well = {"ready": True, "reasons": [], "warnings": []}
    assert (ticking.status_code, ticking.json()) == (200, well)
    assert silent.status_code == 503
    assert "last tick" in silent.json()["reasons"][0]
    assert healthy.status_code == 200
    assert ending.json()["warnings"] == ["holidays are known until 2032-12-31 only"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/metrics", "GET, HEAD"),
        ("DELETE", "/-/healthy", "GET, HEAD"),
        ("POST", "/-/ready", "GET, HEAD"),
        ("POST", "/sd/sites", "GET, HEAD"),
        ("GET", "/api/v1/alerts/prometheus", "POST, PUT"),
        ("OPTIONS", "/api/v1/alerts/prometheus", "POST, PUT"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(
    sqlite_store: Store, clock: FakeClock, method: str, path: str, allowed: str
) -> None:
    service = ServiceFigures(version="1", revision="", python_version="3", reloaded_at=clock.now())
    app = create_app(Web(store=sqlite_store, policy=a_policy(), clock=clock, service=service))
    base = "http://desk.agency.test"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base) as client:
        answer = await client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


async def test_who_sends_too_much_hears_why(sqlite_store: Store, clock: FakeClock) -> None:
    service = ServiceFigures(version="1", revision="", python_version="3", reloaded_at=clock.now())
    web = Web(
        store=sqlite_store,
        policy=a_policy(),
        clock=clock,
        service=service,
        alert_sources=[PROMETHEUS],
    )
    port, stop = free_port(), asyncio.Event()
    serving = asyncio.create_task(serve(create_app(web), host="127.0.0.1", port=port, stop=stop))
    transport = httpx.AsyncHTTPTransport(retries=5)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=transport, headers=headers) as client:
        url = f"http://127.0.0.1:{port}/api/v1/alerts/prometheus"
        answer = await client.post(url, content=b" " * (LARGEST_BODY * 8))
    stop.set()
    await serving
    assert answer.status_code == 413
    assert "at most 1 MiB is taken" in answer.json()["detail"]
