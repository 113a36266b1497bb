"""Makes the statement of a month that has everything in it, as HTML and as PDF.

Not a test, but something to look at:

    python -m tests.browser.statement FOLDER
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from monitor.migrations import upgrade
from monitor.readings import Readings, store_changes
from monitor.rules.maintenance import DatedWindow
from monitor.rules.month import parse_month
from monitor.rules.observation import Certificate
from monitor.rules.verdict import Verdict, judge
from monitor.statement.page import render_page
from monitor.statement.pdf import print_pdf
from monitor.statement.reading import read_statement
from tests.builders import a_policy, a_site, an_observation
from tests.portal import branded
from tests.sites import MAIN, settle, watch
from tests.statements import seed
from tests.tickets import opened
from tickets import actions
from tickets.history import Actor
from tickets.policy import Policy
from tickets.rules.allowance import Allowance
from tickets.rules.staff import Role
from tickets.rules.ticket import Category, Priority
from tickets.store import Store
from tickets.tables import StaffRow
from tickets.time_spent import Work, log_time

START, END = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 31, 23, tzinfo=UTC)
NOW = datetime(2026, 4, 1, 8, tzinfo=UTC)
UP, SLOW, DOWN, UNKNOWN = Verdict.UP, Verdict.SLOW, Verdict.DOWN, Verdict.UNKNOWN
MINUTE = timedelta(minutes=1)


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


BOOKING = {
    (at(3, 10), at(3, 10, 45)): DOWN,
    (at(12, 14), at(12, 15, 10)): SLOW,
    (at(19, 3), at(19, 17)): UNKNOWN,
    (at(29, 0, 30), at(29, 1, 30)): DOWN,
}
SHOP = {(at(24, 9), at(24, 9, 25)): SLOW, (at(26, 2), at(26, 20)): None}
WINDOW = DatedWindow(start=at(8, 2), end=at(8, 18))


def a_policy_in_colour() -> Policy:
    policy = branded(a_policy())
    harbour = replace(policy.clients["harbour"], allowance=Allowance(per_month=timedelta(hours=5)))
    return replace(policy, clients={"harbour": harbour})


def paint(store: Store, policy: Policy) -> None:
    """Fill the store with March 2026 of three sites, as a busy month would."""
    booking = replace(a_site(name="Booking", interval=300), maintenance=(WINDOW,))
    shop = a_site("shop", name="Gift shop", url="https://shop.harbour.test/", interval=300)
    new = a_site("events", name="Events", url="https://events.harbour.test/", interval=300)
    watch(store, [booking, shop], at=START - timedelta(days=60))
    watch(store, [booking, shop, new], at=at(16, 12, 30))
    for site, trouble, since in (
        (booking, BOOKING, START),
        (shop, SHOP, START),
        (new, {}, at(16, 12, 30)),
    ):
        seed(
            store,
            site,
            since,
            END,
            lambda now, trouble=trouble: next(
                (how for (a, b), how in trouble.items() if a < now <= b), UP
            ),
        )
    for site, trouble in ((booking, BOOKING), (shop, SHOP)):
        for (since, until), how in trouble.items():
            if how in {SLOW, DOWN}:
                settle(store, site, how, since=since, policy=policy)
                settle(store, site, UP, since=until, policy=policy)
    _tickets(store, policy)
    asyncio.run(_see(store, booking.slug))


def _tickets(store: Store, policy: Policy) -> None:
    row = StaffRow(
        email="sam@agency.test",
        name="Sam Reed",
        role=Role.STAFF,
        password_hash="-",
        created_at=START,
    )
    store.write(lambda tx: tx.add(row))
    sam = Actor(row.name, row.id, row.email)
    answers = {"T-1001": at(3, 10, 12), "T-1002": at(12, 15, 32), "T-1003": at(30, 8, 9)}
    for ref, when in answers.items():
        store.write(
            lambda tx, ref=ref, when=when: actions.acknowledge(tx, policy, ref, actor=sam, at=when)
        )
    ref = opened(
        store, policy, at=at(10, 11), title="A new picture on the front page",
        priority=Priority.NORMAL, category=Category.CONTENT_CHANGE,
    )  # fmt: skip
    outlook = actions.Outlook(next_steps="We place it", estimate="today")
    store.write(
        lambda tx: actions.reply(
            tx, policy, ref, text="Of course.", outlook=outlook, actor=sam, at=at(11, 9, 40)
        )
    )
    opened(
        store, policy, at=at(31, 13), title="How do I add an event?",
        priority=Priority.LOW, category=Category.ADVICE,
    )  # fmt: skip
    harbour = policy.clients["harbour"].allowance
    assert harbour is not None
    counting = replace(
        policy,
        clients={
            "harbour": replace(
                policy.clients["harbour"], allowance=replace(harbour, counts_incidents=True)
            )
        },
    )
    work = Work(minutes=135, worked_on=date(2026, 3, 11), text="Placed the picture")
    store.write(lambda tx: log_time(tx, counting, ref, work=work, actor=sam, at=at(12, 9)))


async def _see(store: Store, slug: str) -> None:
    end = NOW + timedelta(days=23, hours=4)
    certificate = Certificate(
        not_after=end, earliest_not_after=end, subject="", issuer="", names=(), verified=True
    )
    seen = replace(an_observation(), certificate=certificate)
    readings = Readings(MAIN)
    readings.add(slug, seen, judge(seen, slow_after=timedelta(seconds=3)), ended_at=NOW)
    await readings.flush(lambda changes: store.awrite(lambda tx: store_changes(tx, changes)))


def main() -> int:
    """Write statement.html and statement.pdf into the folder."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    policy = a_policy_in_colour()
    with tempfile.TemporaryDirectory() as scratch:
        store = Store(f"sqlite:///{scratch}/statement.db")
        upgrade(store)
        paint(store, policy)
        month = parse_month("2026-03")
        stated = store.read(lambda tx: read_statement(tx, policy, "harbour", month, at=NOW))
        store.close()
    page = render_page(stated, policy)
    (folder / "statement.html").write_text(page, encoding="utf-8")
    (folder / "statement.pdf").write_bytes(print_pdf(page))
    return 0


if __name__ == "__main__":
    sys.exit(main())
