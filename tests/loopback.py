"""Scripted HTTP and HTTPS servers on loopback that misbehave as told, and certificates for them.

A script is a coroutine function that is given each connection's ``Visit``. Servers run in the
test's own event loop; they note what they were asked, and when they close nothing of them is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import resource
import socket
import ssl
import struct
import threading
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

CRLF = b"\r\n"
OK = b"HTTP/1.1 200 OK\r\n"


@dataclass(frozen=True)
class Asked:
    """A request as it came in; names of ``headers`` in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]


@dataclass
class Visit:
    """One connection to a server."""

    server: Server
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def asked(self) -> Asked:
        """Read one request and note it."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")[:-2]
        method, target, _version = first.split(" ")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines)
        }
        asked = Asked(method, target, headers)
        self.server.requests.append(asked)
        return asked

    async def send(self, *parts: bytes) -> None:
        self.writer.write(b"".join(parts))
        await self.writer.drain()

    async def until_closed(self) -> None:
        """Wait until the other side closes its end."""
        while await self.reader.read(65536):
            pass

    def reset(self) -> None:
        """Close with a reset instead of a goodbye."""
        plain: socket.socket = self.writer.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Visit], Awaitable[None]]


@dataclass
class Server:
    """A listening server: where it is, and who came."""

    port: int
    host: str = "127.0.0.1"
    scheme: str = "http"
    connections: int = 0
    requests: list[Asked] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set whenever a connection has ended."""

    def url(self, path: str = "/", *, host: str | None = None) -> str:
        name = host or (f"[{self.host}]" if ":" in self.host else self.host)
        return f"{self.scheme}://{name}:{self.port}{path}"


