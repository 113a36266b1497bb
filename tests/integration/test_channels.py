"""Staff told by services beside mail: apprise against receivers good, ill and dead."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable
from typing import Any

import pytest
from pydantic import SecretStr
from sqlmodel import select

from tests.builders import DUTY, a_policy
from tests.clocks import FakeClock
from tests.loopback import Script, Visit, answer, serving, silent
from tests.tickets import opened
from tickets.channels import PushChannel, find_fault, short_text
from tickets.delivery import Delivery
from tickets.letters import Letters
from tickets.letters.samples import SAMPLE_FACTS
from tickets.outbox import staff_service
from tickets.rules.escalation import StaffChannel
from tickets.rules.message import Channel, DeliveryOutcome, FailureReason, MessageState
from tickets.rules.notice import Audience, Notice
from tickets.settings.channels import PushService, StaffChannels
from tickets.store import Store
from tickets.sweep import sweep
from tickets.tables import DeliveryRow, MessageRow

SECRET = "geheim-4711"


async def at_once(_seconds: float) -> None:
    """Wait for nothing."""


def services_of(*urls: str) -> list[PushService]:
    channels = StaffChannels(duty=tuple(SecretStr(url) for url in urls))
    return [service for _, service in channels.push_services(StaffChannel.DUTY)]


def keeping(bodies: list[dict[str, Any]]) -> Script:
    """Take what is posted and keep it."""

    async def script(visit: Visit) -> None:
        asked = await visit.asked()
        length = int(asked.headers["content-length"])
        bodies.append(json.loads(await visit.reader.readexactly(length)))
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    return script


async def deliver(
    store: Store, clock: FakeClock, services: Iterable[PushService], *, seconds: float = 20
) -> None:
    channel = PushChannel(services, app_name="Bright Agency", seconds=seconds)
    delivery = Delivery(store, channel=channel, carries=Channel.PUSH, clock=clock, wait=at_once)
    try:
        await delivery.drain()
    finally:
        channel.close()


def write(store: Store, clock: FakeClock, services: Iterable[PushService]) -> None:
    """Open a ticket of which duty hears by mail and by ``services``."""
    duty = (DUTY, *(staff_service(service.key, "chat of duty") for service in services))
    opened(store, a_policy(contacts=(), duty=duty), at=clock.now())


def rows(store: Store, channel: Channel) -> list[MessageRow]:
    query = select(MessageRow).where(MessageRow.channel == channel)
    return list(store.read(lambda tx: tx.exec(query).all()))


def last_delivery(store: Store) -> DeliveryRow:
    return store.read(lambda tx: tx.exec(select(DeliveryRow)).all())[-1]


async def test_duty_hears_by_chat_as_well_as_by_mail(store: Store, clock: FakeClock) -> None:
    bodies: list[dict[str, Any]] = []
    async with serving(keeping(bodies)) as server:
        services = services_of(f"json://{server.host}:{server.port}/{SECRET}")
        write(store, clock, services)
        await deliver(store, clock, services)
    [body] = bodies
    assert body["title"].startswith("■ Down: Harbour Inns – Booking site, respond by 11:00 GMT")
    first = body["message"].split("\n")[0]
    assert first.startswith("Harbour Inns – Booking site is down. We first saw this on ")
    assert "Respond by Tue 3 Mar 2026 11:00 GMT." in body["message"]
    assert body["message"].endswith("http://desk.agency.test/tickets/T-1001")
    [message] = rows(store, Channel.PUSH)
    assert (message.state, message.attempts) == (MessageState.SENT, 1)
    [mail] = rows(store, Channel.MAIL)
    assert mail.state is MessageState.PENDING  # its own delivery carries it


async def test_no_secret_of_a_url_is_stored(store: Store, clock: FakeClock) -> None:
    services = services_of(f"json://127.0.0.1:1/{SECRET}")
    write(store, clock, services)
    await deliver(store, clock, services)
    [message] = rows(store, Channel.PUSH)
    stored = f"{message.model_dump()} {last_delivery(store).model_dump()}"
    assert SECRET not in stored
    assert message.address.startswith("json:")


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def test_a_dead_service_is_tried_again_and_holds_up_no_other(
    store: Store, clock: FakeClock, capfd: pytest.CaptureFixture[str]
) -> None:
    bodies: list[dict[str, Any]] = []
    async with serving(keeping(bodies)) as server:
        dead = f"json://127.0.0.1:{closed_port()}/{SECRET}"
        services = services_of(dead, f"json://{server.host}:{server.port}/")
        write(store, clock, services)
        await deliver(store, clock, services)
        assert len(bodies) == 1
        failed = next(row for row in rows(store, Channel.PUSH) if row.last_failure)
        assert failed.state is MessageState.PENDING
        assert failed.last_failure == "json did not take the message"
        clock.advance(failed.not_before - clock.now())
        await deliver(store, clock, services)
    assert sorted(row.attempts for row in rows(store, Channel.PUSH)) == [1, 2]
    printed = capfd.readouterr()
    assert SECRET not in printed.out + printed.err


@pytest.mark.parametrize("status", ["500 Out of order", "403 Forbidden"])
async def test_a_service_that_refuses_is_tried_again(
    store: Store, clock: FakeClock, status: str
) -> None:
    async with serving(answer(b"no", status=status)) as server:
        services = services_of(f"json://{server.host}:{server.port}/")
        write(store, clock, services)
        await deliver(store, clock, services)
    delivery = last_delivery(store)
    assert (delivery.outcome, delivery.reason) == (
        DeliveryOutcome.DEFERRED,
        FailureReason.TEMPORARY,
    )


async def test_a_service_that_hangs_costs_its_time_and_no_more(
    store: Store, clock: FakeClock
) -> None:
    async with serving(silent) as server:
        services = services_of(f"json://{server.host}:{server.port}/?rto=1")
        write(store, clock, services)
        await deliver(store, clock, services, seconds=0.05)
    delivery = last_delivery(store)
    assert (delivery.outcome, delivery.reason) == (DeliveryOutcome.DEFERRED, FailureReason.TIMEOUT)
    assert delivery.answer == "json did not answer within 0.05 s"


async def test_a_message_for_a_service_that_is_no_longer_configured_is_dead(
    store: Store, clock: FakeClock
) -> None:
    write(store, clock, services_of("json://127.0.0.1:1/"))
    await deliver(store, clock, [])
    [message] = rows(store, Channel.PUSH)
    assert message.state is MessageState.DEAD
    assert "is no longer among staff_channels" in (message.last_failure or "")


async def test_escalation_goes_to_services_too(store: Store, clock: FakeClock) -> None:
    [service] = services_of("json://127.0.0.1:1/")
    policy = a_policy(contacts=(), duty=(), lead=(staff_service(service.key, "chat of lead"),))
    opened(store, policy, at=clock.now())
    await sweep(store, policy, now=clock.advance(46 * 60))
    [message] = rows(store, Channel.PUSH)
    assert (message.notice, message.address) == (Notice.AT_RISK, service.key)


@pytest.mark.parametrize(
    "notice", [notice for notice in Notice if "desk_url" in SAMPLE_FACTS[notice]]
)
def test_every_notice_fits_a_short_message(notice: Notice) -> None:
    facts = SAMPLE_FACTS[notice]
    text = short_text(Letters().write(notice, Audience.STAFF, facts), facts)
    assert len(text) < 600
    assert str(facts["desk_url"]) in text.split("\n")
    assert "Sent by fettle" not in text


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("slack://geheim/b", "is no URL that Slack understands; allowed are slack://{token_a}/"),
        ("slak://geheim", "slak is no service that apprise knows; did you mean slack?"),
        ("foo://geheim", "foo is no service that apprise knows; allowed are mailto and its"),
        ("ntfy://127.0.0.1/topic", None),
        ("workflows://geheim", "; allowed are workflows://"),
    ],
)
def test_what_apprise_does_not_know_is_told_with_what_is_allowed(
    url: str, says: str | None
) -> None:
    found = find_fault(url)
    assert (found is None) is (says is None)
    assert says is None or says in (found or "")
    assert "geheim" not in (found or "")
