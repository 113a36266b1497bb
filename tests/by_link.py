"""A ticket by its link to test: a store, the portal before it, and the links that mails carry."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import httpx
from sqlmodel import col, select

from tests.builders import a_policy
from tests.clocks import FakeClock
from tests.desk import Page
from tests.portal import branded, portal_browser
from tests.tickets import opened
from tickets import actions, waiting
from tickets.history import Actor
from tickets.link_tables import AttachmentRow, TicketLinkRow
from tickets.opening import NewRequest, Requester, open_request
from tickets.policy import Policy
from tickets.queries.tickets import get_ticket_page
from tickets.queries.views import EntryView, TicketView
from tickets.rules.ticket import Category, Priority, Source, reference
from tickets.store import Store
from tickets.tables import MessageRow

SAM = Actor("Sam Okafor", address="sam@agency.test")
CARLA = "carla@harbour.test"
PNG = b"\x89PNG\r\n\x1a\n" + b"picture" * 10
OURS = {"Origin": "http://desk.agency.test", "Sec-Fetch-Site": "same-origin"}

Files = Sequence[tuple[str, bytes]]


class LinkBench:
    """Harbour Inns, its tickets, and whoever has a link to one of them."""

    def __init__(self, store: Store, clock: FakeClock, policy: Policy | None = None) -> None:
        self.store = store
        self.clock = clock
        self.with_policy(policy or branded(a_policy()))

    def with_policy(self, policy: Policy) -> LinkBench:
        """Let the portal work with ``policy`` from now on; return the bench."""
        self.policy = policy
        self.browser = portal_browser(self.store, self.clock, policy)
        self.browser.headers.update(OURS)
        return self

    def outage(self, key: str | None = None) -> str:
        """Open a critical ticket as the monitor does; return its reference."""
        return opened(self.store, self.policy, at=self.clock.now(), key=key)

    def request(
        self, *, address: str = CARLA, title: str = "A new picture", client: str = "harbour"
    ) -> str:
        """Open a normal ticket for what Carla asks; return its reference."""
        new = NewRequest(
            client=client,
            priority=Priority.NORMAL,
            category=Category.CONTENT_CHANGE,
            title=title,
            text="Please put it on the front page.",
            requester=Requester("Carla Lund", address),
            source=Source.PORTAL,
        )
        actor, at = Actor("Carla Lund"), self.clock.now()
        row = self.store.write(lambda tx: open_request(tx, self.policy, new, actor=actor, at=at))
        return reference(row.id or 0)

    def path(self, ref: str, address: str = "anna@harbour.test") -> str:
        """Return where the newest link leads that ``address`` was sent for ``ref``."""
        query = (
            select(MessageRow.facts)
            .where(col(MessageRow.address) == address)
            .order_by(col(MessageRow.id).desc())
        )
        for facts in self.store.read(lambda tx: tx.exec(query).all()):
            if facts.get("reference") == ref and "ticket_url" in facts:
                return str(facts["ticket_url"]).removeprefix(self.policy.base_url)
        raise AssertionError(f"{address} was sent no link to {ref}")

    async def see(self, path: str) -> Page:
        """Open the page of a link."""
        return Page(await self.browser.get(path))

    async def send(
        self, path: str, text: str, *, files: Files = (), key: str | None = None
    ) -> httpx.Response:
        """Send the page's form as a browser does, with the key that it shows unless told other."""
        form = (await self.see(path)).form(f"{path}/reply")
        fields = {"key": key or form.fields["key"], "text": text}
        parts = [("files", (name, content, "application/x-anything")) for name, content in files]
        empty = [("files", ("", b"", "application/octet-stream"))]
        return await self.browser.post(f"{path}/reply", data=fields, files=parts or empty)

    def ticket(self, ref: str) -> TicketView:
        """Return the ticket as it is stored."""
        return self.store.read(lambda tx: get_ticket_page(tx, ref)).ticket

    def entries(self, ref: str) -> Sequence[EntryView]:
        """Return the ticket's whole history."""
        return self.store.read(lambda tx: get_ticket_page(tx, ref)).entries

    def messages(self) -> Sequence[MessageRow]:
        """Return every message, the oldest first."""
        query = select(MessageRow).order_by(col(MessageRow.id))
        return self.store.read(lambda tx: tx.exec(query).all())

    def links(self) -> Sequence[TicketLinkRow]:
        """Return every link that was issued."""
        return self.store.read(lambda tx: tx.exec(select(TicketLinkRow)).all())

    def files(self) -> Sequence[AttachmentRow]:
        """Return every file that is kept."""
        return self.store.read(lambda tx: tx.exec(select(AttachmentRow)).all())

    def acknowledge(self, ref: str) -> None:
        """Let Sam take the ticket."""
        at = self.clock.now()
        self.store.write(lambda tx: actions.acknowledge(tx, self.policy, ref, actor=SAM, at=at))

    def ask(self, ref: str) -> None:
        """Let Sam answer, ask the client and wait for three days."""
        at = self.clock.now()
        on = (at + timedelta(days=3)).date()

        self.store.write(
            lambda tx: actions.reply(
                tx,
                self.policy,
                ref,
                text="We look at it.",
                outlook=actions.NOTHING_KNOWN,
                actor=SAM,
                at=at,
            )
        )
        self.store.write(
            lambda tx: waiting.wait(
                tx, self.policy, ref, question="Which one?", resume_on=on, actor=SAM, at=at
            )
        )

    def resolve(self, ref: str) -> None:
        """Let Sam resolve the ticket."""
        at = self.clock.now()
        self.store.write(
            lambda tx: actions.resolve(
                tx, self.policy, ref, cause="A full disk", done="More disk", actor=SAM, at=at
            )
        )

    def close(self, ref: str) -> None:
        """Let Sam close a resolved ticket."""
        at = self.clock.now()
        self.store.write(lambda tx: actions.close(tx, ref, actor=SAM, at=at))
