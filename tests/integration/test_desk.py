"""The desk's pages and forms, through the real application on a real SQLite file."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.builders import LONDON
from tests.clocks import FakeClock
from tests.desk import DeskBench, Page, see, send
from tests.tickets import opened
from tickets import actions, claims, outbox
from tickets.accounts import Staff
from tickets.errors import ServiceError
from tickets.history import Actor
from tickets.pages.rendering import asset, make_environment
from tickets.pages.watch import SiteState, SiteView
from tickets.queries.tickets import get_ticket_page
from tickets.queries.views import TicketPage
from tickets.rules.message import DeliveryOutcome, FailureReason
from tickets.rules.notice import Notice
from tickets.rules.staff import Role
from tickets.rules.ticket import Action, Outcome, Priority, Status
from tickets.store import Store

ACTIONS = ("acknowledge", "reply", "note", "resolve", "close", "reopen")
STAFF_PAGES = (
    "/",
    "/tickets",
    "/tickets/finished",
    "/tickets/T-1001",
    "/sites",
    "/outbox",
    "/calendar",
)


@pytest.fixture
def bench(tmp_path: Path, migrated_sqlite: Path, clock: FakeClock) -> Iterator[DeskBench]:
    """A desk over a fresh SQLite file, at Tue 3 Mar 2026 10:00 GMT."""
    path = tmp_path / "desk.db"
    shutil.copy(migrated_sqlite, path)
    store = Store(f"sqlite:///{path}")
    yield DeskBench(store, clock)
    store.close()


@pytest.fixture
def sam(bench: DeskBench) -> Staff:
    return bench.staff()


@pytest.fixture
def browser(bench: DeskBench, sam: Staff) -> httpx.AsyncClient:
    """Sam's browser, signed in."""
    return bench.browser(bench.session(sam))


@pytest.fixture
def ref(bench: DeskBench) -> str:
    """A critical ticket that opened just now: T-1001, due at 11:00."""
    return opened(bench.store, bench.policy, at=bench.clock.now())


def stored(bench: DeskBench, ref: str = "T-1001") -> TicketPage:
    return bench.store.read(partial(get_ticket_page, ref=ref))


def a_site(slug: str = "booking", state: SiteState = SiteState.UP, **changes: object) -> SiteView:
    values: dict[str, object] = {
        "slug": slug,
        "name": slug.capitalize(),
        "url": f"https://{slug}.harbour.test/",
        "client": "harbour",
        "client_name": "Harbour Inns",
        "state": state,
        "since": datetime(2026, 3, 3, 9, 0, tzinfo=UTC),
        "last_probe_at": datetime(2026, 3, 3, 9, 59, 30, tzinfo=UTC),
        "message": "200 in 0.41 s",
        "duration_seconds": 0.41,
        "open_ticket_reference": None,
        "interval": timedelta(seconds=60),
    }
    return SiteView(**{**values, **changes})  # pyright: ignore[reportArgumentType]


# What the pages show


async def test_the_queue_shows_the_time_left_before_anything_else(
    bench: DeskBench, browser: httpx.AsyncClient, ref: str
) -> None:
    bench.clock.advance(timedelta(minutes=42, seconds=20))
    text = (await see(browser, "/")).text
    assert "17 min respond by 11:00 critical Down Harbour Inns: Booking site is down" in text
    assert "Acknowledge T-1001" in text


async def test_the_queue_is_sorted_by_deadline(
    bench: DeskBench, browser: httpx.AsyncClient
) -> None:
    now = bench.clock.now()
    for title, priority, ago in (
        ("later", Priority.CRITICAL, 5),
        ("answered", Priority.CRITICAL, 50),
        ("last", Priority.LOW, 60),
        ("first", Priority.CRITICAL, 40),
    ):
        opened(
            bench.store,
            bench.policy,
            at=now - timedelta(minutes=ago),
            title=title,
            priority=priority,
        )
    actor = Actor("Mia")
    bench.store.write(
        lambda tx: actions.acknowledge(tx, bench.policy, "T-1002", actor=actor, at=now)
    )
    for path in ("/", "/tickets"):
        page = await see(browser, path)
        titles = [name for name in page.links if name in {"first", "later", "last", "answered"}]
        assert titles == ["first", "later", "last", "answered"]
    assert "promise kept 10:00" in page.text
    assert "next word by 11:00" in page.text


