"""Faults of mail, each by its number in the list of faults: how each ends, and who is told.

What one SMTP conversation does is in ``test_smtp``; here a whole outbox meets a whole fault.
"""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import trustme
from sqlmodel import select

from tests.builders import ANNA, BEN, LEAD, a_policy
from tests.clocks import FakeClock
from tests.outbox import rows, states, tell
from tests.smtp import Fault, Reply, ScriptedServer
from tests.tickets import opened
from tickets.claims import LEASE
from tickets.delivery import SLOTS, Delivery
from tickets.fault_notices import has_news, tell_faults
from tickets.mail import Mail, MailIdentity, Sender
from tickets.mail_channel import MailChannel
from tickets.mail_faults import note_brake, note_channel_failed
from tickets.outbox import staff_service
from tickets.outbox_tables import ChannelRow, UndeliverableRow
from tickets.queries.mail_faults import find_mail_faults, mail_warnings
from tickets.rules.message import Channel, FailureReason, MessageState
from tickets.rules.notice import Notice
from tickets.rules.pace import Pace
from tickets.rules.ticket import Priority
from tickets.settings.mail import MailSecurity
from tickets.smtp import DEADLINE, MAILS_PER_SESSION, MailServer, SmtpSender
from tickets.store import Store
from tickets.tables import MessageRow

IDENTITY = MailIdentity(
    name="Bright Agency", address="support@agency.test", reply_to="help@agency.test"
)
CHAT = staff_service("slack:0123", "slack of lead")
ONE = a_policy(contacts=[ANNA], duty=[])
TOLD = a_policy(contacts=[ANNA, BEN], duty=[], lead=[LEAD, CHAT])
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)

on_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


async def for_ever(_seconds: float) -> None:
    """Wait without an end: only what happens moves delivery on."""
    await asyncio.Event().wait()


def a_sender(
    server: ScriptedServer,
    *,
    security: MailSecurity = MailSecurity.NONE,
    deadline: float = 20,
    username: str | None = None,
    ca_file: Path | None = None,
) -> SmtpSender:
    return SmtpSender(
        MailServer(
            host="localhost" if ca_file else server.host,
            port=server.port,
            security=security,
            hello_name="agency.test",
            username=username,
            password=None if username is None else "geheim",
            ca_file=ca_file,
        ),
        deadline=timedelta(seconds=deadline),
    )


def a_delivery(store: Store, sender: Sender, clock: FakeClock, pace: Pace = Pace()) -> Delivery:
    channel = MailChannel(sender, identity=IDENTITY, clock=clock)
    return Delivery(
        store, channel=channel, clock=clock, pace=pace, wait=for_ever, chance=lambda: 0.0
    )


def write(store: Store, clock: FakeClock, count: int = 1, *, prefix: str = "") -> None:
    """Open tickets of which Anna hears by mail."""
    for number in range(count):
        opened(store, ONE, at=clock.now(), key=f"{prefix}{number}")


def told(store: Store) -> list[tuple[str, str]]:
    """Return whom faults of mail were told, and in which words."""
    return [
        (row.address, row.facts["what"]) for row in rows(store) if row.notice is Notice.MAIL_FAULT
    ]


def tell_lead(store: Store, clock: FakeClock) -> int:
    return store.write(lambda tx: tell_faults(tx, TOLD, at=clock.now()))


def channel(store: Store) -> ChannelRow | None:
    return store.read(lambda tx: tx.get(ChannelRow, Channel.MAIL))


# The server as a whole


async def test_f33_a_server_away_for_two_hours_costs_no_mail_and_is_told_once(
    store: Store, clock: FakeClock
) -> None:
    low = opened(store, ONE, at=clock.now(), key="low", priority=Priority.LOW)
    write(store, clock, 6)
    async with ScriptedServer() as server:
        pass
    delivery = a_delivery(store, a_sender(server), clock)
    notices = 0
    for _ in range(60):
        await delivery.drain()
        notices += tell_lead(store, clock)
        clock.advance(2 * MINUTE)
    assert set(states(store)[:7]) == {MessageState.PENDING}
    assert notices == 1
    assert told(store) == [(CHAT.address, "No mail leaves: the mail server cannot be used.")]
    assert "no mail has left since 2026-03-03 10:00 UTC" in store.read(
        lambda tx: mail_warnings(tx, clock.now())[0]
    )
    async with ScriptedServer(port=server.port) as back:
        for _ in range(3):
            clock.advance(HOUR)  # longer than any back-off
            await delivery.drain()
        assert len(back.mails) == 7
        assert low in back.mails[-1].message["Subject"]
    assert channel(store) is not None
    assert store.read(lambda tx: find_mail_faults(tx, clock.now())).failing_since is None


