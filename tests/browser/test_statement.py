"""The two links of a statement's letter in a real browser: its page, and the end of such mail."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from sqlmodel import select

from monitor.rules.verdict import Verdict
from monitor.statement.mailing import send_due
from tests.browser.conftest import OpenPage, Served, axe_faults, too_wide
from tests.builders import ANNA, a_site
from tests.sites import settle, watch
from tests.statements import seed
from tickets.policy import ClientContacts
from tickets.statement_tables import UnsubscribedRow
from tickets.tables import MessageRow

FIRST = datetime(2026, 2, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest_asyncio.fixture(loop_scope="session")
async def links(served: Served) -> dict[str, str]:
    """Where the links of Anna's statement for February lead."""
    store, site = served.store, a_site(interval=300)
    watch(store, [site], at=FIRST)
    seed(store, site, FIRST, FIRST + 5 * HOUR)
    settle(store, site, Verdict.DOWN, since=FIRST + HOUR)
    settle(store, site, Verdict.UP, since=FIRST + 2 * HOUR)
    contacts = {"harbour": ClientContacts(statement=(ANNA,))}
    await send_due(store, replace(served.policy, contacts=contacts), now=served.clock.now())
    rows = store.read(lambda tx: tx.exec(select(MessageRow)).all())
    (facts,) = [row.facts for row in rows if row.notice == "statement"]
    return {name: str(facts[name]) for name in ("action_url", "unsubscribe_url")}


@pytest.mark.parametrize("width", [360, 1280])
async def test_the_page_of_a_statement_reads_well(
    open_page: OpenPage, links: dict[str, str], width: int
) -> None:
    page = await open_page(links["action_url"], width=width)
    assert await page.locator("h1").inner_text() == "February 2026"
    # Its own style and our fonts are let through, which nothing else is.
    colour = await page.locator(".whose").evaluate("one => getComputedStyle(one).color")
    assert colour == "rgb(11, 93, 87)"
    assert await page.evaluate(
        "document.fonts.ready.then(() => document.fonts.check('16px \"Hanken Grotesk\"'))"
    )
    assert await axe_faults(page) == []
    assert await too_wide(page) == 0


async def test_mails_are_ended_by_keyboard_and_without_javascript(
    open_page: OpenPage, served: Served, links: dict[str, str]
) -> None:
    page = await open_page(links["unsubscribe_url"], width=360, theme="dark", javascript=False)
    assert await page.title() == "Monthly statements · Harbour"
    button = page.get_by_role("button", name="Stop the monthly statements")
    while not await button.evaluate("one => one === document.activeElement"):
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    again = page.get_by_role("button", name="Send me statements again")
    await again.wait_for()
    gone = served.store.read(lambda tx: tx.exec(select(UnsubscribedRow.address)).all())
    assert gone == [ANNA.address]
    await again.click()
    await page.get_by_role("heading", name="You get monthly statements again").wait_for()


async def test_the_choice_reads_well(open_page: OpenPage, links: dict[str, str]) -> None:
    page = await open_page(links["unsubscribe_url"], width=360)
    assert await axe_faults(page) == []
    assert await too_wide(page) == 0
    await page.get_by_role("button", name="Stop the monthly statements").click()
    await page.get_by_role("button", name="Send me statements again").wait_for()
    assert await axe_faults(page) == []