async def test_a_passed_deadline_is_told_without_any_sweep(
    bench: DeskBench, browser: httpx.AsyncClient, ref: str
) -> None:
    bench.clock.advance(timedelta(minutes=72))
    text = (await see(browser, "/")).text
    assert "12 min over was due 11:00" in text
    assert (
        "12 min over was due Tue 3 Mar 2026 11:00 GMT"
        in (await see(browser, f"/tickets/{ref}")).text
    )


async def test_an_empty_queue_says_what_would_appear(browser: httpx.AsyncClient) -> None:
    text = (await see(browser, "/")).text
    assert "Nothing waits for an answer." in text
    assert "A ticket appears here the moment a site is confirmed down or slow" in text


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("mine=1", {"taken"}),
        ("priority=normal", {"asked"}),
        ("priority=sideways", {"asked", "taken"}),
        ("source=portal", set[str]()),
        ("client=harbour", {"asked", "taken"}),
        ("client=nobody", set[str]()),
        ("search=ASK", {"asked"}),
        ("search=t-1002", {"taken"}),
        ("search=%25", set[str]()),
        ("search=' OR 1=1 --", set[str]()),
        ("priority=normal&search=taken", set[str]()),
    ],
)
async def test_the_queue_can_be_narrowed(
    bench: DeskBench, browser: httpx.AsyncClient, sam: Staff, query: str, titles: set[str]
) -> None:
    now = bench.clock.now()
    opened(bench.store, bench.policy, at=now, title="asked", priority=Priority.NORMAL)
    opened(bench.store, bench.policy, at=now, title="taken")
    actor = Actor(sam.name, staff_id=sam.id)
    bench.store.write(
        lambda tx: actions.acknowledge(tx, bench.policy, "T-1002", actor=actor, at=now)
    )
    page = await see(browser, f"/tickets?{query}")
    assert {"asked", "taken"} & set(page.links) == titles
    assert titles or "No ticket matches." in page.text


async def test_finished_tickets_stand_on_a_page_of_their_own(
    bench: DeskBench, browser: httpx.AsyncClient, ref: str
) -> None:
    bench.store.write(
        lambda tx: actions.close(
            tx,
            ref,
            outcome=Outcome.DUPLICATE,
            reason="as T-1000",
            actor=Actor("Mia"),
            at=bench.clock.now(),
        )
    )
    assert ref not in (await see(browser, "/")).text
    assert "closed: a duplicate" in (await see(browser, "/tickets/finished")).text


async def test_a_ticket_shows_promise_evidence_and_history(
    bench: DeskBench, browser: httpx.AsyncClient, ref: str
) -> None:
    text = (await see(browser, f"/tickets/{ref}")).text
    assert "1 h left respond by Tue 3 Mar 2026 11:00 GMT" in text
    assert "answer none: connection refused 200 in 0.41 s" in text
    assert "10:00:00 Monitor opened the ticket The server at 203.0.113.7 refused" in text
    assert "Mail to Anna Wright <anna@harbour.test>: on its way" in text


async def test_why_names_what_counted_and_each_day_that_did_not(
    bench: DeskBench, browser: httpx.AsyncClient
) -> None:
    thursday = datetime(2026, 4, 2, 16, 48, tzinfo=LONDON)
    bench.clock.step(thursday - bench.clock.now())
    ref = opened(bench.store, bench.policy, at=thursday)
    browser = bench.browser(bench.session(bench.staff("Mia")))
    text = (await see(browser, f"/tickets/{ref}")).text
    assert "respond by Tue 7 Apr 2026 09:48 BST" in text
    assert (
        "Thu 2 Apr 2026 16:48–17:00 12 min"
        " Fri 3 Apr 2026 not counted: Good Friday"
        " Sat 4 Apr 2026 not counted: Saturday"
        " Sun 5 Apr 2026 not counted: Sunday"
        " Mon 6 Apr 2026 not counted: Easter Monday"
        " Tue 7 Apr 2026 09:00–09:48 1 h"
    ) in text


