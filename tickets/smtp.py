"""The mail channel: one SMTP server behind the ``Sender`` protocol, by aiosmtplib.

aiosmtplib and not smtplib in a thread: its calls end when our deadline does, also against a server
that answers one byte a second, where smtplib's time-out starts anew at each byte and the thread
stays lost. We take its steps one by one, so that each failure has its reason, credentials never
travel before TLS, and a wrong password is tried once.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import cast

import aiosmtplib
from aiosmtplib import SMTP, SMTPResponseException

from tickets.mail import Mail, SendFailed
from tickets.rules.message import FailureReason
from tickets.rules.plain_text import one_line
from tickets.settings.mail import MailSecurity

DEADLINE = timedelta(seconds=45)
"""Longest time for one mail with its connection; shorter than the lease of a claimed message."""

HOLD = timedelta(seconds=30)
"""How long a server that cannot be used is left alone."""

HOLD_AFTER_REFUSED_CREDENTIALS = timedelta(minutes=5)
"""The same after a wrong password: more attempts would lock the account out."""

MAILS_PER_SESSION = 50
"""Mails sent over one connection; many servers cut off those that go on for longer."""

_QUIT_DEADLINE = 1.0
_CREDENTIALS_CODES = frozenset({530, 534, 535, 538})
_TOO_LARGE = 552
_ADDRESS_STATUS = re.compile(r"5\.(1\.[1236]|2\.1)\b")
"""Enhanced status codes (RFC 3463) by which a server refuses an address after the mail's end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mails are handed over; ``hello_name`` is the domain by which we introduce ourselves.

    With ``starttls`` and ``tls`` the certificate is verified against ``host``, by the certificates
    in ``ca_file`` if one is given, else by the system's.
    """

    host: str
    port: int
    security: MailSecurity
    hello_name: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None


@dataclass(slots=True)
class _Session:
    client: SMTP
    carried: int = 0


class SmtpSender:
    """Hands mails to one server and keeps connections for the next mail until ``rest``.

    Safe for concurrent calls: each has a connection of its own.
    """

    def __init__(self, server: MailServer, *, deadline: timedelta = DEADLINE) -> None:
        self._server = server
        self._deadline = deadline.total_seconds()
        is_open = server.security is MailSecurity.NONE
        self._context = None if is_open else ssl.create_default_context(cafile=server.ca_file)
        self._idle: list[_Session] = []

    async def send(self, mail: Mail) -> str:
        """Hand over ``mail``; return the server's final answer once it took it.

        One deadline covers lookup, connection, TLS, sign-in and transfer. Raises ``SendFailed``; a
        connection that breaks after the mail's end counts as not sent, so the next attempt may
        make a second copy with the same Message-ID.
        """
        session: _Session | None = None
        is_reusable = False
        try:
            async with asyncio.timeout(self._deadline):
                session = await self._take_session()
                answer = await _hand_over(session.client, mail)
            is_reusable = True
            return answer
        except SendFailed as failure:
            is_reusable = failure.reason is not FailureReason.CONNECT
            raise
        except TimeoutError as error:  # our own deadline: aiosmtplib is given none
            hold = HOLD if session is None else None
            message = f"the mail server did not answer within {self._deadline:g} s"
            raise SendFailed(message, reason=FailureReason.TIMEOUT, hold=hold) from error
        finally:
            if session is not None:
                self._give_back(session, is_reusable=is_reusable)

    async def rest(self) -> None:
        """End the connections that are not in use, politely but not for long."""
        while self._idle:
            await _quit(self._idle.pop().client)

    async def _take_session(self) -> _Session:
        while self._idle:
            session = self._idle.pop()
            # Shows that the server is still there, and clears what a refusal left behind.
            with suppress(aiosmtplib.SMTPException, OSError), _closed_on_failure(session.client):
                await session.client.rset()
                return session
        return _Session(await self._connect())

    def _give_back(self, session: _Session, *, is_reusable: bool) -> None:
        session.carried += 1
        if is_reusable and session.client.is_connected and session.carried < MAILS_PER_SESSION:
            self._idle.append(session)
        else:
            _close(session.client)

    async def _connect(self) -> SMTP:
        server = self._server
        client = SMTP(
            hostname=server.host,
            port=server.port,
            local_hostname=server.hello_name,
            use_tls=server.security is MailSecurity.TLS,
            start_tls=False,
            tls_context=self._context,
            timeout=None,
        )

        try:
            with _closed_on_failure(client):
                await client.connect()
                await _say_hello(client)
                if server.security is MailSecurity.STARTTLS:
                    await _start_tls(client)
                if server.username is not None:
                    await _sign_in(client, server.username, server.password or "")
        except (aiosmtplib.SMTPException, OSError) as error:
            raise _connect_failure(error) from error
        return client


async def _say_hello(client: SMTP) -> None:
    try:
        await client.ehlo()
    except aiosmtplib.SMTPHeloError:
        if not client.is_connected:
            raise
        await client.helo()


async def _start_tls(client: SMTP) -> None:
    if not client.supports_extension("starttls"):
        raise SendFailed(
            "the mail server offers no STARTTLS, which mail.security asks for",
            reason=FailureReason.TLS,
            hold=HOLD,
        )
    await client.starttls()
    await _say_hello(client)


async def _sign_in(client: SMTP, username: str, password: str) -> None:
    methods = client.server_auth_methods
    if "plain" in methods:
        await client.auth_plain(username, password)
    elif "login" in methods:
        await client.auth_login(username, password)
    elif "cram-md5" in methods:
        await client.auth_crammd5(username, password)
    else:
        raise SendFailed(
            "the mail server offers no way to sign in that we know: PLAIN, LOGIN or CRAM-MD5",
            reason=FailureReason.AUTH,
            hold=HOLD_AFTER_REFUSED_CREDENTIALS,
        )


async def _hand_over(client: SMTP, mail: Mail) -> str:
    try:
        await client.mail(mail.sender)
        await client.rcpt(mail.recipient)
        answer = await client.data(mail.content)
    except aiosmtplib.SMTPSenderRefused as error:
        raise _sender_failure(error) from error
    except aiosmtplib.SMTPRecipientRefused as error:
        raise _answer_failure(error, is_recipient=True) from error
    except SMTPResponseException as error:
        raise _answer_failure(error) from error
    except (aiosmtplib.SMTPException, OSError) as error:
        message = f"the connection to the mail server broke: {one_line(str(error))}"
        raise SendFailed(message, reason=FailureReason.CONNECT) from error
    return _said(answer.code, answer.message)


def _connect_failure(error: Exception) -> SendFailed:
    """Return why no session came about: never this mail's fault, so never permanent."""
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        is_refused = error.code >= 500
        hold = HOLD_AFTER_REFUSED_CREDENTIALS if is_refused else HOLD
        message = f"the mail server refused our credentials: {_said(error.code, error.message)}"
        return SendFailed(message, reason=FailureReason.AUTH, hold=hold)
    if isinstance(error, SMTPResponseException):
        message = f"the mail server turned us away: {_said(error.code, error.message)}"
        return SendFailed(message, reason=_reason(error.code), hold=HOLD)
    if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        message = f"no trusted connection to the mail server: {one_line(str(error), limit=300)}"
        return SendFailed(message, reason=FailureReason.TLS, hold=HOLD)
    if isinstance(error, TimeoutError):
        message = "the mail server did not answer in time"
        return SendFailed(message, reason=FailureReason.TIMEOUT, hold=HOLD)
    message = f"the mail server cannot be reached: {one_line(str(error), limit=300)}"
    return SendFailed(message, reason=FailureReason.CONNECT, hold=HOLD)


