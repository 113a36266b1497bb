"""The desk against strangers: sign-in, sessions, forms from elsewhere, hostile text, headers."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import Iterator
from datetime import timedelta
from functools import cache, partial
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from argon2 import PasswordHasher
from starlette.requests import Request

from tests.clocks import FakeClock
from tests.desk import DeskBench, Page, see, send
from tests.tickets import opened
from tickets import actions, claims, outbox
from tickets.accounts import (
    ABSOLUTE_LIFE,
    IDLE_LIFE,
    NewSession,
    PasswordHash,
    Staff,
    disable_staff,
    hash_password,
    set_password,
)
from tickets.desk.sessions import REFRESH_HEADER, safe_next
from tickets.history import Actor
from tickets.pages.forms import FORM_TYPE, plain_text
from tickets.pages.origin import is_foreign
from tickets.pages.rendering import is_web_address
from tickets.pages.throttle import Allowance, SignInThrottle, network_of
from tickets.pages.watch import SiteState, SiteView
from tickets.queries.tickets import get_ticket_page
from tickets.rules.evidence import Evidence, EvidenceLine
from tickets.rules.message import DeliveryOutcome, FailureReason
from tickets.store import Store

PASSWORD = "a password of some length"
EMAIL = "sam@agency.test"


@cache
def a_hash() -> PasswordHash:
    return hash_password(PASSWORD)


@pytest.fixture
def store(tmp_path: Path, migrated_sqlite: Path) -> Iterator[Store]:
    path = tmp_path / "desk.db"
    shutil.copy(migrated_sqlite, path)
    store = Store(f"sqlite:///{path}")
    yield store
    store.close()


@pytest.fixture
def bench(store: Store, clock: FakeClock) -> DeskBench:
    return DeskBench(store, clock)


@pytest.fixture
def sam(bench: DeskBench) -> Staff:
    return bench.staff(password_hash=a_hash())


@pytest.fixture
def session(bench: DeskBench, sam: Staff) -> NewSession:
    return bench.session(sam, password_hash=a_hash())


@pytest.fixture
def ref(bench: DeskBench) -> str:
    return opened(bench.store, bench.policy, at=bench.clock.now())


async def sign_in(
    client: httpx.AsyncClient,
    *,
    email: str = EMAIL,
    password: str = PASSWORD,
    onward: str = "/",
) -> httpx.Response:
    return await client.post(
        "/sign-in", data={"email": email, "password": password, "next": onward}
    )


def entries(bench: DeskBench) -> int:
    return len(bench.store.read(partial(get_ticket_page, ref="T-1001")).entries)


# Signing in and out


async def test_signing_in_leads_to_where_one_was_going(bench: DeskBench, sam: Staff) -> None:
    client = bench.visitor()
    answer = await client.get("/calendar")
    page = await see(client, answer.headers["location"])
    answer = await send(
        client, page.form("/sign-in"), {"email": "SAM@agency.test", "password": PASSWORD}
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/calendar")
    assert "Sam Okafor" in (await see(client, "/calendar")).text
    assert (await client.get("/sign-in?next=/sites")).headers["location"] == "/sites"


@pytest.mark.parametrize(
    ("email", "password"),
    [(EMAIL, "a password of some lengt"), (EMAIL, ""), ("nobody@agency.test", PASSWORD), ("", "")],
)
async def test_every_wrong_sign_in_reads_the_same(
    bench: DeskBench, sam: Staff, email: str, password: str
) -> None:
    client = bench.visitor()
    answer = await sign_in(client, email=email, password=password)
    page = Page(answer)
    assert page.status == 401
    assert "The e-mail address and password do not match an account." in page.text
    assert "set-cookie" not in answer.headers
    assert page.form("/sign-in").fields["email"] == email
    assert password == "" or password not in answer.text


async def test_a_disabled_account_reads_like_none(bench: DeskBench, sam: Staff) -> None:
    bench.store.write(partial(disable_staff, email=EMAIL, at=bench.clock.now()))
    disabled = await sign_in(bench.visitor())
    nobody = await sign_in(bench.visitor(), email="xyz@agency.test")
    assert disabled.status_code == nobody.status_code == 401
    assert disabled.text == nobody.text.replace("xyz@agency.test", EMAIL)


async def test_the_session_s_name_is_new_after_each_sign_in(bench: DeskBench, sam: Staff) -> None:
    client = bench.visitor()
    client.cookies.set(bench.cookie, "chosen-by-somebody-else", domain="desk.agency.test")
    await sign_in(client)
    first = client.cookies[bench.cookie]
    assert first != "chosen-by-somebody-else"
    await sign_in(client)
    second = client.cookies[bench.cookie]
    assert second != first
    old = bench.visitor()
    old.headers["Cookie"] = f"{bench.cookie}={first}"
    assert (await old.get("/")).status_code == 303


@pytest.mark.parametrize(
    ("base_url", "name", "secure"),
    [
        ("http://127.0.0.1:8080", "fettle-desk", ""),
        ("https://desk.agency.test", "__Host-fettle-desk", True),
    ],
)
async def test_the_cookie_is_kept_from_scripts_and_other_hosts(
    store: Store, clock: FakeClock, base_url: str, name: str, secure: object
) -> None:
    bench = DeskBench(store, clock, base_url=base_url)
    bench.staff(password_hash=a_hash())
    answer = await sign_in(bench.visitor())
    cookie = SimpleCookie(answer.headers["set-cookie"])[name]
    assert (cookie["path"], cookie["domain"]) == ("/", "")
    assert (cookie["httponly"], cookie["secure"], cookie["samesite"]) == (True, secure, "lax")
    assert ("strict-transport-security" in answer.headers) is bool(secure)


async def test_signing_out_ends_the_session_not_only_the_cookie(
    bench: DeskBench, session: NewSession
) -> None:
    client = bench.browser(session)
    answer = await send(client, (await see(client, "/")).form("/sign-out"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert 'fettle-desk=""' in answer.headers["set-cookie"]
    assert (await client.get("/")).status_code == 303
    assert (await client.post("/sign-out")).status_code == 303


async def test_a_session_ends_with_its_password_its_account_and_its_time(
    bench: DeskBench, session: NewSession
) -> None:
    client = bench.browser(session)
    bench.clock.advance(IDLE_LIFE - timedelta(minutes=1))
    assert (await client.get("/")).status_code == 200
    bench.clock.advance(IDLE_LIFE - timedelta(minutes=1))
    assert (await client.get("/")).status_code == 200
    bench.clock.advance(IDLE_LIFE)
    assert (await client.get("/")).status_code == 303


async def test_use_cannot_keep_a_session_beyond_a_week(
    bench: DeskBench, session: NewSession
) -> None:
    client = bench.browser(session)
    began_at = bench.clock.now()
    while (await client.get("/calendar")).status_code == 200:
        bench.clock.advance(timedelta(hours=7))
    assert bench.clock.now() - began_at < ABSOLUTE_LIFE + timedelta(hours=7)


async def test_a_page_left_open_does_not_keep_its_session(
    bench: DeskBench, session: NewSession
) -> None:
    client = bench.browser(session)
    for _ in range(16):
        assert (await client.get("/", headers={REFRESH_HEADER: "1"})).status_code == 200
        bench.clock.advance(timedelta(minutes=30))
    assert (await client.get("/", headers={REFRESH_HEADER: "1"})).status_code == 303


async def test_another_password_ends_sessions_at_the_desk(
    bench: DeskBench, session: NewSession
) -> None:
    client = bench.browser(session)
    bench.store.write(partial(set_password, email=EMAIL, password_hash=PasswordHash("x")))
    assert (await client.get("/")).status_code == 303


async def test_reading_goes_on_while_the_store_takes_no_writes(
    bench: DeskBench, session: NewSession
) -> None:
    bench.clock.advance(timedelta(hours=1))
    with bench.store.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE UPDATE ON session BEGIN SELECT no_such_function(); END"
        )
    assert (await bench.browser(session).get("/")).status_code == 200


# Guessing


async def test_guessing_is_slowed_down_where_it_comes_from(bench: DeskBench) -> None:
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    bench.staff(password_hash=cheap.hash(PASSWORD))
    guesser = bench.visitor(address="192.0.2.66")
    answers = [await sign_in(guesser, password=f"guess {n}") for n in range(12)]
    assert [answer.status_code for answer in answers] == [401] * 10 + [429] * 2
    assert int(answers[-1].headers["retry-after"]) == 90
    assert "Wait 2 minutes and try again." in Page(answers[-1]).text
    assert (await sign_in(guesser)).status_code == 429
    assert (await sign_in(bench.visitor())).status_code == 303
    bench.clock.advance(90)
    assert (await sign_in(guesser)).status_code == 303


async def test_being_slowed_down_tells_nothing_of_accounts(bench: DeskBench, sam: Staff) -> None:
    pages = []
    for email in (EMAIL, "xyz@agency.test"):
        guesser = bench.visitor(address="192.0.2.66" if email == EMAIL else "192.0.2.67")
        for _ in range(10):
            await sign_in(guesser, email=email, password="wrong")
        answer = await sign_in(guesser, email=email, password="wrong")
        pages.append((answer.status_code, answer.text.replace(email, "")))
    assert pages[0] == pages[1]
    assert pages[0][0] == 429


def test_guessing_from_many_addresses_is_slowed_down_but_keeps_nobody_out() -> None:
    throttle = SignInThrottle()
    assert throttle.admit(account="sam", address="198.51.100.1", now=0) == 0
    throttle.forgive(account="sam", address="198.51.100.1")
    waits = [throttle.admit(account="sam", address=f"203.0.113.{n}", now=0) for n in range(40)]
    assert waits.count(0) == 29
    assert set(waits[29:]) == {90.0}
    assert throttle.admit(account="sam", address="198.51.100.1", now=0) == 0
    assert throttle.admit(account="mia", address="203.0.113.1", now=0) == 0


def test_an_allowance_refills_steadily_and_remembers_few() -> None:
    allowance = Allowance(burst=3, refill=timedelta(seconds=10), most_keys=100)
    for _ in range(3):
        assert allowance.wait("a", now=0) == 0
        allowance.pay("a", now=0)
    assert allowance.wait("a", now=0) == 10
    assert allowance.wait("a", now=9) == 1
    assert allowance.wait("a", now=10) == 0
    for number in range(1000):
        allowance.pay(str(number), now=20)
    assert len(allowance._full_at) <= 100  # noqa: SLF001 (the bound on memory is what matters)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_a_network_counts_as_one_address(address: str, network: str) -> None:
    assert network_of(address) == network


# Forms from elsewhere

FOREIGN = [
    {"Origin": "https://evil.test", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "https://evil.test"},
    {"Origin": "http://desk.agency.test.evil.test"},
    {"Origin": "http://sub.desk.agency.test", "Sec-Fetch-Site": "same-site"},
    {"Origin": "http://desk.agency.test:81"},
    {"Origin": "null"},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://["},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize("path", ["/tickets/T-1001/acknowledge", "/sign-in", "/sign-out"])
async def test_a_form_from_another_site_does_nothing(
    bench: DeskBench, session: NewSession, ref: str, headers: dict[str, str], path: str
) -> None:
    client = bench.browser(session)
    del client.headers["Origin"], client.headers["Sec-Fetch-Site"]
    data = {
        "form_token": session.form_token,
        "version": "1",
        "email": EMAIL,
        "password": PASSWORD,
    }
    answer = await client.post(path, data=data, headers=headers)
    assert answer.status_code == 403
    assert "sent from another website" in Page(answer).text
    assert "set-cookie" not in answer.headers
    assert entries(bench) == 1
    assert (await client.get("/")).status_code == 200


@pytest.mark.parametrize("token", ["", "wrong", "é", None])
async def test_a_form_without_its_token_does_nothing_and_keeps_the_words(
    bench: DeskBench, session: NewSession, ref: str, token: str | None
) -> None:
    data = {"version": "1", "text": "All my words"}
    if token is not None:
        data["form_token"] = token
    answer = await bench.browser(session).post(f"/tickets/{ref}/reply", data=data)
    page = Page(answer)
    assert page.status == 403
    assert "This form belongs to a session that has ended" in page.text
    assert "All my words" in page.text
    assert entries(bench) == 1


async def test_a_form_of_another_session_does_nothing(
    bench: DeskBench, session: NewSession, sam: Staff, ref: str
) -> None:
    other = bench.session(sam, password_hash=a_hash())
    data = {"version": "1", "text": "Hi", "form_token": other.form_token}
    client = bench.browser(session)
    assert (await client.post(f"/tickets/{ref}/note", data=data)).status_code == 403
    data = {"form_token": other.form_token}
    assert (await client.post("/sign-out", data=data)).status_code == 403
    assert (await client.get("/")).status_code == 200
    assert entries(bench) == 1


def a_request(headers: dict[str, str]) -> Request:
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": raw})


@pytest.mark.parametrize(
    ("base_url", "headers", "foreign"),
    [
        ("http://desk.test", {}, False),
        ("http://desk.test", {"origin": "http://desk.test"}, False),
        ("http://desk.test", {"origin": "HTTP://DESK.test:80"}, False),
        ("https://desk.test", {"origin": "https://desk.test:443"}, False),
        ("https://desk.test/", {"origin": "http://desk.test", "host": "desk.test"}, True),
        ("http://127.0.0.1:80", {"origin": "http://localhost:9", "host": "localhost:9"}, False),
        ("http://127.0.0.1:80", {"origin": "http://localhost:9", "host": "localhost:8"}, True),
        ("http://desk.test", {"origin": "null", "sec-fetch-site": "same-origin"}, False),
        ("http://desk.test", {"sec-fetch-site": "none"}, False),
        ("http://desk.test", {"origin": "http://desk.test:99999"}, True),
    ],
)
def test_foreign_is_what_the_browser_calls_so(
    base_url: str, headers: dict[str, str], foreign: bool
) -> None:
    assert is_foreign(a_request(headers), base_url=base_url) is foreign


# Where sign-in leads


@pytest.mark.parametrize(
    "onward",
    [
        "//evil.test",
        "/\\evil.test",
        "\\\\evil.test",
        "/\t/evil.test",
        "/\n/evil.test",
        " //evil.test",
        "https://evil.test",
        "https:evil.test",
        "javascript:alert(1)",
        "evil.test",
        "",
        "/" + "x" * 3000,
        "/\u2028/evil.test",
    ],
)
async def test_sign_in_never_leads_elsewhere(bench: DeskBench, sam: Staff, onward: str) -> None:
    assert safe_next(onward) == "/"
    client = bench.visitor()
    assert (
        Page(await client.get("/sign-in", params={"next": onward})).form("/sign-in").fields["next"]
        == "/"
    )
    assert (await sign_in(client, onward=onward)).headers["location"] == "/"


@pytest.mark.parametrize(
    ("onward", "leads"),
    [
        ("/tickets/T-1001?do=reply", "/tickets/T-1001?do=reply"),
        ("/%09/evil.test", "/%09/evil.test"),
        ("/a#@evil.test", "/a#@evil.test"),
        ("/tickets?search=caf\u00e9", "/tickets?search=caf%C3%A9"),
        ("/@evil.test", "/@evil.test"),
    ],
)
def test_sign_in_leads_on_within_the_desk(onward: str, leads: str) -> None:
    assert safe_next(onward) == leads
    assert httpx.URL("http://desk.test").join(leads).host == "desk.test"


async def test_words_typed_before_the_session_ended_come_back_after_sign_in(
    bench: DeskBench, sam: Staff, ref: str
) -> None:
    client = bench.visitor()
    answer = await client.post(
        f"/tickets/{ref}/resolve", data={"cause": "A long story", "done": "", "version": "1"}
    )
    typed = {"email": EMAIL, "password": "wrong"}
    answer = await send(client, Page(answer).form("/sign-in"), typed)
    typed = {"email": EMAIL, "password": PASSWORD}
    answer = await send(client, Page(answer).form("/sign-in"), typed)
    page = Page(answer)
    assert page.status == 200
    form = page.form(f"/tickets/{ref}/resolve")
    assert form.fields["cause"] == "A long story"
    assert entries(bench) == 1
    assert (await send(client, form, {"done": "Restarted"})).status_code == 303


# What is taken in


async def test_a_huge_form_is_refused_before_it_is_read(
    bench: DeskBench, session: NewSession, ref: str
) -> None:
    client = bench.browser(session)
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    sent = 0

    async def endless():
        nonlocal sent
        while sent < 64:
            sent += 1
            yield b"text=" + b"x" * 65536

    answer = await client.post(f"/tickets/{ref}/note", content=endless(), headers=kind)
    assert answer.status_code == 413
    assert sent < 20
    for length in ("1048577", "9" * 5000):
        headers = kind | {"Content-Length": length}
        answer = await client.post("/sign-in", content=b"a=b", headers=headers)
        assert answer.status_code == 413
        assert "1 MiB" in Page(answer).text


@pytest.mark.parametrize(
    ("action", "content", "kind", "status"),
    [
        ("note", b"{}", "application/json", 415),
        ("acknowledge", b"--x\r\n", "multipart/form-data; boundary=x", 415),
        ("note", b"--x\r\n", "multipart/form-data", 400),
        ("note", b"--x\r\n", "multipart/form-data; boundary=x", 401),
        ("note", b"a=b", "", 415),
        ("note", b"&".join(b"a%d=1" % n for n in range(60)), FORM_TYPE, 400),
        ("note", b"\xff\xfe%ff%00=\x00", FORM_TYPE, 401),
    ],
)
async def test_odd_bodies_are_answered_plainly(
    bench: DeskBench, ref: str, action: str, content: bytes, kind: str, status: int
) -> None:
    answer = await bench.visitor().post(
        f"/tickets/{ref}/{action}", content=content, headers={"Content-Type": kind}
    )
    assert answer.status_code == status
    assert entries(bench) == 1


def test_text_is_taken_without_what_nobody_types() -> None:
    assert plain_text("a\x00b\x1b[31m\r\nc\rd\te\x85\ud800") == "ab[31m\nc\nd\te?"


# Hostile text

PAYLOADS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</textarea><script>alert(1)</script>",
    "</title><svg onload=alert(1)>",
    "<svg/onload=alert`1`>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "{{7*7}}{% for x in y %}{{ config }}",
    "{0.__class__} %s%n ${7*7} #{7*7}",
    "javascript:alert(1)",
    "&lt;script&gt;&#x3c;b&#x3e;",
    "<!--><script>alert(1)</script-->",
    "]]><script>alert(1)</script>",
    "\u202egnp.exe\u2066\u0000\x1b[31m\ud83d",
    "<base href=//evil.test/>",
    "<meta http-equiv=refresh content=0;url=//evil.test>",
    "<style>@import '//evil.test'</style>",
    "<a href='javascript:alert(1)'>x</a>",
    "<details open ontoggle=alert(1)>",
    "`-alert(1)-`${alert(1)}",
]


def fill(bench: DeskBench, text: str) -> None:
    """Put ``text`` into every place that text from outside can reach."""
    text = text.encode("utf-8", "replace").decode()
    now, stored = bench.clock.now(), plain_text(text)
    evidence = Evidence(
        seen=text,
        last_good=text,
        lines=(EvidenceLine(text, text, text), EvidenceLine("answer", text, "200")),
        excerpt=text,
    )
    ref = opened(
        bench.store,
        bench.policy,
        at=now,
        title=f"Title {stored}",
        site_name=stored,
        evidence=evidence,
    )
    actor = Actor(f"Mia {stored}")

    def talk(tx: object) -> None:
        actions.reply(tx, bench.policy, ref, text=f"R {stored}", actor=actor, at=now)  # pyright: ignore[reportArgumentType]
        actions.note(tx, ref, text=f"N {stored}", actor=actor, at=now)  # pyright: ignore[reportArgumentType]

    bench.store.write(talk)
    for claimed in bench.store.write(partial(claims.claim, now=now, most=9)):
        message = claimed.message
        assert message.id is not None
        bench.store.write(
            partial(
                outbox.settle,
                message_id=message.id,
                outcome=DeliveryOutcome.REFUSED,
                answer=f"550 {stored}",
                now=now,
                reason=FailureReason.PERMANENT,
            )
        )
    bench.watch.sites = [
        SiteView(
            slug=text,
            name=text,
            url=text,
            client=text,
            client_name=text,
            state=SiteState.DOWN,
            since=now,
            last_probe_at=now,
            message=text,
            duration_seconds=1.0,
            open_ticket_reference=ref,
            interval=timedelta(seconds=60),
        )
    ]


Shapes = list[list[tuple[str, tuple[str, ...]]]]
"""The elements and attributes of some pages."""


@pytest.fixture(scope="module")
def harmless(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Shapes:
    """The shapes that the pages of a second desk have with harmless text."""
    path = tmp_path_factory.mktemp("harmless") / "fettle.db"
    shutil.copy(migrated_sqlite, path)
    store = Store(f"sqlite:///{path}")
    try:
        return asyncio.run(shapes_with(DeskBench(store, FakeClock()), "harmless"))
    finally:
        store.close()


async def shapes_with(desk: DeskBench, text: str) -> Shapes:
    """Put ``text`` everywhere and return the elements and attributes of every page."""
    fill(desk, text)
    client = desk.browser(desk.session(desk.staff()))
    words = text.encode("utf-8", "replace").decode()
    asked = {"search": words, "client": words}
    form = (await see(client, "/tickets/T-1001?do=resolve")).form("/tickets/T-1001/resolve")
    answers = [
        await client.get("/"),
        await client.get("/tickets/T-1001", params={"do": words}),
        await client.get("/tickets/T-1001?do=reply"),
        await client.get("/sites"),
        await client.get("/outbox"),
        await client.get("/tickets", params=asked),
        await client.get("/sites", params={"search": f"not {words}"}),
        await client.get(f"/tickets/x{quote(words.replace('/', ''), safe='')}"),
        await send(client, form, {"cause": words}),
    ]
    for answer in answers:
        assert answer.status_code < 500
        assert "\u202e" not in answer.text
        assert "\x00" not in answer.text
    return [Page(answer).shape for answer in answers]


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_hostile_text_stays_text_on_every_page(
    bench: DeskBench, harmless: Shapes, payload: str
) -> None:
    assert await shapes_with(bench, payload) == harmless


async def test_hostile_text_stays_text_on_the_sign_in_page(bench: DeskBench) -> None:
    hostile = await sign_in(bench.visitor(), email="".join(PAYLOADS[:7]), onward=PAYLOADS[1])
    harmless = await sign_in(bench.visitor(), email="harmless")
    assert Page(hostile).shape == Page(harmless).shape


async def test_template_language_in_text_is_not_spoken(
    bench: DeskBench, session: NewSession
) -> None:
    fill(bench, "{{7*7}}")
    text = (await see(bench.browser(session), "/tickets/T-1001")).text
    assert "Title {{7*7}}" in text
    assert "49" not in text


@pytest.mark.parametrize(
    ("text", "is_link"),
    [
        ("https://shop.example/a?b=c", True),
        ("http://203.0.113.7:8080/", True),
        ("javascript:alert(1)", False),
        ("JavaScript:alert(1)//https://x.example", False),
        ("data:text/html,x", False),
        ("//shop.example/", False),
        ("https:///x", False),
        ("http://[", False),
        ("https://shop.example/\u202e", False),
        (" https://shop.example/", False),
        ("", False),
    ],
)
async def test_only_web_addresses_become_links(
    bench: DeskBench, session: NewSession, text: str, is_link: bool
) -> None:
    assert is_web_address(text) is is_link
    fill(bench, text)
    page = await see(bench.browser(session), "/sites")
    targets = [attributes.get("href") for tag, attributes in page.elements if tag == "a"]
    assert (text in targets) is (is_link and bool(text))


def test_no_template_prints_anything_unescaped() -> None:
    folder = Path(__file__).parents[2] / "tickets" / "desk" / "templates"
    texts = {path.name: path.read_text("utf-8") for path in folder.iterdir()}
    assert len(texts) > 8
    for name, text in texts.items():
        for word in (r"\|\s*safe", "autoescape", "Markup", "style=", r" on\w+=", "<script>"):
            assert re.search(word, text) is None, f"{name}: {word}"


# Headers

ALWAYS = {
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'; object-src 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


PAGES = ("/", "/tickets", "/tickets/finished", "/sites", "/outbox", "/calendar")


async def test_every_answer_carries_the_headers(
    bench: DeskBench, session: NewSession, ref: str
) -> None:
    client, visitor = bench.browser(session), bench.visitor()
    private = [
        await client.get(path) for path in (*PAGES, f"/tickets/{ref}", "/nowhere", "/tickets/T-1")
    ]
    private += [
        await visitor.get("/"),
        await visitor.get("/sign-in"),
        await sign_in(visitor, password="wrong"),
        await visitor.post(f"/tickets/{ref}/note", data={"text": "x"}),
        await visitor.post("/", data={}),
        await visitor.post("/sign-in", headers={"Sec-Fetch-Site": "cross-site"}),
        await client.post(f"/tickets/{ref}/note", data={"form_token": "x"}),
        await client.get(f"/tickets/{ref}/note"),
        await client.post(f"/tickets/{ref}/note", content=b"x", headers={"Content-Type": "a/b"}),
    ]
    public = [await visitor.get("/favicon.svg"), await visitor.get("/static/desk.css")]
    for answer in (*private, *public):
        assert {name: answer.headers.get(name) for name in ALWAYS} == ALWAYS
        assert "access-control-allow-origin" not in answer.headers
    for answer in private:
        assert answer.headers["cache-control"] == "no-store"


async def test_static_files_are_kept_only_under_their_version(
    bench: DeskBench, session: NewSession
) -> None:
    page = await see(bench.browser(session), "/")
    addresses = {
        found[name]
        for tag, found in page.elements
        for name in ("href", "src")
        if found.get(name, "").startswith("/static/")
    }
    visitor = bench.visitor()
    assert len(addresses) == 3
    for address in addresses:
        answer = await visitor.get(address)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    style = await visitor.get("/static/desk.css")
    assert style.headers["content-type"] == "text/css; charset=utf-8"
    assert style.headers["cache-control"] == "no-cache"
    for font in ("hanken-grotesk-latin.woff2", "hanken-grotesk-latin-ext.woff2"):
        assert font in style.text
        assert (await visitor.get(f"/static/{font}")).headers["content-type"] == "font/woff2"
    for name in ("missing.css", "..%2fapp.py", "%2e%2e/app.py", "desk.css%00"):
        assert (await visitor.get(f"/static/{name}")).status_code == 404


async def test_strangers_learn_nothing_of_the_sites(bench: DeskBench) -> None:
    fill(bench, "Secret client")
    visitor = bench.visitor()
    for path in ("/sign-in", "/nowhere", "/static/missing.css", "/tickets/T-1001/note"):
        answer = await visitor.get(path)
        assert "Secret client" not in answer.text
        assert "worst state" not in answer.text
        assert "T-1001" not in answer.text
