"""Delivery from a real outbox to a real mail server, and what becomes of messages in faults."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlmodel import Session, col, select
from structlog.testing import capture_logs

from tests.builders import a_policy
from tests.clocks import FakeClock
from tests.smtp import Fault, Postbox, Received, Reply, ScriptedServer
from tests.stores import open_store
from tests.tickets import opened
from tickets import actions, outbox, relations, time_spent, triage, waiting
from tickets.accounts import PasswordHash, add_staff
from tickets.calendars import tell_ending
from tickets.claims import LEASE
from tickets.delivery import SLOTS, STOP_SECONDS, Delivery, Wait
from tickets.errors import Unavailable
from tickets.escalation import escalate, remind
from tickets.history import Actor
from tickets.incidents import recover, worsen
from tickets.letters.samples import SAMPLE_FACTS
from tickets.mail import Mail, MailIdentity, Sender, SendFailed
from tickets.mail_channel import MailChannel
from tickets.opening import NewRequest, Requester, open_request
from tickets.outbox import Recipient
from tickets.rules.allowance import Allowance
from tickets.rules.message import BACKOFF, DeliveryOutcome, FailureReason, MessageState
from tickets.rules.notice import AUTOMATIC_NOTICES, NOTICES_OF_NO_TICKET, Audience, Notice
from tickets.rules.pace import Pace
from tickets.rules.staff import Role
from tickets.rules.ticket import Category, Priority, Source, Status, reference
from tickets.settings.mail import MailSecurity
from tickets.smtp import MailServer, SmtpSender
from tickets.store import Store
from tickets.tables import DeliveryRow, MessageRow, TicketRow
from tickets.time_spent import Work

IDENTITY = MailIdentity(
    name="Bright Agency", address="support@agency.test", reply_to="help@agency.test"
)
ANNA = "anna@harbour.test"


def put(
    store: Store,
    *,
    at: datetime,
    notice: Notice = Notice.DOWN,
    addresses: Sequence[str] = (ANNA,),
    audience: Audience = Audience.CLIENT,
    priority: Priority = Priority.CRITICAL,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Write a ticket with one message per address."""

    def write(tx: Session) -> None:
        ticket = TicketRow(
            title="Booking site is down",
            client="harbour",
            client_name="Harbour Inns",
            priority=priority,
            status=Status.OPEN,
            category=Category.OUTAGE,
            source=Source.MONITOR,
            opened_at=at,
            root_message_id="",
        )
        tx.add(ticket)
        tx.flush()
        assert ticket.id is not None
        ticket.root_message_id = outbox.message_id(ticket.id, "agency.test")
        outbox.put(
            tx,
            ticket,
            notice=notice,
            recipients=[Recipient(address, address, audience) for address in addresses],
            facts=SAMPLE_FACTS[notice] if facts is None else facts,
            domain="agency.test",
            at=at,
        )

    store.write(write)


def messages(store: Store) -> Sequence[MessageRow]:
    return store.read(lambda tx: tx.exec(select(MessageRow).order_by(col(MessageRow.id))).all())


def message(store: Store) -> MessageRow:
    [row] = messages(store)
    return row


def deliveries(store: Store) -> Sequence[DeliveryRow]:
    return store.read(
        lambda tx: tx.exec(
            select(DeliveryRow).order_by(col(DeliveryRow.message_id), col(DeliveryRow.number))
        ).all()
    )


def smtp_sender(server: ScriptedServer | Postbox, *, deadline: float = 20) -> SmtpSender:
    return SmtpSender(
        MailServer(
            host=server.host,
            port=server.port,
            security=MailSecurity.NONE,
            hello_name="agency.test",
        ),
        deadline=timedelta(seconds=deadline),
    )


async def at_once(_seconds: float) -> None:
    """Wait for nothing."""


async def for_ever(_seconds: float) -> None:
    """Wait without an end: only what happens moves delivery on."""
    await asyncio.Event().wait()


