"""The request form against abuse; a test's number is that of the case in the notes on security."""

from __future__ import annotations

import asyncio
import gzip
import re
import tracemalloc
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlmodel import select
from starlette.types import Message

from tests.builders import a_policy
from tests.clocks import FakeClock
from tests.desk import Form, Page
from tests.portal import branded
from tests.requesting import ANNA, FORM, STRANGER, TYPED, FormBench, receipt_page
from tickets import outbox
from tickets.claims import claim
from tickets.fault_notices import tell_faults
from tickets.letters import Letters
from tickets.pages import uploads
from tickets.request_tables import FormRequestRow
from tickets.requests import find_receipt
from tickets.rules.message import DeliveryOutcome, FailureReason
from tickets.rules.notice import Audience, Notice
from tickets.rules.request import RequestState
from tickets.rules.ticket import Priority, Status
from tickets.settling import ASKED_IN_AN_HOUR
from tickets.store import Session, Store
from tickets.sweep import sweep
from tickets.verification import note_verified

MULTIPART = "multipart/form-data; boundary=edge"


@pytest.fixture
def bench(sqlite_store: Store, clock: FakeClock) -> FormBench:
    return FormBench(sqlite_store, clock)


async def test_case_01_an_encoded_word_or_line_end_in_the_title_stays_one_line_of_text(
    bench: FormBench,
) -> None:
    await bench.send(
        title="=?utf-8?q?a=0ABcc: eve@evil.test?=\r\nBcc: eve@evil.test", name="A\r\nB"
    )
    (ticket,) = bench.tickets()
    assert ticket.title == "=?utf-8?q?a=0ABcc: eve@evil.test?= Bcc: eve@evil.test"
    assert ticket.requester_name == "A B"
    assert {message.address for message in bench.messages()} <= {ANNA, "duty@agency.test"}


@pytest.mark.parametrize(
    "address",
    [
        "a@x.test, b@y.test",
        "a@x.test\r\nCc: b@y.test",
        '"quoted local"@x.test',
        '"<script>"@x.test',
        "Anna <a@x.test>",
        "a@x.test;b@y.test",
        f"{'a' * 320}@x.test",
        "a@[192.0.2.1]",
        "a@localhost:25",
        "",
    ],
)
async def test_case_02_what_is_not_one_plain_address_is_a_fault_of_its_field(
    bench: FormBench, address: str
) -> None:
    sent = await bench.send(email=address)
    assert sent.status_code == 422
    assert "#email" in Page(sent).links.values()
    assert bench.messages() == []


@pytest.mark.parametrize(
    ("typed", "written"),
    [(f"  {ANNA} ", ANNA), ("kim@bücher.test", "kim@xn--bcher-kva.test")],
)
async def test_case_02_untidy_and_international_addresses_are_accepted(
    bench: FormBench, typed: str, written: str
) -> None:
    assert (await bench.send(email=typed)).status_code == 303
    assert written in {message.address for message in bench.messages()}