@on_sqlite
async def test_f33_a_restart_of_the_server_calls_nobody(store: Store, clock: FakeClock) -> None:
    write(store, clock)
    async with ScriptedServer({"GREETING": ["421 restarting", "220 ready"]}) as server:
        delivery = a_delivery(store, a_sender(server), clock)
        await delivery.drain()
        clock.advance(MINUTE)
        assert tell_lead(store, clock) == 0
        await delivery.drain()
        assert len(server.mails) == 1
    clock.advance(HOUR)
    assert not store.read(lambda tx: has_news(tx, clock.now()))


async def test_f36_a_refused_password_pauses_the_channel_kills_nothing_and_is_told(
    store: Store, clock: FakeClock
) -> None:
    write(store, clock, 3)
    replies: Mapping[str, Reply] = {"AUTH": "535 5.7.8 wrong"}
    async with ScriptedServer(dict(replies), extensions=("AUTH PLAIN",)) as server:
        delivery = a_delivery(store, a_sender(server, username="support"), clock)
        await delivery.drain()
        assert tell_lead(store, clock) == 1
        for _ in range(4):
            clock.advance(timedelta(hours=20))
            await delivery.drain()
            assert tell_lead(store, clock) == 0
        # A wrong password would lock the account: each pause costs one try.
        assert server.verbs().count("AUTH") <= SLOTS + 4
    assert states(store)[:3] == [MessageState.PENDING] * 3
    [(address, what)] = told(store)
    assert (address, what) == (CHAT.address, "No mail leaves: the mail server cannot be used.")
    faults = store.read(lambda tx: find_mail_faults(tx, clock.now()))
    assert faults.failing_reason is FailureReason.AUTH
    assert "535 5.7.8 wrong" in faults.failing_answer
    assert "geheim" not in faults.failing_answer


def test_f36_a_password_that_is_refused_while_the_server_comes_back_is_told_as_well(
    sqlite_store: Store, clock: FakeClock
) -> None:
    def fail(reason: FailureReason) -> int:
        sqlite_store.write(
            lambda tx: note_channel_failed(
                tx, Channel.MAIL, reason=reason, answer=reason.value, at=clock.now()
            )
        )
        clock.advance(3 * MINUTE)
        return tell_lead(sqlite_store, clock)

    came = [FailureReason.CONNECT, FailureReason.TIMEOUT, FailureReason.AUTH, FailureReason.AUTH]
    assert [fail(reason) for reason in came] == [1, 0, 1, 0]
    assert [fail(FailureReason.CONNECT), fail(FailureReason.AUTH)] == [0, 0]
    advice = [row.facts["advice"] for row in rows(sqlite_store)]
    assert "password" in advice[1]


def test_f36_with_no_other_channel_nothing_is_written_and_the_pages_say_it(
    store: Store, clock: FakeClock
) -> None:
    store.write(
        lambda tx: tx.add(
            ChannelRow(
                name=Channel.MAIL,
                failing_since=clock.now() - HOUR,
                failing_reason=FailureReason.CONNECT,
                failing_answer="refused",
            )
        )
    )
    told_by_mail_only = a_policy(duty=[], lead=[LEAD])
    count = store.write(lambda tx: tell_faults(tx, told_by_mail_only, at=clock.now()))
    assert (count, list(rows(store))) == (0, [])
    assert len(store.read(lambda tx: mail_warnings(tx, clock.now()))) == 1


@on_sqlite
@pytest.mark.parametrize("fault", ["stripped", "expired", "another name"])
async def test_f39_without_a_trusted_connection_nothing_leaves_and_no_password(
    store: Store, clock: FakeClock, tmp_path: Path, fault: str
) -> None:
    write(store, clock)
    authority, ca_file = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    server = ScriptedServer(extensions=("AUTH PLAIN",))
    if fault != "stripped":
        name = "localhost" if fault == "expired" else "mail.elsewhere.test"
        ends = clock.now() - timedelta(days=800) if fault == "expired" else None
        server.context = server_context(authority, name, not_after=ends)
    async with server:
        sender = a_sender(
            server, security=MailSecurity.STARTTLS, username="support", ca_file=ca_file
        )
        await a_delivery(store, sender, clock).drain()
    assert not {"AUTH", "MAIL"} & {*server.verbs()}
    assert states(store) == [MessageState.PENDING]
    found = channel(store)
    assert found is not None
    assert found.failing_reason is FailureReason.TLS
    assert tell_lead(store, clock) == 1