async def test_deliveries_are_told_where_they_were_caused(
    bench: DeskBench, browser: httpx.AsyncClient, ref: str
) -> None:
    now = bench.clock.now()
    endings = {
        "anna@harbour.test": (DeliveryOutcome.SENT, "250 OK", None),
        "ben@harbour.test": (DeliveryOutcome.REFUSED, "550 no such box", FailureReason.PERMANENT),
        "duty@agency.test": (DeliveryOutcome.DEFERRED, "421 busy", FailureReason.TEMPORARY),
    }
    for claimed in bench.store.write(partial(claims.claim, now=now, most=9)):
        message = claimed.message
        outcome, answer, reason = endings[message.address]
        assert message.id is not None
        bench.store.write(
            partial(
                outbox.settle,
                message_id=message.id,
                outcome=outcome,
                answer=answer,
                now=now,
                reason=reason,
            )
        )
    text = (await see(browser, f"/tickets/{ref}")).text
    assert "Mailed to Anna Wright, sent 10:00" in text
    assert "Mail to Ben Moss <ben@harbour.test>: not delivered (550 no such box)" in text
    assert "failed 1 time, next attempt 10:01 (421 busy)" in text
    assert "1 mail not delivered" in text
    dead = (await see(browser, "/outbox?state=dead")).text
    assert (
        "Not delivered Down no. 2, for the client Ben Moss ben@harbour.test T-1001 10:00 1" in dead
    )
    assert "anna@harbour.test" not in dead


async def test_sites_are_listed_the_worst_first(
    bench: DeskBench, browser: httpx.AsyncClient
) -> None:
    bench.watch.sites = [
        a_site("zebra"),
        a_site("shop", SiteState.SLOW),
        a_site("old", SiteState.UNKNOWN, last_probe_at=None, duration_seconds=None),
        a_site("booking", SiteState.DOWN, open_ticket_reference="T-1001"),
    ]
    page = await see(browser, "/sites")
    places = [page.text.index(name) for name in ("Booking", "Shop", "Old", "Zebra")]
    assert places == sorted(places)
    assert "Down for 1 h Booking" in page.text
    assert page.links["T-1001"] == "/tickets/T-1001"
    assert "4 sites: 1 up, 1 slow, 1 down, 1 unknown" in page.text
    assert page.links["https://shop.harbour.test/"] == "https://shop.harbour.test/"
    only = (await see(browser, "/sites?state=slow&search=SHOP")).text
    assert "Shop" in only
    assert "Zebra" not in only
    assert "No site matches." in (await see(browser, "/sites?search=nothing")).text


@pytest.mark.parametrize("state", list(SiteState))
async def test_the_mark_and_the_icon_carry_the_worst_state(
    bench: DeskBench, browser: httpx.AsyncClient, state: SiteState
) -> None:
    bench.watch.sites = [a_site("good"), a_site("other", state)]
    page = await see(browser, "/calendar")
    assert f"fettle, worst state of all sites: {state.value}" in page.text
    icon = next(found["href"] for tag, found in page.elements if found.get("rel") == "icon")
    drawn = await browser.get(icon)
    assert drawn.headers["content-type"] == "image/svg+xml"
    plain = await browser.get("/favicon.svg")
    assert drawn.text != plain.text


async def test_the_calendar_tells_what_is_due_and_names_days_off(
    bench: DeskBench, browser: httpx.AsyncClient
) -> None:
    text = (await see(browser, "/calendar")).text
    assert "critical respond by Tue 3 Mar 2026 11:00 GMT 1 h in support hours" in text
    assert "low respond by Fri 6 Mar 2026 10:00 GMT 3 support days" in text
    assert "Monday to Friday 09:00–17:00 Saturday to Sunday closed" in text
    assert "6 Easter Monday" in text
    assert "29–31 Christmas" in text
    assert "February 2027" in text


async def test_the_calendar_says_where_its_knowledge_ends(bench: DeskBench) -> None:
    bench.clock.step(datetime(2032, 12, 31, 16, 0, tzinfo=UTC) - bench.clock.now())
    browser = bench.browser(bench.session(bench.staff("Mia")))
    text = (await see(browser, "/calendar")).text
    assert "critical beyond the calendar" in text
    assert "The calendar is known until Fri 31 Dec 2032." in text


