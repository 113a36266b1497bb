"""The role that serves the desk, the metrics and the health pages."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import version
from platform import python_version

from monitor.alerts.source import list_sources
from monitor.jobs import Jobs
from monitor.reloading import Loads
from monitor.roles.delivery import delivery_parts
from monitor.service import Beat, beat_until, build_policy, give_none, run_together
from monitor.service_metrics import ServiceFigures
from monitor.settings import Settings
from monitor.source_revision import source_revision
from monitor.web import Web, create_app, serve
from tickets.clock import Clock
from tickets.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskRole:
    """Serves the desk, the metrics and the health pages; delivers and sweeps as well."""

    settings: Settings
    holder: str
    clock: Clock
    beat: Beat = give_none
    loads: Loads = field(default_factory=Loads)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve, deliver and sweep until ``stop`` is set."""
        settings, clock = self.settings, self.clock
        store = Store(settings.store.url)
        policy = build_policy(settings, clock=clock)
        jobs = Jobs(clock)
        service = ServiceFigures(
            version=version("fettle"),
            revision=source_revision(),
            python_version=python_version(),
            reloaded_at=clock.now(),
            runs=jobs.runs,
        )
        app = create_app(
            Web(
                store=store,
                policy=policy,
                clock=clock,
                service=service,
                loads=self.loads,
                metrics_kept=settings.web.metrics_interval - timedelta(seconds=1),
                alert_sources=list_sources(settings),
            )
        )
        listen = settings.web.listen
        try:
            await run_together(
                stop,
                lambda ending: serve(
                    app,
                    host=listen.host,
                    port=listen.port,
                    stop=ending,
                    trusted_proxies=settings.web.trusted_proxies,
                    while_listening=lambda: beat_until(ending, self.beat),
                ),
                *delivery_parts(store, settings, jobs=jobs, holder=self.holder, clock=clock),
            )
        finally:
            store.close()