async def test_case_03_hostile_characters_are_stored_and_shown_inert(
    store: Store, clock: FakeClock
) -> None:
    bench = FormBench(store, clock)
    hostile = "a\x00b\u202ec\u2028d \U0001f6a7 שלום \ud800e"
    body = {**await bench.open(), **TYPED, "title": hostile, "text": hostile}
    content = httpx.QueryParams({k: v.encode("utf-8", "replace").decode() for k, v in body.items()})
    sent = await bench.browser().post(
        FORM,
        content=str(content).replace("%3Fe", "%ED%A0%80e"),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    await receipt_page(sent, bench.browser())
    (ticket,) = bench.tickets()
    assert "\U0001f6a7 שלום" in ticket.title
    assert not re.search("[\x00-\x1f\u202e\u2028\ud800-\udfff]", ticket.title)
    (receipt,) = [row for row in bench.messages(Notice.RECEIVED) if row.address == ANNA]
    letter = Letters().write(Notice.RECEIVED, Audience.CLIENT, receipt.facts)
    assert "\n" not in letter.subject


async def _endless(counted: list[int], piece: bytes, *, start: bytes = b"") -> AsyncIterator[bytes]:
    """A body that never ends; ``counted`` notes how much of it was read."""
    yield start
    while True:
        counted.append(len(piece))
        yield piece


def _part(name: str, value: str, *, file: str = "") -> bytes:
    named = f'; filename="{file}"' if file else ""
    head = f'--edge\r\nContent-Disposition: form-data; name="{name}"{named}'
    return f"{head}\r\n\r\n{value}\r\n".encode()


async def test_case_04_a_body_declared_too_large_is_refused_unread(bench: FormBench) -> None:
    read: list[int] = []
    answer = await bench.browser().post(
        FORM,
        content=_endless(read, bytes(65536)),
        headers={"Content-Type": MULTIPART, "Content-Length": str(50 * 1024 * 1024)},
    )
    assert (answer.status_code, read) == (413, [])
    assert "too large" in Page(answer).text


async def test_case_04_an_endless_file_is_cut_off_and_takes_no_memory(bench: FormBench) -> None:
    read: list[int] = []
    start = _part("files", "", file="a.txt")[:-2]
    tracemalloc.start()
    try:
        answer = await bench.browser().post(
            FORM,
            content=_endless(read, bytes(65536), start=start),
            headers={"Content-Type": MULTIPART},
        )
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert answer.status_code == 413
    assert sum(read) <= uploads.LARGEST_FORM + 2 * 65536
    assert peak < 8 * 1024 * 1024


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/x-www-form-urlencoded", b"a=&" * 300_000, 400),
        ("application/x-www-form-urlencoded", b"a=&" * 1_000_000, 413),
        ("application/x-www-form-urlencoded", b"title=" + b"x" * 2_000_000, 413),
        (MULTIPART, b"".join(_part(f"f{n}", "") for n in range(10_000)) + b"--edge--\r\n", 400),
        (
            MULTIPART,
            b"".join(_part("files", "x", file="a.txt") for _ in range(10_000)) + b"--edge--\r\n",
            400,
        ),
        (MULTIPART, _part("title", "x" * 1_000_000) + b"--edge--\r\n", 400),
        (MULTIPART, b"no part at all", 400),
        ("multipart/form-data", b"", 400),
        ("application/json", b"{}", 415),
    ],
    ids=["fields", "very many", "field", "parts", "files", "part", "broken", "no edge", "kind"],
)
async def test_case_04_a_form_beyond_bounds_is_refused_in_a_sentence(
    bench: FormBench, kind: str, body: bytes, status: int
) -> None:
    answer = await bench.browser().post(FORM, content=body, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert Page(answer).text.count(".") >= 1
    assert bench.messages() == []


async def test_case_04_a_compressed_body_is_not_unpacked(bench: FormBench) -> None:
    bomb = gzip.compress(bytes(50 * 1024 * 1024))
    answer = await bench.browser().post(
        FORM,
        content=bomb,
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Encoding": "gzip",
        },
    )
    assert answer.status_code == 415


async def test_case_04_slow_forms_of_one_network_leave_places_for_others(bench: FormBench) -> None:
    go_on = asyncio.Event()
    begun = asyncio.Semaphore(0)

    async def dribble() -> AsyncIterator[bytes]:
        yield b"--edge\r\n"
        begun.release()
        await go_on.wait()
        yield b"--\r\n"

    async def slow() -> httpx.Response:
        browser = bench.browser("203.0.113.5")
        return await browser.post(FORM, content=dribble(), headers={"Content-Type": MULTIPART})

    sending = [asyncio.create_task(slow()) for _ in range(uploads.MOST_OF_NETWORK)]
    for _ in sending:
        await begun.acquire()
    one_more = await bench.send(browser=bench.browser("203.0.113.5"))
    another = await bench.send(browser=bench.browser("192.0.2.77"))
    go_on.set()
    await asyncio.gather(*sending)
    assert (one_more.status_code, another.status_code) == (429, 303)
    assert one_more.headers["retry-after"]


async def test_case_05_a_file_that_is_not_what_its_name_says_is_refused(bench: FormBench) -> None:
    sent = await bench.send(files=[("photo.png", b"<html><script>alert(1)</script>")])
    assert sent.status_code == 422
    assert "does not hold what its name says" in Page(sent).text
    assert bench.tickets() == []


async def test_case_07_a_rotated_forwarded_address_does_not_get_round_the_limit(
    bench: FormBench,
) -> None:
    answers: list[int] = []
    for number in range(11):
        browser = bench.browser()
        browser.headers["X-Forwarded-For"] = f"198.51.100.{number}"
        sent = await bench.send(
            browser=browser, title=f"Request {number}", email=f"kim{number}@elsewhere.test"
        )
        answers.append(sent.status_code)
    assert answers == [303] * 10 + [429]
    other = await bench.send(browser=bench.browser("198.51.100.200"))
    assert other.status_code == 303


