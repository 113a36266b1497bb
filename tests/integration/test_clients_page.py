"""The desk lists its clients with what staff give to them: pages, and who hears of what."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.builders import a_policy
from tests.clocks import FakeClock
from tests.desk import DeskBench, a_view, see
from tickets.outbox import Recipient
from tickets.policy import ClientContacts, Policy
from tickets.rules.notice import Audience
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
