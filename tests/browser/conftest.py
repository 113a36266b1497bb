"""A headless Chromium, shared by all tests of pages, and the real service's pages before it.

Tests in this folder are coroutines on one event loop for the whole session, on which the browser
and the server live too. A page that writes an error to its console fails the test.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
import uvicorn
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect
from starlette.types import ASGIApp, Receive, Scope, Send

from monitor.service_metrics import ServiceFigures
from monitor.web import Web, create_app
from tests.builders import a_policy
from tests.clocks import FakeClock
from tests.portal import branded
from tickets.policy import Policy
from tickets.store import Store

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # in a container it is too small for pages
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
WAIT = 10_000
"""Milliseconds after which an element that does not appear fails the test."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put every test of this folder on the session's event loop."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """Debian's Chromium; without it these tests are skipped, on CI they fail."""
    if not CHROMIUM.exists():
        reason = f"there is no Chromium at {CHROMIUM}; Debian's package is named chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return CHROMIUM


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium(chromium_path: Path) -> AsyncIterator[Browser]:
    """The browser, started once."""
    expect.set_options(timeout=WAIT)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium_path, args=FLAGS)
        yield browser
        await browser.close()


class Door:
    """One address on loopback; behind it stands the application of the test that runs."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        assert self.app is not None
        await self.app(scope, receive, send)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def door() -> AsyncIterator[Door]:
    """A real web server on loopback, for the whole session."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    door = Door(f"http://127.0.0.1:{listener.getsockname()[1]}")
    server = uvicorn.Server(uvicorn.Config(door, log_config=None, access_log=False, lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    yield door
    server.should_exit = True
    await serving
    listener.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The pages of the service as they are served, with what stands behind them."""

    store: Store
    policy: Policy
    clock: FakeClock
    url: str


@pytest.fixture
def served(door: Door, sqlite_store: Store, clock: FakeClock) -> Iterator[Served]:
    """Portal and desk of Bright Agency, whose client is Harbour Inns, with an empty store."""
    policy = replace(branded(a_policy()), base_url=door.url)
    figures = ServiceFigures(version="1", revision="", python_version="3", reloaded_at=clock.now())
    door.app = create_app(Web(store=sqlite_store, policy=policy, clock=clock, service=figures))
    yield Served(store=sqlite_store, policy=policy, clock=clock, url=door.url)
    door.app = None


OpenPage = Callable[..., Awaitable[Page]]
"""Opens a page: ``width``, ``theme`` ("light", "dark") and ``javascript`` may be given."""


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(chromium: Browser, served: Served) -> AsyncIterator[OpenPage]:
    """Open pages of the served portal, each in a browser of its own, closed after the test."""
    views: list[BrowserContext] = []
    complaints: list[str] = []

    async def open_page(
        path: str, *, width: int = 1280, theme: str = "light", javascript: bool = True
    ) -> Page:
        view = await chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if theme == "dark" else "light",
            java_script_enabled=javascript,
            base_url=served.url,
        )
        views.append(view)
        page = await view.new_page()
        page.set_default_timeout(WAIT)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", partial(_note_error, complaints))
        await page.goto(path)
        return page

    yield open_page
    for view in views:
        await view.close()
    assert complaints == []


def _note_error(complaints: list[str], message: object) -> None:
    text, kind = getattr(message, "text", ""), getattr(message, "type", "")
    # A form that comes back with its faults is answered 422, which Chromium calls an error.
    if kind == "error" and "Failed to load resource" not in text:
        complaints.append(text)


async def axe_faults(page: Page) -> Sequence[str]:
    """Return what axe finds wrong with a page under WCAG 2.2 AA: rule, element, what to do."""
    await page.evaluate(AXE_SCRIPT)
    found = await page.evaluate("rules => axe.run({runOnly: rules})", list(WCAG))
    return [
        f"{fault['id']}: {node['target']} {node.get('failureSummary', '')}"
        for fault in found["violations"]
        for node in fault["nodes"]
    ]


async def too_wide(page: Page) -> int:
    """Return by how many pixels a page is wider than its window."""
    return await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
