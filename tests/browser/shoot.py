"""Takes pictures of each page of the desk, three widths, two themes, and asks axe about each.

Not a test, but something to look at. Of the portal it takes the pages that stand without a story;
``asking``, ``linked`` and ``statement`` beside it tell theirs.

    python -m tests.browser.shoot FOLDER [--axe axe.min.js] [--chromium /usr/bin/chromium]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from playwright.async_api import async_playwright
from starlette.applications import Starlette
from starlette.routing import Mount

from monitor.migrations import upgrade
from tests.browser.conftest import FLAGS
from tests.browser.scenery import NOW, PaintedWatch, paint, the_policy
from tests.clocks import FakeClock
from tickets.accounts import Credentials, PasswordHash, begin_session
from tickets.desk.app import desk_app
from tickets.desk.context import DeskContext
from tickets.desk.sessions import PLAIN_COOKIE
from tickets.portal.app import portal_routes
from tickets.portal.context import PortalContext
from tickets.store import Store

PORT = 8977
WIDTHS = {"360": 360, "720": 720, "1440": 1440}
THEMES = ("light", "dark")
PAGES = {
    "queue": "/",
    "queue-filtered": "/tickets?search=zebra",
    "finished": "/tickets/finished",
    "ticket-down": "/tickets/T-1008",
    "ticket-late": "/tickets/T-1003?do=reply",
    "ticket-history": "/tickets/T-1007",
    "ticket-resolve": "/tickets/T-1007?do=resolve",
    "ticket-close": "/tickets/T-1008?do=close",
    "ticket-closed": "/tickets/T-1001",
    "ticket-wait": "/tickets/T-1007?do=wait",
    "ticket-priority": "/tickets/T-1005?do=priority",
    "ticket-log-time": "/tickets/T-1005?do=log_time",
    "ticket-new": "/tickets/new",
    "sites": "/sites",
    "site-down": "/sites/harbour-booking",
    "site-up": "/sites/moss-tickets",
    "site-new": "/sites/tidewater-archive",
    "clients": "/clients",
    "outbox": "/outbox",
    "calendar": "/calendar",
    "missing": "/tickets/T-9999",
    "portal-form": "/support/harbour",
    "portal-status": "/status/harbour",
}


async def shoot(folder: Path, *, axe: str, chromium: str) -> int:
    """Start the desk, look at each page, write the pictures; return how many faults axe found."""
    with tempfile.TemporaryDirectory() as scratch:
        store = Store(f"sqlite:///{scratch}/desk.db")
        upgrade(store)
        policy = the_policy(f"http://127.0.0.1:{PORT}")
        sam = store.write(partial(paint, policy=policy))
        credentials = Credentials(staff_id=sam.id, password_hash=PasswordHash("$argon2id$none"))
        session = store.write(partial(begin_session, credentials=credentials, at=NOW))
        assert session is not None
        clock = FakeClock(NOW)
        watch = PaintedWatch()
        desk = DeskContext(store=store, policy=policy, clock=clock, watch=watch, version="0.1.0")
        portal = PortalContext(store=store, policy=policy, clock=clock, watch=watch, version="0.1")
        app = Starlette(routes=[*portal_routes(portal), Mount("/", desk_app(desk))])
        server = uvicorn.Server(uvicorn.Config(app, port=PORT, log_level="warning", lifespan="off"))
        serving = asyncio.create_task(server.serve())
        faults = 0
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            for theme in THEMES:
                for name, width in WIDTHS.items():
                    view = await browser.new_context(
                        viewport={"width": width, "height": 900},
                        color_scheme=theme,
                        base_url=policy.base_url,
                        bypass_csp=bool(axe),
                    )
                    faults += await _look(
                        view, folder, f"{name}-{theme}", token=session.token, axe=axe
                    )
                    await view.close()
            await browser.close()
        server.should_exit = True
        await serving
        store.close()
    return faults


async def _look(view: Any, folder: Path, suffix: str, *, token: str, axe: str) -> int:
    page = await view.new_page()
    page.on("console", lambda message: _say(f"console: {message.text}"))
    page.on("pageerror", lambda error: _say(f"script: {error}"))
    page.set_default_timeout(10_000)
    faults = 0
    await page.goto("/sign-in")
    faults += await _keep(page, folder / f"sign-in-{suffix}.png", axe=axe)
    await view.add_cookies(
        [{"name": PLAIN_COOKIE, "value": token, "url": f"http://127.0.0.1:{PORT}"}]
    )
    for name, address in PAGES.items():
        await page.goto(address)
        faults += await _keep(page, folder / f"{name}-{suffix}.png", axe=axe)
    await page.goto("/tickets/T-1007?do=resolve")
    await page.get_by_role("button", name="Resolve and tell").click()
    faults += await _keep(page, folder / f"ticket-fault-{suffix}.png", axe=axe)
    await page.goto("/tickets/T-1008?do=reply")
    await page.evaluate("document.querySelectorAll('[name=version]').forEach(i => i.value = '0')")
    await page.get_by_label("Reply to").fill("We are looking at it and write again by 10:30.")
    await page.get_by_role("button", name="Send the reply").click()
    faults += await _keep(page, folder / f"ticket-conflict-{suffix}.png", axe=axe)
    await page.goto("/tickets/T-1008")
    await page.locator(".why summary").click()
    faults += await _keep(page, folder / f"ticket-why-{suffix}.png", axe=axe)
    return faults


async def _keep(page: Any, file: Path, *, axe: str) -> int:
    await page.evaluate("document.fonts.ready")
    wide = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    if wide > 0:
        _say(f"{file.name}: {wide} px too wide")
    await page.screenshot(path=str(file), full_page=True)
    if not axe:
        return int(wide > 0)
    await page.evaluate(axe)
    found = await page.evaluate(
        "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa',"
        " 'best-practice']})"
    )
    for fault in found["violations"]:
        for node in fault["nodes"]:
            _say(f"{file.name}: {fault['id']}: {node['target']} {node.get('failureSummary', '')}")
    return len(found["violations"]) + int(wide > 0)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def main() -> int:
    """Read the command line and take the pictures; 1 if axe or the width found a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--axe", type=Path, help="axe-core's axe.min.js")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    axe = options.axe.read_text(encoding="utf-8") if options.axe else ""
    faults = asyncio.run(shoot(options.folder, axe=axe, chromium=options.chromium))
    _say(f"{faults} faults")
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