def a_delivery(
    store: Store, sender: Sender, clock: FakeClock, *, wait: Wait = for_ever
) -> Delivery:
    channel = MailChannel(sender, identity=IDENTITY, clock=clock)
    return Delivery(store, channel=channel, clock=clock, wait=wait, chance=lambda: 0.0)


class FakeSender:
    """Takes mails, or fails as ``failures`` says for their recipients; keeps what it was given."""

    def __init__(self, failures: Mapping[str, Exception] | None = None) -> None:
        self.mails: list[Mail] = []
        self.failures = dict(failures or {})

    async def send(self, mail: Mail) -> str:
        self.mails.append(mail)
        if mail.recipient in self.failures:
            raise self.failures[mail.recipient]
        return "250 taken"

    async def rest(self) -> None:
        """Hold nothing."""


class GatedSender(FakeSender):
    """Holds every mail until the gate opens."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self._arrived = asyncio.Condition()

    async def has(self, count: int) -> None:
        """Wait until ``count`` mails were given to it."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.mails) >= count)

    async def send(self, mail: Mail) -> str:
        async with self._arrived:
            self.mails.append(mail)
            self._arrived.notify_all()
        await self.gate.wait()
        return "250 taken"


# What arrives

OF_OTHER_PARTS = {
    Notice.SLOW,
    Notice.BLIND,
    Notice.SIGHTED,
    Notice.ALERT,
    Notice.ALERT_ENDED,
    Notice.DIGEST,
    Notice.MAIL_FAULT,
    Notice.STATEMENT,
    Notice.VERIFY,
    Notice.NEW_LINK,
}
"""Notices that no action on a ticket tells; the tests of their own parts see their letters."""


@pytest.mark.parametrize(
    ("notice", "audience"),
    [
        (Notice.DOWN, Audience.CLIENT),
        (Notice.DOWN, Audience.STAFF),
        (Notice.REPLY, Audience.CLIENT),
        (Notice.BLIND, Audience.STAFF),
    ],
)
async def test_a_notice_arrives_whole(
    notice: Notice, audience: Audience, store: Store, clock: FakeClock
) -> None:
    put(store, at=clock.now(), notice=notice, audience=audience)
    row = message(store)
    clock.advance(3)
    with Postbox() as box:
        await a_delivery(store, smtp_sender(box), clock).drain()
        [mail] = box.wait_for(1)
    assert (mail.sender, mail.recipients) == ("support@agency.test", (ANNA,))
    headers = mail.message
    assert [to.addr_spec for to in headers["To"].addresses] == [ANNA]
    assert str(headers["Message-ID"]) == row.header_id
    assert str(headers["References"]) == str(headers["In-Reply-To"]) == row.thread_id
    assert headers["Date"].datetime == clock.now() - timedelta(seconds=3)
    is_automatic = notice in AUTOMATIC_NOTICES
    assert ("Auto-Submitted" in headers) == ("X-Auto-Response-Suppress" in headers) == is_automatic
    assert [part.get_content_type() for part in mail.parts] == ["text/plain", "text/html"]
    if notice not in NOTICES_OF_NO_TICKET:
        assert "T-1042" in mail.text
        assert "T-1042" in mail.html
    settled = message(store)
    assert (settled.state, settled.attempts, settled.sent_at) == (
        MessageState.SENT,
        1,
        clock.now(),
    )
    [delivery] = deliveries(store)
    assert (delivery.outcome, delivery.answer) == (DeliveryOutcome.SENT, "250 taken")


