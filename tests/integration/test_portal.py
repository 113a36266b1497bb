"""The portal as a whole: in front of the desk, in the client's look, with headers and faults."""

from __future__ import annotations

import httpx
import pytest

from tests.clocks import FakeClock
from tests.portal import portal_browser
from tickets.store import Store


@pytest.fixture
def browser(store: Store, clock: FakeClock) -> httpx.AsyncClient:
    return portal_browser(store, clock)


async def test_a_clients_colour_is_a_style_sheet_of_its_own(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/brand/harbour.css")
    assert answer.headers["content-type"].startswith("text/css")
    assert "--accent: #0b5d57" in answer.text
    assert "prefers-color-scheme: dark" in answer.text


async def test_a_client_that_is_none_is_not_found_and_says_so_in_words(
    browser: httpx.AsyncClient,
) -> None:
    answer = await browser.get("/brand/nobody.css")
    assert answer.status_code == 404
    assert "no such page" in answer.text
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
