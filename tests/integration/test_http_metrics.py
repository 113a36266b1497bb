"""Our own web requests are counted under templates, whatever is asked for."""

from __future__ import annotations

from collections import Counter

import httpx
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from monitor.http_metrics import CountRequests, Requests
from monitor.service_metrics import ServiceFigures
from monitor.web import Web, create_app
from tests.clocks import FakeClock
from tests.sites import POLICY
from tickets.store import Store


def an_app(clock: FakeClock, requests: Requests) -> Starlette:
    async def fine(_request: Request) -> Response:
        clock.advance(0.3)
        return PlainTextResponse("fine")

    async def broken(_request: Request) -> Response:
        raise LookupError("a fault of ours")

    def inner() -> Starlette:
        return Starlette(routes=[Route("/", fine), Route("/tickets/{ref}", fine, methods=["POST"])])

    files = Starlette(routes=[])
    routes = [
        Route("/t/{token}", fine),
        Route("/broken", broken),
        Mount("/c/{client}", inner()),
        Mount("/static", files.router),
        Mount("/", inner()),
    ]
    counting = Middleware(CountRequests, routes=routes, requests=requests, clock=clock)
    return Starlette(routes=routes, middleware=[counting])


async def ask(clock: FakeClock, *asked: tuple[str, str]) -> Requests:
    requests = Requests()
    transport = httpx.ASGITransport(an_app(clock, requests), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://desk.test") as client:
        for method, path in asked:
            await client.request(method, path)
    return requests


def told(requests: Requests) -> Counter[tuple[str, ...]]:
    [answers, _] = requests.metrics()
    return Counter(
        {
            (s.labels["method"], s.labels["route"], s.labels["code"]): s.value
            for s in answers.samples
        }
    )


async def test_a_secret_in_a_path_is_never_told(clock: FakeClock) -> None:
    requests = await ask(
        clock,
        ("GET", "/t/SECRET"),
        ("GET", "/t/OTHER"),
        ("POST", "/c/harbour/tickets/T-1001"),
        ("GET", "/SECRET/../%0a%22"),
    )
    assert told(requests) == {
        ("GET", "/t/{token}", "200"): 2,
        ("POST", "/c/{client}/tickets/{ref}", "200"): 1,
        ("GET", "unmatched", "404"): 1,
    }


async def test_errors_refusals_and_odd_methods_are_told(clock: FakeClock) -> None:
    requests = await ask(
        clock, ("GET", "/broken"), ("DELETE", "/t/x"), ("BREW", "/t/x"), ("GET", "/tickets/1")
    )
    assert told(requests) == {
        ("GET", "/broken", "500"): 1,
        ("DELETE", "unmatched", "404"): 1,
        ("other", "unmatched", "404"): 1,
        ("GET", "/tickets/{ref}", "405"): 1,
    }


async def test_the_time_of_an_answer_is_told(clock: FakeClock) -> None:
    requests = await ask(clock, ("GET", "/t/x"), ("GET", "/t/y"))
    [_, durations] = requests.metrics()
    name = "fettle_http_request_duration_seconds"
    found = {(s.name.removeprefix(name), s.labels.get("le")): s.value for s in durations.samples}
    assert found[("_bucket", "0.25")] == 0
    assert found[("_bucket", "0.5")] == found[("_count", None)] == 2
    assert round(found[("_sum", None)], 6) == 0.6


async def test_the_services_own_routes_are_told_by_their_templates(
    store: Store, clock: FakeClock
) -> None:
    service = ServiceFigures(version="1", revision="", python_version="3", reloaded_at=clock.now())
    app = create_app(Web(store=store, policy=POLICY, clock=clock, service=service))
    base = "http://desk.agency.test"
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base) as client:
        for path in (
            "/-/healthy",
            "/tickets/T-1001",
            "/api/v1/tickets/T-1001",
            "/static/no-such.css",
            "/no/such/page/SECRET",
        ):
            await client.get(path)
        page = (await client.get("/metrics")).text
    told = {
        sample.labels["route"]
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == "fettle_http_requests_total"
    }
    assert told == {
        "/-/healthy",
        "/tickets/{ref}",
        "/api/v1/tickets/{ref}",
        "/static/{name}",
        "unmatched",
    }
