"""SMTP servers on loopback: a postbox that takes everything, and one that follows a script.

``Postbox`` is aiosmtpd in a thread, so that it serves tests of any kind and processes that a test
starts. ``ScriptedServer`` answers what it is told to, also nothing, nonsense or half a sentence.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from enum import Enum
from types import TracebackType
from typing import Self, cast

from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(frozen=True, slots=True)
class Received:
    """One mail as it arrived, with its envelope."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes

    @property
    def message(self) -> EmailMessage:
        """The mail, parsed."""
        return cast(EmailMessage, BytesParser(policy=default).parsebytes(self.content))

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])

    @property
    def parts(self) -> tuple[EmailMessage, ...]:
        """The parts that hold text, in their order."""
        leaves = [part for part in self.message.walk() if not part.is_multipart()]
        return tuple(cast(EmailMessage, leaf) for leaf in leaves)

    @property
    def text(self) -> str:
        return self._part("text/plain")

    @property
    def html(self) -> str:
        return self._part("text/html")

    def _part(self, kind: str) -> str:
        [part] = [part for part in self.parts if part.get_content_type() == kind]
        return str(part.get_content()).replace("\r\n", "\n")


class Postbox:
    """A real mail server that keeps every mail; ``stop`` and ``start`` keep its port.

    ``on_mail`` is called in the server's thread before a mail is taken, with the mail; what it
    returns is the server's answer, None for 250.
    """

    host = "127.0.0.1"

    def __init__(self, *, on_mail: Callable[[Received], str | None] | None = None) -> None:
        self.mails: list[Received] = []
        self.port = 0
        self._on_mail = on_mail
        self._arrived = threading.Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, at the same port as before if there was one."""
        listening = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(listening)), name="postbox"
        )
        self._thread.start()
        if not listening.wait(60):
            raise TimeoutError("the postbox did not start")

    def stop(self) -> None:
        """Close the port and every connection."""
        if self._loop is None or self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(60)
        self._loop = self._thread = None

    def wait_for(self, count: int, *, within: float = 60) -> list[Received]:
        """Return the mails once ``count`` came; raises TimeoutError after ``within`` seconds."""
        with self._arrived:
            if not self._arrived.wait_for(lambda: len(self.mails) >= count, within):
                raise TimeoutError(f"{len(self.mails)} of {count} mails came within {within:g} s")
            return list(self.mails)

    def to(self, address: str) -> list[Received]:
        """Return the mails for ``address`` in the order of their arrival."""
        with self._arrived:
            return [mail for mail in self.mails if mail.recipients == (address,)]

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  aiosmtpd's name
        content = envelope.content
        assert isinstance(content, bytes)
        assert envelope.mail_from is not None
        mail = Received(envelope.mail_from, tuple(envelope.rcpt_tos), content)
        answer = self._on_mail(mail) if self._on_mail else None
        if answer is None:
            with self._arrived:
                self.mails.append(mail)
                self._arrived.notify_all()
        return answer or "250 taken"

    async def _serve(self, listening: threading.Event) -> None:
        loop = self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        connections: set[_Connection] = set()
        server = await loop.create_server(
            lambda: _Connection(self, connections, loop), self.host, self.port, reuse_address=True
        )
        self.port = server.sockets[0].getsockname()[1]
        listening.set()
        await self._stopping.wait()
        server.close()
        for connection in list(connections):
            if connection.transport is not None:
                cast(asyncio.Transport, connection.transport).abort()
        await server.wait_closed()


class _Connection(SMTP):
    """One connection to a postbox, known to it while it lasts."""

    def __init__(
        self, postbox: Postbox, connections: set[_Connection], loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__(postbox, hostname="mail.test", loop=loop)
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connections.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)
        super().connection_lost(error)


class Fault(Enum):
    """What a scripted server does instead of answering."""

    CUT = "closes the connection"
    SILENCE = "never answers"
    DRIP = "answers a byte at a time, without an end"


Reply = str | Fault

_USUAL: Mapping[str, Reply] = {
    "GREETING": "220 mail.test ready",
    "STARTTLS": "220 go ahead",
    "AUTH": "235 welcome",
    "MAIL": "250 sender fine",
    "RCPT": "250 recipient fine",
    "DATA": "354 go ahead",
    "END": "250 taken as 42",
    "RSET": "250 flushed",
    "QUIT": "221 bye",
}


@dataclass
class ScriptedServer:
    """A mail server that follows ``replies``: a reply for a verb, or a list of them, last repeated.

    A key with an argument (``RCPT anna@harbour.test``) goes before the bare verb; ``GREETING`` and
    ``END`` are the connection's start and the mail's end. ``commands`` and ``mails`` are what came.
    """

    replies: Mapping[str, Reply | list[Reply]] = field(default_factory=dict[str, Reply])
    extensions: Iterable[str] = ("8BITMIME",)
    context: ssl.SSLContext | None = None
    is_tls: bool = False
    host: str = "127.0.0.1"
    port: int = 0
    commands: list[str] = field(default_factory=list)
    mails: list[Received] = field(default_factory=list)
    secure_commands: list[str] = field(default_factory=list)
    connections: int = 0
    fell_silent: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> Self:
        self._tasks: set[asyncio.Task[None]] = set()
        self._given: dict[str, int] = {}
        self._server = await asyncio.start_server(
            self._accept, self.host, self.port, ssl=self.context if self.is_tls else None
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def verbs(self) -> list[str]:
        """Return the commands that came, without their arguments."""
        return [command.split(" ")[0].split(":")[0] for command in self.commands]

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass  # the client went away, as it may
        finally:
            writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sender, recipients = "", list[str]()
        await self._answer(writer, self._reply("GREETING"))
        while line := await reader.readline():
            command = line.decode("ascii").rstrip("\r\n")
            self.commands.append(command)
            if writer.get_extra_info("ssl_object") is not None:
                self.secure_commands.append(command)
            verb, _, argument = command.partition(" ")
            if verb in {"MAIL", "RCPT"}:
                argument = argument.partition("<")[2].partition(">")[0]
            if verb == "EHLO":
                await self._answer(writer, self._hello(writer))
                continue
            reply = self._reply(verb, argument)
            await self._answer(writer, reply)
            is_fine = isinstance(reply, str) and reply[0] in "23"
            if verb == "MAIL" and is_fine:
                sender, recipients = argument, []
            elif verb == "RCPT" and is_fine:
                recipients.append(argument)
            elif verb == "STARTTLS" and is_fine:
                assert self.context is not None
                await writer.start_tls(self.context)
            elif verb == "DATA" and is_fine:
                content = (await reader.readuntil(b"\r\n.\r\n")).removesuffix(b".\r\n")
                content = content.replace(b"\r\n..", b"\r\n.")
                await self._take(writer, Received(sender, tuple(recipients), content))
            elif verb == "QUIT":
                return

    async def _take(self, writer: asyncio.StreamWriter, mail: Received) -> None:
        reply = self._reply("END")
        if reply is Fault.CUT or (isinstance(reply, str) and reply.startswith("2")):
            self.mails.append(mail)  # a server that is cut off here has the mail all the same
        await self._answer(writer, reply)

    def _hello(self, writer: asyncio.StreamWriter) -> Reply:
        if "EHLO" in self.replies:
            return self._reply("EHLO")
        offers = list(self.extensions)
        if self.context is not None and writer.get_extra_info("ssl_object") is None:
            offers.append("STARTTLS")
        lines = ["mail.test", *offers]
        return "\r\n".join(f"250-{line}" for line in lines[:-1]) + f"\r\n250 {lines[-1]}"

    def _reply(self, verb: str, argument: str = "") -> Reply:
        key = f"{verb} {argument}" if f"{verb} {argument}" in self.replies else verb
        reply = self.replies.get(key, _USUAL.get(verb, "502 unknown"))
        if isinstance(reply, list):
            given = self._given.get(key, 0)
            self._given[key] = given + 1
            reply = reply[min(given, len(reply) - 1)]
        return reply

    async def _answer(self, writer: asyncio.StreamWriter, reply: Reply) -> None:
        if reply is Fault.CUT:
            writer.transport.abort()
            raise ConnectionAbortedError
        if reply is Fault.SILENCE:
            self.fell_silent.set()
            await asyncio.Event().wait()
        while reply is Fault.DRIP:
            for byte in b"250-and another thing\r\n":
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.005)  # the pace of a tarpit; nothing waits for it to end
        writer.write(f"{reply}\r\n".encode())
        await writer.drain()
