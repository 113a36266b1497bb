"""What staff do to messages by hand: send again, cancel, and who did."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest
from sqlmodel import Session, select

from tests.builders import ANNA, a_policy
from tests.clocks import FakeClock
from tests.desk import DeskBench, see, send
from tests.outbox import claim, settle
from tests.tickets import opened
from tickets.contacts import find_person
from tickets.erasure import erase
from tickets.errors import Conflict, NotFound
from tickets.history import Actor
from tickets.interventions import cancel, requeue
from tickets.mail_faults import note_brake, note_channel_failed
from tickets.mail_metrics import read_mail_fault_metrics
from tickets.outbox_tables import InterventionRow, UndeliverableRow
from tickets.rules.message import (
    Channel,
    DeliveryOutcome,
    FailureReason,
    Intervention,
    MessageState,
)
from tickets.rules.staff import Role
from tickets.store import Store
from tickets.tables import MessageRow

ONE = a_policy(contacts=[ANNA], duty=[])
SAM = Actor("Sam Okafor")
MINUTE = timedelta(minutes=1)
REFUSED = (DeliveryOutcome.REFUSED, FailureReason.PERMANENT)
DEFERRED = (DeliveryOutcome.DEFERRED, FailureReason.TEMPORARY)


def message(store: Store) -> MessageRow:
    [row] = store.read(lambda tx: tx.exec(select(MessageRow)).all())
    return row


def do(store: Store, what: Intervention, at: datetime, number: int = 1) -> None:
    deed = requeue if what is Intervention.REQUEUE else cancel
    store.write(partial(deed, message_id=number, actor=SAM, at=at))


def bring(store: Store, state: str, at: datetime) -> None:
    """Bring the only message into ``state``, of which it waits for a back-off in "later"."""
    opened(store, ONE, at=at)
    if state == "due":
        return
    [claimed] = claim(store, at)
    if state == "sent":
        settle(store, claimed, at)
    elif state == "dead":
        settle(store, claimed, at, *REFUSED, is_address_refused=True)
    elif state == "later":
        settle(store, claimed, at, *DEFERRED)
    elif state == "cancelled":
        settle(store, claimed, at, *REFUSED)
        do(store, Intervention.CANCEL, at)


@pytest.mark.parametrize(
    ("state", "what", "sentence"),
    [
        ("due", Intervention.REQUEUE, "is due already"),
        ("sending", Intervention.REQUEUE, "is being sent at this moment"),
        ("sent", Intervention.REQUEUE, "has been sent"),
        ("cancelled", Intervention.REQUEUE, "was cancelled"),
        ("sending", Intervention.CANCEL, "is being sent at this moment"),
        ("sent", Intervention.CANCEL, "has been sent"),
        ("cancelled", Intervention.CANCEL, "was cancelled"),
    ],
)
def test_what_makes_no_sense_in_its_state_is_refused_and_changes_nothing(
    store: Store, clock: FakeClock, state: str, what: Intervention, sentence: str
) -> None:
    bring(store, state, clock.now())
    before = message(store).state
    with pytest.raises(Conflict, match=f"message 1 {sentence}"):
        do(store, what, clock.now())
    assert message(store).state is before


def test_a_message_that_is_not_there_is_not_found(store: Store, clock: FakeClock) -> None:
    with pytest.raises(NotFound, match="there is no message 7"):
        do(store, Intervention.CANCEL, clock.now(), 7)


@pytest.mark.parametrize("state", ["dead", "later"])
def test_a_requeued_message_leaves_now_as_the_same_mail_with_its_patience_renewed(
    store: Store, clock: FakeClock, state: str
) -> None:
    bring(store, state, clock.now())
    before = message(store)
    at = clock.advance(timedelta(hours=80) if state == "dead" else timedelta(seconds=5))
    do(store, Intervention.REQUEUE, at)
    [again] = claim(store, at)
    assert (again.message.header_id, again.message.written_at) == (
        before.header_id,
        before.written_at,
    )
    settle(store, again, at, *DEFERRED)
    row = message(store)
    assert (row.state, row.attempts) == (MessageState.PENDING, 2)
    assert row.not_before == at + MINUTE
    assert store.read(lambda tx: tx.exec(select(UndeliverableRow)).all()) == []


def test_nothing_is_sent_again_to_somebody_who_was_erased(
    sqlite_store: Store, clock: FakeClock
) -> None:
    bring(sqlite_store, "dead", clock.now())
    gone = a_policy(contacts=[], duty=[])
    sqlite_store.write(lambda tx: erase(tx, gone, find_person(tx, ANNA.address), at=clock.now()))
    with pytest.raises(Conflict, match="message 1 is to somebody whose data was erased"):
        do(sqlite_store, Intervention.REQUEUE, clock.now())


def test_a_cancelled_message_never_leaves_and_its_link_is_forgotten(
    store: Store, clock: FakeClock
) -> None:
    bring(store, "due", clock.now())
    assert "ticket_url" in message(store).facts
    do(store, Intervention.CANCEL, clock.now())
    assert claim(store, clock.now()) == []
    assert "ticket_url" not in message(store).facts
    [done] = store.read(lambda tx: tx.exec(select(InterventionRow)).all())
    assert (done.what, done.actor, done.at, done.state_before) == (
        Intervention.CANCEL,
        "Sam Okafor",
        clock.now(),
        MessageState.PENDING,
    )


# At the desk


@pytest.fixture
def bench(tmp_path: Path, migrated_sqlite: Path, clock: FakeClock) -> Iterator[DeskBench]:
    path = tmp_path / "desk.db"
    shutil.copy(migrated_sqlite, path)
    store = Store(f"sqlite:///{path}")
    yield DeskBench(store, clock).with_policy(ONE)
    store.close()


@pytest.fixture
def browser(bench: DeskBench) -> httpx.AsyncClient:
    return bench.browser(bench.session(bench.staff()))


async def test_the_outbox_sends_again_and_says_who_did(
    bench: DeskBench, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    bring(bench.store, "dead", clock.now())
    page = await see(browser, "/outbox?state=dead")
    assert "anna@harbour.test since Tue 3 Mar 2026 10:00 GMT: 550 no such user" in page.text
    clock.advance(MINUTE)
    answer = await send(browser, page.form("/outbox/1/requeue"))
    assert (answer.status_code, answer.headers["location"]) == (303, "/outbox?state=dead")
    assert message(bench.store).state is MessageState.PENDING
    text = (await see(browser, "/outbox")).text
    assert "Sent again by Sam Okafor 10:01" in text
    assert "Addresses that take no mail" not in text


async def test_every_page_says_that_no_mail_leaves_and_what_is_held_back(
    bench: DeskBench, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    def fail(tx: Session) -> None:
        at = clock.now() - timedelta(hours=1)
        refused = "535 5.7.8 <b>wrong</b>"
        note_channel_failed(tx, Channel.MAIL, reason=FailureReason.AUTH, answer=refused, at=at)
        note_brake(tx, ANNA.address, until=clock.now() + MINUTE, at=at)

    assert "No mail leaves" not in (await see(browser, "/")).text
    bench.store.write(fail)
    for address in ("/", "/sites", "/outbox"):
        text = (await see(browser, address)).text
        assert "No mail leaves since 09:00." in text
        assert "535 5.7.8 <b>wrong</b>" in text
        assert f"Mails to {ANNA.address} are held back." in text
    clock.advance(timedelta(minutes=2))
    assert "are held back" not in (await see(browser, "/")).text
    told = {
        (sample.name, *sample.labels.values()): sample.value
        for metric in bench.store.read(lambda tx: [*read_mail_fault_metrics(tx, clock.now())])
        for sample in metric.samples
    }
    assert told["fettle_mail_server_failing",] == 1
    assert told["fettle_mail_limits_in_force", "address_day"] == 0
    assert told["fettle_outbox_held_messages", "support_hours"] == 0


async def test_a_stale_button_is_a_conflict_that_shows_how_the_message_stands(
    bench: DeskBench, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    bring(bench.store, "later", clock.now())
    page = await see(browser, "/outbox")
    clock.advance(MINUTE)
    [claimed] = claim(bench.store, clock.now())
    settle(bench.store, claimed, clock.now())
    for deed in ("requeue", "cancel"):
        answer = await send(browser, page.form(f"/outbox/1/{deed}"))
        assert answer.status_code == 409
        assert "Message 1 has been sent" in answer.text


async def test_only_who_may_act_from_our_own_page_changes_a_message(
    bench: DeskBench, browser: httpx.AsyncClient, clock: FakeClock
) -> None:
    bring(bench.store, "dead", clock.now())
    form = (await see(browser, "/outbox")).form("/outbox/1/cancel")
    viewer = bench.browser(bench.session(bench.staff("Vera Dahl", role=Role.VIEWER)))
    assert "/outbox/1/cancel" not in (await viewer.get("/outbox")).text
    token = (await see(viewer, "/outbox")).form("/sign-out").fields["form_token"]
    fields = {**form.fields, "form_token": token}
    tries = [
        (await viewer.post("/outbox/1/cancel", data=fields), 403),
        (await browser.post("/outbox/1/cancel", data=fields), 403),
        (await bench.visitor().post("/outbox/1/cancel", data=form.fields), 401),
        (
            await browser.post(
                "/outbox/1/cancel", data=form.fields, headers={"Origin": "https://evil.test"}
            ),
            403,
        ),
        (await browser.get("/outbox/1/cancel"), 405),
        (await browser.post("/outbox/1/shred", data=form.fields), 404),
        (await browser.post("/outbox/9/cancel", data=form.fields), 404),
        (await browser.post(f"/outbox/{10**30}/cancel", data=form.fields), 404),
    ]
    assert [answer.status_code for answer, _ in tries] == [status for _, status in tries]
    assert message(bench.store).state is MessageState.DEAD
    done = bench.store.read(lambda tx: tx.exec(select(InterventionRow.id)).all())
    assert list(done) == []
