"""Statements go out once: on the first support day, to each contact who wants them, and no more."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import httpx
import pytest
from sqlmodel import col, select

from monitor.rules.month import parse_month
from monitor.rules.verdict import Verdict
from monitor.statement.mailing import SETTLED_AFTER, due_at, send_due
from tests.builders import ANNA, BEN, LONDON, TARGETS, a_policy, a_site
from tests.clocks import FakeClock
from tests.desk import Page, see
from tests.outbox import claim
from tests.outbox import settle as settle_mail
from tests.portal import branded, portal_browser
from tests.sites import settle, watch
from tests.smtp import Postbox
from tests.statements import seed
from tests.stores import open_store
from tickets.delivery import Delivery
from tickets.errors import Unavailable
from tickets.holidays import build_support_hours
from tickets.mail import MailIdentity
from tickets.mail_channel import MailChannel
from tickets.outbox import Recipient
from tickets.policy import ClientContacts, ClientPromises, Policy
from tickets.rules.hours import SupportHours
from tickets.rules.interval import WEEKDAYS, parse_week
from tickets.rules.message import DeliveryOutcome, FailureReason, MessageState
from tickets.settings.mail import MailSecurity
from tickets.settings.support import SupportSettings
from tickets.smtp import MailServer, SmtpSender
from tickets.statement_tables import StatementCopyRow, UnsubscribedRow
from tickets.statements import list_standings, unsubscribe
from tickets.store import Store, Work
from tickets.tables import MessageRow

FIRST = datetime(2026, 2, 1, tzinfo=UTC)
DUE = datetime(2026, 3, 2, 9, tzinfo=UTC)
"""1 March 2026 is a Sunday."""

HOUR = timedelta(hours=1)
MOMENT = timedelta(microseconds=1)
AROUND_THE_CLOCK = SupportHours(LONDON, parse_week({day: ["00:00-24:00"] for day in WEEKDAYS}))
ONE_DATABASE = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
"""For what no database does otherwise than another."""

Result = TypeVar("Result")


def a_stating_policy(*wanting: Recipient, base_url: str = "http://desk.agency.test") -> Policy:
    policy = branded(a_policy())
    contacts = ClientContacts(tickets=(ANNA, BEN), statement=wanting or (ANNA, BEN))
    return replace(policy, contacts={"harbour": contacts}, base_url=base_url)


POLICY = a_stating_policy()


@pytest.fixture
def february(store: Store) -> Store:
    """A store that has seen a site for some hours of February, with an incident among them."""
    site = a_site(interval=300)
    watch(store, [site], at=FIRST)
    seed(store, site, FIRST, FIRST + 10 * HOUR)
    settle(store, site, Verdict.DOWN, since=FIRST + HOUR)
    settle(store, site, Verdict.UP, since=FIRST + 2 * HOUR)
    return store


def statements(store: Store) -> Sequence[MessageRow]:
    query = select(MessageRow).where(col(MessageRow.notice) == "statement")
    return store.read(lambda tx: tx.exec(query.order_by(col(MessageRow.id))).all())


def addresses(store: Store) -> list[str]:
    return sorted(row.address for row in statements(store))


def link(store: Store, address: str, kind: str = "unsubscribe_url") -> str:
    (url,) = [row.facts[kind] for row in statements(store) if row.address == address][-1:]
    return str(url)


@pytest.mark.parametrize(
    ("month", "due"),
    [
        ("2026-02", datetime(2026, 3, 2, 9, tzinfo=UTC)),  # the first is a Sunday
        ("2026-03", datetime(2026, 4, 1, 8, tzinfo=UTC)),  # summer time
        ("2026-12", datetime(2027, 1, 4, 9, tzinfo=UTC)),  # closure, holiday, weekend
        ("2027-04", datetime(2027, 5, 4, 8, tzinfo=UTC)),  # weekend, bank holiday
    ],
)
def test_a_statement_is_due_when_support_first_opens_in_the_month(
    month: str, due: datetime
) -> None:
    assert due_at(POLICY, "harbour", parse_month(month)) == due


def test_the_calendar_is_the_clients_own() -> None:
    own = ClientPromises(hours=AROUND_THE_CLOCK, targets=TARGETS)
    policy = replace(POLICY, promises={"harbour": own})
    midnight = datetime(2026, 3, 31, 23, tzinfo=UTC)
    # Open at midnight, when the last readings are still to be written.
    assert due_at(policy, "harbour", parse_month("2026-03")) == midnight + SETTLED_AFTER


async def test_it_is_written_at_that_instant_once_for_each_contact(february: Store) -> None:
    await send_due(february, POLICY, now=DUE - MOMENT)
    assert addresses(february) == []
    for minutes in (0, 5, 60 * 24 * 20):
        assert await send_due(february, POLICY, now=DUE + timedelta(minutes=minutes)) == 0
        assert addresses(february) == ["anna@harbour.test", "ben@harbour.test"]


@ONE_DATABASE
async def test_a_service_that_was_away_sends_it_later_that_month_but_not_a_month_late(
    february: Store,
) -> None:
    await send_due(february, POLICY, now=DUE + timedelta(days=20))
    assert len(addresses(february)) == 2
    site = a_site(interval=300)
    seed(february, site, datetime(2026, 3, 20, tzinfo=UTC), datetime(2026, 3, 20, 1, tzinfo=UTC))
    await send_due(february, POLICY, now=datetime(2026, 5, 20, 9, tzinfo=UTC))
    months = [row.facts["month"] for row in statements(february)]
    assert months == ["February 2026"] * 2 + ["April 2026"] * 2


async def test_two_services_at_once_write_it_once(february: Store, store_url: str) -> None:
    other = open_store(store_url)
    try:
        both = [send_due(store, POLICY, now=DUE) for store in (february, other)]
        assert await asyncio.gather(*both) == [0, 0]
    finally:
        other.close()
    assert addresses(february) == ["anna@harbour.test", "ben@harbour.test"]


class DyingStore(Store):
    """A store whose process dies before a write is committed, as often as it is told."""

    deaths = 1

    async def awrite(self, work: Work[Result]) -> Result:
        def dying(tx: object) -> Result:
            result = work(tx)  # pyright: ignore[reportArgumentType] (a session)
            if self.deaths:
                self.deaths -= 1
                raise Unavailable("the process died")
            return result

        return await super().awrite(dying)


async def test_a_crash_before_the_commit_neither_loses_nor_doubles_it(
    february: Store, store_url: str
) -> None:
    dying = DyingStore(store_url)
    try:
        with pytest.raises(Unavailable):
            await send_due(dying, POLICY, now=DUE)
        assert addresses(february) == []
        await send_due(dying, POLICY, now=DUE + timedelta(minutes=5))
        await send_due(february, POLICY, now=DUE + timedelta(minutes=10))
    finally:
        dying.close()
    assert addresses(february) == ["anna@harbour.test", "ben@harbour.test"]


@ONE_DATABASE
async def test_a_contact_who_comes_later_gets_it_then_and_nobody_else_again(
    february: Store,
) -> None:
    await send_due(february, a_stating_policy(ANNA), now=DUE)
    await send_due(february, POLICY, now=DUE + timedelta(days=3))
    assert addresses(february) == ["anna@harbour.test", "ben@harbour.test"]


@ONE_DATABASE
async def test_a_client_of_whom_there_is_nothing_to_state_gets_nothing(store: Store) -> None:
    watch(store, [a_site()], at=DUE)  # in March
    await send_due(store, POLICY, now=DUE + HOUR)
    assert statements(store) == []


@ONE_DATABASE
async def test_one_client_that_cannot_be_stated_costs_no_other_its_mail(february: Store) -> None:
    ended = build_support_hours(SupportSettings(), "Europe/London", first_year=2024, last_year=2025)
    policy = replace(
        POLICY,
        contacts={"moss": ClientContacts(statement=(ANNA,)), **POLICY.contacts},
        promises={"moss": ClientPromises(hours=ended, targets=TARGETS)},
    )
    assert await send_due(february, policy, now=DUE) == 1
    assert addresses(february) == ["anna@harbour.test", "ben@harbour.test"]


@ONE_DATABASE
async def test_the_mail_is_complete_by_itself_and_can_be_ended_by_one_click(
    february: Store, clock: FakeClock
) -> None:
    policy = a_stating_policy(ANNA, base_url="https://care.agency.test")
    await send_due(february, policy, now=DUE)
    unsubscribe, page = (
        link(february, ANNA.address, kind) for kind in ("unsubscribe_url", "action_url")
    )
    clock.step(DUE - clock.now())
    with Postbox() as box:
        server = MailServer(
            host=box.host, port=box.port, security=MailSecurity.NONE, hello_name="agency.test"
        )
        identity = MailIdentity(
            name="Bright Agency", address="support@agency.test", reply_to="support@agency.test"
        )
        channel = MailChannel(SmtpSender(server), identity=identity, clock=clock)
        delivery = Delivery(february, channel=channel, clock=clock)
        await delivery.drain()
        mails = box.wait_for(2)  # the incident's own among them
    (mail,) = [one for one in mails if "Statement" in str(one.message["Subject"])]
    assert mail.recipients == (ANNA.address,)
    assert str(mail.message["List-Unsubscribe"]) == f"<{unsubscribe}>"
    assert str(mail.message["List-Unsubscribe-Post"]) == "List-Unsubscribe=One-Click"
    others = [one for one in mails if one is not mail]
    assert others
    assert all("List-Unsubscribe" not in one.message for one in others)
    assert str(mail.message["Subject"]) == (
        "Statement: Harbour, February 2026: 100 % up, 0 of 1 answer in time"
    )
    for said in (
        "100 % Booking site",
        "not watched 27 d 14 h",
        "■ Down Booking site, on Sun 1 Feb 2026 01:00 GMT for 1 h",
        "Critical: 0 of 1 in time",
        f"See the whole statement: {page}",
        unsubscribe,
    ):
        assert said in mail.text
    # What opens something is forgotten once it is sent.
    (row,) = statements(february)
    assert row.state is MessageState.SENT
    assert not {"action_url", "unsubscribe_url"} & row.facts.keys()


@pytest.fixture
async def sent(february: Store) -> Store:
    """A store from which both contacts have got February's statement."""
    await send_due(february, POLICY, now=DUE)
    return february


