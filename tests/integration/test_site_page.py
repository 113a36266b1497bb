"""The page of one site tells how it stands and stood, by figures that say what they leave out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from monitor.rules.uptime import Uptime
from tests.clocks import FakeClock
from tests.desk import DeskBench, Page, a_view, see
from tests.histories import a_busy_past, a_history
from tickets.pages.watch import AlertView, SiteView
from tickets.store import Store


@pytest.fixture
def bench(sqlite_store: Store, clock: FakeClock) -> DeskBench:
    """A desk over SQLite alone: what the page reads of sites comes from the watch."""
    return DeskBench(sqlite_store, clock)


async def page_of(
    bench: DeskBench, view: SiteView, unusual: Mapping[int, Uptime], watched_for: int = 90
) -> Page:
    bench.watch.sites = [view]
    bench.watch.histories["booking"] = a_history(
        view, now=bench.clock.now(), unusual=unusual, watched_for=watched_for
    )
    return await see(bench.browser(bench.session(bench.staff())), "/sites/booking")


def bars(page: Page) -> list[str]:
    return [found["class"] for tag, found in page.elements if "bar" in found.get("class", "")]


async def test_a_site_shows_its_uptime_with_what_it_leaves_out(bench: DeskBench) -> None:
    page = await page_of(bench, a_view(bench), a_busy_past())
    assert "Up since Sat 28 Feb 2026 10:00 GMT, for 3 d" in page.text
    assert "24 h 92.62 % 43 min – – – –" in page.text
    assert "90 d 98.22 % 1 d 12 h 2 h 20 h 1 d 4 h 1 d" in page.text
    assert "left out of it" in page.text
    assert page.links["T-1008"] == "/tickets/T-1008"


async def test_each_of_ninety_days_says_in_words_how_it_was(bench: DeskBench) -> None:
    page = await page_of(bench, a_view(bench), a_busy_past())
    assert len([kind for kind in bars(page) if kind not in {"bar down", "bar slow"}]) == 91
    assert "Tue 3 Mar 2026: 92.62 %, down 43 min" in page.text
    assert "Thu 22 Jan 2026: not watched 1 d" in page.text
    assert "5 days with time down or slow" in page.text


async def test_a_site_that_was_never_seen_claims_nothing(bench: DeskBench) -> None:
    page = await page_of(bench, a_view(bench), {}, watched_for=0)
    assert page.text.count("nothing judged yet") == 4
    assert "100 %" not in page.text
    assert "No good answer in this time" in page.text
    assert "No day with time down" not in page.text


async def test_a_site_without_trouble_says_so(bench: DeskBench) -> None:
    page = await page_of(bench, a_view(bench), {}, watched_for=20)
    assert "No day with time down or slow since the site is watched." in page.text
    assert "None yet. An incident appears here" in page.text
    assert "Last alerts" not in page.text
    assert "30 d 100 %" in page.text


async def test_alerts_about_a_site_stand_on_its_page(bench: DeskBench) -> None:
    view = a_view(bench)
    alert = AlertView(
        title="Harbour Inns: <b>QueueStuck</b>",
        source="prometheus",
        started_at=bench.clock.now() - timedelta(hours=2),
        ended_at=bench.clock.now() - timedelta(hours=1),
        ticket_reference="T-1042",
    )
    bench.watch.sites = [view]
    history = a_history(view, now=bench.clock.now(), unusual={}, watched_for=90)
    bench.watch.histories["booking"] = replace(history, alerts=[alert])
    page = await see(bench.browser(bench.session(bench.staff())), "/sites/booking")
    assert "Harbour Inns: <b>QueueStuck</b> Tue 3 Mar 2026 08:00 GMT" in page.text
    assert "1 h prometheus T-1042" in page.text
    assert page.links["T-1042"] == "/tickets/T-1042"


async def test_text_from_outside_is_shown_as_text(bench: DeskBench) -> None:
    view = a_view(bench, name="<script>alert(1)</script>", message="<b>500</b>")
    page = await page_of(bench, view, {})
    assert "<script>alert(1)</script>" in page.text
    assert "<b>500</b>" in page.text
    assert not [found for tag, found in page.elements if "style" in found]


async def test_the_page_is_for_staff_and_for_sites_that_are_watched(bench: DeskBench) -> None:
    visitor = bench.visitor()
    response = await visitor.get("/sites/booking")
    assert (response.status_code, response.headers["location"][:8]) == (303, "/sign-in")
    browser = bench.browser(bench.session(bench.staff()))
    assert (await browser.get("/sites/nothing")).status_code == 404
    assert (await browser.post("/sites/booking")).status_code == 405


async def test_the_list_of_sites_leads_to_each(bench: DeskBench) -> None:
    bench.watch.sites = [a_view(bench)]
    page = await see(bench.browser(bench.session(bench.staff())), "/sites")
    assert page.links["Booking site"] == "/sites/booking"