async def test_case_07_a_refused_form_keeps_its_words_and_says_when_to_come_back(
    bench: FormBench,
) -> None:
    for number in range(10):
        await bench.send(title=f"Request {number}", email=f"kim{number}@elsewhere.test")
    sent = await bench.send(title="The eleventh")
    page = Page(sent)
    assert sent.status_code == 429
    assert re.search(r"Many requests .* the next can be sent in \d+ (seconds|minutes?)", page.text)
    assert "If it cannot wait, write to support@agency.test." in page.text
    assert page.form(FORM).fields["title"] == "The eleventh"


async def test_case_08_a_victim_gets_one_fixed_mail_a_day_and_staff_nothing(
    bench: FormBench,
) -> None:
    lure = "Win a prize at evil.test"
    for number in range(12):
        browser = bench.browser(f"198.51.{number}.9")
        await bench.send(
            browser=browser, email=STRANGER, title=f"{lure} {number}", text=lure, name=lure
        )
        bench.clock.advance(timedelta(hours=1))
    assert bench.tickets() == []
    (mail,) = bench.messages()
    assert (mail.notice, mail.address, mail.name) == (Notice.VERIFY, STRANGER, STRANGER)
    assert "evil" not in repr(mail.facts)
    letter = Letters().write(Notice.VERIFY, Audience.CLIENT, mail.facts)
    assert "evil" not in letter.subject + letter.text + (letter.html or "")
    bench.clock.advance(timedelta(hours=24))
    await bench.send(email=STRANGER, title="The next day")
    assert len(bench.messages()) == 2


async def test_case_08_many_victims_are_written_to_within_a_limit_and_the_rest_later(
    bench: FormBench,
) -> None:
    for number in range(ASKED_IN_AN_HOUR + 3):
        browser = bench.browser(f"198.51.{number}.9")
        sent = await bench.send(browser=browser, email=f"kim{number}@elsewhere.test")
        assert sent.status_code == 303
        bench.clock.advance(30)
    assert len(bench.messages()) == ASKED_IN_AN_HOUR
    bench.clock.advance(timedelta(hours=1))
    await sweep(bench.store, bench.policy, now=bench.clock.now())
    assert len(bench.messages()) == ASKED_IN_AN_HOUR + 3


async def test_case_08_an_address_that_does_not_exist_calls_nobody(bench: FormBench) -> None:
    await bench.send(email="nobody@elsewhere.test")
    at = bench.clock.now()

    def refuse(tx: Session) -> None:
        (claimed,) = claim(tx, now=at, most=10)
        assert claimed.message.id is not None
        outbox.settle(
            tx,
            claimed.message.id,
            outcome=DeliveryOutcome.REFUSED,
            answer="550 no such user",
            reason=FailureReason.PERMANENT,
            is_address_refused=True,
            now=at,
        )

    bench.store.write(refuse)
    assert bench.store.write(lambda tx: tell_faults(tx, bench.policy, at=at)) == 0
    assert len(bench.messages()) == 1


def _told(page: Page) -> str:
    """What a receipt says, but for what the sender knows: the address and the reference."""
    return re.sub(r"T-\d+|\S+@\S+\.test", "…", page.text)


async def test_case_09_known_and_unknown_addresses_get_the_same_answer(bench: FormBench) -> None:
    pages: dict[str, tuple[int, set[str], str, int]] = {}
    for address in (ANNA, STRANGER):
        browser = bench.browser()
        fields = await bench.open(browser)
        sent = await browser.post(FORM, data={**fields, **TYPED, "email": address})
        page = await receipt_page(sent, browser)
        headers = {name for name, _ in sent.headers.items()}
        place = re.sub(r"[^/]+$", "", sent.headers["location"])
        pages[address] = (sent.status_code, headers, place, len(sent.content))
        pages[f"{address} page"] = (200, {_told(page)}, "", 0)
        bench.clock.step(timedelta(seconds=-20))
    assert pages[ANNA] == pages[STRANGER]
    assert pages[f"{ANNA} page"] == pages[f"{STRANGER} page"]


@pytest.mark.parametrize("address", [ANNA, STRANGER])
async def test_case_09_the_answer_leaves_before_the_address_is_looked_at(
    bench: FormBench, address: str
) -> None:
    fields = await bench.open()
    body = str(httpx.QueryParams({**fields, **TYPED, "email": address})).encode()
    states: list[RequestState] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body"):
            rows = bench.store.read(lambda tx: tx.exec(select(FormRequestRow)).all())
            states.extend(row.state for row in rows)

    scope: dict[str, Any] = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": FORM,
        "raw_path": FORM.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", b"desk.agency.test"),
            (b"content-type", b"application/x-www-form-urlencoded"),
        ],
        "client": ("192.0.2.10", 50000),
        "server": ("desk.agency.test", 80),
    }
    await bench.app(scope, receive, send)
    assert states == [RequestState.TAKEN]
    assert len(bench.messages()) > 0


