"""The transport under httpx: every request on its own fresh connection, by libcurl.

Redirects, cookies, retries and decoding are left to whoever asks; the environment (proxies, netrc)
is not heeded; nothing is sent over a TLS connection that could not be verified.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain

import certifi
import httpx
import pycurl

from monitor.egress.certificate import CertificateReader
from monitor.egress.diagnosis import Scene, explain, is_whole, wants_http2
from monitor.egress.driver import Driver
from monitor.egress.exchange import Exchange
from monitor.egress.lookup import LookupFailed, NameLookup, SystemLookup
from monitor.egress.papers import NO_PAPERS, read_papers
from monitor.egress.routes import lacks_ipv6, warn_of_other_addresses
from monitor.egress.seen import Question
from monitor.egress.terms import EgressFailed, Terms, Transcript
from monitor.rules.observation import Cause, Certificate, Phase, Phases

_MOST_REMEMBERED = 20_000
_DEFAULT_SECONDS = 10.0
_READ_TLS_EVERY = 64
_DEFAULT_PORTS = {"http": 80, "https": 443}
_HEADER_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")

Origin = tuple[str, int]


class Answer(httpx.Response):
    """A response whose redirects httpx leaves alone: whoever asked follows them hop by hop."""

    @property
    def has_redirect_location(self) -> bool:
        """Whether httpx should prepare the request that a redirect asks for: never."""
        return False

    async def aclose(self) -> None:
        """Close, and let go of the stream by which httpx has tied the answer to itself.

        Else every answer with its body would wait for the garbage collector.
        """
        await super().aclose()
        self.stream = _NOTHING


class RawBody(httpx.AsyncByteStream):
    """The body as it came, undecoded and capped."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._body:
            yield self._body


_NOTHING = RawBody(b"")


@dataclass(slots=True)
class _TlsFacts:
    """Version and cipher last read for an origin, and for how many exchanges they still hold."""

    version: str
    cipher: str
    exchanges_left: int = _READ_TLS_EVERY