async def test_the_letters_find_every_fact_that_tickets_write(
    store: Store, clock: FakeClock
) -> None:
    policy, at = a_policy(), clock.now()
    allowance = Allowance(per_month=timedelta(hours=1))
    harbour = replace(policy.clients["harbour"], allowance=allowance)
    policy = replace(policy, clients={"harbour": harbour})
    sam = Actor("Sam Reed")
    late = clock.now() + timedelta(hours=2)

    def live(tx: Session) -> None:
        escalate(tx, policy, 1, at=at + timedelta(minutes=50))
        escalate(tx, policy, 1, at=late)
        actions.acknowledge(tx, policy, ref, actor=sam, at=late)
        worsen(
            tx,
            policy,
            1,
            title="Booking site is down",
            what="is not answering",
            message="HTTP 503",
            since=late,
            at=late,
        )
        recover(tx, policy, 1, since=at, until=late, is_told=True, at=late)
        actions.reply(tx, policy, ref, text="We are on it.", actor=sam, at=late)
        remind(tx, policy, 1, at=late + timedelta(hours=1))
        tell_ending(tx, policy, at=late + timedelta(days=2000))
        actions.resolve(tx, policy, ref, cause="A full disk", done="More disk", actor=sam, at=late)
        actions.reopen(tx, policy, ref, reason="It came back", actor=sam, at=late)

    def ask(tx: Session) -> None:
        """A client asks; the ticket waits, is resumed, and goes on as another one."""
        new = NewRequest(
            client="harbour",
            priority=Priority.NORMAL,
            category=Category.ADVICE,
            title="A question",
            text="How do we change the picture?",
            requester=Requester("Carla Lund", "carla@harbour.test"),
        )
        asked = open_request(tx, policy, new, actor=sam, at=at).id or 0
        name = reference(asked)
        triage.set_priority(
            tx, policy, name, priority=Priority.CRITICAL, reason="No booking", actor=sam, at=at
        )
        mia = add_staff(
            tx,
            email="mia@agency.test",
            name="Mia",
            role=Role.STAFF,
            password_hash=PasswordHash("-"),
            at=at,
        )
        triage.assign(tx, policy, name, assignee_id=mia.id, actor=sam, at=at)
        carla = Actor("Carla Lund", None, "carla@harbour.test")
        waiting.client_reply(tx, policy, name, text="Any news?", actor=carla, at=at)
        actions.reply(tx, policy, name, text="Which one?", actor=sam, at=at)
        on = date(2026, 3, 6)
        waiting.wait(tx, policy, name, question="Which?", resume_on=on, actor=sam, at=at)
        waiting.resume_due(tx, policy, asked, at=at + timedelta(days=3))
        work = Work(minutes=60, worked_on=at.date(), text="Looked")
        time_spent.log_time(tx, policy, name, work=work, actor=sam, at=at)
        relations.merge(tx, policy, name, into=ref, actor=sam, at=at)

    ref = opened(store, policy, at=at)
    store.write(live)
    store.write(ask)
    sender = FakeSender()
    channel = MailChannel(sender, identity=IDENTITY, clock=clock)
    clock.advance(timedelta(days=2001))
    each_alone = Pace(merge_within=timedelta(0))
    await Delivery(store, channel=channel, clock=clock, pace=each_alone).drain()
    assert channel.letters_failed == 0
    assert {row.notice for row in messages(store)} == set(Notice) - OF_OTHER_PARTS
    assert {row.state for row in messages(store)} == {MessageState.SENT}


async def test_each_contact_gets_one_mail_and_sees_no_other(store: Store, clock: FakeClock) -> None:
    put(store, at=clock.now(), addresses=(ANNA, "ben@harbour.test"))
    with Postbox() as box:
        await a_delivery(store, smtp_sender(box), clock).drain()
        mails = box.wait_for(2)
    assert sorted(mail.recipients for mail in mails) == [(ANNA,), ("ben@harbour.test",)]
    for mail in mails:
        assert [to.addr_spec for to in mail.message["To"].addresses] == list(mail.recipients)
        assert not {"Cc", "Bcc"} & set(mail.message.keys())


