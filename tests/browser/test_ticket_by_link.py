"""A ticket by its link in a real browser: each state with axe; by keyboard, without script."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from playwright.async_api import Page

from tests.browser.conftest import OpenPage, Served, axe_faults, too_wide
from tests.by_link import CARLA, PNG, LinkBench
from tickets.rules.ticket import Action, Status


@pytest.fixture
def bench(served: Served) -> LinkBench:
    return LinkBench(served.store, served.clock, served.policy)


def opened(bench: LinkBench) -> str:
    return bench.path(bench.outage())


def taken(bench: LinkBench) -> str:
    ref = bench.outage(key="taken")
    bench.acknowledge(ref)
    return bench.path(ref)


def waiting(bench: LinkBench) -> str:
    ref = bench.request()
    bench.ask(ref)
    return bench.path(ref, CARLA)


def resolved(bench: LinkBench) -> str:
    ref = bench.request()
    bench.resolve(ref)
    return bench.path(ref, CARLA)


def closed(bench: LinkBench) -> str:
    ref = bench.request()
    bench.resolve(ref)
    bench.close(ref)
    return bench.path(ref, CARLA)


def expired(bench: LinkBench) -> str:
    path = bench.path(bench.outage())
    bench.clock.advance(timedelta(days=91))
    return path


THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
STATES: dict[str, tuple[Callable[[LinkBench], str], str]] = {
    "open": (opened, "Received."),
    "acknowledged": (taken, "In hand."),
    "waiting": (waiting, "Waiting for you."),
    "resolved": (resolved, "Resolved."),
    "closed": (closed, "Closed."),
    "expired": (expired, "This link does not work any more"),
}


async def test_each_state_reads_well_in_either_theme_and_on_a_telephone(
    open_page: OpenPage, bench: LinkBench
) -> None:
    page = await open_page("/t/none", width=360, theme="light")
    for state, (make, says) in STATES.items():
        await page.goto(make(bench))
        assert says in await page.inner_text("main"), state
        assert await too_wide(page) == 0, state
        for theme in THEMES:
            await page.emulate_media(color_scheme=theme)
            assert await axe_faults(page) == [], (state, theme)


@pytest.mark.parametrize("javascript", [True, False])
async def test_a_reply_with_a_file_is_sent_with_and_without_javascript(
    open_page: OpenPage, bench: LinkBench, tmp_path: Path, javascript: bool
) -> None:
    path = opened(bench)
    page = await open_page(path, width=360, javascript=javascript)
    await page.get_by_role("button", name="Send").click()
    assert "Write what we should know" in await page.inner_text(".problem")
    picture = tmp_path / "shot.png"
    await asyncio.to_thread(picture.write_bytes, PNG)
    await page.get_by_label("Write to us").fill("The rooms page is empty.")
    await page.get_by_label("Pictures or documents").set_input_files(picture)
    await page.get_by_role("button", name="Send").click()
    assert "Your words are with us." in await page.inner_text("[role=status]")
    assert "The rooms page is empty." in await page.inner_text(".story")
    if javascript:
        assert await axe_faults(page) == []
    async with page.expect_download() as download:
        await page.get_by_role("link", name="shot.png").click()
    saved = await (await download.value).path()
    assert await asyncio.to_thread(saved.read_bytes) == PNG


async def test_it_is_answered_by_keyboard_alone(open_page: OpenPage, bench: LinkBench) -> None:
    page = await open_page(resolved(bench))
    assert await focused(page, "Skip to the content")
    await tab_to(page, "Yes, this is solved")
    await tab_to(page, "It is not solved: what is still wrong?")
    await page.keyboard.type("Still the old picture.")
    await tab_to(page, "It is not solved")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    assert bench.ticket("T-1001").status is Status.OPEN
    bench.resolve("T-1001")
    await page.reload()
    await tab_to(page, "Yes, this is solved")
    async with page.expect_navigation():
        await page.keyboard.press("Space")
    assert bench.entries("T-1001")[-1].action is Action.CLOSE


async def test_the_page_asks_nobody_else_for_anything(
    open_page: OpenPage, bench: LinkBench, served: Served
) -> None:
    path = opened(bench)
    page = await open_page("/t/none")
    asked: list[tuple[str, str]] = []
    page.on(
        "request",
        lambda request: asked.append((request.url, request.headers.get("referer", ""))),
    )
    await page.goto(path)
    assert len(asked) > 2
    assert {url.startswith(served.url) for url, _referer in asked} == {True}


async def focused(page: Page, name: str) -> bool:
    await page.keyboard.press("Tab")
    return await name_of_focus(page) == name


async def tab_to(page: Page, name: str) -> None:
    """Press the tabulator until what is named ``name`` has the focus."""
    for _press in range(30):
        await page.keyboard.press("Tab")
        if await name_of_focus(page) == name:
            return
    raise AssertionError(f"the tabulator does not reach {name!r}")


async def name_of_focus(page: Page) -> str:
    return await page.evaluate(
        "(e => (e.labels?.length ? e.labels[0].textContent : e.textContent).trim())"
        "(document.activeElement)"
    )