class CurlTransport(httpx.AsyncBaseTransport):
    """httpx's door to libcurl; one per process, bound to the event loop of its first request.

    A request says in ``extensions["terms"]`` (Terms) what it may take and where it may go; its
    response brings a Transcript in ``extensions["transcript"]``. Raises EgressFailed, and
    httpx.LocalProtocolError or UnsupportedProtocol for a request that cannot be sent at all.

    HTTP/1.1 is spoken unless a server has turned out to know HTTP/2 only. TLS version and cipher
    can be had from libcurl only at a price, so they are read at every 64th exchange with an origin.
    ``ca_bundle`` is a PEM file of the public authorities (default: certifi's); libcurl parses it
    once a day, not once a request.
    """

    def __init__(
        self, *, ca_bundle: str | None = None, system_lookup: SystemLookup | None = None
    ) -> None:
        self._ca_bundle = ca_bundle or certifi.where()
        self._system_lookup = system_lookup
        self._driver: Driver | None = None
        self._lookup: NameLookup | None = None
        self._idle: dict[object, list[Exchange]] = {}
        self._exchanges_made = 0
        self._certificates = CertificateReader()
        self._http2_only: set[Origin] = set()
        self._tls_facts: dict[Origin, _TlsFacts] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send ``request`` (without a body) and return its answer, complete up to the cap."""
        loop = asyncio.get_running_loop()
        question = self._question_of(request)
        terms = request.extensions.get("terms")
        if not isinstance(terms, Terms):
            terms = Terms(deadline=loop.time() + _DEFAULT_SECONDS, timeout_seconds=_DEFAULT_SECONDS)
        began = loop.time()
        addresses = await self._look_up(question.host, terms, began)
        looked_up = Phases(resolve=loop.time() - began)
        scene, transcript = await self._attempt(question, terms, addresses)
        phases = looked_up + transcript.phases
        if wants_http2(scene):
            question = replace(question, speaks_http2=True)
            scene, transcript = await self._attempt(question, terms, addresses)
            phases += transcript.phases
            if is_whole(scene) and len(self._http2_only) < _MOST_REMEMBERED:
                self._http2_only.add((question.host, question.port))
        transcript = replace(transcript, phases=phases)
        if not is_whole(scene):
            failure = explain(scene)
            if failure.cause is Cause.CONNECT_UNREACHABLE and lacks_ipv6(scene.seen):
                message = f"this host has no IPv6, and {question.host} no other address"
                raise EgressFailed(Cause.OWN_NETWORK, failure.phase, message, transcript)
            raise EgressFailed(failure.cause, failure.phase, failure.message, transcript)
        assert transcript.status is not None
        return Answer(
            transcript.status,
            headers=list(transcript.headers),
            stream=RawBody(transcript.body),
            extensions={
                "transcript": transcript,
                "http_version": f"HTTP/{transcript.http_version}".encode(),
            },
        )

    async def find_addresses(self, url: httpx.URL, terms: Terms) -> tuple[str, ...]:
        """Return all addresses, at most 16, of the host of ``url``; raises EgressFailed."""
        host, began = url.raw_host.decode("ascii"), asyncio.get_running_loop().time()
        return await self._look_up(host, terms, began)

    async def aclose(self) -> None:
        """Close every connection and let go of every timer, thread and descriptor."""
        if self._driver is not None:
            self._driver.close()
        if self._lookup is not None:
            self._lookup.close()
        for exchange in chain.from_iterable(self._idle.values()):
            exchange.curl.close()
        self._idle.clear()

    def _question_of(self, request: httpx.Request) -> Question:
        url = request.url
        if url.scheme not in _DEFAULT_PORTS:
            raise httpx.UnsupportedProtocol(f"{url.scheme or 'no scheme'}: is not http: or https:")
        if not url.raw_host:
            raise httpx.LocalProtocolError("the URL names no host")
        origin = (url.raw_host.decode("ascii"), url.port or _DEFAULT_PORTS[url.scheme])
        facts = self._tls_facts.get(origin)
        return Question(
            scheme=url.scheme,
            host=origin[0],
            port=origin[1],
            target=url.raw_path.decode("ascii"),
            method=request.method,
            headers=[_header_line(name, value) for name, value in request.headers.raw],
            speaks_http2=origin in self._http2_only,
            wants_tls_facts=url.scheme == "https" and (facts is None or facts.exchanges_left <= 0),
        )

    async def _look_up(self, host: str, terms: Terms, began: float) -> tuple[str, ...]:
        if terms.address_of is not None and host in terms.address_of:
            return (terms.address_of[host],)
        if self._lookup is None:
            self._lookup = NameLookup(system_lookup=self._system_lookup)
        try:
            return await self._lookup.find_addresses(
                host, family=terms.ip_family, deadline=terms.deadline
            )
        except LookupFailed as failure:
            took = asyncio.get_running_loop().time() - began
            raise EgressFailed(
                failure.cause,
                Phase.RESOLVE,
                str(failure),
                Transcript(phases=Phases(resolve=took)),
            ) from failure

    async def _attempt(
        self, question: Question, terms: Terms, addresses: tuple[str, ...]
    ) -> tuple[Scene, Transcript]:
        if self._driver is None:
            self._driver = Driver()
        papers = read_papers(terms) if question.scheme == "https" else NO_PAPERS
        idle = self._idle.setdefault(papers.kind, [])
        exchange = idle.pop() if idle else self._make_exchange()
        try:
            exchange.begin(
                question,
                terms,
                addresses=addresses,
                seconds=terms.deadline - asyncio.get_running_loop().time(),
                papers=papers,
            )
            ending = await self._driver.run(exchange.curl)
            reached = exchange.read_reached(question.scheme)
            verify_result, certificate = 0, None
            if question.scheme == "https":
                verify_result = exchange.curl.getinfo(pycurl.SSL_VERIFYRESULT)
                certificate = self._certificates.read(
                    exchange.curl.getinfo(pycurl.INFO_CERTINFO),
                    verified=reached not in {Phase.CONNECT, Phase.TLS},
                )
            scene = Scene(
                ending=ending,
                question=question,
                terms=terms,
                seen=exchange.seen,
                reached=reached,
                os_errno=exchange.curl.getinfo(pycurl.OS_ERRNO),
                verify_result=verify_result,
                certificate=certificate,
            )
            transcript = self._write_down(exchange, question, reached, certificate)
        finally:
            exchange.forget()
            idle.append(exchange)  # one for each request that was ever under way at the same time
        return scene, transcript

    def _write_down(
        self,
        exchange: Exchange,
        question: Question,
        reached: Phase,
        certificate: Certificate | None,
    ) -> Transcript:
        seen = exchange.seen
        facts = self._read_tls_facts(question, seen.tls_words)
        phases, address = exchange.read_phases(reached), exchange.read_address()
        warning = None
        if reached is not Phase.CONNECT and address is not None:
            stood_after = phases.resolve + phases.connect
            warning = warn_of_other_addresses(seen, address, after_seconds=stood_after)
        return Transcript(
            phases=phases,
            remote_address=address,
            http_version=exchange.read_http_version() if seen.is_answered else None,
            certificate=certificate,
            tls_version=facts.version if facts else None,
            tls_cipher=facts.cipher if facts else None,
            status=seen.status,
            headers=exchange.read_headers(),
            body=seen.chunks[0] if len(seen.chunks) == 1 else b"".join(seen.chunks),
            is_truncated=seen.is_truncated,
            warning=warning,
        )

    def _read_tls_facts(self, question: Question, words: str) -> _TlsFacts | None:
        if question.scheme != "https":
            return None
        origin = (question.host, question.port)
        if words:
            version, _, cipher = words.partition(" / ")
            if len(self._tls_facts) >= _MOST_REMEMBERED:
                self._tls_facts.clear()
            self._tls_facts[origin] = _TlsFacts(version, cipher.partition(" / ")[0])
        facts = self._tls_facts.get(origin)
        if facts is not None:
            facts.exchanges_left -= 1
        return facts

    def _make_exchange(self) -> Exchange:
        self._exchanges_made += 1
        clock = asyncio.get_running_loop().time
        return Exchange(self._exchanges_made, ca_bundle=self._ca_bundle, clock=clock)


@lru_cache(maxsize=1024)  # most lines are the same for all sites
def _header_line(name: bytes, value: bytes) -> bytes:
    if not _HEADER_NAME.fullmatch(name) or _CONTROL.search(value):
        raise httpx.LocalProtocolError(f"the header {name!r} cannot be sent as it stands")
    if name.lower() in {b"content-length", b"transfer-encoding"} and value != b"0":
        raise httpx.LocalProtocolError("a probe sends no body")
    return name + b": " + value if value else name + b";"