@pytest.mark.parametrize(
    "text",
    [
        "=?utf-8?q?a=0D=0ABcc:_evil=40x.test?=",
        "Booking\r\nBcc: evil@x.test\r\n\r\n<b>hello</b>",
        "<img src=http://x.test/pixel.png>",
    ],
)
async def test_hostile_names_and_replies_change_no_header_and_no_markup(
    text: str, store: Store, clock: FakeClock
) -> None:
    facts = {**SAMPLE_FACTS[Notice.REPLY], "site_name": text, "title": text, "text": text}
    put(store, at=clock.now(), notice=Notice.REPLY, facts=facts)
    with Postbox() as box:
        await a_delivery(store, smtp_sender(box), clock).drain()
        [mail] = box.wait_for(1)
    assert sorted(mail.message.keys()) == [
        "Content-Type",
        "Date",
        "From",
        "In-Reply-To",
        "MIME-Version",
        "Message-ID",
        "References",
        "Reply-To",
        "Subject",
        "To",
        "X-Fettle-Instance",
    ]
    assert mail.recipients == (ANNA,)
    assert text.replace("\r\n", "\n") in mail.text
    assert "<img" not in mail.html
    assert "<b>" not in mail.html


async def test_no_mail_leaves_before_its_cause_is_committed(store: Store, clock: FakeClock) -> None:
    seen: list[int] = []

    def look(_mail: Received) -> None:
        seen.append(len(messages(store)))

    put(store, at=clock.now())
    with Postbox(on_mail=look) as box:
        await a_delivery(store, smtp_sender(box), clock).drain()
    assert seen == [1]
    assert message(store).state is MessageState.SENT


# What fails


@pytest.mark.parametrize(
    ("replies", "state", "reason"),
    [
        ({"RCPT": "550 no such user"}, MessageState.DEAD, FailureReason.PERMANENT),
        ({"END": "554 spam"}, MessageState.DEAD, FailureReason.PERMANENT),
        ({"RCPT": "450 greylisted"}, MessageState.PENDING, FailureReason.TEMPORARY),
        ({"END": "421 closing"}, MessageState.PENDING, FailureReason.TEMPORARY),
        ({"END": Fault.CUT}, MessageState.PENDING, FailureReason.CONNECT),
        ({"RCPT": Fault.DRIP}, MessageState.PENDING, FailureReason.TIMEOUT),
        ({"AUTH": "535 no", "MAIL": "530 sign in"}, MessageState.PENDING, FailureReason.AUTH),
    ],
)
async def test_how_a_failure_is_recorded(
    replies: Mapping[str, Reply],
    state: MessageState,
    reason: FailureReason,
    store: Store,
    clock: FakeClock,
) -> None:
    put(store, at=clock.now())
    async with ScriptedServer(dict(replies)) as server:
        await a_delivery(store, smtp_sender(server, deadline=1), clock).drain()
    row = message(store)
    assert (row.state, row.attempts) == (state, 1)
    [delivery] = deliveries(store)
    assert delivery.reason is reason
    assert delivery.answer
    assert row.last_failure == delivery.answer


async def test_back_off_follows_the_table_until_a_critical_message_is_given_up(
    store: Store, clock: FakeClock
) -> None:
    put(store, at=clock.now(), priority=Priority.CRITICAL)
    busy = SendFailed("450 busy", reason=FailureReason.TEMPORARY)
    sender = FakeSender({ANNA: busy})
    delivery = a_delivery(store, sender, clock)
    started, waits = clock.now(), list[timedelta]()
    while message(store).state is MessageState.PENDING:
        await delivery.drain()
        wait = message(store).not_before - clock.now()
        tried = len(sender.mails)
        clock.advance(wait - timedelta(milliseconds=1))
        await delivery.drain()
        assert len(sender.mails) == tried
        clock.advance(timedelta(milliseconds=1))
        waits.append(wait)
    assert tuple(waits[:5]) == BACKOFF
    assert set(waits[5:]) == {timedelta(hours=1)}
    assert message(store).state is MessageState.DEAD
    assert timedelta(hours=24) <= clock.now() - started < timedelta(hours=27)


