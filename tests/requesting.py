"""People before a client's request form: they open it, take their time, and send it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
from sqlmodel import col, select
from starlette.applications import Starlette

from tests.builders import a_policy
from tests.clocks import FakeClock
from tests.desk import FakeWatch, Page
from tests.portal import branded
from tickets.policy import Policy
from tickets.portal.app import portal_routes
from tickets.portal.context import PortalContext
from tickets.rules.notice import Notice
from tickets.store import Store
from tickets.tables import MessageRow, TicketRow
from tickets.work import list_work

FORM = "/support/harbour"
ANNA = "anna@harbour.test"
STRANGER = "kim@elsewhere.test"

TYPED: Mapping[str, str] = {
    "offline": "no",
    "wait": "no",
    "category": "bug_fix",
    "site": "booking",
    "title": "The booking form sends no mail",
    "text": "Since this morning nobody gets a mail after booking.",
    "name": "Anna Wright",
    "email": ANNA,
}


class FormBench:
    """A portal over ``store``, and what a test does before its form and looks up behind it."""

    def __init__(self, store: Store, clock: FakeClock, policy: Policy | None = None) -> None:
        self.store = store
        self.clock = clock
        self.policy = policy or replace(branded(a_policy()), reply_to="support@agency.test")
        context = PortalContext(
            store=store, policy=self.policy, clock=clock, watch=FakeWatch(), version="1"
        )
        self.app = Starlette(routes=[*portal_routes(context)])

    def browser(self, address: str = "192.0.2.10") -> httpx.AsyncClient:
        """A browser at a network address, which comes from our own pages."""
        base = self.policy.base_url
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app, client=(address, 50000)),
            base_url=base,
            headers={"Origin": base, "Sec-Fetch-Site": "same-origin"},
        )

    async def open(self, browser: httpx.AsyncClient | None = None) -> dict[str, str]:
        """Open the form and take 20 seconds over it; return what it would send.

        Only the wall clock moves, so that what is limited by the minute stays limited.
        """
        page = Page(await (browser or self.browser()).get(FORM))
        self.clock.step(timedelta(seconds=20))
        fields = page.form(FORM).fields
        fields.pop("files")
        return fields

    async def send(
        self,
        typed: Mapping[str, str] | None = None,
        *,
        browser: httpx.AsyncClient | None = None,
        files: Sequence[tuple[str, bytes]] = (),
        **more: str,
    ) -> httpx.Response:
        """Open the form, fill it in as Anna would unless told otherwise, and send it."""
        browser = browser or self.browser()
        data = {**await self.open(browser), **(typed or TYPED), **more}
        parts = [("files", (name, content)) for name, content in files]
        return await browser.post(FORM, data=data, files=parts or None)

    def tickets(self) -> Sequence[TicketRow]:
        """All tickets, the oldest first."""
        query = select(TicketRow).order_by(col(TicketRow.id))
        return self.store.read(lambda tx: tx.exec(query).all())

    def messages(self, notice: Notice | None = None) -> Sequence[MessageRow]:
        """All messages, or those of one notice, the oldest first."""
        query = select(MessageRow).order_by(col(MessageRow.id))
        rows = self.store.read(lambda tx: tx.exec(query).all())
        return [row for row in rows if notice is None or row.notice is notice]

    def is_unverified(self, ticket_id: int) -> bool:
        """Whether the desk marks a ticket's requester as not verified."""
        today = self.clock.now().date()
        return self.store.read(lambda tx: list_work(tx, ticket_id, today=today)).is_unverified

    def verify_path(self) -> str:
        """Where the newest mail that asks to verify leads."""
        facts: dict[str, Any] = self.messages(Notice.VERIFY)[-1].facts
        return str(facts["action_url"]).removeprefix(self.policy.base_url)

    async def answer(self, path: str, answer: str = "mine", *, place: int = 0) -> Page:
        """Press a button of the page behind a link; return the page that follows."""
        browser = self.browser("198.51.100.7")
        form = Page(await browser.get(path)).forms[place]
        sent = await browser.post(path, data={**form.fields, "answer": answer})
        assert sent.status_code == 303, sent.text
        return Page(await browser.get(sent.headers["location"]))


async def receipt_page(sent: httpx.Response, browser: httpx.AsyncClient) -> Page:
    """The page to which a form that was taken leads."""
    assert sent.status_code == 303, Page(sent).text
    return Page(await browser.get(sent.headers["location"]))
