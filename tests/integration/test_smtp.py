"""Mails over real sockets: what is sent, what never is, and what each failure means."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from tests.smtp import Fault, Postbox, Reply, ScriptedServer
from tickets.mail import Mail, SendFailed
from tickets.rules.message import FailureReason
from tickets.settings.mail import MailSecurity
from tickets.smtp import MailServer, SmtpSender

PATIENCE = timedelta(seconds=20)

MAIL = Mail(
    header_id="<t-1.aa@agency.test>",
    sender="support@agency.test",
    recipient="anna@harbour.test",
    content=b"Subject: hello\r\n\r\nHello\r\n",
)


def a_sender(
    server: ScriptedServer | Postbox,
    *,
    security: MailSecurity = MailSecurity.NONE,
    host: str = "127.0.0.1",
    username: str | None = None,
    ca_file: Path | None = None,
    deadline: timedelta = PATIENCE,
) -> SmtpSender:
    return SmtpSender(
        MailServer(
            host=host,
            port=server.port,
            security=security,
            hello_name="agency.test",
            username=username,
            password="correct horse" if username else None,
            ca_file=ca_file,
        ),
        deadline=deadline,
    )


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


def server_context(authority: trustme.CA, name: str = "localhost") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


async def test_a_mail_arrives_with_its_own_envelope() -> None:
    with Postbox() as box:
        sender = a_sender(box)
        answer = await sender.send(MAIL)
        await sender.rest()
        [mail] = box.wait_for(1)
    assert answer == "250 taken"
    assert (mail.sender, mail.recipients) == ("support@agency.test", ("anna@harbour.test",))
    assert mail.content == MAIL.content


async def test_a_body_cannot_end_the_mail_and_smuggle_another() -> None:
    smuggled = (
        b"Subject: x\r\n\r\nHello\n.\r\nMAIL FROM:<evil@x.test>\r\n.\nRCPT TO:<v@x.test>\r\n..\r\n"
    )
    mail = Mail(header_id="<a@b>", sender="a@agency.test", recipient="b@h.test", content=smuggled)
    with Postbox() as box:
        sender = a_sender(box)
        await sender.send(mail)
        await sender.rest()
        [received] = box.wait_for(1)
    assert received.recipients == ("b@h.test",)
    assert received.content == smuggled.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


async def test_one_connection_carries_several_mails_until_it_rests() -> None:
    async with ScriptedServer() as server:
        sender = a_sender(server)
        for _ in range(3):
            await sender.send(MAIL)
        assert (server.connections, len(server.mails)) == (1, 3)
        await sender.rest()
        assert server.verbs()[-1] == "QUIT"
        await sender.send(MAIL)
        assert server.connections == 2
        await sender.rest()


async def test_a_refusal_leaves_the_connection_good_for_the_next_mail() -> None:
    async with ScriptedServer({"RCPT": ["550 no such user", "250 fine"]}) as server:
        sender = a_sender(server)
        with pytest.raises(SendFailed):
            await sender.send(MAIL)
        await sender.send(MAIL)
        assert (server.connections, len(server.mails)) == (1, 1)
        await sender.rest()


async def test_a_connection_that_the_server_ended_meanwhile_is_replaced() -> None:
    async with ScriptedServer({"RSET": Fault.CUT}) as server:
        sender = a_sender(server)
        await sender.send(MAIL)
        await sender.send(MAIL)
        assert (server.connections, len(server.mails)) == (2, 2)
        await sender.rest()


@pytest.mark.parametrize(
    ("replies", "reason", "is_permanent", "is_held"),
    [
        ({"RCPT": "550 no such user"}, FailureReason.PERMANENT, True, False),
        ({"RCPT": "553 bad mailbox"}, FailureReason.PERMANENT, True, False),
        ({"RCPT": "450 busy"}, FailureReason.TEMPORARY, False, False),
        ({"RCPT": "451 greylisted"}, FailureReason.TEMPORARY, False, False),
        ({"RCPT": "421 too many"}, FailureReason.TEMPORARY, False, False),
        ({"DATA": "554 no valid recipients"}, FailureReason.PERMANENT, True, False),
        ({"DATA": "451 later"}, FailureReason.TEMPORARY, False, False),
        ({"END": "552 too large"}, FailureReason.PERMANENT, True, False),
        ({"END": "451 disk full"}, FailureReason.TEMPORARY, False, False),
        ({"END": "421 closing"}, FailureReason.TEMPORARY, False, False),
        ({"MAIL": "451 later"}, FailureReason.TEMPORARY, False, False),
        ({"MAIL": "552 too large"}, FailureReason.PERMANENT, True, False),
        ({"MAIL": "553 not your address"}, FailureReason.PERMANENT, False, True),
        ({"MAIL": "530 authentication required"}, FailureReason.AUTH, False, True),
        ({"GREETING": "554 no mail here"}, FailureReason.PERMANENT, False, True),
        ({"GREETING": "421 shutting down"}, FailureReason.TEMPORARY, False, True),
        ({"GREETING": "HTTP/1.1 400 Bad Request"}, FailureReason.TEMPORARY, False, True),
        ({"EHLO": "502 what", "HELO": "502 what"}, FailureReason.PERMANENT, False, True),
        ({"GREETING": Fault.CUT}, FailureReason.CONNECT, False, True),
        ({"EHLO": Fault.CUT}, FailureReason.CONNECT, False, True),
        ({"MAIL": Fault.CUT}, FailureReason.CONNECT, False, False),
        ({"DATA": Fault.CUT}, FailureReason.CONNECT, False, False),
        ({"END": Fault.CUT}, FailureReason.CONNECT, False, False),
    ],
)
async def test_what_a_failure_means(
    replies: Mapping[str, Reply], reason: FailureReason, is_permanent: bool, is_held: bool
) -> None:
    async with ScriptedServer(dict(replies)) as server:
        sender = a_sender(server)
        with pytest.raises(SendFailed) as caught:
            await sender.send(MAIL)
        await sender.rest()
    failure = caught.value
    assert (failure.reason, failure.is_permanent) == (reason, is_permanent)
    assert (failure.hold is not None) == is_held


async def test_an_old_server_without_ehlo_still_takes_a_mail() -> None:
    async with ScriptedServer({"EHLO": "502 what", "HELO": "250 hello"}) as server:
        sender = a_sender(server)
        await sender.send(MAIL)
        await sender.rest()
        assert len(server.mails) == 1


async def test_a_closed_port_holds_the_channel() -> None:
    async with ScriptedServer() as server:
        pass
    with pytest.raises(SendFailed) as caught:
        await a_sender(server).send(MAIL)
    assert caught.value.reason is FailureReason.CONNECT
    assert caught.value.hold is not None


async def test_a_tarpit_costs_no_more_than_the_deadline_wherever_it_begins() -> None:
    async def meet(step: str, fault: Fault) -> tuple[FailureReason, bool, int]:
        async with ScriptedServer({step: fault}) as server:
            with pytest.raises(SendFailed) as caught:
                await a_sender(server, deadline=timedelta(seconds=2)).send(MAIL)
            return caught.value.reason, caught.value.hold is not None, len(server.mails)

    before, after = ("GREETING", "EHLO"), ("MAIL", "RCPT", "DATA", "END")
    cases = [(step, fault) for step in before + after for fault in (Fault.SILENCE, Fault.DRIP)]
    met = await asyncio.gather(*(meet(*case) for case in cases))
    for (step, _), seen in zip(cases, met, strict=True):
        assert seen == (FailureReason.TIMEOUT, step in before, 0)


async def test_a_server_that_does_not_say_goodbye_does_not_hold_up_the_rest() -> None:
    async with ScriptedServer({"QUIT": Fault.SILENCE}) as server:
        sender = a_sender(server)
        await sender.send(MAIL)
        async with asyncio.timeout(PATIENCE.total_seconds()):
            await sender.rest()


async def test_a_cancelled_attempt_is_not_continued_by_the_next() -> None:
    async with ScriptedServer({"END": [Fault.SILENCE, "250 taken"]}) as server:
        sender = a_sender(server)
        first = asyncio.create_task(sender.send(MAIL))
        await server.fell_silent.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await sender.send(MAIL)
        await sender.rest()
        assert (server.connections, len(server.mails)) == (2, 1)


@pytest.mark.parametrize("security", [MailSecurity.STARTTLS, MailSecurity.TLS])
async def test_credentials_and_mail_travel_only_inside_tls(
    security: MailSecurity, authority: trustme.CA, ca_file: Path
) -> None:
    server = ScriptedServer(
        extensions=("AUTH PLAIN LOGIN",),
        context=server_context(authority),
        is_tls=security is MailSecurity.TLS,
    )
    async with server:
        sender = a_sender(
            server, security=security, host="localhost", username="support", ca_file=ca_file
        )
        await sender.send(MAIL)
        await sender.rest()
    assert len(server.mails) == 1
    in_clear = server.commands[: len(server.commands) - len(server.secure_commands)]
    expected = ["EHLO agency.test", "STARTTLS"] if security is MailSecurity.STARTTLS else []
    assert in_clear == expected
    assert [command.split(" ")[0] for command in server.secure_commands[:3]] == [
        "EHLO",
        "AUTH",
        "MAIL",
    ]


async def test_a_stripped_starttls_sends_nothing() -> None:
    async with ScriptedServer(extensions=("AUTH PLAIN LOGIN",)) as server:
        sender = a_sender(server, security=MailSecurity.STARTTLS, username="support")
        with pytest.raises(SendFailed) as caught:
            await sender.send(MAIL)
    assert caught.value.reason is FailureReason.TLS
    assert not caught.value.is_permanent
    assert caught.value.hold is not None
    assert server.verbs() == ["EHLO"]


@pytest.mark.parametrize("security", [MailSecurity.STARTTLS, MailSecurity.TLS])
@pytest.mark.parametrize("fault", ["an unknown authority", "another name"])
async def test_a_certificate_that_is_not_theirs_gets_nothing(
    security: MailSecurity, fault: str, authority: trustme.CA, ca_file: Path
) -> None:
    if fault == "an unknown authority":
        context = server_context(trustme.CA())
    else:
        context = server_context(authority, "mail.elsewhere.test")
    server = ScriptedServer(
        extensions=("AUTH PLAIN",), context=context, is_tls=security is MailSecurity.TLS
    )
    async with server:
        sender = a_sender(
            server, security=security, host="localhost", username="support", ca_file=ca_file
        )
        with pytest.raises(SendFailed) as caught:
            await sender.send(MAIL)
    assert caught.value.reason is FailureReason.TLS
    assert caught.value.hold is not None
    assert server.secure_commands == []
    assert "AUTH" not in server.verbs()
    assert "MAIL" not in server.verbs()


async def test_a_wrong_password_is_tried_once_and_holds_the_channel(
    authority: trustme.CA, ca_file: Path
) -> None:
    server = ScriptedServer(
        {"AUTH": "535 wrong"},
        extensions=("AUTH PLAIN LOGIN CRAM-MD5",),
        context=server_context(authority),
        is_tls=True,
    )
    async with server:
        sender = a_sender(
            server, security=MailSecurity.TLS, host="localhost", username="me", ca_file=ca_file
        )
        with pytest.raises(SendFailed) as caught:
            await sender.send(MAIL)
    assert server.verbs().count("AUTH") == 1
    assert caught.value.reason is FailureReason.AUTH
    assert not caught.value.is_permanent
    assert caught.value.hold is not None
    assert caught.value.hold > timedelta(minutes=1)


async def test_neither_password_nor_raw_control_characters_stand_in_what_is_recorded() -> None:
    async with ScriptedServer({"RCPT": "550 no\x1b[31m \x00such user"}) as server:
        sender = a_sender(server)
        with pytest.raises(SendFailed) as caught:
            await sender.send(MAIL)
        await sender.rest()
    assert str(caught.value).isprintable()
    described = MailServer(
        host="mail.test",
        port=587,
        security=MailSecurity.STARTTLS,
        hello_name="agency.test",
        username="support",
        password="correct horse",
    )
    assert "correct horse" not in repr(described)