async def test_the_header_says_who_reads_and_whether_support_is_open(
    bench: DeskBench, browser: httpx.AsyncClient, ref: str
) -> None:
    text = (await see(browser, "/outbox")).text
    assert "Queue 1 Sites 0" in text
    assert "Support open until 17:00 Sam Okafor" in text
    bench.clock.advance(timedelta(hours=7, minutes=30))
    assert "Support closed until Wed 09:00" in (await see(browser, "/outbox")).text


# What people do


async def test_acknowledging_from_the_queue_keeps_the_promise(
    bench: DeskBench, browser: httpx.AsyncClient, ref: str
) -> None:
    bench.clock.advance(timedelta(minutes=12))
    form = (await see(browser, "/")).form(f"/tickets/{ref}/acknowledge")
    answer = await send(browser, form)
    assert answer.status_code == 303
    page = await see(browser, answer.headers["location"])
    assert (
        "You acknowledged the ticket at 10:12. Mail to Anna Wright and Ben Moss is on" in page.text
    )
    assert "Promise kept answered 10:12 by Sam Okafor" in page.text
    assert "with Sam Okafor" in page.text
    assert stored(bench).ticket.promise.was_kept


TYPED = {
    "reply": {"text": "We are looking at it.\r\nMore by noon."},
    "note": {"text": "The host is slow to answer."},
    "resolve": {"cause": "Out of memory", "done": "Restarted"},
    "close": {"outcome": "duplicate", "reason": "as T-1000"},
}


@pytest.mark.parametrize("action", TYPED)
async def test_a_form_does_what_it_says(
    bench: DeskBench, browser: httpx.AsyncClient, ref: str, action: str
) -> None:
    form = (await see(browser, f"/tickets/{ref}?do={action}")).form(f"/tickets/{ref}/{action}")
    answer = await send(browser, form, TYPED[action])
    assert (answer.status_code, answer.headers["location"]) == (303, f"/tickets/{ref}?done")
    entry = stored(bench).entries[-1]
    assert (entry.action, entry.actor) == (Action(action), "Sam Okafor")
    told = {message.notice.value for message in stored(bench).messages if message.entry_number == 2}
    assert told == {"reply": {"reply"}, "resolve": {"resolved"}}.get(action, set())
    assert entry.is_visible == (action in {"reply", "resolve"})
    if action == "reply":
        assert entry.text == "We are looking at it.\nMore by noon."


async def test_a_resolved_ticket_can_be_closed_or_reopened(
    bench: DeskBench, browser: httpx.AsyncClient, ref: str
) -> None:
    form = (await see(browser, f"/tickets/{ref}?do=resolve")).form(f"/tickets/{ref}/resolve")
    await send(browser, form, TYPED["resolve"])
    form = (await see(browser, f"/tickets/{ref}?do=reopen")).form(f"/tickets/{ref}/reopen")
    await send(browser, form, {"reason": "It is down again"})
    assert stored(bench).ticket.promise.number == 2
    form = (await see(browser, f"/tickets/{ref}?do=resolve")).form(f"/tickets/{ref}/resolve")
    await send(browser, form, TYPED["resolve"])
    form = (await see(browser, f"/tickets/{ref}?do=close")).form(f"/tickets/{ref}/close")
    await send(browser, form, {"outcome": "fixed"})
    ticket = stored(bench).ticket
    assert (ticket.status, ticket.outcome) == (Status.CLOSED, Outcome.FIXED)
    page = await see(browser, f"/tickets/{ref}")
    assert "closed the ticket: fixed" in page.text
    assert set(page.links) & {"Reply", "Resolve", "Close", "Reopen"} == set()
    assert "Note" in page.links


async def test_the_confirmation_belongs_to_whoever_acted_just_now(
    bench: DeskBench, browser: httpx.AsyncClient, ref: str
) -> None:
    assert "You opened" not in (await see(browser, f"/tickets/{ref}?done")).text
    form = (await see(browser, f"/tickets/{ref}")).form(f"/tickets/{ref}/acknowledge")
    await send(browser, form)
    assert "You acknowledged" in (await see(browser, f"/tickets/{ref}?done")).text
    bench.clock.advance(timedelta(minutes=6))
    assert "You acknowledged" not in (await see(browser, f"/tickets/{ref}?done")).text