def server_context(
    authority: trustme.CA, name: str, *, not_after: datetime | None
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, not_after=not_after).configure_cert(context)
    return context


# Slow servers


@on_sqlite
@pytest.mark.parametrize("fault", [Fault.SILENCE, Fault.DRIP])
@pytest.mark.parametrize("step", ["GREETING", "RCPT", "END"])
async def test_f38_a_tarpit_ends_at_the_deadline_and_other_mails_go_on(
    store: Store, clock: FakeClock, step: str, fault: Fault
) -> None:
    write(store, clock, 2)
    well = "220 ready" if step == "GREETING" else "250 fine"
    async with ScriptedServer({step: [fault, well]}) as server:
        delivery = a_delivery(store, a_sender(server, deadline=0.3), clock)
        await delivery.drain()
        clock.advance(MINUTE)
        await delivery.drain()
        assert len(server.mails) == 2
    assert states(store) == [MessageState.SENT] * 2


def test_f38_a_session_ends_within_a_minute_and_within_its_lease() -> None:
    assert DEADLINE < LEASE <= timedelta(seconds=60)


class SlowServer:
    """Takes half a minute of the clock for each mail, as many at once as it is asked."""

    def __init__(self, clock: FakeClock) -> None:
        self.subjects: list[str] = []
        self._clock, self._at_once, self.most_at_once = clock, 0, 0

    async def send(self, mail: Mail) -> str:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await asyncio.sleep(0)
        if self._at_once == SLOTS:
            self._clock.advance(30)
        self._at_once -= 1
        self.subjects.append(mail.header_id)
        return "250 taken"

    async def rest(self) -> None:
        """Hold nothing."""


@on_sqlite
async def test_f40_behind_a_slow_server_what_is_critical_leaves_first(
    store: Store, clock: FakeClock
) -> None:
    for number in range(40):
        opened(store, ONE, at=clock.now(), key=f"low {number}", priority=Priority.LOW)
    clock.advance(1)
    for number in range(4):
        opened(store, ONE, at=clock.now(), key=f"critical {number}")
    sender = SlowServer(clock)
    await a_delivery(store, sender, clock).drain()
    critical = {row.header_id for row in rows(store) if row.priority is Priority.CRITICAL}
    assert {*sender.subjects[:4]} == critical
    assert sender.most_at_once <= SLOTS
    assert len(sender.subjects) == 44


@on_sqlite
async def test_f40_a_connection_carries_many_mails_but_not_for_ever(
    store: Store, clock: FakeClock
) -> None:
    write(store, clock, MAILS_PER_SESSION + 2)
    async with ScriptedServer() as server:
        sender = a_sender(server)
        delivery = a_delivery(store, sender, clock)
        await delivery.drain()
        assert len(server.mails) == MAILS_PER_SESSION + 2
        assert server.connections <= 2 * SLOTS
        assert server.verbs().count("RSET") >= MAILS_PER_SESSION - SLOTS


# One mail


async def test_f34_a_greylisted_mail_is_tried_after_a_minute_and_arrives_the_same(
    store: Store, clock: FakeClock
) -> None:
    write(store, clock)
    async with ScriptedServer({"RCPT": ["451 4.7.1 greylisted", "250 fine"]}) as server:
        delivery = a_delivery(store, a_sender(server), clock)
        await delivery.drain()
        clock.advance(59)
        await delivery.drain()
        assert server.mails == []
        clock.advance(1)
        await delivery.drain()
        [mail] = server.mails
    [row] = rows(store)
    assert mail.message["Message-ID"] == row.header_id
    assert tell_lead(store, clock) == 0


async def test_f35_one_refused_address_stops_no_other_and_the_lead_hears_once(
    store: Store, clock: FakeClock
) -> None:
    policy = a_policy(contacts=[ANNA, BEN], duty=[])
    for number in range(3):
        opened(store, policy, at=clock.now(), key=str(number))
    replies: Mapping[str, Reply] = {f"RCPT {ANNA.address}": "550 5.1.1 no such user"}
    async with ScriptedServer(dict(replies)) as server:
        delivery = a_delivery(store, a_sender(server), clock)
        await delivery.drain()
        assert [mail.recipients for mail in server.mails] == [(BEN.address,)] * 3
        tried = sum(f"RCPT TO:<{ANNA.address}>" in command for command in server.commands)
        # Those on their way when the first was refused; the next one tomorrow.
        assert 1 <= tried <= SLOTS
        await delivery.drain()
        assert tell_lead(store, clock) == 1
        for _ in range(3):
            clock.advance(timedelta(days=1))
            await delivery.drain()
            tell_lead(store, clock)
    what = f"Mails to {ANNA.address} do not arrive."  # said by mail too, which works
    assert told(store) == [(LEAD.address, what), (CHAT.address, what)]
    marks = store.read(lambda tx: tx.exec(select(UndeliverableRow)).all())
    assert [(mark.address, mark.answer) for mark in marks] == [
        (ANNA.address, "550 5.1.1 no such user")
    ]


