"""The request form of Harbour Inns and what follows it: to look at, and for the docs' picture.

python -m tests.browser.asking FOLDER
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from playwright.async_api import Browser, Page, async_playwright
from starlette.applications import Starlette
from starlette.routing import Mount

from monitor.migrations import upgrade
from tests.browser.scenery import NOW, PaintedWatch
from tests.builders import a_policy
from tests.clocks import FakeClock
from tests.portal import branded
from tests.requesting import FORM, FormBench
from tickets.desk.app import desk_app
from tickets.desk.context import DeskContext
from tickets.policy import Policy, SiteName
from tickets.portal.app import portal_routes
from tickets.portal.context import PortalContext
from tickets.store import Store

PORT = 8979
BEFORE_CHRISTMAS = datetime(2026, 12, 18, 17, 40, tzinfo=UTC)


def the_policy() -> Policy:
    """Harbour Inns with three sites, in a look of its own."""
    policy = branded(a_policy())
    sites = (
        SiteName("booking", "Booking site", "https://booking.harbour-inns.example/"),
        SiteName("www", "Website", "https://www.harbour-inns.example/"),
    )
    harbour = replace(policy.clients["harbour"], sites=sites)
    return replace(
        policy,
        base_url=f"http://127.0.0.1:{PORT}",
        reply_to="support@bright.example",
        clients={"harbour": harbour},
    )


@asynccontextmanager
async def serving(store: Store, clock: FakeClock) -> AsyncIterator[Policy]:
    """Serve portal and desk over ``store`` as they stand at ``clock``."""
    policy, watch = the_policy(), PaintedWatch()
    portal = PortalContext(store=store, policy=policy, clock=clock, watch=watch, version="1")
    desk = DeskContext(store=store, policy=policy, clock=clock, watch=watch, version="1")
    app = Starlette(routes=[*portal_routes(portal), Mount("/", desk_app(desk))])
    server = uvicorn.Server(uvicorn.Config(app, port=PORT, log_level="warning", lifespan="off"))
    running = asyncio.create_task(server.serve())
    yield policy
    server.should_exit = True
    await running


async def _fill_in(page: Page, address: str) -> None:
    await page.get_by_role("radio", name="No Our answer").check()
    await page.get_by_role("radio", name="No, please look at it soon").check()
    await page.get_by_role("radio", name="Something does not work").check()
    await page.get_by_role("radio", name="Booking site").check()
    await page.get_by_label("What is it, in a few words?").fill("The booking form sends no mail")
    text = "Since this morning guests who book get no mail. We see their bookings in the list."
    await page.get_by_label("Tell us more").fill(text)
    await page.get_by_label("Your name").fill("Anna Wright")
    await page.get_by_label("Your e-mail address").fill(address)


async def _walk(page: Page, clock: FakeClock, bench: FormBench, keep: Path, suffix: str) -> None:
    async def look(name: str) -> None:
        await page.evaluate("document.fonts.ready")
        await page.screenshot(path=keep / f"{name}-{suffix}.png", full_page=True)

    await page.goto(FORM)
    await look("form")
    await page.get_by_role("radio", name="No Our answer").check()
    await page.get_by_role("button", name="Send the request").click()
    await look("faults")
    address = f"kim.{suffix}@elsewhere.example"
    await _fill_in(page, address)
    clock.advance(30)
    await look("chosen")
    await page.get_by_role("button", name="Send the request").click()
    await page.get_by_role("heading", name="Your request is sent").wait_for()
    await look("sent")
    await bench.store.awrite(lambda tx: None)  # behind the write that follows the answer
    await page.goto(bench.verify_path())
    await look("verify")
    await page.get_by_role("button", name="Yes, send it").click()
    await look("verified")
    clock.step(BEFORE_CHRISTMAS - clock.now())
    await page.goto(FORM)
    await look("closed")
    clock.step(NOW - clock.now())


async def take_pictures(folder: Path) -> None:
    """Write a picture of each page in both themes and two widths, and that of the docs."""
    with tempfile.TemporaryDirectory() as scratch:
        store = Store(f"sqlite:///{scratch}/asking.db")
        upgrade(store)
        clock = FakeClock(NOW)
        async with serving(store, clock) as policy, async_playwright() as playwright:
            bench = FormBench(store, clock, policy)
            browser = await playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
            )
            for theme in ("light", "dark"):
                for width in (360, 1440):
                    page = await _open(browser, policy, theme=theme, width=width)
                    await _walk(page, clock, bench, folder, f"{width}-{theme}")
            page = await _open(browser, policy, theme="light", width=1440, height=1300)
            await page.goto(FORM)
            await page.get_by_role("radio", name="No Our answer").check()
            await page.get_by_role("radio", name="No, please look at it soon").check()
            await page.evaluate("document.activeElement.blur()")
            await page.screenshot(path=folder / "request-form.png")
            await browser.close()
        store.close()


async def _open(
    browser: Browser, policy: Policy, *, theme: str, width: int, height: int = 900
) -> Page:
    view = await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        base_url=policy.base_url,
    )
    return await view.new_page()


if __name__ == "__main__":
    place = Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    asyncio.run(take_pictures(place))
