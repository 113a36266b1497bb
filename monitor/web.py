"""The ASGI application: desk, portal, API, the metrics page and the health pages."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from monitor.alerts.door import AlertContext, alert_routes
from monitor.alerts.source import AlertSource
from monitor.discovery import discovery_routes
from monitor.http_metrics import CountRequests, Requests
from monitor.metrics import KEPT_SECONDS, MetricsPage
from monitor.reloading import Loads, Word
from monitor.rules.site import Network
from monitor.service_metrics import ServiceFigures
from monitor.service_pages import ServicePages
from monitor.store_watch import StoreWatch
from monitor.unread_bodies import ReadOn
from tickets.api.app import ApiContext, api_mount
from tickets.clock import Clock
from tickets.desk.app import desk_app
from tickets.desk.context import DeskContext
from tickets.policy import Policy
from tickets.portal.app import portal_routes
from tickets.portal.context import PortalContext
from tickets.store import Store

log = structlog.get_logger()

BIND_FOR = 15.0
"""Seconds for which a busy port is tried again: the desk before us may still be stopping."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """What the web pages are built from."""

    store: Store
    policy: Policy
    clock: Clock
    service: ServiceFigures
    loads: Loads = field(default_factory=Loads)
    metrics_kept: timedelta = timedelta(seconds=KEPT_SECONDS)
    alert_sources: Sequence[AlertSource] = ()


def create_app(web: Web) -> Starlette:
    """Return the application; it opens nothing by itself."""
    requests = Requests()
    service = ServicePages(
        store=web.store,
        policy=web.policy,
        clock=web.clock,
        loads=web.loads,
        metrics=MetricsPage(
            web.store,
            web.clock,
            policy=lambda: web.policy,
            service=lambda: _figures(web.service, web.loads),
            requests=requests,
            kept=web.metrics_kept,
        ),
    )
    watch = StoreWatch(web.clock, web.policy.zone)
    desk = DeskContext(
        store=web.store,
        policy=web.policy,
        clock=web.clock,
        watch=watch,
        version=web.service.version,
    )
    api = ApiContext(
        store=web.store, policy=web.policy, clock=web.clock, version=web.service.version
    )
    alerts = AlertContext(
        store=web.store, policy=web.policy, clock=web.clock, sources=web.alert_sources
    )
    portal = PortalContext(
        store=web.store,
        policy=web.policy,
        clock=web.clock,
        watch=watch,
        version=web.service.version,
    )
    routes = [
        *service.routes(),
        *discovery_routes(web.store, web.clock),
        *alert_routes(alerts),
        api_mount(api),
        *portal_routes(portal),
        Mount("/", desk_app(desk)),
    ]
    counting = Middleware(CountRequests, routes=routes, requests=requests, clock=web.clock)
    return Starlette(routes=routes, middleware=[counting, Middleware(ReadOn)])


def _figures(service: ServiceFigures, loads: Loads) -> ServiceFigures:
    counts = {"ok": loads.counts[Word.LOADED], "error": loads.counts[Word.REFUSED]}
    runs = {**service.runs, "reload": counts}
    return replace(service, is_reload_good=loads.is_good, runs=runs)


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: the role's stop event decides."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def serve(
    app: Starlette,
    *,
    host: str,
    port: int,
    stop: asyncio.Event,
    trusted_proxies: Sequence[Network] = (),
    while_listening: Callable[[], Coroutine[None, None, None]] | None = None,
) -> None:
    """Serve ``app`` until ``stop`` is set, then let requests in hand finish for a few seconds.

    ``while_listening`` is begun once the address is bound. ``X-Forwarded-For`` and ``-Proto`` are
    believed when they come from ``trusted_proxies`` only.
    Raises ``OSError`` when the address cannot be bound.
    """
    listener = await _bind(host, port, stop)
    if listener is None:
        return
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            # uvicorn by itself believes whoever comes from loopback.
            proxy_headers=bool(trusted_proxies),
            forwarded_allow_ips=[str(network) for network in trusted_proxies],
            timeout_keep_alive=5,
            timeout_graceful_shutdown=5,
            h11_max_incomplete_event_size=64 * 1024,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    beside = asyncio.create_task(while_listening()) if while_listening is not None else None
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        stopping.cancel()
        if beside is not None:
            beside.cancel()
        listener.close()


async def _bind(host: str, port: int, stop: asyncio.Event) -> socket.socket | None:
    loop = asyncio.get_running_loop()
    give_up = loop.time() + BIND_FOR
    while not stop.is_set():
        listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError:
            listener.close()
            if loop.time() > give_up:
                raise
            await asyncio.sleep(0.2)
        else:
            log.info("web.listening", host=host, port=port)
            return listener
    return None
