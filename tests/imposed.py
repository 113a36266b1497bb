"""Servers and lookups that take their time in one chosen phase of a probe, and in no other."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from monitor.egress import CurlTransport
from monitor.prober import Prober
from monitor.rules.observation import Observation, Phase, Phases
from tests.loopback import OK, Authorities, Script, Visit, serving
from tests.probing import observe

NAME = "slow.test"
PIECE = b"half"


@dataclass(frozen=True)
class Course:
    """A prober and the URL of a site that takes its time, on one hop or on several.

    ``slept`` are the seconds that were really taken, one by one as they pass.
    """

    prober: Prober
    url: str
    slept: list[float] = field(default_factory=list[float])

    async def probe(self) -> Observation:
        return await observe(self.prober, self.url)


@contextlib.asynccontextmanager
async def slow_in(
    phase: Phase, seconds: float, *, authorities: Authorities, hops: int = 1
) -> AsyncIterator[Course]:
    """Give a site over TLS that takes ``seconds`` in ``phase`` at each of its ``hops``.

    A connection cannot be held up by a server: see ``full_queue``.
    """
    slept: list[float] = []

    async def rest(here: Phase) -> None:
        if here is phase:
            began = time.perf_counter()
            await asyncio.sleep(seconds)
            slept.append(time.perf_counter() - began)

    def look_up(_host: str, _family: int) -> Sequence[str]:
        if phase is Phase.RESOLVE:  # in the lookup's own thread
            began = time.perf_counter()
            time.sleep(seconds)
            slept.append(time.perf_counter() - began)
        return ["127.0.0.1"]

    async def script(visit: Visit) -> None:
        asked = await visit.asked()
        hop = int(asked.target.removeprefix("/"))
        await rest(Phase.PROCESSING)
        if hop < hops:
            where = f"Location: /{hop + 1}\r\nContent-Length: 0\r\n\r\n"
            await visit.send(b"HTTP/1.1 302 Found\r\n", where.encode())
            return
        await visit.send(OK, b"Content-Length: 8\r\n\r\n", PIECE)
        await rest(Phase.TRANSFER)
        await visit.send(PIECE)

    prober = Prober(transport=CurlTransport(ca_bundle=authorities.file, system_lookup=look_up))
    try:
        async with (
            serving(script, tls=authorities.tls(NAME)) as server,
            serving(hold_back(server.port, lambda: rest(Phase.TLS))) as front,
        ):
            yield Course(prober, f"https://{NAME}:{front.port}/1", slept)
    finally:
        await prober.aclose()


def hold_back(port: int, rest: Callable[[], Awaitable[None]]) -> Script:
    """Pass a connection on to ``port``, its first bytes (a handshake's) after a ``rest``."""

    async def script(visit: Visit) -> None:
        hello = await visit.reader.read(65536)
        await rest()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(hello)
        try:
            await asyncio.gather(_pump(visit.reader, writer), _pump(reader, visit.writer))
        finally:
            writer.close()

    return script


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(65536):
        writer.write(piece)
    with contextlib.suppress(OSError, ssl.SSLError):
        writer.write_eof()


@contextlib.asynccontextmanager
async def full_queue(*, opens_after: float) -> AsyncIterator[int]:
    """Listen with a full queue that is emptied after a while; give the port.

    The kernel drops what asks to connect meanwhile, and whoever asked asks again after a second.
    Once it is emptied, each connection is answered.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        listener.setblocking(False)
        port: int = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        task = asyncio.create_task(_answer_all(listener, after=opens_after))
        try:
            yield port
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            for filler in fillers:
                filler.close()


async def _answer_all(listener: socket.socket, *, after: float) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.sleep(after)
    with contextlib.ExitStack() as stack:
        while True:
            accepted, _address = await loop.sock_accept(listener)
            stack.enter_context(accepted).setblocking(False)
            await loop.sock_sendall(accepted, OK + b"Content-Length: 2\r\n\r\nok")


def bare_connect(port: int) -> Callable[[], float]:
    """Return a function that connects without any of our code and tells the seconds it took."""

    def connect() -> float:
        began = time.perf_counter()
        with socket.create_connection(("127.0.0.1", port)):
            return time.perf_counter() - began

    return connect


def seconds_in(phases: Phases, phase: Phase) -> float:
    """Return the seconds that were spent in one phase."""
    seconds: float = getattr(phases, phase.value)
    return seconds