async def test_case_09_a_ticket_in_a_contacts_name_is_marked_until_they_act(
    bench: FormBench,
) -> None:
    await bench.send(offline="yes")
    assert bench.is_unverified(1)
    staff, client = (
        next(row for row in bench.messages(Notice.RECEIVED) if row.address == address)
        for address in ("duty@agency.test", ANNA)
    )
    letters = Letters()
    assert "nobody has verified" in letters.write(Notice.RECEIVED, Audience.STAFF, staff.facts).text
    receipt = letters.write(Notice.RECEIVED, Audience.CLIENT, client.facts).text
    assert "acknowledged" not in receipt
    at = bench.clock.now()
    bench.store.write(lambda tx: note_verified(tx, 1, address=ANNA, at=at))
    assert not bench.is_unverified(1)


async def test_case_12_twenty_at_once_are_one_ticket_with_one_reference(
    bench: FormBench,
) -> None:
    data = {**await bench.open(), **TYPED}
    browsers = [bench.browser(f"192.0.2.{number}") for number in range(20)]
    answers = await asyncio.gather(*(browser.post(FORM, data=data) for browser in browsers))
    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert len(bench.tickets()) == 1
    assert [row.address for row in bench.messages()].count(ANNA) == 1


async def test_case_12_back_and_again_is_the_same_request_but_other_words_are_another(
    store: Store, clock: FakeClock
) -> None:
    bench = FormBench(store, clock)
    browser = bench.browser()
    data = {**await bench.open(browser), **TYPED}
    first = await browser.post(FORM, data=data)
    clock.advance(timedelta(hours=20))
    again = await browser.post(FORM, data=data)
    other = await browser.post(FORM, data={**data, "text": "Now the shop as well."})
    assert first.headers["location"] == again.headers["location"]
    assert "T-1002" in (await receipt_page(other, browser)).text
    assert len(bench.tickets()) == 2


async def test_case_12_two_tabs_with_the_same_words_are_one_request(bench: FormBench) -> None:
    for address in (ANNA, STRANGER):
        pages = [
            await receipt_page(await bench.send(email=address), bench.browser()) for _ in range(2)
        ]
        references = {re.findall(r"T-\d+", page.text)[0] for page in pages}
        assert len(references) == 1
    assert len(bench.tickets()) == 1
    assert len(bench.messages(Notice.VERIFY)) == 1


async def test_case_14_a_template_in_the_title_is_text(bench: FormBench) -> None:
    lure = "{{7*7}} {% for x in y %} <img src=x onerror=alert(1)>"
    sent = await bench.send(email=STRANGER, title=lure, text="")
    assert Page(sent).form(FORM).fields["title"] == lure
    await bench.send(email=STRANGER, title=lure)
    page = Page(await bench.browser().get(bench.verify_path()))
    assert lure in page.text
    assert not [one for one in page.elements if one[0] == "img"]


async def test_case_15_a_link_is_good_for_its_own_pages_only(bench: FormBench) -> None:
    sent = await bench.send(email=STRANGER)
    receipt = sent.headers["location"].rpartition("/")[2]
    for path in (
        f"/support/nobody/sent/{receipt}",
        f"{FORM}/sent/{receipt[:-1]}",
        f"{FORM}/verify/{receipt}",
        bench.verify_path()[:-1],
    ):
        answer = await bench.browser().get(path)
        assert answer.status_code in {404, 410}, path
        assert TYPED["title"] not in answer.text
    assert bench.store.read(lambda tx: find_receipt(tx, "1")) is None


async def test_case_15_a_link_of_one_client_opens_nothing_under_anothers_name(
    sqlite_store: Store, clock: FakeClock
) -> None:
    policy = branded(a_policy())
    wren = replace(policy.clients["harbour"], name="Wren & Co")
    bench = FormBench(
        sqlite_store, clock, replace(policy, clients={**policy.clients, "wren": wren})
    )
    sent = await bench.send(email=STRANGER)
    paths = (sent.headers["location"], bench.verify_path())
    for path in paths:
        answer = await bench.browser().get(path.replace("harbour", "wren"))
        assert answer.status_code in {404, 410}
    claim = {"request": "1", "answer": "mine"}
    claimed = await bench.browser().post(paths[1].replace("harbour", "wren"), data=claim)
    assert claimed.status_code == 409
    assert bench.tickets() == []


