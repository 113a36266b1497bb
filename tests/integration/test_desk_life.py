"""The desk's forms for the rest of a ticket's life, and for a new one, on a real SQLite file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.clocks import FakeClock
from tests.desk import DeskBench, Page, see, send
from tests.tickets import opened
from tickets import actions
from tickets.accounts import Staff
from tickets.actions import NOTHING_KNOWN
from tickets.history import Actor
from tickets.opening import NewRequest, open_request
from tickets.queries.tickets import get_ticket_page
from tickets.queries.views import TicketPage
from tickets.rules.allowance import Allowance
from tickets.rules.staff import Role
from tickets.rules.ticket import Action, Category, Priority, Source, Status
from tickets.store import Store


@pytest.fixture
def bench(tmp_path: Path, migrated_sqlite: Path, clock: FakeClock) -> Iterator[DeskBench]:
    """A desk over a fresh SQLite file, at Tue 3 Mar 2026 10:00 GMT."""
    path = tmp_path / "desk.db"
    shutil.copy(migrated_sqlite, path)
    store = Store(f"sqlite:///{path}")
    bench = DeskBench(store, clock)
    clients = bench.policy.clients
    harbour = replace(clients["harbour"], allowance=Allowance(per_month=timedelta(hours=5)))
    yield bench.with_policy(replace(bench.policy, clients={**clients, "harbour": harbour}))
    store.close()


@pytest.fixture
def sam(bench: DeskBench) -> Staff:
    return bench.staff()


@pytest.fixture
def browser(bench: DeskBench, sam: Staff) -> httpx.AsyncClient:
    return bench.browser(bench.session(sam))


@pytest.fixture
def ref(bench: DeskBench, sam: Staff) -> str:
    """A normal request that Sam has answered: T-1001."""
    new = NewRequest(
        client="harbour",
        priority=Priority.NORMAL,
        category=Category.ADVICE,
        title="A question",
        text="How do we change the picture?",
    )
    actor, at = Actor("Sam Okafor", sam.id, sam.email), bench.clock.now()
    bench.store.write(partial(open_request, policy=bench.policy, new=new, actor=actor, at=at))
    bench.store.write(
        lambda tx: actions.reply(
            tx, bench.policy, "T-1001", text="Soon", outlook=NOTHING_KNOWN, actor=actor, at=at
        )
    )
    return "T-1001"


def stored(bench: DeskBench, ref: str = "T-1001") -> TicketPage:
    return bench.store.read(partial(get_ticket_page, ref=ref))


async def fill(
    browser: httpx.AsyncClient, ref: str, action: str, typed: dict[str, str]
) -> httpx.Response:
    form = (await see(browser, f"/tickets/{ref}?do={action}")).form(f"/tickets/{ref}/{action}")
    return await send(browser, form, typed)


@pytest.mark.parametrize(
    ("action", "typed", "shown"),
    [
        (
            "priority",
            {"priority": "low", "reason": "It can wait"},
            "You changed the priority at 10:00.",
        ),
        ("category", {"category": "bug_fix"}, "Bug fix"),
        ("assign", {"assignee": "0"}, "To nobody"),
        (
            "wait",
            {"question": "Which one?", "resume_on": "2026-03-06"},
            "Waiting for the client; work resumes Fri 6 Mar 2026 09:00 GMT",
        ),
        ("link", {"other": "1002"}, "Belongs with T-1002"),
        ("merge", {"into": "T-1002"}, "A duplicate: it goes on as T-1002"),
        (
            "log_time",
            {"minutes": "240", "worked_on": "2026-03-02", "text": "Cropped it"},
            "Harbour Inns in March 2026: 4 h of 5 h used, 80 % nearly used up",
        ),
    ],
)
async def test_each_form_does_what_it_says_and_the_page_shows_it(
    bench: DeskBench,
    browser: httpx.AsyncClient,
    ref: str,
    action: str,
    typed: dict[str, str],
    shown: str,
) -> None:
    opened(bench.store, bench.policy, at=bench.clock.now())  # T-1002, of the same client
    answer = await fill(browser, ref, action, typed)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/tickets/{ref}?done")
    assert shown in (await see(browser, answer.headers["location"])).text
    assert stored(bench).entries[-1].action is Action(action)


@pytest.mark.parametrize(
    ("action", "typed", "says", "kept"),
    [
        ("priority", {"reason": "It burns"}, "Choose the priority", {"reason": "It burns"}),
        (
            "wait",
            {"question": "Which?", "resume_on": "2026-03-07"},
            "The resume date Sat 7 Mar 2026 is no support day",
            {"question": "Which?", "resume_on": "2026-03-07"},
        ),
        (
            "wait",
            {"question": "Which?", "resume_on": "soon"},
            "Give the date on which work resumes",
            {"question": "Which?"},
        ),
        (
            "merge",
            {"into": "T-1001", "reason": "The same"},
            "T-1001 cannot be merged into itself",
            {"into": "T-1001", "reason": "The same"},
        ),
        ("merge", {"into": "T-4711"}, "There is no ticket 'T-4711'", {"into": "T-4711"}),
        ("link", {"other": " "}, "Write the other ticket, such as T-1042", {}),
        (
            "log_time",
            {"minutes": "ten", "text": "Cropped"},
            "Give the minutes as a whole number",
            {"minutes": "ten", "text": "Cropped"},
        ),
        ("log_time", {"minutes": "5000", "text": "x"}, "allowed are 1 to 1440", {"text": "x"}),
    ],
)
async def test_what_is_wrong_is_said_and_what_was_typed_stays(
    bench: DeskBench,
    browser: httpx.AsyncClient,
    ref: str,
    action: str,
    typed: dict[str, str],
    says: str,
    kept: dict[str, str],
) -> None:
    before = stored(bench)
    answer = await fill(browser, ref, action, typed)
    page = Page(answer)
    assert page.status == 422
    assert says in page.text
    fields = page.form(f"/tickets/{ref}/{action}").fields
    assert {name: fields[name] for name in kept} == kept
    assert stored(bench) == before


async def test_the_first_reply_to_a_request_asks_for_next_steps_or_says_not_yet_known(
    bench: DeskBench, browser: httpx.AsyncClient
) -> None:
    ref = opened(bench.store, bench.policy, at=bench.clock.now(), priority=Priority.LOW)
    answer = await fill(browser, ref, "reply", {"text": "Hello", "estimate": "Thursday"})
    page = Page(answer)
    assert "The next steps are missing: the first reply to a low ticket says" in page.text
    assert page.form(f"/tickets/{ref}/reply").fields["estimate"] == "Thursday"
    form = page.form(f"/tickets/{ref}/reply")
    assert (await send(browser, form, {"unknown": "1"})).status_code == 303
    ticket = stored(bench, ref).ticket
    assert (ticket.next_steps, ticket.estimate) == ("not yet known", "Thursday")


async def test_waiting_ends_with_one_button(
    bench: DeskBench, browser: httpx.AsyncClient, ref: str
) -> None:
    await fill(browser, ref, "wait", {"question": "Which?", "resume_on": "2026-03-06"})
    form = (await see(browser, "/")).form(f"/tickets/{ref}/resume")
    assert (await send(browser, form)).status_code == 303
    assert stored(bench).ticket.status is Status.ACKNOWLEDGED


async def test_an_attempt_that_the_status_forbids_is_refused_and_shown(
    bench: DeskBench, browser: httpx.AsyncClient, ref: str
) -> None:
    form = (await see(browser, f"/tickets/{ref}?do=wait")).form(f"/tickets/{ref}/wait")
    form.action = f"/tickets/{ref}/resume"
    answer = Page(await send(browser, form))
    assert answer.status == 409
    assert "T-1001 is acknowledged: 'resume' is possible only while a ticket is waiting" in (
        answer.text
    )
    assert "1 attempt refused" in answer.text


async def test_the_queue_is_narrowed_to_one_persons_or_to_nobodys(
    bench: DeskBench, browser: httpx.AsyncClient, ref: str, sam: Staff
) -> None:
    other = opened(bench.store, bench.policy, at=bench.clock.now(), title="Nobody's")
    for assignee, mine, others in ((str(sam.id), True, False), ("0", False, True)):
        page = await see(browser, f"/tickets?assignee={assignee}")
        assert (f"/tickets/{ref}" in page.links.values()) is mine
        assert (f"/tickets/{other}" in page.links.values()) is others


# A new ticket

REQUEST = {
    "client": "harbour",
    "site": "booking",
    "priority": "normal",
    "category": "bug_fix",
    "title": "The menu is cut off",
    "text": "On telephones the menu is cut off.",
    "requester_name": "Carla Lund",
    "requester_address": "carla@harbour.test",
}


async def test_a_ticket_is_opened_on_behalf_of_a_client_once(
    bench: DeskBench, browser: httpx.AsyncClient
) -> None:
    page = await see(browser, (await see(browser, "/")).links["New ticket"])
    assert "Normal answer by Thu 5 Mar 2026 10:00 GMT" in page.text
    form = page.form("/tickets/new")
    for _ in range(2):
        answer = await send(browser, form, REQUEST)
        assert (answer.status_code, answer.headers["location"]) == (303, "/tickets/T-1001?done")
    shown = await see(browser, "/tickets/T-1001?done")
    assert "You opened the ticket at 10:00. Mail to Carla Lund" in shown.text
    assert "Asked by Carla Lund <carla@harbour.test>" in shown.text
    ticket = stored(bench).ticket
    assert (ticket.source, ticket.site, ticket.category) == (
        Source.STAFF,
        "booking",
        Category.BUG_FIX,
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"client": "nobody"}, "Choose the client"),
        ({"priority": "urgent"}, "Choose the priority"),
        ({"category": "outage"}, "Choose what it is about"),
        ({"title": ""}, "Write in a few words what is asked"),
        ({"requester_address": "carla"}, "The requester's address cannot be used"),
        ({"requester_address": ""}, "Give the address to which answers go"),
        ({"site": "shop"}, "has no site 'shop': allowed are booking"),
    ],
)
async def test_a_new_ticket_that_is_refused_keeps_every_word(
    bench: DeskBench, browser: httpx.AsyncClient, changes: dict[str, str], says: str
) -> None:
    form = (await see(browser, "/tickets/new")).form("/tickets/new")
    page = Page(await send(browser, form, {**REQUEST, **changes}))
    assert page.status == 422
    assert says in page.text
    assert page.form("/tickets/new").fields["text"] == REQUEST["text"]
    assert page.form("/tickets/new").fields["key"] == form.fields["key"]
    assert (await browser.get("/tickets/T-1001")).status_code == 404


async def test_a_viewer_a_stranger_and_another_site_open_nothing(
    bench: DeskBench, browser: httpx.AsyncClient
) -> None:
    form = (await see(browser, "/tickets/new")).form("/tickets/new")
    viewer = bench.browser(bench.session(bench.staff("Vera Pym", role=Role.VIEWER)))
    assert (await viewer.get("/tickets/new")).status_code == 403
    assert (await bench.visitor().get("/tickets/new")).status_code == 303
    ended = Page(await send(bench.visitor(), form, REQUEST))
    assert (ended.status, REQUEST["text"] in ended.text) == (401, True)
    assert (await send(browser, form, {**REQUEST, "form_token": "other"})).status_code == 403
    browser.headers["Origin"] = "https://elsewhere.test"
    browser.headers["Sec-Fetch-Site"] = "cross-site"
    assert (await send(browser, form, REQUEST)).status_code == 403
    browser.headers["Origin"] = bench.policy.base_url
    browser.headers["Sec-Fetch-Site"] = "same-origin"
    assert (await browser.get("/tickets/T-1001")).status_code == 404
