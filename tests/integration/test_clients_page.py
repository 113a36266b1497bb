"""The desk lists its clients with what staff give to them: pages, and who hears of what."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.builders import a_policy
from tests.clocks import FakeClock
from tests.desk import DeskBench, a_view, see
from tests.outbox import claim, settle, tell
from tests.tickets import opened
from tickets.outbox import Recipient
from tickets.policy import ClientContacts, Policy
from tickets.rules.message import DeliveryOutcome, FailureReason
from tickets.rules.notice import Audience, Notice
from tickets.rules.status_access import StatusAccess
from tickets.store import Store

ANNA = Recipient("Anna <b>", "anna@harbour.test", Audience.CLIENT)
BEN = Recipient("Ben", "ben@harbour.test", Audience.CLIENT)


def the_policy(access: StatusAccess = StatusAccess.PUBLIC, key: str | None = None) -> Policy:
    policy = a_policy()
    harbour = replace(
        policy.clients["harbour"], everyone=(ANNA, BEN), status_access=access, status_key=key
    )
    return replace(
        policy,
        clients={"harbour": harbour},
        contacts={"harbour": ClientContacts(incidents=(ANNA,), statement=(ANNA,))},
    )


@pytest.mark.parametrize(
    ("access", "key", "address"),
    [
        (StatusAccess.PUBLIC, None, "http://desk.agency.test/status/harbour"),
        (StatusAccess.LINK, "k" * 20, f"http://desk.agency.test/status/harbour?key={'k' * 20}"),
        (StatusAccess.OFF, None, None),
    ],
)
async def test_each_client_stands_with_its_pages_and_contacts(
    sqlite_store: Store,
    clock: FakeClock,
    access: StatusAccess,
    key: str | None,
    address: str | None,
) -> None:
    bench = DeskBench(sqlite_store, clock).with_policy(the_policy(access, key))
    bench.watch.sites = [a_view(bench)]
    page = await see(bench.browser(bench.session(bench.staff())), "/clients")
    assert "Anna <b> anna@harbour.test: incidents, statement" in page.text
    assert "Ben ben@harbour.test: nothing" in page.text
    assert page.links["Request form"] == "http://desk.agency.test/support/harbour"
    assert page.links.get("Status page") == address


async def test_whoever_is_not_signed_in_sees_no_client(
    sqlite_store: Store, clock: FakeClock
) -> None:
    bench = DeskBench(sqlite_store, clock).with_policy(the_policy())
    answer = await bench.visitor().get("/clients")
    assert answer.status_code == 303
    assert "Harbour" not in answer.text


async def test_an_address_that_takes_no_mail_stands_with_its_remedy(
    sqlite_store: Store, clock: FakeClock
) -> None:
    bench = DeskBench(sqlite_store, clock).with_policy(the_policy())
    ref = opened(sqlite_store, bench.policy, at=clock.now())
    browser = bench.browser(bench.session(bench.staff()))
    refuse(sqlite_store, clock.now())
    first = await see(browser, "/clients")
    assert (
        "Takes no mail since Tue 3 Mar 2026 10:00 GMT: ‘550 no such user’. Next tried Wed 4 Mar"
    ) in first.text
    assert first.text.count("Takes no mail") == 1  # Ben's address is well
    clock.step(timedelta(days=1))
    tell(sqlite_store, ref, Notice.RECOVERED, clock.now())
    refuse(sqlite_store, clock.now())
    browser = bench.browser(bench.session(bench.staff("Ida Moss")))
    page = await see(browser, "/clients")
    assert (
        "Takes no mail since Tue 3 Mar 2026 10:00 GMT, last refused Wed 4 Mar 2026 10:00 GMT:"
        " ‘550 no such user’. Next tried Thu 5 Mar 2026 10:00 GMT. Ask the client for the right"
    ) in page.text
    assert page.links["send one of its mails again"] == "/outbox?state=dead"
    outbox_page = await see(browser, "/outbox")
    assert "It is a contact of Harbour Inns." in outbox_page.text
    assert outbox_page.links["Harbour Inns"] == "/clients#harbour"


def refuse(store: Store, at: datetime) -> None:
    """Let the mail server refuse Anna's address, and take every other mail that is due."""
    for one in claim(store, at, most=50):
        if one.message.address == ANNA.address:
            settle(
                store,
                one,
                at,
                DeliveryOutcome.REFUSED,
                FailureReason.PERMANENT,
                is_address_refused=True,
            )
        else:
            settle(store, one, at)