@pytest.mark.parametrize(
    ("action", "typed", "says", "kept"),
    [
        ("reply", {"text": " \n "}, "Write what the client should know", {}),
        ("note", {}, "Write the note", {}),
        ("resolve", {"done": "Restarted"}, "Write what the cause was", {"done": "Restarted"}),
        ("resolve", {"cause": "Memory"}, "Write what was done", {"cause": "Memory"}),
        ("reply", {"text": "x" * 20_001}, "at most 20,000 characters; it has 20,001", {}),
        ("close", {"reason": "why not"}, "Choose how it ended", {"reason": "why not"}),
        (
            "close",
            {"outcome": "fixed", "reason": "all is well"},
            "can only be closed as duplicate or not_an_issue",
            {"reason": "all is well"},
        ),
        ("close", {"outcome": "duplicate"}, "The reason is empty", {"outcome": "duplicate"}),
    ],
)
async def test_an_incomplete_form_comes_back_filled(
    bench: DeskBench,
    browser: httpx.AsyncClient,
    ref: str,
    action: str,
    typed: dict[str, str],
    says: str,
    kept: dict[str, str],
) -> None:
    form = (await see(browser, f"/tickets/{ref}?do={action}")).form(f"/tickets/{ref}/{action}")
    answer = await send(browser, form, typed)
    page = Page(answer)
    assert page.status == 422
    assert "There is a problem" in page.text
    assert says in page.text
    again = page.form(f"/tickets/{ref}/{action}").fields
    assert {name: again[name] for name in kept} == kept
    assert len(stored(bench).entries) == 1


async def test_a_fault_is_linked_to_its_field(browser: httpx.AsyncClient, ref: str) -> None:
    form = (await see(browser, f"/tickets/{ref}?do=resolve")).form(f"/tickets/{ref}/resolve")
    page = Page(await send(browser, form, {"done": "Restarted"}))
    assert page.links["Write what the cause was"] == "#cause"
    area = next(found for tag, found in page.elements if found.get("id") == "cause")
    assert area["aria-invalid"] == "true"
    assert "cause-fault" in area["aria-describedby"]
    assert any(found.get("id") == "cause-fault" for _, found in page.elements)


# When two people meet


async def test_of_two_who_acknowledge_at_once_one_wins_and_the_other_sees_who(
    bench: DeskBench, sam: Staff, ref: str
) -> None:
    mia = bench.staff("Mia Lindqvist")
    pairs = []
    for staff in (sam, mia):
        client = bench.browser(bench.session(staff))
        form = (await see(client, "/")).form(f"/tickets/{ref}/acknowledge")
        pairs.append((client, form))
    answers = await asyncio.gather(*(send(client, form) for client, form in pairs))
    names = dict(zip((sam.name, mia.name), answers, strict=True))
    assert sorted(answer.status_code for answer in answers) == [303, 409]
    winner = next(name for name, answer in names.items() if answer.status_code == 303)
    page = Page(next(answer for answer in answers if answer.status_code == 409))
    assert "Nothing was saved: the ticket has changed since you read it" in page.text
    assert f"{winner} acknowledged the ticket at 10:00:00" in page.text
    assert "There is nothing left to acknowledge: the ticket is acknowledged." in page.text
    found = stored(bench)
    assert found.ticket.assignee == winner
    assert [entry.action for entry in found.entries] == [Action.OPEN, Action.ACKNOWLEDGE]
    assert len([one for one in found.messages if one.notice == "acknowledged"]) == 2


async def test_a_stale_form_keeps_the_words_and_can_be_sent_again(
    bench: DeskBench, browser: httpx.AsyncClient, ref: str
) -> None:
    form = (await see(browser, f"/tickets/{ref}?do=reply")).form(f"/tickets/{ref}/reply")
    bench.store.write(
        lambda tx: actions.note(
            tx, ref, text="The host knows", actor=Actor("Mia"), at=bench.clock.now()
        )
    )
    answer = await send(browser, form, {"text": "We are looking at it."})
    page = Page(answer)
    assert page.status == 409
    assert "Mia left a note at 10:00:00" in page.text
    assert len(stored(bench).entries) == 2
    assert page.links["Note"] == f"/tickets/{ref}?do=note"
    again = page.form(f"/tickets/{ref}/reply")
    assert again.fields["text"] == "We are looking at it."
    assert (await send(browser, again)).status_code == 303
    assert stored(bench).entries[-1].text == "We are looking at it."