async def test_a_message_of_less_priority_is_tried_for_three_days(
    store: Store, clock: FakeClock
) -> None:
    put(store, at=clock.now(), priority=Priority.NORMAL)
    sender = FakeSender({ANNA: SendFailed("450 busy", reason=FailureReason.TEMPORARY)})
    delivery = a_delivery(store, sender, clock)
    for hours in (0, 71):
        clock.advance(timedelta(hours=hours))
        await delivery.drain()
        assert message(store).state is MessageState.PENDING
    clock.advance(timedelta(hours=2))
    await delivery.drain()
    assert message(store).state is MessageState.DEAD


async def test_a_greylisted_mail_arrives_later_unchanged(store: Store, clock: FakeClock) -> None:
    put(store, at=clock.now())
    async with ScriptedServer({"END": ["451 greylisted", "250 taken"]}) as server:
        delivery = a_delivery(store, smtp_sender(server), clock)
        await delivery.drain()
        assert server.mails == []
        clock.advance(timedelta(minutes=1))
        await delivery.drain()
        [mail] = server.mails
    assert str(mail.message["Message-ID"]) == message(store).header_id
    assert message(store).attempts == 2


async def test_a_mail_cut_off_after_its_end_comes_again_the_same_to_the_byte(
    store: Store, clock: FakeClock
) -> None:
    put(store, at=clock.now())
    async with ScriptedServer({"END": [Fault.CUT, "250 taken"]}) as server:
        delivery = a_delivery(store, smtp_sender(server), clock)
        await delivery.drain()
        clock.advance(timedelta(minutes=1))
        await delivery.drain()
        first, second = server.mails
    assert first == second


async def test_a_process_killed_before_it_settles_leaves_one_identical_copy(
    store: Store, clock: FakeClock
) -> None:
    class KilledAfterSend(FakeSender):
        """Hands over for real, then is never heard of again."""

        async def send(self, mail: Mail) -> str:
            await real.send(mail)
            sent.set()
            await asyncio.Event().wait()
            raise AssertionError("unreachable")

    put(store, at=clock.now())
    sent = asyncio.Event()
    with Postbox() as box:
        real = smtp_sender(box)
        killed = asyncio.create_task(a_delivery(store, KilledAfterSend(), clock).drain())
        await sent.wait()
        survivor = a_delivery(store, real, clock)
        clock.advance(LEASE - timedelta(seconds=1))
        await survivor.drain()
        assert len(box.mails) == 1
        clock.advance(timedelta(seconds=1))
        await survivor.drain()
        first, second = box.wait_for(2)
        killed.cancel()
    assert first == second
    assert message(store).state is MessageState.SENT


async def test_a_dead_address_stops_no_other(store: Store, clock: FakeClock) -> None:
    put(store, at=clock.now(), addresses=("gone@harbour.test", ANNA))
    async with ScriptedServer({"RCPT gone@harbour.test": "550 no such user"}) as server:
        await a_delivery(store, smtp_sender(server), clock).drain()
        assert [mail.recipients for mail in server.mails] == [(ANNA,)]
    assert [row.state for row in messages(store)] == [MessageState.DEAD, MessageState.SENT]


async def test_logs_tell_each_delivery_but_neither_address_nor_text(
    store: Store, clock: FakeClock
) -> None:
    addresses = ("gone@harbour.test", "busy@harbour.test", ANNA)
    put(store, at=clock.now(), addresses=addresses)
    replies: dict[str, Reply | list[Reply]] = {
        "RCPT gone@harbour.test": "550 no user gone@harbour.test",
        "RCPT busy@harbour.test": "450 busy@harbour.test has too much mail",
    }
    async with ScriptedServer(replies) as server:
        with capture_logs() as logs:
            await a_delivery(store, smtp_sender(server), clock).drain()
    assert sorted(line["event"] for line in logs) == [
        "delivery.attempt_failed",
        "delivery.attempt_failed",
        "delivery.message_sent",
    ]
    assert {line["message"] for line in logs} == {row.header_id for row in messages(store)}
    assert "harbour.test" not in repr(logs)
    assert "Booking" not in repr(logs)


