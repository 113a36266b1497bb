"""Tickets of Harbour Inns in every state, with the links to them: to look at, and for pictures.

python -m tests.browser.linked FOLDER
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import uvicorn
from playwright.async_api import async_playwright
from starlette.applications import Starlette
from starlette.routing import Mount

from monitor.migrations import upgrade
from tests.browser.scenery import NOW, PaintedWatch, at
from tests.builders import a_policy
from tests.clocks import FakeClock
from tests.portal import branded
from tests.tickets import opened
from tickets import actions, by_link, incidents, links, relations, waiting
from tickets.accounts import PasswordHash, add_staff
from tickets.attachments import accept
from tickets.desk.app import desk_app
from tickets.desk.context import DeskContext
from tickets.history import Actor
from tickets.opening import NewRequest, Requester, open_request
from tickets.policy import Policy
from tickets.portal.app import portal_routes
from tickets.portal.context import PortalContext
from tickets.rules.attachment import SentFile
from tickets.rules.staff import Role
from tickets.rules.ticket import Category, Outcome, Priority, Source, reference
from tickets.store import Session, Store

PORT = 8978
PNG = b"\x89PNG\r\n\x1a\n" + bytes(213_000)
ANNA = ("Anna Wright", "anna@harbour.test")


def link_to(tx: Session, ref: str, *, when: datetime = NOW) -> str:
    """Issue a link to ``ref`` for Anna; return its path."""
    name, address = ANNA
    token = links.issue(tx, int(ref[2:]) - 1000, address=address, name=name, at=when)
    return f"/t/{token}"


def paint(store: Store, policy: Policy) -> Mapping[str, str]:
    """Fill an empty store; return the path of each state's page by its name."""
    sam = store.write(
        lambda tx: add_staff(
            tx,
            email="sam@agency.example",
            name="Sam Okafor",
            role=Role.STAFF,
            password_hash=PasswordHash("-"),
            at=at(8, 0),
        )
    )
    by = Actor(sam.name, staff_id=sam.id, address=sam.email)
    return {
        "open": _just_opened(store, policy),
        "in-hand": _in_hand(store, policy, by),
        **_requests(store, policy, by),
        "dead": f"/t/{'0' * 32}",
    }


def _just_opened(store: Store, policy: Policy) -> str:
    ref = opened(store, policy, at=at(9, 29, 4), key="just")
    return store.write(lambda tx: link_to(tx, ref))


def _in_hand(store: Store, policy: Policy, by: Actor) -> str:
    ref = opened(store, policy, at=at(9, 5, 30), key="tickets")

    def live(tx: Session) -> str:
        actions.acknowledge(tx, policy, ref, actor=by, at=at(9, 12, 5))
        path = link_to(tx, ref)
        visitor = by_link.find_visitor(tx, policy, path[3:], now=at(9, 14))
        assert visitor is not None
        files = accept(
            [
                SentFile("booking page at 9:13.png", PNG),
                SentFile("what guests tell us.pdf", b"%PDF-1.7" + bytes(81_000)),
            ]
        )
        text = (
            "Our guests see an empty page since nine, also on their telephones.\n\nTwo of them sent"
            " us what they see; it is attached."
        )
        sent = by_link.Reply(key="0" * 32, text=text, files=files)
        by_link.reply(tx, policy, visitor, sent, at=at(9, 14, 40))
        actions.note(tx, ref, text="Worker out of memory.", actor=by, at=at(9, 15))
        actions.reply(
            tx,
            policy,
            ref,
            text="Thank you, that helps. One of the two machines behind your booking site ran out"
            " of memory at 09:01. We are restarting it now and watch the other.",
            actor=by,
            at=at(9, 26, 2),
        )
        incidents.recover(
            tx,
            policy,
            int(ref[2:]) - 1000,
            since=at(9, 4),
            until=at(9, 40),
            is_told=True,
            at=at(9, 40, 41),
        )
        return path

    return store.write(live)


