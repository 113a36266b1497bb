"""The request form in a real browser: by hand, by keyboard, without JavaScript, on a telephone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from playwright.async_api import Page, expect
from sqlmodel import select

from tests.browser.conftest import OpenPage, Served, axe_faults, too_wide
from tickets.rules.ticket import Priority
from tickets.tables import MessageRow, TicketRow

FORM = "/support/harbour"


async def _fill_in(page: Page) -> None:
    await page.get_by_label("Booking site").check()
    await page.get_by_label("What is it, in a few words?").fill("The booking form sends no mail")
    await page.get_by_label("Tell us more").fill("Since this morning.")
    await page.get_by_label("Your name").fill("Anna Wright")
    await page.get_by_label("Your e-mail address").fill("anna@harbour.test")


async def _send(page: Page) -> None:
    await page.get_by_role("button", name="Send the request").click()


async def _only_ticket(served: Served) -> TicketRow:
    """The ticket, asked for behind the write that opens it after the answer."""
    return await served.store.awrite(lambda tx: tx.exec(select(TicketRow)).one())


async def test_with_javascript_the_deadline_of_the_choice_is_that_of_this_moment(
    open_page: OpenPage, served: Served
) -> None:
    page = await open_page(FORM)
    chosen = page.get_by_role("status")
    await expect(page.get_by_role("group", name="Can it wait?")).to_be_hidden()
    await page.get_by_role("radio", name="No Our answer").check()
    await page.get_by_role("radio", name="Yes, it can wait").check()
    await expect(chosen).to_have_text(
        "You have our answer by Fri 6 Mar 2026 10:00 GMT", use_inner_text=True
    )
    served.clock.advance(timedelta(minutes=40))
    await page.get_by_role("radio", name="Yes Nobody").check()
    await expect(chosen).to_have_text(
        "We take it up by Tue 3 Mar 2026 11:40 GMT", use_inner_text=True
    )
    await expect(page.get_by_role("group", name="What is it about?")).to_be_hidden()
    await _fill_in(page)
    await page.get_by_label("Pictures or documents").set_input_files(
        {"name": "fault.txt", "mimeType": "text/plain", "buffer": b"It says: no."}
    )
    await _send(page)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your request is sent")
    await expect(page.get_by_text("T-1001").first).to_be_visible()
    assert (await _only_ticket(served)).priority is Priority.CRITICAL
    await page.reload()
    await page.go_back()
    await expect(page.get_by_label("Tell us more")).to_have_value("Since this morning.")
    served.clock.advance(20)
    await _send(page)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your request is sent")
    assert (await _only_ticket(served)).id == 1


async def test_without_javascript_on_a_telephone_faults_come_first_and_words_stay(
    open_page: OpenPage, served: Served
) -> None:
    page = await open_page(FORM, width=360, javascript=False)
    await page.get_by_role("radio", name="No Our answer").check()
    await _fill_in(page)
    await page.get_by_label("Your e-mail address").fill("anna@")
    served.clock.advance(20)
    await _send(page)
    assert (await page.title()).startswith("Error: ")
    summary = page.get_by_role("alert")
    await expect(summary).to_be_focused()
    await summary.get_by_role("link", name="Say whether it can wait").click()
    await page.keyboard.press("Space")
    await expect(page.get_by_role("radio", name="No, please look at it soon")).to_be_checked()
    await expect(page.locator(".chosen p:visible")).to_have_text(
        "You have our answer by Thu 5 Mar 2026 10:00 GMT", use_inner_text=True
    )
    await page.get_by_role("radio", name="Something does not work").check()
    await expect(page.get_by_label("Tell us more")).to_have_value("Since this morning.")
    email = page.get_by_label("Your e-mail address")
    await expect(email).to_have_accessible_description(
        "Our answers go there, and nothing else does. Error: Write one e-mail address in plain"
        " letters, such as name@example.com"
    )
    await email.fill("anna@harbour.test")
    assert await too_wide(page) == 0
    await _send(page)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your request is sent")
    assert await too_wide(page) == 0
    assert (await _only_ticket(served)).title == "The booking form sends no mail"


async def test_by_keyboard_alone(open_page: OpenPage, served: Served) -> None:
    page = await open_page(FORM)
    keys = page.keyboard

    async def go_to(name: str) -> None:
        """Press Tab until the field with this accessible name has the focus."""
        wanted = page.get_by_label(name).first
        for _ in range(12):
            await keys.press("Tab")
            if await wanted.evaluate("element => element === document.activeElement"):
                return
        raise AssertionError(f"no way to {name!r} by keyboard")

    await keys.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await keys.press("Enter")
    await go_to("Yes")
    await keys.press("ArrowDown")
    await keys.press("Tab")
    await keys.press("ArrowDown")
    await expect(page.get_by_role("radio", name="Yes, it can wait")).to_be_checked()
    await keys.press("Tab")
    await keys.press("Space")
    await keys.press("Tab")
    await keys.press("Space")
    await go_to("What is it, in a few words?")
    await keys.type("A question")
    await go_to("Tell us more")
    await keys.type("How do we add a language?")
    await go_to("Your name")
    await keys.type("Anna")
    await go_to("Your e-mail address")
    await keys.type("anna@harbour.test")
    served.clock.advance(20)
    await keys.press("Tab")
    await expect(page.get_by_role("button", name="Send the request")).to_be_focused()
    await keys.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your request is sent")
    ticket = await _only_ticket(served)
    assert (ticket.priority, ticket.site) == (Priority.LOW, "booking")


async def test_a_stranger_verifies_by_a_button(open_page: OpenPage, served: Served) -> None:
    page = await open_page(FORM, width=360)
    await page.get_by_role("radio", name="Yes Nobody").check()
    await _fill_in(page)
    await page.get_by_label("Your e-mail address").fill("kim@elsewhere.test")
    served.clock.advance(20)
    await _send(page)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your request is sent")
    asked = await served.store.awrite(lambda tx: tx.exec(select(MessageRow)).one())
    await page.goto(asked.facts["action_url"])
    assert await axe_faults(page) == []
    await page.get_by_role("button", name="Yes, send it to Bright Agency").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(
        "Thank you: your request is with us"
    )
    assert await axe_faults(page) == []
    assert await too_wide(page) == 0
    assert (await _only_ticket(served)).requester_address == "kim@elsewhere.test"


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing_on_form_faults_and_receipt(
    open_page: OpenPage, served: Served, theme: str
) -> None:
    page = await open_page(FORM, theme=theme)
    assert await axe_faults(page) == []
    await page.get_by_role("radio", name="No Our answer").check()
    await _send(page)
    await expect(page.get_by_role("alert")).to_be_visible()
    assert await axe_faults(page) == []
    await page.get_by_role("radio", name="Yes Nobody").check()
    await _fill_in(page)
    served.clock.advance(20)
    await _send(page)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your request is sent")
    assert await axe_faults(page) == []