@pytest.fixture
def browser(sent: Store, clock: FakeClock) -> Iterator[httpx.AsyncClient]:
    clock.step(DUE + HOUR - clock.now())
    return portal_browser(sent, clock, POLICY)  # pyright: ignore[reportReturnType]


def gone(store: Store) -> list[str]:
    return sorted(store.read(lambda tx: tx.exec(select(UnsubscribedRow.address)).all()))


@ONE_DATABASE
async def test_to_look_at_the_link_changes_nothing(sent: Store, browser: httpx.AsyncClient) -> None:
    url = link(sent, ANNA.address)
    for _ in range(2):
        page = await see(browser, url)
        assert "Stop the monthly statements?" in page.text
        assert "anna@harbour.test" in page.text
    assert (await browser.head(url)).status_code == 200
    assert (await browser.put(url)).status_code == 405
    assert gone(sent) == []


async def test_the_button_ends_the_mails_of_that_contact_alone_and_takes_it_back(
    sent: Store, browser: httpx.AsyncClient
) -> None:
    url = link(sent, ANNA.address)
    (form,) = (await see(browser, url)).forms
    assert form.method == "post"
    for _ in range(2):
        page = Page(await browser.post(url, data=form.fields or {"": ""}))
        assert (page.status, gone(sent)) == (200, ["anna@harbour.test"])
        assert "You get no more monthly statements" in page.text
    await send_due(sent, POLICY, now=datetime(2026, 4, 1, 9, tzinfo=UTC))
    march = [row.address for row in statements(sent) if row.facts["month"] == "March 2026"]
    assert march == ["ben@harbour.test"]
    standings = sent.read(lambda tx: list_standings(tx, POLICY))
    assert [(one.name, one.unsubscribed_at, one.last_month) for one in standings] == [
        ("Anna Wright", DUE + HOUR, "2026-02"),
        ("Ben Moss", None, "2026-03"),
    ]
    (form,) = (await see(browser, url)).forms
    page = Page(await browser.post(url, data=form.fields))
    assert "You get monthly statements again" in page.text
    assert gone(sent) == []