async def test_poison_messages_stop_no_other(store: Store, clock: FakeClock) -> None:
    addresses = ("bug@harbour.test", "two@addresses.test, at@once.test", ANNA)
    put(store, at=clock.now(), addresses=addresses)
    sender = FakeSender({"bug@harbour.test": ZeroDivisionError("a fault of ours")})
    channel = MailChannel(sender, identity=IDENTITY, clock=clock)
    with capture_logs():
        await Delivery(store, channel=channel, clock=clock).drain()
    assert [row.state for row in messages(store)] == [
        MessageState.PENDING,
        MessageState.DEAD,
        MessageState.SENT,
    ]
    assert channel.faults == 1


async def test_a_broken_letter_goes_out_as_plain_facts(store: Store, clock: FakeClock) -> None:
    facts = {key: value for key, value in SAMPLE_FACTS[Notice.DOWN].items() if key != "what"}
    put(store, at=clock.now(), facts=facts)
    sender = FakeSender()
    channel = MailChannel(sender, identity=IDENTITY, clock=clock)
    with capture_logs() as logs:
        await Delivery(store, channel=channel, clock=clock).drain()
    assert [line["event"] for line in logs] == ["delivery.letter_failed", "delivery.message_sent"]
    [mail] = sender.mails
    received = Received(mail.sender, (mail.recipient,), mail.content)
    assert received.subject == "■ Down: Harbour Inns – Booking site (T-1042)"
    assert "Respond by: Mon 9 Mar 2026 10:04 GMT" in received.text
    assert channel.letters_failed == 1
    assert message(store).state is MessageState.SENT


# When the server is of no use


async def test_a_dead_server_costs_one_attempt_at_a_time_and_no_message(
    store: Store, clock: FakeClock
) -> None:
    addresses = [f"contact{number}@harbour.test" for number in range(10)]
    put(store, at=clock.now(), addresses=addresses)
    with Postbox() as box:
        pass
    delivery = a_delivery(store, smtp_sender(box), clock)
    await delivery.drain()
    tried = sum(row.attempts for row in messages(store))
    assert tried <= SLOTS
    await delivery.drain()
    assert sum(row.attempts for row in messages(store)) == tried
    clock.advance(timedelta(seconds=30))
    await delivery.drain()
    assert sum(row.attempts for row in messages(store)) == tried + 1
    box.start()
    try:
        clock.advance(timedelta(seconds=30))
        await delivery.drain()
        clock.advance(timedelta(seconds=30))
        await delivery.drain()
        assert len(box.wait_for(10)) == 10
    finally:
        box.stop()
    assert {row.state for row in messages(store)} == {MessageState.SENT}


async def test_refused_credentials_pause_the_channel_and_kill_nothing(
    store: Store, clock: FakeClock
) -> None:
    addresses = [f"contact{number}@harbour.test" for number in range(6)]
    put(store, at=clock.now(), addresses=addresses)
    refused = SendFailed("535 wrong", reason=FailureReason.AUTH, hold=timedelta(minutes=5))
    sender = FakeSender(dict.fromkeys(addresses, refused))
    delivery = a_delivery(store, sender, clock)
    await delivery.drain()
    tried = len(sender.mails)
    assert tried <= SLOTS
    clock.advance(timedelta(minutes=4, seconds=59))
    await delivery.drain()
    assert len(sender.mails) == tried
    clock.advance(timedelta(seconds=1))
    await delivery.drain()
    assert len(sender.mails) == tried + 1
    assert {row.state for row in messages(store)} == {MessageState.PENDING}
    sender.failures.clear()
    clock.advance(timedelta(minutes=5))
    await delivery.drain()
    assert {row.state for row in messages(store)} == {MessageState.SENT}


# In what order, and how many at once


