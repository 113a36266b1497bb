"""The portal as a whole: in front of the desk, in the client's look, with headers and faults."""

from __future__ import annotations

import httpx
import pytest

from tests.clocks import FakeClock
from tests.portal import portal_browser
from tickets.pages.faults import Fault
from tickets.portal.fault_words import for_clients
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


async def test_a_slash_at_the_end_of_an_address_does_no_harm(browser: httpx.AsyncClient) -> None:
    for path in ("/support/harbour", "/status/harbour"):
        answer = await browser.get(f"{path}/?key=a%20b")
        assert (answer.status_code, answer.headers["location"]) == (308, f"{path}?key=a%20b")


async def test_what_is_refused_is_told_in_words_of_clients(browser: httpx.AsyncClient) -> None:
    answers = [
        await browser.post("/support/harbour", json={"text": "x"}),
        await browser.request("OPTIONS", "/status/harbour"),
    ]
    assert [answer.status_code for answer in answers] == [415, 405]
    for answer in answers:
        words = answer.text.lower()
        assert not [word for word in ("fettle", "the desk", "urlencoded") if word in words]


@pytest.mark.parametrize(
    ("fault", "message", "advice"),
    [
        (
            Fault(status=500, title="-", message="The log has it as 1f.", advice="-", mark="1f"),
            "Please try again. Our number for what went wrong is 1f.",
            "If it cannot wait, write to help@agency.test and name 1f.",
        ),
        (
            Fault(status=503, title="-", message="A part of Fettle does not answer.", advice="-"),
            "This page does not answer. Wait a few seconds and try again.",
            "If it cannot wait, write to help@agency.test.",
        ),
        (Fault(status=404, title="-", message="No.", advice="Look."), "No.", "Look."),
    ],
)
def test_a_fault_tells_clients_whom_to_write_to_and_nothing_of_the_inside(
    fault: Fault, message: str, advice: str
) -> None:
    told = for_clients(fault, reply_to="help@agency.test")
    assert (told.status, told.message, told.advice) == (fault.status, message, advice)
