"""The request form: what it promises, what becomes of a request, and what its sender is told."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from tests.builders import TARGETS, a_policy
from tests.clocks import FakeClock
from tests.desk import Page
from tests.portal import branded
from tests.requesting import ANNA, FORM, STRANGER, TYPED, FormBench, receipt_page
from tests.tickets import opened
from tickets.attachments import list_attachments
from tickets.history import Actor
from tickets.letters import Letters
from tickets.policy import ClientPromises, SiteName
from tickets.requests import SentRequest, take_request
from tickets.rules.notice import Audience, Notice
from tickets.rules.promise import CountedIn, MetBy, ResponseTarget
from tickets.rules.ticket import Category, Priority, Source, reference
from tickets.store import Store
from tickets.sweep import sweep
from tickets.triage import set_category
from tickets.verification import forget_requests

FRIDAY_EVENING = datetime(2026, 12, 18, 18, 0, tzinfo=UTC)
PICTURE = ("fault.png", b"\x89PNG\r\n\x1a\n" + bytes(40))


@pytest.fixture
def bench(sqlite_store: Store, clock: FakeClock) -> FormBench:
    return FormBench(sqlite_store, clock)


async def test_the_form_names_the_deadline_beside_each_choice(bench: FormBench) -> None:
    text = Page(await bench.browser().get(FORM)).text
    assert "Support is open until 17:00" in text
    assert "Mon to Fri 09:00-17:00 (London)" in text
    soon, late = "Thu 5 Mar 2026 10:00 GMT", "Fri 6 Mar 2026 10:00 GMT"
    assert text.count("Tue 3 Mar 2026 11:00 GMT") == 2  # beside its choice, and before sending
    assert text.count(soon) == text.count(late) == 3  # beside the first "No" as well
    assert f"No Our answer by {soon}, or if it can wait by {late}" in text
    assert "We are closed" not in text


async def test_out_of_hours_the_form_says_when_support_opens_and_what_is_closed(
    bench: FormBench,
) -> None:
    bench.clock.step(FRIDAY_EVENING - bench.clock.now())
    text = Page(await bench.browser().get(FORM)).text
    assert "Support is closed until Mon 09:00" in text
    assert "We are closed from Thu 24 Dec 2026 to Fri 1 Jan 2027" in text
    assert "Mon 21 Dec 2026 10:00 GMT" in text
    assert "Tue 5 Jan 2027 09:00 GMT" not in text


async def test_a_client_with_its_own_agreement_sees_its_own_deadlines(
    sqlite_store: Store, clock: FakeClock
) -> None:
    policy = branded(a_policy())
    two_hours = ResponseTarget(
        within=timedelta(hours=2), counted_in=CountedIn.SUPPORT_HOURS, met_by=MetBy.REPLY
    )
    own = ClientPromises(hours=policy.hours, targets={**TARGETS, Priority.CRITICAL: two_hours})
    bench = FormBench(sqlite_store, clock, replace(policy, promises={"harbour": own}))
    sent = await bench.send(offline="yes")
    page = await receipt_page(sent, bench.browser())
    assert "You have our answer by Tue 3 Mar 2026 12:00 GMT" in page.text


async def test_a_contacts_request_is_a_ticket_at_once(store: Store, clock: FakeClock) -> None:
    bench = FormBench(store, clock)
    sent = await bench.send(offline="yes", files=[PICTURE])
    at = bench.clock.now()
    page = await receipt_page(sent, bench.browser())
    (ticket,) = bench.tickets()
    assert (ticket.source, ticket.priority) == (Source.PORTAL, Priority.CRITICAL)
    assert (ticket.requester_name, ticket.requester_address) == ("Anna Wright", ANNA)
    assert (ticket.site, ticket.category) == ("booking", Category.BUG_FIX)
    assert ticket.opened_at == at
    assert "T-1001" in page.text
    assert "We take it up by Tue 3 Mar 2026 11:00 GMT" in page.text
    told = {message.address for message in bench.messages(Notice.RECEIVED)}
    assert told == {ANNA, "duty@agency.test"}
    (file,) = store.read(lambda tx: list_attachments(tx, 1))
    assert (file.name, file.media_type, file.entry_number) == ("fault.png", "image/png", 1)


@pytest.mark.parametrize(
    ("answers", "priority"),
    [
        ({"offline": "yes", "wait": "yes"}, Priority.CRITICAL),
        ({"offline": "no", "wait": "no"}, Priority.NORMAL),
        ({"offline": "no", "wait": "yes"}, Priority.LOW),
    ],
)
async def test_two_plain_questions_make_the_priority(
    bench: FormBench, answers: Mapping[str, str], priority: Priority
) -> None:
    await bench.send({**TYPED, **answers})
    assert bench.tickets()[0].priority is priority


async def test_of_many_sites_one_is_chosen_from_a_list(
    sqlite_store: Store, clock: FakeClock
) -> None:
    policy = branded(a_policy())
    sites = tuple(SiteName(f"s{n}", f"Site {n}", f"https://s{n}.harbour.test/") for n in range(12))
    harbour = replace(policy.clients["harbour"], sites=sites)
    bench = FormBench(sqlite_store, clock, replace(policy, clients={"harbour": harbour}))
    page = Page(await bench.browser().get(FORM))
    assert len([one for one in page.elements if one[0] == "option"]) == 14
    faulty = await bench.send(site="s7", title="")
    chosen = [attributes for _, attributes in Page(faulty).elements if "selected" in attributes]
    assert [one["value"] for one in chosen] == ["s7"]
    await bench.send(site="s7")
    assert bench.tickets()[0].site == "s7"


async def test_whose_site_is_offline_need_not_say_what_kind_of_request_it_is(
    bench: FormBench,
) -> None:
    sent = await bench.send(offline="yes", wait="", category="", site="")
    assert sent.status_code == 303
    assert (bench.tickets()[0].category, bench.tickets()[0].site) == (Category.BUG_FIX, None)


async def test_what_is_missing_is_named_twice_and_nothing_typed_is_lost(bench: FormBench) -> None:
    sent = await bench.send(
        wait="", title="", text='Two\nlines with <b> & "quotes"', email="anna@", name="Änne"
    )
    page = Page(sent)
    assert sent.status_code == 422
    assert "<title>Error: " in sent.text
    faults = (
        "Say whether it can wait",
        "Write a few words on what it is about",
        "Write one e-mail address in plain letters, such as name@example.com",
    )
    for fault in faults:
        assert page.links[fault] in {"#wait", "#title", "#email"}
        assert f"Error: {fault}" in page.text
    fields = page.form(FORM).fields
    assert fields["text"] == 'Two\nlines with <b> & "quotes"'
    assert (fields["offline"], fields["site"], fields["name"]) == ("no", "booking", "Änne")
    assert bench.tickets() == []
    described = {
        attributes.get("aria-describedby")
        for tag, attributes in page.elements
        if attributes.get("aria-invalid")
    }
    assert {"title-hint title-fault", "email-hint email-fault"} <= described


async def test_a_file_that_may_not_be_sent_leaves_every_word(bench: FormBench) -> None:
    sent = await bench.send(files=[("page.svg", b"<svg onload='alert(1)'/>")])
    page = Page(sent)
    assert sent.status_code == 422
    assert "The file ‘page.svg’ is of a kind that cannot be sent" in page.text
    assert "choose them again" in page.text
    assert page.form(FORM).fields["title"] == TYPED["title"]


async def test_a_file_added_after_going_back_is_another_request_one_lost_is_not(
    bench: FormBench,
) -> None:
    browser = bench.browser()
    data = {**await bench.open(browser), **TYPED}
    with_file = [("files", PICTURE)]
    places = [
        (await browser.post(FORM, data=data, files=files)).headers["location"]
        for files in (None, with_file, with_file, None)
    ]
    assert places[0] == places[3]
    assert places[1] == places[2]
    assert len(bench.tickets()) == 2


async def test_a_strangers_request_waits_until_they_press_the_button(
    store: Store, clock: FakeClock
) -> None:
    bench = FormBench(store, clock)
    await bench.send(email=STRANGER, offline="yes", files=[PICTURE])
    assert bench.tickets() == []
    (asked,) = bench.messages()
    assert (asked.notice, asked.address) == (Notice.VERIFY, STRANGER)
    path = bench.verify_path()
    clock.advance(timedelta(minutes=30))
    for _ in range(3):  # a mail program that looks ahead changes nothing
        assert "Is this your request?" in Page(await bench.browser().get(path)).text
    assert bench.tickets() == []
    page = await bench.answer(path)
    (ticket,) = bench.tickets()
    assert ticket.opened_at == clock.now()
    assert "T-1001" in page.text
    assert "You hear from us by Tue 3 Mar 2026 11:30 GMT" in page.text
    assert {message.address for message in bench.messages(Notice.RECEIVED)} == {
        STRANGER,
        "duty@agency.test",
    }
    assert len(store.read(lambda tx: list_attachments(tx, 1))) == 1
    assert not bench.is_unverified(1)


async def test_what_follows_a_request_is_found_by_nobody_and_names_its_address_to_nobody(
    bench: FormBench,
) -> None:
    sent = await bench.send(email=STRANGER)
    for path in (sent.headers["location"], bench.verify_path()):
        headers = (await bench.browser().get(path)).headers
        assert headers["x-robots-tag"] == "noindex, nofollow"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"


async def test_a_button_pressed_twice_opens_one_ticket(bench: FormBench) -> None:
    await bench.send(email=STRANGER)
    path, browser = bench.verify_path(), bench.browser()
    fields = {**Page(await browser.get(path)).forms[0].fields, "answer": "mine"}
    answers = [await browser.post(path, data=fields) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    assert len(bench.tickets()) == 1


async def test_a_later_request_of_the_same_day_is_verified_by_the_same_link(
    bench: FormBench,
) -> None:
    await bench.send(email=STRANGER)
    path = bench.verify_path()
    await bench.answer(path)
    await bench.send(email=STRANGER, title="And another thing")
    assert len(bench.messages(Notice.VERIFY)) == 1
    page = await bench.answer(path)
    assert {ticket.title for ticket in bench.tickets()} == {TYPED["title"], "And another thing"}
    assert "T-1002" in page.text


async def test_what_is_not_mine_is_forgotten_and_what_nobody_claims_as_well(
    bench: FormBench,
) -> None:
    await bench.send(email=STRANGER, title="Not from Kim")
    await bench.send(email=STRANGER, title="From nobody")
    path = bench.verify_path()
    page = await bench.answer(path, "not_mine")
    assert "Not from Kim" not in page.text
    assert "From nobody" in page.text
    bench.clock.advance(timedelta(hours=49))
    await sweep(bench.store, bench.policy, now=bench.clock.now())
    gone = await bench.browser().get(path)
    assert gone.status_code == 410
    assert "send yours again" in Page(gone).text
    bench.clock.advance(timedelta(days=8))
    at = bench.clock.now()
    bench.store.write(lambda tx: forget_requests(tx, at=at))
    assert bench.tickets() == []


async def test_a_reference_that_was_told_is_no_other_tickets(
    store: Store, clock: FakeClock
) -> None:
    bench = FormBench(store, clock)
    page = await receipt_page(await bench.send(email=STRANGER), bench.browser())
    assert "T-1001" in page.text
    assert opened(store, bench.policy, at=clock.now()) == "T-1002"
    page = await receipt_page(await bench.send(title="Another"), bench.browser())
    assert "T-1003" in page.text
    page = await bench.answer(bench.verify_path())
    assert "T-1001" in page.text
    assert [ticket.id for ticket in bench.tickets()] == [1, 2, 3]


async def test_a_request_left_behind_by_a_crash_is_opened_by_the_sweep_with_its_own_time(
    bench: FormBench,
) -> None:
    sent = SentRequest(
        client="harbour",
        priority=Priority.CRITICAL,
        category=Category.BUG_FIX,
        site=None,
        title="Down",
        text="All of it",
        name="Anna",
        address=ANNA,
    )
    at = bench.clock.now()
    bench.store.write(lambda tx: take_request(tx, bench.policy, sent, token="t", at=at))
    assert bench.tickets() == []
    bench.clock.advance(40)
    assert await sweep(bench.store, bench.policy, now=bench.clock.now()) == 0
    assert bench.tickets()[0].opened_at == at


async def test_while_the_store_takes_nothing_the_words_come_back_and_can_be_sent_again(
    sqlite_store: Store, clock: FakeClock
) -> None:
    impatient = Store(sqlite_store.url, busy_timeout=timedelta(milliseconds=20))
    bench = FormBench(impatient, clock)
    path = sqlite_store.url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        sent = await bench.send()
        other.execute("ROLLBACK")
    page = Page(sent)
    assert sent.status_code == 503
    assert "has not reached us" in page.text
    fields = page.form(FORM).fields
    assert fields.pop("files") == ""
    assert (fields["text"], fields["email"]) == (TYPED["text"], ANNA)
    again = await bench.browser().post(FORM, data={**TYPED, **fields, "wait": "no"})
    assert again.status_code == 303
    assert len(bench.tickets()) == 1
    impatient.close()


async def test_what_cannot_be_settled_is_never_given_up_if_a_contact_sent_it(
    bench: FormBench,
) -> None:
    at = bench.clock.now()
    for number, address in enumerate((ANNA, STRANGER)):
        sent = SentRequest(
            client="harbour",
            priority=Priority.NORMAL,
            category=Category.ADVICE,
            site=None,
            title="A question",
            text="How?",
            name="Anna",
            address=address,
        )
        take = partial(take_request, policy=bench.policy, sent=sent, token=str(number), at=at)
        bench.store.write(take)
    bench.clock.advance(timedelta(days=3))  # the store was away, or a fault of ours stood between
    await sweep(bench.store, bench.policy, now=bench.clock.now())
    (ticket,) = bench.tickets()
    assert (ticket.requester_address, ticket.opened_at) == (ANNA, at)
    assert bench.messages(Notice.VERIFY) == []


async def test_the_receipt_says_what_was_asked_whatever_becomes_of_it(bench: FormBench) -> None:
    says = "It is about A question, or advice Website Booking site You chose Please look at it soon"
    pages: list[str] = []
    for address in (ANNA, STRANGER):
        browser = bench.browser()
        sent = await bench.send(browser=browser, category="advice", email=address)
        assert says in (await receipt_page(sent, browser)).text
        pages.append(sent.headers["location"])
    (ticket,) = bench.tickets()
    bench.store.write(
        lambda tx: set_category(
            tx,
            reference(ticket.id or 0),
            category=Category.BUG_FIX,
            actor=Actor("Sam Okafor"),
            at=bench.clock.now(),
        )
    )
    for page in pages:
        assert says in Page(await bench.browser().get(page)).text
    sent = await bench.send(category="cms_update", site="-", title="Another")
    assert "Website" not in (await receipt_page(sent, bench.browser())).text


async def test_the_receipt_mail_names_reference_deadline_and_closure(bench: FormBench) -> None:
    bench.clock.step(FRIDAY_EVENING - bench.clock.now())
    await bench.send()
    (receipt,) = [row for row in bench.messages(Notice.RECEIVED) if row.address == ANNA]
    letter = Letters().write(Notice.RECEIVED, Audience.CLIENT, receipt.facts)
    for words in (
        "T-1001",
        "Tue 22 Dec 2026 17:00 GMT",
        "closed from Thu 24 Dec 2026 to Fri 1 Jan 2027",
        "It is about: Something does not work as it should. Website: Booking site.",
    ):
        assert words in letter.text


async def test_the_form_of_nobody_is_not_found(bench: FormBench) -> None:
    assert (await bench.browser().get("/support/nobody")).status_code == 404
    assert (await bench.browser().get(f"{FORM}/sent/{'x' * 22}")).status_code == 404


async def test_deadlines_for_an_open_page_come_as_json(bench: FormBench) -> None:
    answer = (await bench.browser().get(f"{FORM}/deadlines")).json()
    assert answer["support"] == "open until 17:00"
    assert answer["respond_by"]["critical"] == {
        "at": "2026-03-03T11:00:00+00:00",
        "words": "Tue 3 Mar 2026 11:00 GMT",
    }