def _ask(tx: Session, policy: Policy, title: str, text: str, *, when: datetime) -> str:
    new = NewRequest(
        client="harbour",
        priority=Priority.NORMAL,
        category=Category.CONTENT_CHANGE,
        title=title,
        text=text,
        requester=Requester(*ANNA),
        source=Source.PORTAL,
    )
    row = open_request(tx, policy, new, actor=Actor(ANNA[0]), at=when)
    return reference(row.id or 0)


def _requests(store: Store, policy: Policy, by: Actor) -> Mapping[str, str]:
    friday = NOW - timedelta(days=3)
    outlook = actions.Outlook(
        next_steps="We try both pictures on a copy and send you a link to it.",
        estimate="Wednesday, before noon",
    )

    def live(tx: Session) -> Mapping[str, str]:
        ask, resolve, close, first = (
            _ask(tx, policy, title, "Please put the picture of the harbour there.", when=friday)
            for title in (
                "A new picture on the front page",
                "The menu shows last year's prices",
                "The form for groups does not send",
                "Prices of the menu are old",
            )
        )
        for ref in (ask, resolve, close):
            actions.reply(
                tx,
                policy,
                ref,
                text="We have read it and begin today.",
                outlook=outlook,
                actor=by,
                at=friday + timedelta(hours=1),
            )
        waiting.wait(
            tx,
            policy,
            ask,
            question="Which of the two pictures comes first: the harbour, or the dining room?",
            resume_on=(NOW + timedelta(days=2)).date(),
            actor=by,
            at=friday + timedelta(hours=2),
        )
        for ref in (resolve, close):
            actions.resolve(
                tx,
                policy,
                ref,
                cause="The page was kept by a cache that nobody had emptied.",
                done="We emptied it, and it now empties itself whenever a page changes.",
                outcome=Outcome.FIXED,
                actor=by,
                at=friday + timedelta(hours=3),
            )
        actions.close(tx, close, actor=by, at=friday + timedelta(hours=4))
        relations.merge(tx, policy, first, into=resolve, actor=by, at=friday + timedelta(hours=5))
        names = {"waiting": ask, "resolved": resolve, "closed": close, "merged": first}
        return {name: link_to(tx, ref) for name, ref in names.items()}

    return store.write(live)


def the_app(store: Store, policy: Policy) -> Starlette:
    """Portal and desk as they stand at ``NOW``."""
    clock, watch = FakeClock(NOW), PaintedWatch()
    portal = PortalContext(store=store, policy=policy, clock=clock, watch=watch, version="1")
    desk = DeskContext(store=store, policy=policy, clock=clock, watch=watch, version="1")
    return Starlette(routes=[*portal_routes(portal), Mount("/", desk_app(desk))])


async def take_pictures(folder: Path) -> None:
    """Write a picture of each page in both themes and two widths."""
    policy = replace(branded(a_policy()), base_url=f"http://127.0.0.1:{PORT}")
    with tempfile.TemporaryDirectory() as scratch:
        store = Store(f"sqlite:///{scratch}/linked.db")
        upgrade(store)
        paths = paint(store, policy)
        config = uvicorn.Config(the_app(store, policy), port=PORT, log_level="warning")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
            )
            for theme in ("light", "dark"):
                for width in (360, 1000):
                    view = await browser.new_context(
                        viewport={"width": width, "height": 800},
                        color_scheme="dark" if theme == "dark" else "light",
                        base_url=policy.base_url,
                    )
                    page = await view.new_page()
                    for name, path in paths.items():
                        await page.goto(path)
                        await page.screenshot(
                            path=folder / f"{name}-{width}-{theme}.png", full_page=True
                        )
                    await view.close()
            page = await browser.new_page(
                viewport={"width": 1000, "height": 1240}, base_url=policy.base_url
            )
            await page.goto(paths["in-hand"])
            await page.screenshot(path=folder / "ticket-by-link.png")
            await browser.close()
        server.should_exit = True
        await serving
        store.close()


if __name__ == "__main__":
    place = Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    asyncio.run(take_pictures(place))
