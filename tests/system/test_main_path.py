"""The main job end to end, with every process killed in between: nothing lost, nothing doubled."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlmodel import select

from monitor.tables import IncidentRow
from tests.smtp import Postbox
from tests.system.running import PASSWORD, Desk, Service, Website, eventually
from tickets.queries.tickets import get_ticket_page
from tickets.queries.views import TicketPage
from tickets.rules.ticket import Action, Priority, Status
from tickets.store import Store
from tickets.tables import MessageRow, TicketRow

pytestmark = pytest.mark.timeout(600)

CONTACTS = ("anna@harbour.test", "ben@harbour.test")
DUTY = "duty@agency.test"

on_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
"""For what the store has no part in; the main path runs on both databases."""


@pytest.fixture
def website() -> Iterator[Website]:
    website = Website()
    yield website
    website.close()


@pytest.fixture
def postbox() -> Iterator[Postbox]:
    with Postbox() as postbox:
        yield postbox


@pytest.fixture
def service(
    tmp_path: Path, store_url: str, website: Website, postbox: Postbox
) -> Iterator[Service]:
    service = Service(tmp_path, store_url, website.url, postbox.port)
    service.write_config()
    service.start()
    yield service
    if service.process is not None and service.process.poll() is None:
        service.stop()


def rows(store: Store, table: type[Any]) -> list[Any]:
    return list(store.read(lambda tx: tx.exec(select(table)).all()))


def page(store: Store) -> TicketPage:
    return store.read(lambda tx: get_ticket_page(tx, "T-1001"))


def wait_for_mails(postbox: Postbox, word: str, *addresses: str) -> None:
    """Wait until each address has a mail whose subject says ``word``."""
    for address in addresses:
        eventually(
            lambda address=address: [m for m in postbox.to(address) if word in m.subject],
            what=f"the mail '{word}' to {address}",
        )


def probe_success(service: Service, site: str = "booking") -> float | None:
    return service.metric("probe_success", site=site)


def test_a_site_goes_down_is_seen_to_and_recovers_while_processes_are_killed(
    service: Service, store: Store, website: Website, postbox: Postbox
) -> None:
    eventually(lambda: probe_success(service) == 1, what="the site to be seen up")
    service.fettle(
        "staff", "add", "sam@agency.test", "--name", "Sam Reed", "--password-stdin", stdin=PASSWORD
    )

    service.kill_role("prober")
    website.is_broken = True
    eventually(lambda: rows(store, TicketRow), what="the ticket")
    service.kill_role("desk")
    wait_for_mails(postbox, "Down", *CONTACTS, DUTY)

    ticket = page(store).ticket
    assert (ticket.status, ticket.priority) == (Status.OPEN, Priority.CRITICAL)
    told = service.fettle(
        "deadline", "--priority", "critical", "--at", ticket.opened_at.isoformat(), "--json"
    )
    assert datetime.fromisoformat(json.loads(told)["respond_by"]) == ticket.promise.respond_by
    assert ticket.promise.respond_by - ticket.opened_at >= timedelta(hours=1)
    assert {line.label for line in page(store).evidence.lines} >= {"answer", "page title"}
    eventually(lambda: probe_success(service) == 0, what="probe_success 0")
    assert service.metric("fettle_tickets_open", priority="critical", state="new") == 1
    assert service.metric("fettle_tickets_opened_total", source="monitor", priority="critical") == 1

    with Desk(service.url, email="sam@agency.test") as desk:
        assert "T-1001" in desk.page("/")
        desk.act("T-1001", "acknowledge")
        service.kill()
        service.start()
        assert page(store).ticket.status is Status.ACKNOWLEDGED
        assert page(store).ticket.promise.answered_by == "Sam Reed"
        wait_for_mails(postbox, "next word by", *CONTACTS)

        desk.act(
            "T-1001",
            "resolve",
            cause="The web server had stopped",
            done="We restarted it",
            outcome="fixed",
        )
        service.kill_role("desk")
        assert page(store).ticket.status is Status.RESOLVED
        wait_for_mails(postbox, "Resolved", *CONTACTS)

    service.kill_role("prober")
    website.is_broken = False
    eventually(lambda: page(store).ticket.recovered_at, what="the recovery")
    wait_for_mails(postbox, "Up again", *CONTACTS)
    eventually(lambda: probe_success(service) == 1, what="probe_success 1 again")
    assert service.stop() == 143

    assert len(rows(store, IncidentRow)) == len(rows(store, TicketRow)) == 1
    actions = [entry.action for entry in page(store).entries]
    assert actions == [Action.OPEN, Action.ACKNOWLEDGE, Action.RESOLVE, Action.RECOVER]
    assert_each_told_once(store, postbox)


def assert_each_told_once(store: Store, postbox: Postbox) -> None:
    """Each message reached its address; copies, if a kill fell between, are the same mail."""
    messages = rows(store, MessageRow)
    per_person = Counter((row.address, row.entry_number) for row in messages)
    assert set(per_person.values()) == {1}
    assert Counter(row.address for row in messages if row.address in CONTACTS) == dict.fromkeys(
        CONTACTS, 4
    )
    received: dict[str, set[bytes]] = {}
    for mail in postbox.mails:
        [address] = mail.recipients
        header_id = mail.message["Message-ID"]
        [row] = [row for row in messages if row.header_id == header_id]
        assert row.address == address
        received.setdefault(header_id, set()).add(mail.content)
    assert received.keys() == {row.header_id for row in messages}
    assert {len(copies) for copies in received.values()} == {1}


@on_sqlite
def test_a_dead_mail_server_delays_mail_and_nothing_else(
    service: Service, store: Store, website: Website, postbox: Postbox
) -> None:
    eventually(lambda: probe_success(service) == 1, what="the site to be seen up")
    postbox.stop()
    website.is_broken = True
    eventually(lambda: rows(store, TicketRow), what="the ticket without a mail server")
    service.fettle(
        "staff", "add", "sam@agency.test", "--name", "Sam Reed", "--password-stdin", stdin=PASSWORD
    )
    with Desk(service.url, email="sam@agency.test") as desk:
        desk.act("T-1001", "acknowledge")
    website.is_broken = False
    eventually(lambda: page(store).ticket.recovered_at, what="the recovery")
    assert service.is_ready()
    assert postbox.mails == []
    postbox.start()
    wait_for_mails(postbox, "Up again", *CONTACTS)
    # What found the server dead may go out after what was written later, or be settled yet.
    eventually(
        lambda: max(row.attempts for row in rows(store, MessageRow)) > 1,
        what="the second attempt to be noted",
    )


@on_sqlite
def test_a_reload_takes_a_good_configuration_and_keeps_the_old_one_when_it_has_a_fault(
    service: Service,
) -> None:
    assert service.process is not None
    text = service.config.read_text()
    service.config.write_text(text.replace("slug: booking", "slug: Booking Site"))
    service.process.send_signal(1)
    eventually(lambda: event(service, "supervisor.reload_refused"), what="the refusal")
    was_good = "fettle_config_last_reload_successful"
    eventually(lambda: service.metric(was_good) == 0, what="the refusal in the metrics")
    assert not service.is_ready(), "the configuration is not well, and says so"
    desk = service.pid("desk")
    os.kill(desk, signal.SIGKILL)  # the next one comes up as the others are, and knows
    eventually(lambda: service.pid("desk") != desk, what="another desk")
    eventually(lambda: service.metric(was_good) == 0, what="the refusal after a restart")
    eventually(lambda: probe_success(service, "booking") == 1, what="the old site, watched on")
    service.config.write_text(text.replace("slug: booking", "slug: rooms"))
    answer = httpx.post(f"{service.url}/-/reload", timeout=60)
    assert (answer.status_code, answer.json()) == (200, {"reloaded": True})
    eventually(lambda: event(service, "supervisor.reloaded"), what="the reload")
    service.wait_until_ready()
    eventually(lambda: probe_success(service, "rooms") == 1, what="the new site")
    assert service.metric(was_good) == 1


def event(service: Service, name: str) -> list[dict[str, Any]]:
    return [line for line in service.lines if line.get("event") == name]