@contextlib.asynccontextmanager
async def serving(
    script: Script, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Server]:
    """Serve ``script`` on a free port (or ``port``) until the context ends."""
    server = Server(port=port, host=host, scheme="https" if tls else "http")
    visits: set[asyncio.Task[None]] = set()

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        visits.add(task)
        server.connections += 1
        try:
            await script(Visit(server, reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the prober went away, or the test is over
        finally:
            visits.discard(task)
            writer.close()
            with contextlib.suppress(
                ConnectionError, ssl.SSLError, TimeoutError, asyncio.CancelledError
            ):
                await writer.wait_closed()
            server.closed.set()

    listener = await asyncio.start_server(
        visit, host, port, ssl=tls, backlog=512, ssl_shutdown_timeout=0.1 if tls else None
    )
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in list(visits):
            task.cancel()
        await asyncio.gather(*visits, return_exceptions=True)
        await listener.wait_closed()


# Scripts, from well to ill.


def answer(
    body: bytes = b"<title>Welcome</title>hello",
    *,
    status: str = "200 OK",
    headers: Mapping[str, str] | None = None,
    has_length: bool = True,
) -> Script:
    """Answer every request on its own connection."""
    named = {"Content-Type": "text/html; charset=utf-8", "Server": "loopback", **(headers or {})}
    if has_length:
        named.setdefault("Content-Length", str(len(body)))
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())

    async def script(visit: Visit) -> None:
        asked = await visit.asked()
        sent = b"" if asked.method == "HEAD" else body
        await visit.send(f"HTTP/1.1 {status}\r\n{head}\r\n".encode(), sent)

    return script


def raw(*parts: bytes) -> Script:
    """Read a request, send exactly these bytes, hang up."""

    async def script(visit: Visit) -> None:
        await visit.asked()
        await visit.send(*parts)

    return script


def redirect(
    where: str, *, status: str = "302 Found", headers: Mapping[str, str] | None = None
) -> Script:
    """Send the visitor elsewhere."""
    return answer(b"moved", status=status, headers={"Location": where, **(headers or {})})


def pages(scripts: Mapping[str, Script]) -> Script:
    """Serve another script per path; whatever is not listed is 404."""

    async def script(visit: Visit) -> None:
        head = await visit.reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ")[1].decode().partition("?")[0]
        again = asyncio.StreamReader()
        again.feed_data(head)
        chosen = scripts.get(path, answer(b"not here", status="404 Not Found"))
        await chosen(Visit(visit.server, again, visit.writer))

    return script


async def silent(visit: Visit) -> None:
    """Take the request and never answer."""
    await visit.asked()
    await visit.until_closed()


async def mute(visit: Visit) -> None:
    """Accept the connection and never say a word, not even of TLS."""
    await visit.until_closed()


async def hang_up(visit: Visit) -> None:
    """Read the request and close."""
    await visit.asked()


async def reset(visit: Visit) -> None:
    """Read the request and reset."""
    await visit.asked()
    visit.reset()


def reset_after(*parts: bytes) -> Script:
    """Send some bytes, see them arrive, then reset."""

    async def script(visit: Visit) -> None:
        await visit.asked()
        await visit.send(*parts)
        await asyncio.sleep(0.05)
        visit.reset()

    return script


def stop_after(*parts: bytes) -> Script:
    """Send some bytes, then nothing, with the connection left open."""

    async def script(visit: Visit) -> None:
        await visit.asked()
        await visit.send(*parts)
        await visit.until_closed()

    return script


def late(seconds: float, then: Script) -> Script:
    """Go on with ``then`` only after a while."""

    async def script(visit: Visit) -> None:
        await asyncio.sleep(seconds)
        await then(visit)

    return script


def drip(before: bytes, drop: bytes, *, every: float = 0.02) -> Script:
    """Send ``before``, then ``drop`` after ``drop`` without end."""

    async def script(visit: Visit) -> None:
        await visit.asked()
        await visit.send(before)
        while True:
            await visit.send(drop)
            await asyncio.sleep(every)

    return script


def endless(before: bytes, chunk: bytes) -> Script:
    """Send ``before``, then ``chunk`` after ``chunk`` as fast as they go."""
    return drip(before, chunk, every=0)


def encoded(body: bytes, coding: str = "gzip", *, data: bytes | None = None) -> Script:
    """Answer with ``body`` compressed, or with ``data`` that claims to be."""
    if data is None:
        data = gzip.compress(body) if coding == "gzip" else zlib.compress(body)
    return answer(data, headers={"Content-Encoding": coding})


@contextlib.contextmanager
def shaking_hands(tls: ssl.SSLContext) -> Iterator[str]:
    """Serve one handshake in a thread of its own; give the URL.

    asyncio's servers drop a failed handshake without telling the other side why; real ones tell.
    """

    def serve() -> None:
        plain, _address = listener.accept()
        with plain, contextlib.suppress(OSError):  # of which ssl's errors are
            plain.settimeout(10)
            try:
                with tls.wrap_socket(plain.dup(), server_side=True) as secure:
                    secure.recv(65536)
            finally:
                plain.shutdown(socket.SHUT_WR)
                while plain.recv(65536):  # what is unread would turn the goodbye into a reset
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join()


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return (
        struct.pack(">I", len(payload))[1:]
        + bytes([kind, flags])
        + struct.pack(">I", stream)
        + payload
    )


async def http2_only(visit: Visit) -> None:
    """Speak HTTP/2 and nothing else; to HTTP/1.1 it answers in HTTP/2, like any such server."""
    settings, headers, data, goaway = 4, 1, 0, 7
    preface = await visit.reader.readexactly(24)
    await visit.send(_frame(settings, 0, 0, b""))
    if not preface.startswith(b"PRI * HTTP/2.0"):
        await visit.send(_frame(goaway, 0, 0, struct.pack(">II", 0, 1)))
        return
    while True:
        head = await visit.reader.readexactly(9)
        length, kind = int.from_bytes(head[:3], "big"), head[3]
        await visit.reader.readexactly(length)
        if kind == headers:
            break
    status_200 = b"\x88"  # an entry of HTTP/2's own table
    await visit.send(_frame(settings, 1, 0, b""))
    await visit.send(_frame(headers, 4, 1, status_200), _frame(data, 1, 1, b"hello in two"))
    await visit.until_closed()


# Certificates.


class Authorities:
    """A certificate authority that the tests trust, one that nobody trusts, and what they issue."""

    def __init__(self, folder: Path) -> None:
        self._ours, self._theirs = trustme.CA(), trustme.CA()
        self.file = str(folder / "authorities.pem")
        self._ours.cert_pem.write_to_path(self.file)

    def tls(
        self,
        *names: str,
        is_trusted: bool = True,
        valid: tuple[timedelta, timedelta] = (timedelta(days=-30), timedelta(days=60)),
        protocols: tuple[str, ...] = ("http/1.1",),
    ) -> ssl.SSLContext:
        """Return a server's TLS context with a certificate for ``names``, ``valid`` around now."""
        ca = self._ours if is_trusted else self._theirs
        leaf = _issue(ca, names, valid)
        return _tls_context([blob.bytes() for blob in leaf.cert_chain_pems], leaf, protocols)

    def chained_tls(
        self,
        *names: str,
        valid: tuple[timedelta, timedelta] = (timedelta(days=-30), timedelta(days=60)),
        between_ends: timedelta = timedelta(days=365),
        is_complete: bool = True,
    ) -> ssl.SSLContext:
        """Return the same with an authority between, which ends ``between_ends`` from now.

        Without ``is_complete`` the server forgets to send that authority's certificate.
        """
        between = self._ours.create_child_ca()
        leaf = _issue(between, names, valid)
        again = _sign_again(
            between.cert_pem.bytes(),
            by=self._ours.cert_pem.bytes(),
            key=self._ours.private_key_pem.bytes(),
            ends_in=between_ends,
        )
        chain = [leaf.cert_chain_pems[0].bytes(), again]
        return _tls_context(chain if is_complete else chain[:1], leaf)

    def self_signed_tls(self, *names: str) -> ssl.SSLContext:
        """Return the same with a certificate that vouches for itself."""
        leaf = _issue(self._theirs, names, (timedelta(days=-30), timedelta(days=60)))
        pem, key = leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes()
        return _tls_context([_sign_again(pem, by=pem, key=key, ends_in=timedelta(days=60))], leaf)


def _issue(
    ca: trustme.CA, names: Sequence[str], valid: tuple[timedelta, timedelta]
) -> trustme.LeafCert:
    now = datetime.now(UTC).replace(microsecond=0)
    names = names or ("127.0.0.1",)
    return ca.issue_cert(*names, not_before=now + valid[0], not_after=now + valid[1])


def _sign_again(pem: bytes, *, by: bytes, key: bytes, ends_in: timedelta) -> bytes:
    """Return a certificate signed anew ``by`` another (whose ``key`` it is), with another end."""
    old, issuer = x509.load_pem_x509_certificate(pem), x509.load_pem_x509_certificate(by)
    now = datetime.now(UTC).replace(microsecond=0)
    new = x509.CertificateBuilder(
        issuer_name=issuer.subject,
        subject_name=old.subject,
        public_key=old.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(days=400),
        not_valid_after=now + ends_in,
        extensions=[each for each in old.extensions if each.oid != x509.AuthorityKeyIdentifier.oid],
    )
    signer = load_pem_private_key(key, password=None)
    assert isinstance(signer, EllipticCurvePrivateKey)
    return new.sign(signer, SHA256()).public_bytes(Encoding.PEM)


def _tls_context(
    chain: Sequence[bytes], leaf: trustme.LeafCert, protocols: Sequence[str] = ("http/1.1",)
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(list(protocols))
    with trustme.Blob(leaf.private_key_pem.bytes() + b"".join(chain)).tempfile() as path:
        context.load_cert_chain(path)
    return context


def has_ipv6() -> bool:
    """Tell whether this host has a loopback address of IPv6."""
    with socket.socket(socket.AF_INET6) as trial:
        try:
            trial.bind(("::1", 0))
        except OSError:
            return False
    return True


@contextlib.contextmanager
def no_descriptors(*, but: int = 0) -> Iterator[None]:
    """Let this process open no further file descriptor, ``but`` so many."""
    free = [os.dup(0) for _ in range(but + 1)]
    for descriptor in free:
        os.close(descriptor)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(free), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