async def test_critical_messages_leave_first_and_no_more_than_four_at_once(
    store: Store, clock: FakeClock
) -> None:
    for priority in (Priority.LOW, Priority.NORMAL, Priority.CRITICAL):
        addresses = [f"{priority}{number}@harbour.test" for number in range(4)]
        put(store, at=clock.now(), addresses=addresses, priority=priority)
    sender = GatedSender()
    draining = asyncio.create_task(a_delivery(store, sender, clock).drain())
    await sender.has(SLOTS)
    states = [row.state for row in messages(store)]
    assert states == [MessageState.PENDING] * 8 + [MessageState.SENDING] * 4
    sender.gate.set()
    await draining
    order = [mail.recipient[:3] for mail in sender.mails]
    assert order == ["cri"] * 4 + ["nor"] * 4 + ["low"] * 4


async def test_what_happened_meanwhile_is_one_mail_in_the_order_of_events(
    store: Store, clock: FakeClock
) -> None:
    put(store, at=clock.now())

    def add_more(tx: Session) -> None:
        ticket = tx.exec(select(TicketRow)).one()
        for notice in (Notice.ACKNOWLEDGED, Notice.RESOLVED):
            ticket.version += 1
            outbox.put(
                tx,
                ticket,
                notice=notice,
                recipients=[Recipient("Anna", ANNA, Audience.CLIENT)],
                facts=SAMPLE_FACTS[notice],
                domain="agency.test",
                at=clock.now(),
            )

    store.write(add_more)
    with Postbox() as box:
        await a_delivery(store, smtp_sender(box), clock).drain()
        [mail] = box.wait_for(1)
    assert mail.subject.startswith("Resolved: ")
    places = [mail.text.index(f"\n{mark}\n") for mark in ("■ Down", "In hand", "Resolved")]
    assert places == sorted(places)
    assert mail.text.count("\n-- \n") == 1
    assert all(mark in mail.html for mark in ("Down", "In hand", "Resolved"))
    assert mail.html.count("<body") == mail.html.count("</html>") == 1
    assert {row.state for row in messages(store)} == {MessageState.SENT}
    assert len(deliveries(store)) == 1


async def test_two_senders_at_once_send_each_mail_once(store: Store, clock: FakeClock) -> None:
    for number in range(12):
        put(store, at=clock.now(), addresses=[f"contact{number}@harbour.test", ANNA])
    other = open_store(store.url)
    with Postbox() as box:
        senders = [a_delivery(each, smtp_sender(box), clock) for each in (store, other)]
        await asyncio.gather(*(each.drain() for each in senders))
        mails = box.wait_for(24)
    other.close()
    assert len({str(mail.message["Message-ID"]) for mail in mails}) == len(mails) == 24
    assert {row.state for row in messages(store)} == {MessageState.SENT}


# The loop


async def test_it_runs_until_told_to_stop_and_hears_a_wake(store: Store, clock: FakeClock) -> None:
    stop = asyncio.Event()
    with Postbox() as box:
        delivery = a_delivery(store, smtp_sender(box), clock)
        running = asyncio.create_task(delivery.run(stop))
        for count in (1, 2):
            put(store, at=clock.now())
            delivery.wake()
            await asyncio.to_thread(box.wait_for, count)
        stop.set()
        await running
    assert {row.state for row in messages(store)} == {MessageState.SENT}


async def test_it_looks_every_second_without_being_woken(store: Store, clock: FakeClock) -> None:
    stop, waits = asyncio.Event(), list[float]()

    async def one_second(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) > 1:
            await asyncio.Event().wait()
        put(store, at=clock.now())

    with Postbox() as box:
        delivery = a_delivery(store, smtp_sender(box), clock, wait=one_second)
        running = asyncio.create_task(delivery.run(stop))
        await asyncio.to_thread(box.wait_for, 1)
        stop.set()
        await running
    assert waits[0] == 1.0
    assert message(store).state is MessageState.SENT