@ONE_DATABASE
async def test_who_unsubscribes_gets_none_that_still_waits_either(february: Store) -> None:
    await send_due(february, POLICY, now=DUE)
    token = link(february, ANNA.address).rpartition("/")[2]
    [claimed] = claim(february, DUE, most=1)
    february.write(lambda tx: unsubscribe(tx, token, at=DUE))
    assert [row.state for row in statements(february)] == [
        MessageState.CANCELLED,
        MessageState.PENDING,
    ]
    assert not {"action_url", "unsubscribe_url"} & statements(february)[0].facts.keys()
    # The attempt that was on its way fails for a passing reason: it is not repeated.
    deferred = (DeliveryOutcome.DEFERRED, FailureReason.TEMPORARY)
    settle_mail(february, claimed, DUE, *deferred)
    assert statements(february)[0].state is MessageState.CANCELLED


@ONE_DATABASE
@pytest.mark.parametrize(
    "how",
    [
        {"data": {"List-Unsubscribe": "One-Click"}},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},
        {"content": b""},
    ],
)
async def test_a_mail_program_ends_it_with_one_post(
    sent: Store, browser: httpx.AsyncClient, how: dict[str, object]
) -> None:
    answer = await browser.post(link(sent, BEN.address), **how)  # pyright: ignore[reportArgumentType]
    assert answer.status_code == 200
    assert gone(sent) == ["ben@harbour.test"]


