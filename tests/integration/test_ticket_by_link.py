"""A ticket by its link: what it shows, what its forms do, and what keeps everybody else out."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.builders import ANNA, BEN
from tests.by_link import CARLA, OURS, PNG, SAM, LinkBench
from tests.clocks import FakeClock
from tests.desk import DeskBench, Page, see
from tests.postgresql import PostgreSQL
from tickets import actions, by_link, incidents, links, outbox, relations, triage
from tickets.letters import Letters
from tickets.opening import NewTicket, open_ticket
from tickets.policy import ClientContacts
from tickets.rules.message import DeliveryOutcome
from tickets.rules.notice import Audience, Notice
from tickets.rules.ticket import Action, Category, Priority, Source, Status
from tickets.store import Store
from tickets.tables import TicketRow, WatcherRow
from tickets.waiting import resume_due

NO_LINK = "This link does not work any more"


@pytest.fixture
def either(store: Store, clock: FakeClock) -> LinkBench:
    """A bench on both databases, for what depends on them."""
    return LinkBench(store, clock)


@pytest.fixture
def bench(tmp_path: Path, migrated_sqlite: Path, clock: FakeClock) -> Iterator[LinkBench]:
    path = tmp_path / "links.db"
    shutil.copy(migrated_sqlite, path)
    store = Store(f"sqlite:///{path}")
    yield LinkBench(store, clock)
    store.close()


def snapshot(bench: LinkBench) -> tuple[object, ...]:
    """All that a visit might have changed."""
    refs = ["T-1001"]
    return (
        [bench.ticket(ref).version for ref in refs],
        [message.model_dump() for message in bench.messages()],
        sorted(str(link.model_dump()) for link in bench.links()),
        len(bench.files()),
    )


# What the page says.


async def test_an_outage_says_what_is_promised_and_nothing_of_the_inside(bench: LinkBench) -> None:
    ref = bench.outage()
    bench.clock.advance(timedelta(minutes=40))
    page = await bench.see(bench.path(ref))
    assert page.status == 200
    assert "Booking site is down" in page.text
    assert "20 min left to answer you" in page.text
    assert "Nobody has it yet, but everybody on duty has been told." in page.text
    assert "One of us takes it up by Tue 3 Mar 2026 11:00 GMT." in page.text
    assert "We noticed that Booking site is not answering as it should" in page.text
    assert "Support open until 17:00" in page.text
    for inside in ("203.0.113.7", "refused", "duty@agency.test", "ben@harbour.test"):
        assert inside not in page.text


async def test_the_whole_life_is_told_in_the_clients_words(bench: LinkBench) -> None:
    ref = bench.request()
    first = bench.path(ref, CARLA)
    assert "Received. It waits for one of us to read it." in (await bench.see(first)).text
    bench.store.write(lambda tx: actions.note(tx, ref, text="SECRET", actor=SAM, at=NOW(bench)))
    bench.ask(ref)
    page = await bench.see(first)
    assert "Waiting for you. We need your answer to go on." in page.text
    assert "Which one?" in page.text
    assert "Answered Tue 3 Mar 2026 10:00 GMT, in time: we had promised Thu 5 Mar" in page.text
    assert "Without an answer we go on by ourselves at Fri 6 Mar 2026 09:00 GMT." in page.text
    await bench.send(first, "The one with the harbour.")
    bench.resolve(ref)
    page = await bench.see(first)
    told = [
        "Resolved. We have dealt with it. Please tell us whether it is solved.",
        "the ticket closes by itself at Tue 10 Mar 2026 10:00 GMT",
        "Sam Okafor resolved it Cause: A full disk Done: More disk",
        "Carla Lund answered The one with the harbour.",
        "Sam Okafor asked you Which one?",
        "Sam Okafor wrote to you We look at it.",
        "Carla Lund asked us Please put it on the front page.",
    ]
    missing = [words for words in told if words not in page.text]
    assert missing == [], page.text
    places = [page.text.index(words) for words in told]
    assert places == sorted(places)
    assert "SECRET" not in page.text


async def test_late_is_said_plainly_and_so_is_a_deadline_out_of_hours(bench: LinkBench) -> None:
    bench.clock.step(timedelta(hours=6, minutes=45))
    path = bench.path(bench.outage())
    bench.clock.step(timedelta(hours=12))
    page = await bench.see(path)
    assert "45 min left to answer you" in page.text
    assert "by Wed 4 Mar 2026 09:45 GMT" in page.text
    assert "Support closed until 09:00" in page.text
    bench.clock.step(timedelta(hours=6))
    page = await bench.see(path)
    assert "Late The answer that we promised by Wed 4 Mar 2026 09:45 GMT is late." in page.text


async def test_what_machines_and_priorities_write_for_staff_is_not_shown(bench: LinkBench) -> None:
    ref = bench.outage()
    bench.acknowledge(ref)
    bench.resolve(ref)
    at = NOW(bench)

    def relapse(tx: Any) -> None:
        incidents.relapse(tx, bench.policy, 1, message="HTTP 503 from 203.0.113.7", at=at)
        triage.set_priority(
            tx,
            bench.policy,
            ref,
            priority=Priority.LOW,
            reason="They exaggerate",
            actor=SAM,
            at=at,
        )

    bench.store.write(relapse)
    page = await bench.see(bench.path(ref))
    assert "It happened again, so we took it up again" in page.text
    assert "We changed the priority to low" in page.text
    assert "503" not in page.text
    assert "exaggerate" not in page.text


async def test_hostile_words_are_shown_inert(bench: LinkBench) -> None:
    ref = bench.request(title="<script>alert(1)</script>{{7*7}}\u202e")
    await bench.send(bench.path(ref, CARLA), "<img src=x onerror=alert(1)>\x00\u202eabc")
    answer = await bench.browser.get(bench.path(ref, CARLA))
    assert "<script>alert" not in answer.text
    assert "<img" not in answer.text
    assert "\u202e" not in answer.text
    assert "{{7*7}}" in answer.text
    assert "script-src" not in answer.headers["content-security-policy"]
    assert "default-src 'self'" in answer.headers["content-security-policy"]


# What its forms do.


async def test_a_reply_is_an_entry_of_the_person_and_staff_hear_of_it(either: LinkBench) -> None:
    ref = either.outage()
    path = either.path(ref)
    answer = await either.send(path, "It is urgent.", files=[("shot.png", PNG)])
    assert (answer.status_code, answer.headers["location"]) == (303, f"{path}?said=replied")
    entry = either.entries(ref)[-1]
    assert (entry.action, entry.actor, entry.text) == (
        Action.CLIENT_REPLY,
        "Anna Wright",
        "It is urgent.",
    )
    told = [row for row in either.messages() if row.entry_number == entry.number]
    assert [(row.notice, row.audience) for row in told] == [(Notice.CLIENT_REPLIED, Audience.STAFF)]
    letter = Letters().write(told[0].notice, told[0].audience, told[0].facts)
    assert "shot.png" in letter.text
    page = await either.see(answer.headers["location"])
    assert "Your words are with us." in page.text
    got = await either.browser.get(page.links["shot.png"])
    assert got.content == PNG
    assert got.headers["content-disposition"].startswith('attachment; filename="shot.png"')
    assert got.headers["content-type"] == "image/png"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["content-security-policy"].startswith("default-src 'none'; sandbox")


async def test_a_resolved_ticket_is_taken_up_again_by_words_and_closed_by_a_word(
    bench: LinkBench,
) -> None:
    ref = bench.request()
    path = bench.path(ref, CARLA)
    bench.resolve(ref)
    answer = await bench.send(path, "It is still the old picture.")
    assert answer.headers["location"] == f"{path}?said=reopened"
    assert bench.ticket(ref).status is Status.OPEN
    assert "Carla Lund wrote that it is not solved" in (await bench.see(path)).text
    reopened = [row for row in bench.messages() if row.notice is Notice.REOPENED]
    assert {row.audience for row in reopened} == {Audience.STAFF}
    bench.resolve(ref)
    form = (await bench.see(path)).form(f"{path}/solved")
    for _twice in range(2):
        answer = await bench.browser.post(form.action, data=form.fields)
        assert answer.headers["location"] == f"{path}?said=solved"
    ticket = bench.ticket(ref)
    assert ticket.status is Status.CLOSED
    assert [entry.action for entry in bench.entries(ref)].count(Action.CLOSE) == 1
    assert "Carla Lund said that it is solved" in (await bench.see(path)).text


async def test_an_old_page_cannot_close_what_was_taken_up_again(bench: LinkBench) -> None:
    ref = bench.request()
    path = bench.path(ref, CARLA)
    bench.resolve(ref)
    form = (await bench.see(path)).form(f"{path}/solved")
    await bench.send(path, "Still wrong.")
    answer = await bench.browser.post(form.action, data=form.fields)
    assert answer.status_code == 409
    assert "taken up again meanwhile" in Page(answer).text
    assert bench.ticket(ref).status is Status.OPEN


async def test_words_on_a_closed_ticket_become_a_new_request_that_knows_of_it(
    either: LinkBench,
) -> None:
    ref = either.request()
    path = either.path(ref, CARLA)
    either.resolve(ref)
    key = (await either.see(path)).form(f"{path}/reply").fields["key"]
    either.close(ref)  # while the page was open
    for _twice in range(2):
        answer = await either.send(path, "One thing more.", files=[("a.png", PNG)], key=key)
        assert answer.headers["location"] == f"{path}?said=again"
    new = either.ticket("T-1002")
    assert (new.title, new.status, new.priority, new.requester_address) == (
        "Again: A new picture",
        Status.OPEN,
        Priority.NORMAL,
        CARLA,
    )
    assert either.ticket(ref).status is Status.CLOSED
    assert [row.ticket_id for row in either.files()] == [2]
    receipts = [row for row in either.messages() if row.notice is Notice.RECEIVED]
    assert [row.address for row in receipts if row.ticket_id == 2].count(CARLA) == 1
    page = await either.see(f"{path}?said=again")
    assert "You asked again: it is T-1002" in page.text
    assert "One thing more." not in page.text
    links_of = [entry.action for entry in either.entries("T-1002")]
    assert links_of == [Action.OPEN, Action.LINK]


async def test_what_is_wrong_is_said_by_field_and_words_stay(bench: LinkBench) -> None:
    path = bench.path(bench.outage())
    before = snapshot(bench)
    large = PNG + bytes(10 * 1024 * 1024)
    for text, files, says in (
        ("  ", [], "Write what we should know"),
        ("x" * 20_001, [], "Write what we should know in at most 20,000 characters"),
        ("Look", [("a.svg", b"<svg/>")], "The file ‘a.svg’ is of a kind that cannot be sent"),
        ("Look", [("a.png", PNG)] * 6, "There are 6 files; send at most 5 files"),
        ("Look", [("a.png", large)], "The files are too large"),
    ):
        answer = await bench.send(path, text, files=files)
        page = Page(answer)
        assert answer.status_code == 422
        assert says in page.text
        assert page.form(f"{path}/reply").fields["text"].strip() == text.strip()
    assert snapshot(bench) == before


async def test_a_ticket_holds_only_so_many_files(bench: LinkBench) -> None:
    ref = bench.outage()
    path = bench.path(ref)
    ten = PNG + bytes(10_000_000)
    for _time in range(2):
        answer = await bench.send(path, "Look", files=[("a.png", ten), ("b.png", ten)])
        assert answer.status_code == 303
    answer = await bench.send(path, "Look", files=[("a.png", ten), ("b.png", ten)])
    assert answer.status_code == 422
    assert "more than the 50 MB it can hold" in Page(answer).text
    assert len(bench.files()) == 4
    assert [entry.action for entry in bench.entries(ref)].count(Action.CLIENT_REPLY) == 2


async def test_words_come_back_while_the_store_takes_none(bench: LinkBench) -> None:
    path = bench.path(bench.outage())
    url = bench.store.url
    key = (await bench.see(path)).form(f"{path}/reply").fields["key"]
    hasty = Store(url, busy_timeout=timedelta(milliseconds=10))
    away = LinkBench(hasty, bench.clock)
    sent = {"key": key, "text": "The rooms are empty"}
    with sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = await away.browser.post(f"{path}/reply", data=sent)
        form = Page(answer).form(f"{path}/reply")
        assert (answer.status_code, form.fields) == (503, {**sent, "files": ""})
        other.execute("ROLLBACK")
        other.execute("ALTER TABLE ticket_link RENAME TO elsewhere")
        answer = await away.browser.post(f"{path}/reply", data=form.fields)
        form = Page(answer).form(f"{path}/reply")
        assert (answer.status_code, form.fields) == (503, sent)
        other.execute("ALTER TABLE elsewhere RENAME TO ticket_link")
    other.close()
    assert (await bench.browser.post(f"{path}/reply", data=form.fields)).status_code == 303
    hasty.close()


async def test_nobody_who_acts_is_told_and_watchers_are(bench: LinkBench) -> None:
    ref = bench.request()
    bench.store.write(
        lambda tx: tx.add(WatcherRow(ticket_id=1, address="wim@harbour.test", name="Wim"))
    )
    bench.resolve(ref)
    path = bench.path(ref, CARLA)
    await bench.send(path, "Still wrong.")
    told = [row.address for row in bench.messages() if row.notice is Notice.REOPENED]
    assert sorted(told) == ["duty@agency.test", "wim@harbour.test"]


# Links.


async def test_each_mail_carries_a_link_of_its_own_and_only_a_hash_is_kept(
    either: LinkBench,
) -> None:
    ref = either.outage()
    urls = {row.address: row.facts.get("ticket_url") for row in either.messages()}
    assert urls["duty@agency.test"] is None
    tokens = [str(urls[one.address]).rpartition("/")[2] for one in (ANNA, BEN)]
    assert all(len(token) == 32 for token in tokens)
    assert tokens[0] != tokens[1]
    stored = str([link.model_dump() for link in either.links()])
    assert not any(token in stored for token in tokens)
    letters = Letters()
    for row in either.messages():
        letter = letters.write(row.notice, row.audience, row.facts)
        assert (f"{either.policy.base_url}/t/" in letter.text) == (row.audience is Audience.CLIENT)
    assert ref in (await either.see(either.path(ref))).text


def test_a_token_is_forgotten_once_its_mail_is_sent(bench: LinkBench) -> None:
    bench.outage()
    anna, ben, _duty = bench.messages()
    at = NOW(bench)

    def settle(tx: Any) -> None:
        for row, outcome in ((anna, DeliveryOutcome.SENT), (ben, DeliveryOutcome.DEFERRED)):
            outbox.settle(tx, row.id or 0, outcome=outcome, answer="said", now=at)

    bench.store.write(settle)
    anna, ben, _duty = bench.messages()
    assert "ticket_url" not in anna.facts
    assert "ticket_url" in ben.facts, "it is still to be sent"
    assert anna.facts["reference"] == "T-1001"


async def test_a_duplicate_leads_on_for_whoever_hears_of_the_other(bench: LinkBench) -> None:
    first, second = bench.request(), bench.request(title="The same picture")
    ben = bench.request(address=BEN.address, title="A third")
    old = bench.path(first, CARLA)
    at = NOW(bench)
    bench.store.write(
        lambda tx: relations.merge(
            tx, bench.policy, first, into=second, reason="Nagging", actor=SAM, at=at
        )
    )
    page = await bench.see(old)
    assert "It goes on as T-1002" in page.text
    assert "Nagging" not in page.text
    assert not page.has_form(f"{old}/reply")
    answer = await bench.browser.post(f"{old}/link")
    assert answer.headers["location"] == f"{old}?asked"
    assert "The same picture" in (await bench.see(bench.path(second, CARLA))).text
    other = bench.path(ben, BEN.address)
    bench.store.write(
        lambda tx: relations.merge(tx, bench.policy, ben, into=second, actor=SAM, at=at)
    )
    assert "It goes on as T-1002" in (await bench.see(other)).text, "merging made Ben a watcher"


async def test_case_15_walking_tokens_and_files_finds_nothing_and_all_nothing_is_alike(
    either: LinkBench,
) -> None:
    ref, foreign = either.outage(), either.request(address="carla@wren.test")
    path, theirs = either.path(ref), either.path(foreign, "carla@wren.test")
    await either.send(theirs, "Ours", files=[("a.png", PNG)])
    [file] = either.files()
    assert (await either.browser.get(f"{theirs}/files/{file.id}")).status_code == 200
    answers = [
        await either.browser.get(address)
        for address in (
            f"{path}/files/{file.id}",
            f"{path}/files/{'0' * 32}",
            f"{path}/files/1",
            f"{path}/files/..%2F..%2Fetc%2Fpasswd",
            f"{path}/files/%00",
            f"/t/{'0' * 32}/files/{file.id}",
        )
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {
        (404, answers[0].text),
    }
    token = path.rpartition("/")[2]
    for wrong in ("0" * 32, token[:-1], token.upper(), token + "0", "T-1001", "1", "é" * 32, "a b"):
        page = await either.browser.get(f"/t/{wrong}")
        assert (page.status_code, NO_LINK in page.text) == (404, True), wrong
        assert wrong == "0" * 32 or wrong not in page.text or len(wrong) < 3


async def test_case_15_the_desk_hands_out_files_of_that_ticket_to_who_is_signed_in(
    bench: LinkBench,
) -> None:
    desk = DeskBench(bench.store, bench.clock)
    ref, other = bench.outage(), bench.request()
    await bench.send(bench.path(ref), "Look", files=[("März.pdf", b"%PDF-1.7")])
    sam = desk.browser(desk.session(desk.staff()))
    page = await see(sam, f"/tickets/{ref}")
    got = await sam.get(page.links["März.pdf"])
    assert (got.content, got.headers["content-type"]) == (b"%PDF-1.7", "application/pdf")
    assert "sandbox" in got.headers["content-security-policy"]
    assert "filename*=UTF-8''M%C3%A4rz.pdf" in got.headers["content-disposition"]
    [file] = bench.files()
    answers = [
        await sam.get(address)
        for address in (
            f"/tickets/{other}/files/{file.id}",
            f"/tickets/{ref}/files/{'0' * 32}",
            f"/tickets/nonsense/files/{file.id}",
        )
    ]
    assert {(answer.status_code, answer.text) for answer in answers} == {(404, answers[0].text)}
    away = await desk.visitor().get(page.links["März.pdf"])
    assert away.status_code == 303


async def test_case_16_a_link_ends_by_time_by_the_tickets_end_and_by_hand(
    bench: LinkBench,
) -> None:
    ref = bench.request()
    path = bench.path(ref, CARLA)
    bench.clock.step(timedelta(days=89, hours=23))
    assert (await bench.see(path)).status == 200
    bench.clock.step(timedelta(hours=1))
    dead = await bench.browser.get(path)
    assert (dead.status_code, NO_LINK in dead.text) == (404, True)
    bench.resolve(ref)
    path = bench.path(ref, CARLA)
    bench.close(ref)
    bench.clock.step(timedelta(days=29, hours=23))
    assert (await bench.see(path)).status == 200
    bench.clock.step(timedelta(hours=1))
    closed = await bench.browser.get(path)
    token, other = path.rpartition("/")[2], "0" * 32
    never = await bench.browser.get(f"/t/{other}")
    assert closed.text.replace(token, other) == never.text
    assert "A new picture" not in closed.text


async def test_case_16_staff_revoke_links_and_later_mails_carry_new_ones(
    bench: LinkBench,
) -> None:
    desk = DeskBench(bench.store, bench.clock)
    ref = bench.outage()
    path = bench.path(ref)
    sam = desk.browser(desk.session(desk.staff()))
    form = (await see(sam, f"/tickets/{ref}")).form(f"/tickets/{ref}/revoke_links")
    answer = await sam.post(form.action, data=form.fields)
    assert answer.status_code == 303
    entry = bench.entries(ref)[-1]
    assert (entry.action, entry.is_visible) == (Action.REVOKE_LINKS, False)
    assert entry.text == "2 links that had been sent no longer work"
    assert (await bench.see(path)).status == 404
    bench.acknowledge(ref)
    assert "Sam Okafor has taken it up" in (await bench.see(bench.path(ref))).text


async def test_case_16_a_contact_that_was_removed_sees_nothing_more(bench: LinkBench) -> None:
    ref = bench.outage()
    path = bench.path(ref)
    assert (await bench.see(path)).status == 200
    harbour = replace(bench.policy.clients["harbour"], everyone=(BEN,))
    bench.with_policy(
        replace(
            bench.policy,
            clients={"harbour": harbour},
            contacts={"harbour": ClientContacts(incidents=(BEN,), tickets=(BEN,))},
        )
    )
    assert (await bench.see(path)).status == 404
    answer = await bench.browser.post(f"{path}/reply", data={"text": "x", "key": "0" * 32})
    assert answer.status_code == 404
    assert "What you wrote (not sent)" in answer.text
    count = len(bench.messages())
    answer = await bench.browser.post(f"{path}/link")
    assert answer.headers["location"] == f"{path}?asked"
    assert len(bench.messages()) == count
    assert (await bench.see(bench.path(ref, BEN.address))).status == 200


def test_case_16_links_of_an_address_are_revoked_together(either: LinkBench) -> None:
    either.outage()
    either.request(address="Carla@Harbour.test")
    at = NOW(either)
    assert (
        either.store.write(lambda tx: links.revoke_address(tx, "carla@HARBOUR.test ", at=at)) == 1
    )
    assert either.store.write(lambda tx: links.revoke_address(tx, CARLA, at=at)) == 0
    in_force = [link.address for link in either.links() if link.revoked_at is None]
    assert sorted(in_force) == ["anna@harbour.test", "ben@harbour.test"]


async def test_case_16_looking_changes_nothing_however_often(bench: LinkBench) -> None:
    path = bench.path(bench.outage())
    await bench.send(path, "Look", files=[("a.png", PNG)])
    bench.resolve("T-1001")
    path = bench.path("T-1001")
    [file] = bench.files()
    before = snapshot(bench)
    statuses = [
        (await bench.browser.request(method, f"{path}{end}")).status_code
        for method in ("GET", "HEAD")
        for end in ("", "", "?said=solved", f"/files/{file.id}", "/reply", "/solved", "/link")
    ]
    assert statuses == [200, 200, 200, 200, 405, 405, 405] * 2
    assert snapshot(bench) == before


async def test_case_16_pages_are_kept_nowhere_and_name_their_address_to_nobody(
    bench: LinkBench,
) -> None:
    branding = replace(bench.policy.clients["harbour"].branding, logo_url="https://cdn.test/l.png")
    harbour = replace(bench.policy.clients["harbour"], branding=branding)
    bench.with_policy(replace(bench.policy, clients={"harbour": harbour}))
    answer = await bench.browser.get(bench.path(bench.outage()))
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    assert "cdn.test" not in answer.text
    assert "cdn.test" not in answer.headers["content-security-policy"]
    page = Page(answer)
    outside = [
        attributes
        for _tag, attributes in page.elements
        for name in ("src", "href")
        if attributes.get(name, "").startswith("http")
    ]
    assert [one["rel"] for one in outside] == ["noreferrer noopener"]


async def test_case_16_a_new_link_goes_to_the_old_ones_address_at_most_once_an_hour(
    either: LinkBench,
) -> None:
    ref = either.request()
    path = either.path(ref, CARLA)
    either.clock.advance(timedelta(days=91))
    answers = [await either.browser.post(f"{path}/link") for _time in range(3)]
    answers.append(await either.browser.post(f"/t/{'0' * 32}/link"))
    assert {answer.status_code for answer in answers} == {303}
    [told] = [row for row in either.messages() if row.notice is Notice.NEW_LINK]
    assert (told.address, told.audience) == (CARLA, Audience.CLIENT)
    letter = Letters().write(told.notice, told.audience, told.facts)
    assert told.facts["ticket_url"] in letter.text
    fresh = str(told.facts["ticket_url"]).removeprefix(either.policy.base_url)
    assert "A new picture" in (await either.see(fresh)).text
    seen = [await either.browser.get(answer.headers["location"]) for answer in answers]
    known, unknown = seen[0].text, seen[-1].text
    assert known.replace(path, f"/t/{'0' * 32}") == unknown
    issued = len(either.links())
    for _time in range(5):
        either.clock.advance(timedelta(minutes=2, hours=1))
        await either.browser.post(f"{path}/link")
    assert len(either.links()) == issued + 5


async def test_case_16_asking_for_links_is_throttled_by_network(bench: LinkBench) -> None:
    paths = [bench.path(bench.request(address=f"p{i}@harbour.test"), f"p{i}@harbour.test")
             for i in range(7)]  # fmt: skip
    for path in paths:
        assert (await bench.browser.post(f"{path}/link")).status_code == 303
    told = [row for row in bench.messages() if row.notice is Notice.NEW_LINK]
    assert len(told) == 5


async def test_case_16_an_internal_ticket_has_no_link(bench: LinkBench) -> None:
    new = NewTicket(
        key=None,
        title="Disk of the host",
        client="harbour",
        client_name="Harbour Inns",
        site=None,
        site_name=None,
        site_url=None,
        priority=Priority.NORMAL,
        category=Category.ALERT,
        source=Source.ALERTMANAGER,
        notice=Notice.ALERT,
        what="",
        message="Disk full",
        since=NOW(bench),
        is_internal=True,
    )
    at = NOW(bench)
    bench.store.write(lambda tx: open_ticket(tx, bench.policy, new, actor=SAM, at=at))
    assert bench.links() == []
    token = bench.store.write(
        lambda tx: links.issue(tx, 1, address=ANNA.address, name="Anna", at=at)
    )
    assert (await bench.see(f"/t/{token}")).status == 404


async def test_case_12_a_form_that_comes_twice_is_one_entry(either: LinkBench) -> None:
    ref = either.outage()
    path = either.path(ref)
    key = (await either.see(path)).form(f"{path}/reply").fields["key"]
    answers = await asyncio.gather(
        *(either.send(path, "Look", files=[("a.png", PNG)], key=key) for _time in range(4))
    )
    assert {answer.headers["location"] for answer in answers} == {f"{path}?said=replied"}
    assert [entry.action for entry in either.entries(ref)].count(Action.CLIENT_REPLY) == 1
    assert len(either.files()) == 1


async def test_case_12_one_link_sends_only_so_many_forms_and_loses_no_word(
    bench: LinkBench,
) -> None:
    path = bench.path(bench.outage())
    answers = [await bench.send(path, f"Word {i}") for i in range(11)]
    assert [answer.status_code for answer in answers] == [303] * 10 + [429]
    assert Page(answers[-1]).form(f"{path}/reply").fields["text"] == "Word 10"
    bench.clock.advance(60)
    assert (await bench.send(path, "Word 11")).status_code == 303


async def test_case_18_a_page_from_before_the_change_may_still_reply(bench: LinkBench) -> None:
    ref = bench.request()
    path = bench.path(ref, CARLA)
    key = (await bench.see(path)).form(f"{path}/reply").fields["key"]
    bench.ask(ref)
    answer = await bench.send(path, "Any of them.", key=key)
    assert answer.status_code == 303
    assert bench.ticket(ref).status is Status.ACKNOWLEDGED
    assert bench.entries(ref)[-1].action is Action.RESUME


def test_case_18_a_reply_counts_from_the_ticket_as_it_is_when_it_is_locked(
    postgresql: PostgreSQL, clock: FakeClock
) -> None:
    url = postgresql.fresh_database()
    ours, theirs = Store(url, readers=1), Store(url, readers=1)
    bench = LinkBench(ours, clock)
    ref = bench.outage()
    token = bench.path(ref).rpartition("/")[2]
    at = NOW(bench)

    def write(tx: Any) -> None:
        visitor = by_link.find_visitor(tx, bench.policy, token, now=at)
        assert visitor is not None
        read_before = tx.get_one(TicketRow, 1)
        theirs.write(lambda their: actions.note(their, ref, text="Meanwhile", actor=SAM, at=at))
        sent = by_link.Reply(key="0" * 32, text="Look")
        by_link.reply(tx, bench.policy, visitor, sent, at=at)
        assert read_before.version == 3

    ours.write(write)
    written = [(entry.number, entry.action) for entry in bench.entries(ref)]
    assert written == [(1, Action.OPEN), (2, Action.NOTE), (3, Action.CLIENT_REPLY)]
    ours.close()
    theirs.close()


async def test_case_20_a_form_of_another_site_does_nothing(bench: LinkBench) -> None:
    bench.outage()
    bench.resolve("T-1001")
    path = bench.path("T-1001")
    form = (await bench.see(path)).form(f"{path}/reply")
    before = snapshot(bench)
    for name in OURS:
        del bench.browser.headers[name]
    foreign = [
        {"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://desk.agency.test.evil.test"},
        {"Sec-Fetch-Site": "same-site"},
    ]
    fields = {**form.fields, "text": "x"}
    statuses = [
        (await bench.browser.post(f"{path}/{end}", data=fields, headers=headers)).status_code
        for end in ("reply", "solved", "link")
        for headers in foreign
    ]
    assert statuses == [403] * 12
    assert snapshot(bench) == before
    # What browsers send of a page that names its address to nobody, those of today and older ones.
    for headers in ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, {"Origin": "null"}):
        answer = await bench.browser.post(f"{path}/reply", data=fields, headers=headers)
        assert answer.status_code == 303


async def test_case_20_no_page_frames_it(bench: LinkBench) -> None:
    for address in (bench.path(bench.outage()), f"/t/{'0' * 32}"):
        headers = (await bench.browser.get(address)).headers
        assert headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]


async def test_case_23_replies_of_the_client_neither_answer_nor_stop_the_clock(
    bench: LinkBench,
) -> None:
    ref = bench.request()
    path = bench.path(ref, CARLA)
    due = bench.ticket(ref).promise.respond_by
    for text in ("One", "Two", "Three"):
        await bench.send(path, text)
    promise = bench.ticket(ref).promise
    assert (promise.respond_by, promise.answered_at) == (due, None)
    bench.ask(ref)
    for text in ("Four", "Five"):
        await bench.send(path, text)
    assert bench.ticket(ref).status is Status.ACKNOWLEDGED
    assert bench.ticket(ref).resume_at is None
    at = NOW(bench) + timedelta(days=5)
    assert bench.store.write(lambda tx: resume_due(tx, bench.policy, 1, at=at)) is False


async def test_case_17_fields_that_no_form_has_change_nothing(bench: LinkBench) -> None:
    ref = bench.outage()
    path = bench.path(ref)
    form = (await bench.see(path)).form(f"{path}/reply")
    extra = dict.fromkeys(("status", "priority", "version", "actor", "ticket_id"), "closed")
    answer = await bench.browser.post(f"{path}/reply", data=form.fields | extra | {"text": "Look"})
    assert answer.status_code == 303
    entry = bench.entries(ref)[-1]
    assert (entry.actor, entry.action) == ("Anna Wright", Action.CLIENT_REPLY)
    assert bench.ticket(ref).priority is Priority.CRITICAL


async def test_case_3_strange_characters_are_kept_and_shown_inert(either: LinkBench) -> None:
    ref = either.outage()
    path = either.path(ref)
    answer = await either.send(path, "a\x00b\u2028c\u202ed 😀 שלום", files=[("\u202egnp.png", PNG)])
    assert answer.status_code == 303
    page = await either.see(path)
    assert "ab c" in page.text or "a\ufffdb c" in page.text
    assert "😀 שלום" in page.text
    assert "gnp.png" in page.links


async def test_a_client_that_is_configured_no_more_still_has_its_page(bench: LinkBench) -> None:
    ref = bench.request()
    path = bench.path(ref, CARLA)
    bench.with_policy(replace(bench.policy, clients={}, contacts={}))
    page = await bench.see(path)
    assert page.status == 200
    bench.resolve(ref)
    bench.close(ref)
    answer = await bench.send(path, "More")
    assert answer.status_code == 422
    assert "More" in Page(answer).form(f"{path}/reply").fields["text"]


def NOW(bench: LinkBench) -> Any:  # noqa: N802  (reads as an instant)
    return bench.clock.now()
