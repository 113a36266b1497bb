"""The status page in a real browser: in both themes, on a telephone, without JavaScript."""

from __future__ import annotations

from datetime import timedelta

import pytest

from monitor.rules.verdict import Verdict
from tests.browser.conftest import OpenPage, Served, axe_faults, too_wide
from tests.builders import a_refusal, a_site, an_observation
from tests.sites import observe, see_minutes, settle, watch

UP, DOWN = Verdict.UP, Verdict.DOWN


@pytest.fixture(autouse=True)
def outage(served: Served) -> None:
    """Harbour's booking site has been down for two minutes, its menu was slow an hour ago."""
    store, clock = served.store, served.clock
    booking, menu = a_site(), a_site("menu", name="Menu", url="https://menu.harbour.test/")
    watch(store, [booking, menu], at=clock.now())
    see_minutes(store, menu, clock, [UP] * 10)
    settle(store, menu, Verdict.SLOW, since=clock.now() - timedelta(minutes=8))
    settle(store, menu, UP, since=clock.now() - timedelta(minutes=3))
    see_minutes(store, booking, clock, [UP] * 50 + [DOWN] * 2)
    settle(store, booking, DOWN, since=clock.now() - timedelta(minutes=2))
    now = clock.now()
    observe(store, booking, a_refusal(started_at=now), ended_at=now)
    observe(store, menu, an_observation(started_at=now), ended_at=now)


@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 360)])
async def test_the_status_page_reads_well(open_page: OpenPage, theme: str, width: int) -> None:
    page = await open_page("/status/harbour", width=width, theme=theme)
    assert "Booking site is down" in await page.locator("h1").inner_text()
    assert await axe_faults(page) == []
    assert await too_wide(page) == 0
    for summary in await page.locator("summary").all():
        await summary.click()
    assert await axe_faults(page) == []
    assert await too_wide(page) == 0


async def test_without_javascript_it_tells_the_same(open_page: OpenPage) -> None:
    page = await open_page("/status/harbour", javascript=False)
    assert await page.get_by_role("heading", name="Going on now").is_visible()
    assert await page.get_by_text("Menu was slow for").is_visible()
    assert await page.get_by_role("link", name="Ask for help").get_attribute("href")


async def test_a_page_left_open_learns_of_the_recovery(open_page: OpenPage, served: Served) -> None:
    page = await open_page("/status/harbour")
    settle(served.store, a_site(), UP, since=served.clock.now())
    served.clock.advance(timedelta(seconds=40))
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    await page.get_by_role("heading", name="Going on now").wait_for(state="detached")
    assert "Booking site is down" not in await page.title()


async def test_a_name_without_a_break_stays_on_a_narrow_screen(
    open_page: OpenPage, served: Served
) -> None:
    long = a_site("menu", name="Menu" * 20, url="https://menu.harbour.test/")
    watch(served.store, [a_site(), long], at=served.clock.now())
    settle(served.store, long, DOWN, since=served.clock.now())
    page = await open_page("/status/harbour", width=320)
    assert "MenuMenu" in await page.locator("article").inner_text()
    assert await too_wide(page) == 0