async def test_words_are_kept_also_where_the_action_is_no_longer_possible(
    bench: DeskBench, browser: httpx.AsyncClient, ref: str
) -> None:
    form = (await see(browser, f"/tickets/{ref}?do=resolve")).form(f"/tickets/{ref}/resolve")
    bench.store.write(
        lambda tx: actions.resolve(
            tx, bench.policy, ref, cause="x", done="y", actor=Actor("Mia"), at=bench.clock.now()
        )
    )
    page = Page(await send(browser, form, TYPED["resolve"]))
    assert page.status == 409
    assert "The cause (not saved) Out of memory" in page.text
    assert "What was done (not saved) Restarted" in page.text
    assert not page.has_form(f"/tickets/{ref}/resolve")


@pytest.mark.parametrize("version", ["", "one", "-1", "9" * 30, "1.0"])
async def test_a_form_without_its_version_is_not_taken(
    bench: DeskBench, browser: httpx.AsyncClient, ref: str, version: str
) -> None:
    form = (await see(browser, f"/tickets/{ref}?do=reply")).form(f"/tickets/{ref}/reply")
    answer = await send(browser, form, {"text": "Hello", "version": version})
    assert answer.status_code == 422
    assert Page(answer).form(f"/tickets/{ref}/reply").fields["text"] == "Hello"
    assert len(stored(bench).entries) == 1


# Who may


@pytest.mark.parametrize("path", STAFF_PAGES)
async def test_without_a_session_every_page_leads_to_sign_in_and_back(
    bench: DeskBench, path: str
) -> None:
    answer = await bench.visitor().get(path)
    assert answer.status_code == 303
    where = answer.headers["location"]
    assert where == ("/sign-in" if path == "/" else f"/sign-in?next={path.replace('/', '%2F')}")


@pytest.mark.parametrize("action", ACTIONS)
async def test_without_a_session_nothing_is_done(bench: DeskBench, ref: str, action: str) -> None:
    data = {"version": "1", "text": "Hello", "cause": "a", "done": "b", "outcome": "duplicate"}
    answer = await bench.visitor().post(f"/tickets/{ref}/{action}", data=data)
    assert answer.status_code == 401
    assert "Your session has ended" in answer.text
    assert len(stored(bench).entries) == 1


@pytest.mark.parametrize("action", ACTIONS)
async def test_a_viewer_reads_and_changes_nothing(bench: DeskBench, ref: str, action: str) -> None:
    session = bench.session(bench.staff("Vera", role=Role.VIEWER))
    viewer = bench.browser(session)
    for path in ("/", f"/tickets/{ref}", f"/tickets/{ref}?do={action}"):
        page = await see(viewer, path)
        assert [form.action for form in page.forms if "T-" in form.action] == []
        assert not {"Reply", "Note", "Resolve", "Close"} & set(page.links)
    data = {
        "form_token": session.form_token,
        "version": "1",
        "text": "My long reply",
        "cause": "a",
        "done": "b",
        "outcome": "duplicate",
        "reason": "c",
    }
    answer = await viewer.post(f"/tickets/{ref}/{action}", data=data)
    assert answer.status_code == 403
    assert "may read tickets but not change them" in answer.text
    assert "My long reply" in Page(answer).text
    assert len(stored(bench).entries) == 1


@pytest.mark.parametrize("action", ACTIONS)
async def test_visiting_an_action_does_nothing(
    bench: DeskBench, browser: httpx.AsyncClient, ref: str, action: str
) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = await browser.request(method, f"/tickets/{ref}/{action}")
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert len(stored(bench).entries) == 1


@pytest.mark.parametrize("path", STAFF_PAGES)
async def test_pages_take_no_forms(browser: httpx.AsyncClient, path: str) -> None:
    answer = await browser.post(path, data={"text": "x"})
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


# When it goes wrong


@pytest.mark.parametrize("ref", ["T-9999", "T-0", "nonsense", "T-1001x", "9" * 40, "%00", "T-١٠٠١"])
async def test_an_unknown_ticket_is_told_as_such(
    bench: DeskBench, browser: httpx.AsyncClient, sam: Staff, ref: str
) -> None:
    answer = await browser.get(f"/tickets/{ref}")
    assert answer.status_code == 404
    assert "There is no ticket" in Page(answer).text
    form_token = bench.session(sam).form_token
    answer = await bench.browser(session := bench.session(sam)).post(
        f"/tickets/{ref}/note",
        data={"text": "Hi", "version": "1", "form_token": session.form_token},
    )
    assert form_token != session.form_token
    assert answer.status_code == 404
    assert "Hi" in Page(answer).text