@on_sqlite
async def test_f35_content_that_is_refused_marks_no_address(store: Store, clock: FakeClock) -> None:
    write(store, clock)
    async with ScriptedServer({"END": "554 5.7.1 looks like spam"}) as server:
        await a_delivery(store, a_sender(server), clock).drain()
    assert states(store) == [MessageState.DEAD]
    assert store.read(lambda tx: tx.exec(select(UndeliverableRow)).all()) == []
    tell_lead(store, clock)
    assert {what for _, what in told(store)} == {
        "A mail was given up; the outbox names all of today."
    }


async def test_f37_a_mail_cut_off_after_its_last_dot_comes_again_whatever_came_since(
    store: Store, clock: FakeClock
) -> None:
    ref = opened(store, ONE, at=clock.now())
    async with ScriptedServer({"END": [Fault.CUT, "250 taken"]}) as server:
        delivery = a_delivery(store, a_sender(server), clock)
        await delivery.drain()
        clock.advance(30)
        tell(store, ref, Notice.ACKNOWLEDGED, clock.now())
        clock.advance(30)
        await delivery.drain()
        clock.advance(HOUR)
        await delivery.drain()
    by_id: dict[str, set[bytes]] = {}
    for mail in server.mails:
        by_id.setdefault(str(mail.message["Message-ID"]), set()).add(mail.content)
    assert [len(contents) for contents in by_id.values()] == [1, 1]
    assert len(by_id) == 2


@on_sqlite
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("address", "two@a.test, one@b.test"),
        ("address", "k\u00e4the@harbour.test\r\nBcc: x@y.test"),
        ("thread_id", "no id"),
        ("facts", {"zone": "Mars/Base"}),
    ],
    ids=["two addresses", "a header in an address", "no message id", "no letter"],
)
async def test_f41_a_poison_message_stops_no_other(
    store: Store, clock: FakeClock, column: str, value: object
) -> None:
    write(store, clock, 3)
    store.write(lambda tx: setattr(tx.get_one(MessageRow, 2), column, value))
    async with ScriptedServer() as server:
        await a_delivery(store, a_sender(server), clock).drain()
    found = states(store)
    assert (found[0], found[2]) == (MessageState.SENT, MessageState.SENT)
    assert len(server.mails) == found.count(MessageState.SENT)


@on_sqlite
async def test_f43_every_automatic_mail_says_that_no_answer_is_wanted(
    store: Store, clock: FakeClock
) -> None:
    ref = opened(store, ONE, at=clock.now())
    tell(store, ref, Notice.RECOVERED, clock.now())
    other = opened(store, ONE, at=clock.now(), key="other")
    tell(store, other, Notice.REPLY, clock.now())
    async with ScriptedServer() as server:
        await a_delivery(store, a_sender(server), clock).drain()
    automatic = {
        str(mail.message["Message-ID"])[1:7].upper(): "Auto-Submitted" in mail.message
        for mail in server.mails
    }
    # A mail in which a person speaks is no automatic one, whatever else it carries.
    assert automatic == {ref: True, other: False}


# Others


def test_probing_shares_neither_process_nor_code_with_delivery() -> None:
    script = (
        "import sys, monitor.roles.prober;"
        "print([name for name in sys.modules if name.partition('.')[0] == 'aiosmtplib'"
        " or name in {'tickets.delivery', 'tickets.smtp', 'tickets.claims', 'tickets.mail'}])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert ended.stdout.strip() == "[]"


@pytest.mark.parametrize("address", ["", ANNA.address])
def test_a_brake_is_told_once_by_another_channel_than_mail(
    store: Store, clock: FakeClock, address: str
) -> None:
    def trip(hours: float) -> None:
        at = clock.now() + timedelta(hours=hours)
        store.write(lambda tx: note_brake(tx, address, until=at + MINUTE, at=at))

    for hours in (0, 0.1, 0.9):
        trip(hours)
        tell_lead(store, clock)
    assert [to for to, _ in told(store)] == [CHAT.address]
    trip(3)
    tell_lead(store, clock)
    assert len(told(store)) == 2