async def test_case_15_one_address_cannot_claim_what_was_sent_in_anothers_name(
    bench: FormBench,
) -> None:
    await bench.send(email="other@elsewhere.test", title="Not Kim's")
    await bench.send(email=STRANGER)
    path, browser = bench.verify_path(), bench.browser()
    claimed = await browser.post(path, data={"request": "1", "answer": "mine"})
    assert claimed.status_code == 409
    assert bench.tickets() == []


async def test_case_16_guessed_links_are_slowed_down(bench: FormBench) -> None:
    browser = bench.browser()
    answers = [
        (await browser.get(f"{FORM}/verify/{number:022}")).status_code for number in range(25)
    ]
    assert answers == [410] * 20 + [429] * 5


async def test_case_17_fields_of_no_form_change_nothing(bench: FormBench) -> None:
    extra: Mapping[str, str] = {
        "priority": "critical",
        "status": "resolved",
        "client": "wren",
        "client_id": "2",
        "source": "staff",
        "respond_by": "2030-01-01",
        "opened_at": "2020-01-01",
        "key": "other",
        "assignee_id": "1",
    }
    sent = await bench.send({**TYPED, **extra})
    assert sent.status_code == 303
    (ticket,) = bench.tickets()
    assert (ticket.priority, ticket.status) == (Priority.NORMAL, Status.OPEN)
    assert (ticket.client, ticket.assignee_id) == ("harbour", None)
    assert ticket.opened_at == bench.clock.now()


@pytest.mark.parametrize(
    ("field", "value"), [("site", "other-clients-site"), ("category", "outage"), ("offline", "1")]
)
async def test_case_17_a_choice_that_was_not_offered_is_a_fault(
    bench: FormBench, field: str, value: str
) -> None:
    sent = await bench.send({**TYPED, field: value})
    assert sent.status_code == 422
    assert f"#{field}" in Page(sent).links.values()


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.test", "Sec-Fetch-Site": ""},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://desk.agency.test", "Sec-Fetch-Site": "same-site"},
    ],
)
async def test_case_20_a_form_of_another_website_is_refused(
    bench: FormBench, headers: Mapping[str, str]
) -> None:
    data = {**await bench.open(), **TYPED}
    sent = await bench.browser().post(FORM, data=data, headers=headers)
    assert sent.status_code == 403
    assert bench.tickets() == []
    await bench.send(email=STRANGER)
    path = bench.verify_path()
    form: Form = Page(await bench.browser().get(path)).forms[0]
    sent = await bench.browser().post(path, data={**form.fields, "answer": "mine"}, headers=headers)
    assert sent.status_code == 403


async def test_case_20_the_pages_may_not_be_framed_nor_kept(bench: FormBench) -> None:
    sent = await bench.send(email=STRANGER)
    assert (await bench.browser().get(FORM)).headers["cache-control"] == "private, no-cache"
    await bench.browser().get(bench.verify_path())
    answer = await bench.browser().get(sent.headers["location"])
    policy = answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"


async def _comes_back(bench: FormBench, data: Mapping[str, str], why: str) -> dict[str, str]:
    sent = await bench.browser().post(FORM, data=data)
    page = Page(sent)
    assert sent.status_code == 422
    assert why in page.text
    assert bench.tickets() == []
    fields = page.form(FORM).fields
    assert fields["title"] == TYPED["title"]
    fields.pop("files")
    return fields


@pytest.mark.parametrize(
    ("seconds", "change", "why"),
    [
        (0, {}, "That was very quick"),
        (60, {"subject_line": "Cheap pills"}, "A field that people do not see"),
        (25 * 3600, {}, "open for long"),
        (-3600, {}, "open for long"),
        (60, {"stamp": ""}, "open for long"),
        (60, {"stamp": "69a6b120.AAAAAAAAAAAAAAAAAAAAAA." + "0" * 64}, "open for long"),
    ],
    ids=["hasty", "trapped", "stale", "put back", "none", "forged"],
)
async def test_a_doubtful_form_is_asked_again_and_then_taken(
    bench: FormBench, seconds: float, change: Mapping[str, str], why: str
) -> None:
    fields = Page(await bench.browser().get(FORM)).form(FORM).fields
    fields.pop("files")
    bench.clock.step(timedelta(seconds=seconds))
    fields = await _comes_back(bench, {**fields, **TYPED, **change}, why)
    bench.clock.step(timedelta(seconds=20))
    sent = await bench.browser().post(FORM, data={**TYPED, **fields, "wait": "no"})
    assert sent.status_code == 303
    assert len(bench.tickets()) == 1