async def test_a_store_that_does_not_answer_loses_no_words(
    bench: DeskBench, browser: httpx.AsyncClient, ref: str
) -> None:
    form = (await see(browser, f"/tickets/{ref}?do=reply")).form(f"/tickets/{ref}/reply")
    with bench.store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE message RENAME TO elsewhere")
    answer = await send(browser, form, {"text": "A long reply that took a while"})
    page = Page(answer)
    assert page.status == 503
    assert answer.headers["retry-after"] == "5"
    assert "A long reply that took a while" in page.text
    assert "message" not in page.text
    with bench.store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO message")
    assert len(stored(bench).entries) == 1
    assert (await send(browser, form, {"text": "Again"})).status_code == 303


@pytest.mark.parametrize("path", ["/", "/sites", "/outbox", "/calendar", "/tickets/T-1001"])
async def test_every_page_says_when_the_monitor_is_blind(
    bench: DeskBench, browser: httpx.AsyncClient, ref: str, path: str
) -> None:
    words = "The prober at main has been blind since Tue 3 Mar 2026 09:55 GMT"
    assert words not in Page(await browser.get(path)).text
    bench.watch.warnings = (words,)
    assert f"{words}. What this page says of sites" in Page(await browser.get(path)).text


async def test_the_outbox_lists_a_notice_that_belongs_to_no_ticket(
    bench: DeskBench, browser: httpx.AsyncClient
) -> None:
    bench.store.write(
        lambda tx: outbox.put_notice(
            tx,
            outbox.StaffNotice(key="blind:main", thread="main", notice=Notice.BLIND, facts={}),
            recipients=bench.policy.lead,
            domain="agency.test",
            at=bench.clock.now(),
        )
    )
    page = Page(await browser.get("/outbox"))
    assert "Blind no. 1, for staff" in page.text
    assert "/tickets/None" not in str(page.links)


async def test_a_fault_of_ours_says_no_more_than_its_mark(
    bench: DeskBench, sam: Staff, ref: str
) -> None:
    session = bench.session(sam)

    class Broken(ServiceError, OSError):
        pass

    def fail(tx: object) -> object:
        raise Broken("secret path of the inside")

    bench.watch.summary = fail  # pyright: ignore[reportAttributeAccessIssue]
    client = bench.visitor(is_raising=False)
    answer = await client.get("/", headers={"Cookie": f"{bench.cookie}={session.token}"})
    page = Page(answer)
    assert page.status == 500
    assert "Something broke on our side" in page.text
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/nowhere", "/tickets/", "//", "/sign-in/", "/static/"])
async def test_an_unknown_address_says_so(browser: httpx.AsyncClient, path: str) -> None:
    answer = await browser.get(
        httpx.URL("http://desk.agency.test").copy_with(raw_path=path.encode())
    )
    assert answer.status_code == 404
    assert "There is no such page" in Page(answer).text


async def test_a_form_that_waited_through_the_night_is_kept_over_sign_in(
    bench: DeskBench, ref: str
) -> None:
    answer = await bench.visitor().post(
        f"/tickets/{ref}/reply", data={"text": "All of my words", "version": "1"}
    )
    page = Page(answer)
    assert page.status == 401
    assert "Your words are kept" in page.text
    fields = page.form("/sign-in").fields
    assert fields["text"] == "All of my words"
    assert fields["next"] == f"/tickets/{ref}"


# What other pages may reuse


def test_a_page_outside_the_desk_looks_the_same_and_escapes() -> None:
    page = (
        '{% extends "bare.html" %}{% block title %}Demo{% endblock %}'
        "{% block content %}<p>{{ text }}</p>{% endblock %}"
    )
    template = make_environment([]).from_string(page)
    html = template.render(text="<b>")
    assert "<p>&lt;b&gt;</p>" in html
    assert asset("desk.css") in html
    assert "<title>Demo · fettle</title>" in html
    html = template.render(text="", worst_state="slow")
    assert "/favicon.svg?state=slow" in html