async def test_a_stop_finishes_what_is_in_hand(store: Store, clock: FakeClock) -> None:
    put(store, at=clock.now(), addresses=[f"c{number}@harbour.test" for number in range(SLOTS)])
    sender, stop = GatedSender(), asyncio.Event()
    running = asyncio.create_task(a_delivery(store, sender, clock).run(stop))
    await sender.has(SLOTS)
    stop.set()
    await asyncio.sleep(0)
    sender.gate.set()
    await running
    assert {row.state for row in messages(store)} == {MessageState.SENT}


async def test_a_stop_gives_back_untried_what_does_not_finish(
    store: Store, clock: FakeClock
) -> None:
    put(store, at=clock.now(), addresses=[f"c{number}@harbour.test" for number in range(SLOTS)])

    async def grace_is_over(seconds: float) -> None:
        if seconds != STOP_SECONDS:
            await asyncio.Event().wait()

    sender, stop = GatedSender(), asyncio.Event()
    running = asyncio.create_task(a_delivery(store, sender, clock, wait=grace_is_over).run(stop))
    await sender.has(SLOTS)
    stop.set()
    await running
    rows = messages(store)
    assert {(row.state, row.attempts, row.lease_until) for row in rows} == {
        (MessageState.PENDING, 0, None)
    }


async def test_a_stop_never_gives_back_what_was_sent(store_url: str, clock: FakeClock) -> None:
    class SlowStore(Store):
        """Takes the claim at once and the settlement only when told to."""

        writes = 0
        is_asked = asyncio.Event()
        may_go_on = asyncio.Event()

        async def awrite(self, work: Any) -> Any:
            self.writes += 1
            if self.writes == 2:
                self.is_asked.set()
                await self.may_go_on.wait()
            return await super().awrite(work)

    async def attempts_are_over(seconds: float) -> None:
        if seconds == STOP_SECONDS:
            store.may_go_on.set()
        else:
            await asyncio.Event().wait()

    store = SlowStore(store_url)
    try:
        put(store, at=clock.now())
        stop = asyncio.Event()
        delivery = a_delivery(store, FakeSender(), clock, wait=attempts_are_over)
        running = asyncio.create_task(delivery.run(stop))
        await store.is_asked.wait()
        stop.set()
        await running
        assert message(store).state is MessageState.SENT
    finally:
        store.close()


async def test_a_store_that_is_away_when_settling_makes_no_second_copy(
    store_url: str, clock: FakeClock
) -> None:
    class FlakyStore(Store):
        """Takes the claim, then is away for the next writes."""

        faults_left = 0
        writes = 0

        async def awrite(self, work: Any) -> Any:
            self.writes += 1
            if self.writes > 1 and self.faults_left:
                self.faults_left -= 1
                raise Unavailable("the store does not answer")
            return await super().awrite(work)

    store = FlakyStore(store_url)
    try:
        put(store, at=clock.now())
        store.faults_left = 3
        sender = FakeSender()
        delivery = a_delivery(store, sender, clock, wait=at_once)
        await delivery.drain()
        assert len(sender.mails) == 1
        assert delivery.store_faults == 3
        assert message(store).state is MessageState.SENT
    finally:
        store.close()


async def test_a_jump_of_the_clock_does_not_send_what_is_in_hand_again(
    store: Store, clock: FakeClock
) -> None:
    put(store, at=clock.now(), addresses=[f"c{number}@harbour.test" for number in range(3)])
    sender, stop = GatedSender(), asyncio.Event()
    delivery = a_delivery(store, sender, clock)
    running = asyncio.create_task(delivery.run(stop))
    await sender.has(3)
    clock.step(timedelta(hours=2))
    put(store, at=clock.now(), addresses=["later@harbour.test"], priority=Priority.LOW)
    put(store, at=clock.now(), addresses=["latest@harbour.test"], priority=Priority.LOW)
    delivery.wake()
    sender.gate.set()
    await sender.has(5)
    stop.set()
    await running
    assert len({mail.recipient for mail in sender.mails}) == len(sender.mails) == 5
    assert [row.attempts for row in messages(store)] == [1] * 5