def _sender_failure(error: aiosmtplib.SMTPSenderRefused) -> SendFailed:
    """Return why our own address was refused: with few exceptions that stops every mail alike."""
    if error.code < 500 or error.code == _TOO_LARGE or error.code in _CREDENTIALS_CODES:
        return _answer_failure(error)
    message = f"the mail server refused our sender address: {_said(error.code, error.message)}"
    return SendFailed(message, reason=FailureReason.PERMANENT, hold=HOLD)


def _answer_failure(error: SMTPResponseException, *, is_recipient: bool = False) -> SendFailed:
    said = _said(error.code, error.message)
    if error.code in _CREDENTIALS_CODES:
        return SendFailed(
            f"the mail server asks for other credentials: {said}",
            reason=FailureReason.AUTH,
            hold=HOLD_AFTER_REFUSED_CREDENTIALS,
        )
    reason = _reason(error.code)
    is_permanent = reason is FailureReason.PERMANENT
    is_address = is_recipient or _ADDRESS_STATUS.match(error.message) is not None
    return SendFailed(
        said,
        reason=reason,
        is_permanent=is_permanent,
        is_address_refused=is_permanent and is_address,
    )


def _reason(code: int) -> FailureReason:
    return FailureReason.PERMANENT if code >= 500 else FailureReason.TEMPORARY


def _said(code: int, message: str) -> str:
    return one_line(f"{code} {message}", limit=400)


@contextmanager
def _closed_on_failure(client: SMTP) -> Generator[None, None, None]:
    try:
        yield
    except BaseException:
        _close(client)
        raise


async def _quit(client: SMTP) -> None:
    with suppress(aiosmtplib.SMTPException, OSError):
        async with asyncio.timeout(_QUIT_DEADLINE):
            await client.quit()
    _close(client)


def _close(client: SMTP) -> None:
    if client.transport is not None:
        # Not close(): that would wait for a server that reads nothing.
        cast(asyncio.Transport, client.transport).abort()
    client.close()
