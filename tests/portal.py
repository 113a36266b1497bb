"""A portal to test: a real store, the real routes, and a browser that reads its pages."""

from __future__ import annotations

from dataclasses import replace

import httpx
from starlette.applications import Starlette

from tests.builders import a_policy
from tests.clocks import FakeClock
from tests.desk import FakeWatch
from tickets.policy import Branding, Policy
from tickets.portal.app import portal_routes
from tickets.portal.context import PortalContext
from tickets.store import Store

HARBOUR = Branding(name="Harbour", colour="#0b5d57")


def branded(policy: Policy, branding: Branding = HARBOUR) -> Policy:
    """Return ``policy`` with Harbour Inns in a look of its own."""
    harbour = replace(policy.clients["harbour"], branding=branding)
    return replace(policy, clients={**policy.clients, "harbour": harbour})


def portal_browser(
    store: Store,
    clock: FakeClock,
    policy: Policy | None = None,
    *,
    watch: FakeWatch | None = None,
) -> httpx.AsyncClient:
    """Return a browser before a portal of ``policy``, by default that of Harbour Inns."""
    context = PortalContext(
        store=store,
        policy=policy or branded(a_policy()),
        clock=clock,
        watch=watch or FakeWatch(),
        version="1",
    )
    transport = httpx.ASGITransport(Starlette(routes=[*portal_routes(context)]))
    return httpx.AsyncClient(transport=transport, base_url="http://desk.agency.test")