@ONE_DATABASE
async def test_a_link_that_was_never_sent_is_not_found(
    sent: Store, browser: httpx.AsyncClient
) -> None:
    url, page = link(sent, ANNA.address), link(sent, ANNA.address, "action_url")
    token, page_token = url.rpartition("/")[2], page.rpartition("/")[2]
    assert len(bytes.fromhex(token)) == len(bytes.fromhex(page_token)) == 16
    wrong = [
        token[:-1],
        token[:-1] + ("0" if token[-1] != "0" else "1"),
        "%00",
        "é" * 32,
        page_token,
    ]
    for one in wrong:
        for method in ("GET", "POST"):
            answer = await browser.request(method, f"/unsubscribe/{one}")
            assert answer.status_code == 404, one
    assert (await browser.get(f"/statement/{token}")).status_code == 404
    assert gone(sent) == []
    rows = sent.read(lambda tx: tx.exec(select(StatementCopyRow)).all())
    assert len(rows) == 2
    assert not any(secret in repr(row) for row in rows for secret in (token, page_token))


@ONE_DATABASE
async def test_the_page_of_a_statement_is_the_one_that_went_out(
    sent: Store, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    url = link(sent, ANNA.address, "action_url")
    settle(sent, a_site(interval=300), Verdict.DOWN, since=FIRST + 5 * HOUR)
    answer = await browser.get(url)
    assert answer.status_code == 200
    page = Page(answer)
    assert "February 2026" in page.text
    assert page.text.count("Seen: the website is not answering.") == 1
    style = answer.text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert f"style-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "style=" not in answer.text
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-robots-tag"] == "noindex, nofollow"
    clock.advance(timedelta(days=400))
    assert (await browser.get(url)).status_code == 404
