"""The prober against real servers on loopback that misbehave in every way we could think of."""

from __future__ import annotations

import asyncio
import gc
import gzip
import os
import socket
import threading
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from monitor.canary import Canaries
from monitor.egress import CurlTransport
from monitor.prober import Prober
from monitor.rules.observation import Cause, Observation, Phase
from monitor.rules.site import BasicAuth, Site
from monitor.rules.verdict import Verdict, judge
from tests import loopback
from tests.loopback import CRLF, OK, Authorities, Script, answer, serving

STARTED_AT = datetime(2026, 3, 9, 9, 0, tzinfo=UTC)
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
NAMES = {
    "site.test": ["127.0.0.1"],
    "other.test": ["127.0.0.1"],
    "two.test": ["::1", "127.0.0.1"],
    "inside.test": ["127.0.0.1"],
}


def system_lookup(host: str, _family: int) -> Sequence[str]:
    if host not in NAMES:
        raise OSError("a test asked for a name it does not have")
    return NAMES[host]


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Authorities:
    return Authorities(tmp_path_factory.mktemp("authorities"))


@pytest.fixture
async def prober(authorities: Authorities) -> AsyncIterator[Prober]:
    prober = Prober(
        transport=CurlTransport(ca_bundle=authorities.file, system_lookup=system_lookup)
    )
    yield prober
    await prober.aclose()


def a_site(url: str, **changes: Any) -> Site:
    values: dict[str, Any] = {
        "slug": "site",
        "client": "client",
        "name": "Site",
        "url": url,
        "timeout": timedelta(seconds=5),
        "allow_networks": LOOPBACK,
    }
    return Site(**(values | changes))


async def observe(prober: Prober, url: str, **changes: Any) -> Observation:
    return await prober.probe(a_site(url, **changes), started_at=STARTED_AT)


async def observe_script(prober: Prober, script: Script, **changes: Any) -> Observation:
    async with serving(script) as server:
        return await observe(prober, server.url(), **changes)


SOON = {"timeout": timedelta(seconds=0.4)}


# A good answer.


async def test_a_site_that_is_up(prober: Prober) -> None:
    async with serving(answer()) as server:
        seen = await observe(prober, server.url("/shop?a=1"))
    assert (seen.cause, seen.message, seen.http_status) == (None, "", 200)
    assert (seen.http_version, seen.remote_address) == ("1.1", "127.0.0.1")
    assert (seen.title, seen.excerpt) == ("Welcome", "")
    assert seen.headers["server"] == "loopback"
    assert (seen.body_bytes, seen.content_length, seen.body_truncated) == (27, 27, False)
    assert seen.hops == (server.url("/shop?a=1"),) == (seen.final_url,)
    assert seen.started_at == STARTED_AT
    assert [asked.target for asked in server.requests] == ["/shop?a=1"]


async def test_what_is_asked(prober: Prober) -> None:
    async with serving(answer()) as server:
        await observe(
            prober,
            server.url(),
            headers={"X-Token": "abc", "User-Agent": "Other"},
            basic_auth=BasicAuth("anna", "s3cret"),
        )
    headers = server.requests[0].headers
    assert headers == {
        "host": f"127.0.0.1:{server.port}",
        "user-agent": "Other",
        "accept": "*/*",
        "accept-encoding": "gzip, deflate",
        "connection": "close",
        "x-token": "abc",
        "authorization": "Basic YW5uYTpzM2NyZXQ=",
    }


async def test_https_with_its_certificate(prober: Prober, authorities: Authorities) -> None:
    async with serving(answer(), tls=authorities.tls("site.test", "*.site.test")) as server:
        seen = await observe(prober, server.url(host="site.test"))
    assert seen.cause is None
    assert (seen.tls_version, seen.tls_cipher) == ("TLSv1.3", "TLS_AES_256_GCM_SHA384")
    certificate = seen.certificate
    assert certificate is not None
    assert certificate.verified
    assert certificate.names == ("site.test", "*.site.test")
    assert certificate.not_after == certificate.earliest_not_after
    assert timedelta(days=59) < certificate.not_after - datetime.now(UTC) < timedelta(days=60)
    assert "Testing CA" in certificate.issuer
    assert "Testing cert" in certificate.subject
    assert len(certificate.fingerprint_sha256) == 64


async def test_tls_facts_are_told_at_every_probe(prober: Prober, authorities: Authorities) -> None:
    async with serving(answer(), tls=authorities.tls()) as server:
        seen = [await observe(prober, server.url()) for _ in range(3)]
    assert [each.tls_version for each in seen] == ["TLSv1.3"] * 3
    assert server.connections == 3


async def test_a_private_authority_of_one_site(
    prober: Prober, authorities: Authorities, tmp_path: Path
) -> None:
    private = Authorities(tmp_path)
    async with (
        serving(answer(), tls=private.tls()) as inside,
        serving(answer(), tls=authorities.tls()) as public,
    ):
        trusted = await observe(prober, inside.url(), ca_file=private.file)
        untrusted = await observe(prober, inside.url())
        instead = await observe(prober, public.url(), ca_file=private.file)
        missing = await observe(prober, public.url(), ca_file=str(tmp_path / "none.pem"))
    assert trusted.cause is None
    assert untrusted.cause is Cause.TLS_UNTRUSTED
    assert instead.cause is Cause.TLS_UNTRUSTED
    assert missing.cause is Cause.OWN_RESOURCES
    assert "none.pem" in missing.message


async def test_http2_where_a_server_knows_nothing_else(
    prober: Prober, authorities: Authorities
) -> None:
    async with serving(loopback.http2_only, tls=authorities.tls(protocols=("h2",))) as server:
        first = await observe(prober, server.url())
        second = await observe(prober, server.url())
    assert (first.cause, first.http_version, first.http_status) == (None, "2", 200)
    assert (second.cause, second.http_version) == (None, "2")
    assert server.connections == 3  # the second probe knows


async def test_head(prober: Prober) -> None:
    async with serving(answer(b"twelve bytes")) as server:
        seen = await observe(prober, server.url(), method="HEAD")
    assert (seen.cause, seen.http_status) == (None, 200)
    assert (seen.body_bytes, seen.content_length) == (0, 12)
    assert server.requests[0].method == "HEAD"


async def test_a_handle_used_for_head_is_used_for_get_again(prober: Prober) -> None:
    async with serving(answer()) as server:
        for method in ("HEAD", "GET", "OPTIONS", "GET"):
            await observe(prober, server.url(), method=method)
        seen = await observe(prober, server.url())
    assert [asked.method for asked in server.requests] == ["HEAD", "GET", "OPTIONS", "GET", "GET"]
    assert seen.body_bytes == 27


GOOD_ODDITIES: dict[str, Script] = {
    "early hints first": loopback.raw(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n", OK, b"Content-Length: 2\r\n\r\nok"
    ),
    "folded header": loopback.raw(OK, b"X-Long: one\r\n two\r\nContent-Length: 2\r\n\r\nok"),
    "raw UTF-8 header": loopback.raw(OK, "X-Where: Köln\r\nContent-Length: 2\r\n\r\nok".encode()),
    "no reason": loopback.raw(b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok"),
    "HTTP/1.0 without length": loopback.raw(b"HTTP/1.0 200 OK\r\n\r\nok"),
    "bare line feeds": loopback.raw(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
    "chunked": loopback.raw(OK, b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
    "trailers": loopback.raw(
        OK, b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n"
    ),
    "the same length twice": loopback.raw(OK, b"Content-Length: 2\r\n" * 2, CRLF, b"ok"),
    "more than its length": loopback.raw(OK, b"Content-Length: 2\r\n\r\nok and more"),
    "no body": loopback.answer(b"", status="204 No Content", has_length=False),
    "empty and gzip": loopback.answer(b"", headers={"Content-Encoding": "gzip"}),
    "gzip": loopback.encoded(b"ok"),
    "gzip, then padding": loopback.encoded(b"", data=gzip.compress(b"ok") + b"\0\0\0"),
    "gzip in two pieces": loopback.encoded(b"", data=gzip.compress(b"o") + gzip.compress(b"k")),
    "deflate": loopback.encoded(b"ok", "deflate"),
    "raw deflate": loopback.encoded(b"", "deflate", data=zlib.compress(b"ok", wbits=-15)),
    "a coding not asked for": loopback.encoded(b"", "br", data=b"\x8b\x00\x80ok\x03"),
}


@pytest.mark.parametrize("script", GOOD_ODDITIES.values(), ids=GOOD_ODDITIES)
async def test_what_browsers_accept_is_accepted(prober: Prober, script: Script) -> None:
    seen = await observe_script(prober, script)
    assert (seen.cause, seen.message) == (None, "")
    assert seen.http_status in {200, 204}


async def test_a_tls_server_that_hangs_up_without_saying_so(
    prober: Prober, authorities: Authorities
) -> None:
    """Without a length the body ends where the connection does; many old servers leave it there."""

    async def script(visit: loopback.Visit) -> None:
        await visit.asked()
        await visit.send(OK, CRLF, b"<title>All there</title>")
        plain = visit.writer.get_extra_info("socket")
        await asyncio.sleep(0.05)
        plain.shutdown(1)
        await visit.until_closed()

    async with serving(script, tls=authorities.tls()) as server:
        seen = await observe(prober, server.url())
    assert (seen.cause, seen.title) == (None, "All there")


# Slow.


async def test_a_slow_answer(prober: Prober) -> None:
    seen = await observe_script(prober, loopback.late(0.2, answer()))
    assert seen.cause is None
    assert seen.duration_seconds >= 0.2
    judgement = judge(seen, slow_after=timedelta(seconds=0.1))
    assert (judgement.verdict, judgement.cause) == (Verdict.SLOW, Cause.SLOW)
    assert judge(seen, slow_after=timedelta(seconds=60)).verdict is Verdict.UP


async def test_each_phase_gets_the_time_that_was_spent_in_it(
    prober: Prober, authorities: Authorities
) -> None:
    async def script(visit: loopback.Visit) -> None:
        await visit.asked()
        await asyncio.sleep(0.1)
        await visit.send(OK, b"Content-Length: 4\r\n\r\nab")
        await asyncio.sleep(0.1)
        await visit.send(b"cd")

    async with serving(script, tls=authorities.tls()) as server:
        seen = await observe(prober, server.url())
    phases = seen.phases
    assert phases.processing >= 0.095
    assert phases.transfer >= 0.095
    assert 0 < phases.connect < 0.095
    assert 0 < phases.tls < 0.095
    total = phases.resolve + phases.connect + phases.tls + phases.processing + phases.transfer
    assert total <= seen.duration_seconds


async def test_waiting_after_early_hints_is_processing(prober: Prober) -> None:
    async def script(visit: loopback.Visit) -> None:
        await visit.asked()
        await visit.send(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await asyncio.sleep(0.1)
        await visit.send(OK, b"Content-Length: 2\r\n\r\nok")

    seen = await observe_script(prober, script)
    assert seen.phases.processing >= 0.095
    assert seen.phases.transfer < 0.095


# Down: what each failure is called, and where it happened.

BROKEN: list[tuple[str, Script, Cause, Phase, str]] = [
    ("503", answer(b"busy", status="503 Service Unavailable"), Cause.HTTP_STATUS, Phase.PROCESSING,
     "answered 503 Service Unavailable; expected 200-299"),
    ("status 999", answer(status="999 Denied"), Cause.HTTP_STATUS, Phase.PROCESSING,
     "answered 999; expected 200-299"),
    ("status 101", loopback.raw(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"),
     Cause.HTTP_STATUS, Phase.PROCESSING, "answered 101 Switching Protocols; expected 200-299"),
    ("hung up", loopback.hang_up, Cause.CONNECT_RESET, Phase.PROCESSING,
     "hung up without an answer"),
    ("reset", loopback.reset, Cause.CONNECT_RESET, Phase.PROCESSING, "hung up without an answer"),
    ("hung up in headers", loopback.raw(OK, b"Content-Le"), Cause.CONNECT_RESET, Phase.PROCESSING,
     "hung up in the middle of its headers"),
    ("reset in headers", loopback.reset_after(OK, b"Content-Le"), Cause.CONNECT_RESET,
     Phase.PROCESSING, "hung up in the middle of its headers"),
    ("reset in body", loopback.reset_after(OK, b"Content-Length: 10\r\n\r\nabc"),
     Cause.BODY_INCOMPLETE, Phase.TRANSFER, "the body broke off after 3 of 10 bytes"),
    ("short body", loopback.raw(OK, b"Content-Length: 1000\r\n\r\nabc"), Cause.BODY_INCOMPLETE,
     Phase.TRANSFER, "the body broke off after 3 of 1,000 bytes"),
    ("short chunk", loopback.raw(OK, b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"),
     Cause.BODY_INCOMPLETE, Phase.TRANSFER, "the body broke off after 2 bytes"),
    ("no last chunk", loopback.raw(OK, b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"),
     Cause.BODY_INCOMPLETE, Phase.TRANSFER, "the body broke off after 2 bytes"),
    ("bad chunk", loopback.raw(OK, b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab"),
     Cause.PROTOCOL_ERROR, Phase.TRANSFER, "breaks the rules of HTTP"),
    ("two lengths", loopback.raw(OK, b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc"),
     Cause.PROTOCOL_ERROR, Phase.PROCESSING, "breaks the rules of HTTP"),
    ("NUL in a header", loopback.raw(OK, b"X: a\0b\r\nContent-Length: 2\r\n\r\nok"),
     Cause.PROTOCOL_ERROR, Phase.PROCESSING, "breaks the rules of HTTP"),
    ("HTTP/0.9", loopback.raw(b"hello"), Cause.PROTOCOL_ERROR, Phase.PROCESSING, "is not HTTP"),
    ("SSH", loopback.raw(b"SSH-2.0-OpenSSH_9.9\r\n"), Cause.PROTOCOL_ERROR, Phase.PROCESSING,
     "is not HTTP"),
    ("no number for a status", loopback.raw(b"HTTP/1.1 abc OK\r\n\r\n"), Cause.PROTOCOL_ERROR,
     Phase.PROCESSING, "is not HTTP"),
    ("a header of 150 KB", loopback.raw(OK, b"X: ", b"a" * 150_000, b"\r\n\r\n"),
     Cause.HEADERS_TOO_LARGE, Phase.PROCESSING, "larger than 100 KiB"),
    ("10,000 headers", loopback.raw(OK, b"X: abcdefghijklmn\r\n" * 10_000, CRLF),
     Cause.HEADERS_TOO_LARGE, Phase.PROCESSING, "larger than 100 KiB"),
    ("endless early hints", loopback.endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50),
     Cause.HEADERS_TOO_LARGE, Phase.PROCESSING, "larger than 100 KiB"),
    ("broken gzip", loopback.encoded(b"", data=b"\x1f\x8b\x08nonsense"), Cause.DECODE_ERROR,
     Phase.TRANSFER, "the body's gzip data is broken"),
    ("gzip cut short", loopback.encoded(b"", data=gzip.compress(os.urandom(500))[:200]),
     Cause.DECODE_ERROR, Phase.TRANSFER, "the body's gzip data ends too early"),
    ("not gzip at all", loopback.encoded(b"", data=b"hello"), Cause.DECODE_ERROR, Phase.TRANSFER,
     "the body's gzip data is broken"),
    ("two hundred codings", answer(b"x", headers={"Content-Encoding": "gzip, " * 199 + "gzip"}),
     Cause.DECODE_ERROR, Phase.TRANSFER, "encoded 200 times over"),
    ("a transfer coding not asked for",
     loopback.raw(OK, b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"),
     Cause.DECODE_ERROR, Phase.PROCESSING, "encoded in a way we did not ask for"),
    ("503 with a short body", loopback.raw(b"HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\nabc"),
     Cause.HTTP_STATUS, Phase.PROCESSING, "answered 503 Service Unavailable; expected 200-299"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("script", "cause", "phase", "says"),
    [row[1:] for row in BROKEN],
    ids=[row[0] for row in BROKEN],
)
async def test_a_broken_answer(
    prober: Prober, script: Script, cause: Cause, phase: Phase, says: str
) -> None:
    seen = await observe_script(prober, script)
    assert (seen.cause, seen.failed_phase) == (cause, phase)
    assert says in seen.message
    assert judge(seen, slow_after=timedelta(seconds=60)).verdict is Verdict.DOWN


async def test_evidence_of_a_bad_answer(prober: Prober) -> None:
    page = b"<title>Oops &amp; sorry\x07</title>\r\n<p>Database\x1b[31m gone</p>" + b"x" * 5000
    headers = {"Retry-After": "120", "X-Powered-By": "PHP/5.2\x08", "Set-Cookie": "a=secret"}
    seen = await observe_script(
        prober, answer(page, status="500 Internal Server Error", headers=headers)
    )
    assert seen.title == "Oops & sorry"
    assert seen.excerpt.startswith("<title>Oops &amp; sorry </title>\n<p>Database [31m gone</p>xxx")
    assert len(seen.excerpt) == 2000
    assert seen.headers["retry-after"] == "120"
    assert seen.headers["x-powered-by"] == "PHP/5.2"
    assert "set-cookie" not in seen.headers


async def test_a_refused_connection(prober: Prober) -> None:
    async with serving(answer()) as server:
        url = server.url()
    seen = await observe(prober, url)
    assert (seen.cause, seen.failed_phase) == (Cause.CONNECT_REFUSED, Phase.CONNECT)
    assert seen.message == f"127.0.0.1 port {server.port} refused the connection"


async def test_a_site_on_two_addresses_of_which_one_is_dead(prober: Prober) -> None:
    async with serving(answer()) as server:  # on IPv4 alone
        seen = await observe(prober, server.url(host="two.test"))
    assert (seen.cause, seen.remote_address) == (None, "127.0.0.1")


async def test_a_site_on_ipv6(prober: Prober) -> None:
    with socket.socket(socket.AF_INET6) as trial:
        try:
            trial.bind(("::1", 0))
        except OSError:
            pytest.skip("this host has no IPv6")
    async with serving(answer(), host="::1") as server:
        seen = await observe(prober, server.url())
        blocked = await observe(prober, server.url(), allow_networks=())
    assert (seen.cause, seen.remote_address) == (None, "::1")
    assert server.requests[0].headers["host"] == f"[::1]:{server.port}"
    assert (blocked.cause, server.connections) == (Cause.ADDRESS_BLOCKED, 1)


# Every phase ends at the one deadline.

ENDLESS: list[tuple[str, Script, Cause, Phase, str]] = [
    ("no answer", loopback.silent, Cause.RESPONSE_TIMEOUT, Phase.PROCESSING,
     "took the request and answered nothing within 0.4 s"),
    ("header drip", loopback.drip(OK, b"X: y\r\n"), Cause.RESPONSE_TIMEOUT, Phase.PROCESSING,
     "only part of its headers within 0.4 s"),
    ("drip of early hints", loopback.drip(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
     Cause.RESPONSE_TIMEOUT, Phase.PROCESSING, "only part of its headers within 0.4 s"),
    ("body drip", loopback.drip(OK + CRLF, b"x"), Cause.TRANSFER_TIMEOUT, Phase.TRANSFER,
     "the body was not complete after 0.4 s"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("script", "cause", "phase", "says"),
    [row[1:] for row in ENDLESS],
    ids=[row[0] for row in ENDLESS],
)
async def test_the_deadline_ends_it(
    prober: Prober, script: Script, cause: Cause, phase: Phase, says: str
) -> None:
    async with serving(script) as server:
        seen = await observe(prober, server.url(), **SOON)
        await server.closed.wait()  # the prober has let go of the connection
    assert (seen.cause, seen.failed_phase) == (cause, phase)
    assert says in seen.message


async def test_the_deadline_ends_a_handshake(prober: Prober) -> None:
    async with serving(loopback.mute) as server:
        seen = await observe(prober, server.url().replace("http:", "https:"), **SOON)
        await server.closed.wait()
    assert (seen.cause, seen.failed_phase) == (Cause.TLS_TIMEOUT, Phase.TLS)
    assert "the TLS handshake" in seen.message
    assert seen.phases.tls >= 0.3


async def test_the_deadline_ends_a_lookup_and_hanging_names_hold_up_nobody(
    authorities: Authorities,
) -> None:
    over = threading.Event()

    def hanging_lookup(host: str, _family: int) -> Sequence[str]:
        if host.startswith("hangs"):
            over.wait()
        return ["127.0.0.1"]

    prober = Prober(transport=CurlTransport(system_lookup=hanging_lookup))
    try:
        async with serving(answer()) as server:
            hanging = [
                asyncio.create_task(observe(prober, server.url(host=f"hangs{n}.test"), **SOON))
                for n in range(40)
            ]
            healthy = [await observe(prober, server.url(host=f"well{n}.test")) for n in range(5)]
            seen = await asyncio.gather(*hanging)
    finally:
        over.set()
        await prober.aclose()
    assert [each.cause for each in healthy] == [None] * 5
    assert {(each.cause, each.failed_phase) for each in seen} == {
        (Cause.DNS_TIMEOUT, Phase.RESOLVE)
    }


async def test_the_deadline_is_one_for_all_redirects(prober: Prober) -> None:
    counter = iter(range(1000))

    async def script(visit: loopback.Visit) -> None:
        await loopback.late(0.15, loopback.redirect(f"/{next(counter)}"))(visit)

    seen = await observe_script(prober, script, **SOON)
    assert seen.cause is Cause.RESPONSE_TIMEOUT
    assert 1 < len(seen.hops) < 5


# Bounds.


async def test_an_endless_body_is_cut_and_no_fault(prober: Prober) -> None:
    async with serving(loopback.endless(OK + CRLF, b"x" * 65536)) as server:
        seen = await observe(prober, server.url(), body_limit=200_000)
        await server.closed.wait()
    assert seen.cause is None
    assert (seen.body_bytes, seen.body_truncated) == (200_000, True)


async def test_a_body_of_exactly_the_limit_is_whole(prober: Prober) -> None:
    seen = await observe_script(prober, answer(b"x" * 1000), body_limit=1000)
    assert (seen.cause, seen.body_bytes, seen.body_truncated) == (None, 1000, False)


@pytest.fixture
def memory() -> Iterator[Callable[[], int]]:
    """Return a function that tells the peak of memory taken since the test began, in bytes."""
    gc.collect()
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


async def test_a_decompression_bomb_stays_small(prober: Prober, memory: Callable[[], int]) -> None:
    bomb = gzip.compress(bytes(64 * 1024 * 1024))
    async with serving(loopback.encoded(b"", data=bomb)) as server:
        tracemalloc.reset_peak()
        seen = await observe(prober, server.url())
        peak = memory()
    assert (seen.cause, seen.body_truncated) == (None, True)
    assert peak < 20 * 1024 * 1024


async def test_a_bomb_within_a_bomb_stays_small(prober: Prober, memory: Callable[[], int]) -> None:
    bomb = gzip.compress(gzip.compress(bytes(64 * 1024 * 1024)))
    script = answer(bomb, headers={"Content-Encoding": "gzip, gzip"})
    async with serving(script) as server:
        tracemalloc.reset_peak()
        seen = await observe(prober, server.url())
        peak = memory()
    assert (seen.cause, seen.body_truncated) == (None, True)
    assert peak < 20 * 1024 * 1024


# Keywords.


@pytest.mark.parametrize(
    ("script", "changes", "cause"),
    [
        (answer("<p>Grüße</p>".encode()), {"keyword": "Grüße"}, None),
        (
            answer(
                "<p>Grüße</p>".encode("latin-1"),
                headers={"Content-Type": "text/html; charset=ISO-8859-1"},
            ),
            {"keyword": "Grüße"},
            None,
        ),
        (
            answer(
                '<meta charset="windows-1251"><p>Привет</p>'.encode("cp1251"),
                headers={"Content-Type": "text/html"},
            ),
            {"keyword": "Привет"},
            None,
        ),
        (answer("Ω in two bytes each".encode("utf-16")), {"keyword": "Ω in"}, None),
        (loopback.encoded(b"all is well"), {"keyword": "is well"}, None),
        (answer(b"all is well"), {"keyword": "is Well"}, Cause.KEYWORD_MISSING),
        (answer(b"fatal error"), {"keyword_absent": "error"}, Cause.KEYWORD_PRESENT),
        (answer(b"all is well"), {"keyword_absent": "error"}, None),
        (loopback.encoded(b"", "br", data=b"xyz"), {"keyword": "x"}, Cause.DECODE_ERROR),
    ],
)
async def test_keywords(
    prober: Prober, script: Script, changes: dict[str, str], cause: Cause | None
) -> None:
    seen = await observe_script(prober, script, **changes)
    assert seen.cause is cause


async def test_a_missing_keyword_is_named(prober: Prober) -> None:
    seen = await observe_script(prober, answer(b"x" * 3000), keyword="cart", body_limit=1500)
    assert seen.message == "the first 1,500 bytes of the page lacks the words “cart”"


# Redirects.


async def test_redirects_are_followed_and_noted(prober: Prober) -> None:
    script = loopback.pages(
        {"/": loopback.redirect("/a"), "/a": loopback.redirect("b?q=1"), "/b": answer()}
    )
    async with serving(script) as server:
        seen = await observe(prober, server.url())
    assert seen.cause is None
    assert seen.hops == (server.url(), server.url("/a"), server.url("/b?q=1"))
    assert seen.final_url == server.url("/b?q=1")
    assert server.connections == 3


async def test_nobody_waits_for_the_body_of_a_redirect(prober: Prober) -> None:
    stuck = loopback.drip(b"HTTP/1.1 301 Moved\r\nLocation: /b\r\n\r\n", b"x")
    seen = await observe_script(prober, loopback.pages({"/": stuck, "/b": answer()}))
    assert (seen.cause, len(seen.hops)) == (None, 2)


async def test_a_redirect_that_is_expected_is_the_answer(prober: Prober) -> None:
    seen = await observe_script(
        prober, loopback.redirect("/elsewhere"), expect_status=((302, 302),)
    )
    assert (seen.cause, seen.http_status, len(seen.hops)) == (None, 302, 1)


async def test_ten_redirects_are_followed_and_no_more(prober: Prober) -> None:
    def chain(length: int) -> Script:
        steps = {f"/{n}": loopback.redirect(f"/{n + 1}") for n in range(length)}
        return loopback.pages(steps | {f"/{length}": answer()})

    async with serving(chain(10)) as server:
        ten = await observe(prober, server.url("/0"))
    async with serving(chain(11)) as server:
        eleven = await observe(prober, server.url("/0"))
    assert (ten.cause, len(ten.hops)) == (None, 11)
    assert (eleven.cause, len(eleven.hops)) == (Cause.REDIRECT_LOOP, 11)
    assert eleven.message == "the site redirects more than 10 times"


async def test_a_circle_is_found_at_once(prober: Prober) -> None:
    script = loopback.pages({"/": loopback.redirect("/a"), "/a": loopback.redirect("/#top")})
    async with serving(script) as server:
        seen = await observe(prober, server.url())
    assert (seen.cause, server.connections) == (Cause.REDIRECT_LOOP, 2)
    assert seen.message == f"the site redirects in a circle, back to {server.url()}"


@pytest.mark.parametrize(
    "where",
    ["", "ftp://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1:70/", "javascript:alert(1)",
     "http://", "https://user:pass@127.0.0.1/", "http://127.0.0.1:99999/", "http://[::1/",
     "data:text/html,hello", "//user@127.0.0.1/", "http://127.0.0.1:0/"],
)  # fmt: skip
async def test_a_redirect_that_cannot_be_followed(prober: Prober, where: str) -> None:
    async with serving(loopback.redirect(where)) as server:
        seen = await observe(prober, server.url())
    assert (seen.cause, seen.failed_phase) == (Cause.REDIRECT_INVALID, Phase.PROCESSING)
    assert server.connections == 1


async def test_cookies_are_carried_within_one_probe_only(prober: Prober) -> None:
    async def script(visit: loopback.Visit) -> None:
        asked = await visit.asked()
        if "seen=yes" in asked.headers.get("cookie", ""):
            await visit.send(OK, b"Content-Length: 2\r\n\r\nok")
        else:
            await visit.send(b"HTTP/1.1 302 Found\r\nLocation: /\r\nSet-Cookie: seen=yes\r\n\r\n")

    async with serving(script) as server:
        first = await observe(prober, server.url(), headers={"Cookie": "own=1"})
        second = await observe(prober, server.url())
    assert (first.cause, second.cause) == (None, None)
    cookies = [asked.headers.get("cookie") for asked in server.requests]
    assert cookies == ["own=1", "own=1; seen=yes", None, "seen=yes"]


async def test_credentials_stay_with_their_origin(prober: Prober) -> None:
    async with serving(answer()) as elsewhere:
        script = loopback.pages(
            {
                "/": loopback.redirect("/same"),
                "/same": loopback.redirect(elsewhere.url(), headers={"Set-Cookie": "a=1; Path=/"}),
            }
        )
        async with serving(script) as server:
            seen = await observe(
                prober,
                server.url(host="site.test"),
                headers={"X-Token": "abc", "Cookie": "b=2"},
                basic_auth=BasicAuth("anna", "s3cret"),
            )
    assert seen.cause is None
    assert [asked.headers["x-token"] for asked in server.requests] == ["abc", "abc"]
    assert all("authorization" in asked.headers for asked in server.requests)
    (abroad,) = elsewhere.requests
    assert set(abroad.headers) == {
        "host", "user-agent", "accept", "accept-encoding", "connection"
    }  # fmt: skip


# TLS.

BAD_CERTIFICATES: list[tuple[str, dict[str, Any], Cause, str]] = [
    ("expired", {"valid": (timedelta(days=-90), timedelta(days=-2))}, Cause.TLS_EXPIRED,
     "the certificate expired on "),
    ("not valid yet", {"valid": (timedelta(days=2), timedelta(days=90))}, Cause.TLS_EXPIRED,
     "the certificate is not valid yet"),
    ("untrusted", {"is_trusted": False}, Cause.TLS_UNTRUSTED, "leads to no trusted authority"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "cause", "says"),
    [row[1:] for row in BAD_CERTIFICATES],
    ids=[row[0] for row in BAD_CERTIFICATES],
)
async def test_a_bad_certificate(
    prober: Prober, authorities: Authorities, changes: dict[str, Any], cause: Cause, says: str
) -> None:
    async with serving(answer(), tls=authorities.tls("site.test", **changes)) as server:
        seen = await observe(
            prober, server.url(host="site.test"), basic_auth=BasicAuth("anna", "s3cret")
        )
    assert (seen.cause, seen.failed_phase) == (cause, Phase.TLS)
    assert says in seen.message
    assert server.requests == []  # nothing was sent, least of all the credentials
    assert seen.certificate is not None
    assert not seen.certificate.verified
    assert seen.certificate.names == ("site.test",)
    assert seen.certificate.issuer


async def test_a_certificate_for_another_name(prober: Prober, authorities: Authorities) -> None:
    async with serving(answer(), tls=authorities.tls("shop.test", "www.shop.test")) as server:
        seen = await observe(prober, server.url(host="site.test"))
        by_address = await observe(prober, server.url())
    assert (seen.cause, seen.failed_phase) == (Cause.TLS_NAME, Phase.TLS)
    assert seen.message == ("the certificate is for shop.test, www.shop.test, not for site.test")
    assert seen.certificate is not None
    assert not seen.certificate.verified
    assert by_address.cause is Cause.TLS_NAME
    assert server.requests == []


async def test_a_port_that_does_not_speak_tls(prober: Prober) -> None:
    async with serving(loopback.raw(OK, CRLF)) as server:

        async def plain(visit: loopback.Visit) -> None:
            await visit.reader.read(100)
            await visit.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await visit.until_closed()

    async with serving(plain) as server:
        seen = await observe(prober, server.url().replace("http:", "https:"))
    assert (seen.cause, seen.failed_phase) == (Cause.TLS_HANDSHAKE, Phase.TLS)
    assert seen.message == f"127.0.0.1 port {server.port} does not speak TLS"


@pytest.mark.parametrize("is_reset", [False, True], ids=["politely", "by a reset"])
async def test_a_server_that_hangs_up_in_the_handshake(prober: Prober, is_reset: bool) -> None:
    async def script(visit: loopback.Visit) -> None:
        await visit.reader.read(65536)
        if is_reset:
            visit.reset()

    async with serving(script) as server:
        seen = await observe(prober, server.url().replace("http:", "https:"))
    assert (seen.cause, seen.failed_phase) == (Cause.TLS_HANDSHAKE, Phase.TLS)
    assert "hung up during the TLS handshake" in seen.message


async def test_the_wrong_scheme_for_a_tls_port(prober: Prober, authorities: Authorities) -> None:
    async with serving(answer(), tls=authorities.tls()) as server:
        seen = await observe(prober, server.url().replace("https:", "http:"))
    assert seen.cause in {Cause.CONNECT_RESET, Cause.PROTOCOL_ERROR}


# Ourselves.


async def test_no_descriptors_left_is_our_own_fault(prober: Prober) -> None:
    async with serving(answer()) as server:
        await observe(prober, server.url())
        with loopback.no_descriptors():
            seen = await observe(prober, server.url())
        after = await observe(prober, server.url())
    assert seen.cause is Cause.OWN_RESOURCES
    assert judge(seen, slow_after=timedelta(seconds=60)).verdict is Verdict.UNKNOWN
    assert after.cause is None


@pytest.mark.parametrize("left", range(6))
async def test_with_few_descriptors_left_no_site_gets_the_blame(
    authorities: Authorities, left: int
) -> None:
    prober = Prober(transport=CurlTransport(ca_bundle=authorities.file))
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:  # accepts, in its own queue
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
            await observe(prober, url, timeout=timedelta(seconds=0.05))
            with loopback.no_descriptors(but=left):
                seen = await asyncio.gather(
                    *(observe(prober, url, timeout=timedelta(seconds=0.3)) for _ in range(12))
                )
    finally:
        await prober.aclose()
    causes = {each.cause for each in seen}
    assert Cause.OWN_RESOURCES in causes
    assert causes <= {Cause.OWN_RESOURCES, Cause.RESPONSE_TIMEOUT}


async def test_a_loop_that_stood_still_takes_the_blame(authorities: Authorities) -> None:
    stood_still = 6.0
    prober = Prober(loop_lag=lambda _since: stood_still)
    try:
        async with serving(answer(status="503 Busy")) as server:
            down = await observe(prober, server.url())
        async with serving(answer()) as server:
            up = await observe(prober, server.url())
            slow = await observe(prober, server.url(), slow_after=timedelta(0))
            stood_still = 0.4
            really = await observe(prober, server.url(), slow_after=timedelta(0))
    finally:
        await prober.aclose()
    assert down.cause is Cause.OWN_STALL
    assert down.message == "the prober itself stood still for 6.0 s during this probe"
    assert up.cause is None
    assert slow.cause is Cause.OWN_STALL
    assert judge(really, slow_after=timedelta(0)).verdict is Verdict.SLOW


async def test_canaries_are_asked_the_way_that_probes_go(prober: Prober) -> None:
    async with serving(answer()) as server:
        dead = server.url()
    site = await observe(prober, dead)
    async with serving(answer(status="404 Not Found")) as canary:
        well = Canaries([dead, canary.url()], reach=prober.reach, allow_networks=LOOPBACK)
        assert await well.excuse(site) == site
        blocked = Canaries([canary.url()], reach=prober.reach)
        assert (await blocked.excuse(site)).cause is Cause.OWN_NETWORK
    assert [asked.method for asked in canary.requests] == ["HEAD"]
    alone = Canaries([dead], reach=prober.reach, allow_networks=LOOPBACK)
    excused = await alone.excuse(site)
    assert (site.cause, excused.cause) == (Cause.CONNECT_REFUSED, Cause.OWN_NETWORK)
    assert judge(excused, slow_after=timedelta(seconds=60)).verdict is Verdict.UNKNOWN


async def test_proxies_and_netrc_of_the_environment_are_not_heeded(
    prober: Prober, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login anna password s3cret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    async with serving(answer()) as server:
        seen = await observe(prober, server.url())
    assert seen.cause is None
    assert "authorization" not in server.requests[0].headers


async def test_cancelling_a_probe_closes_its_connection(prober: Prober) -> None:
    asked = asyncio.Event()

    async def script(visit: loopback.Visit) -> None:
        await visit.asked()
        asked.set()
        await visit.until_closed()

    async with serving(script) as server:
        for _ in range(3):
            task = asyncio.create_task(observe(prober, server.url()))
            await asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.closed.wait()
            asked.clear()
            server.closed.clear()
    again = await observe_script(prober, answer())
    assert (again.cause, again.title) == (None, "Welcome")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://127.0.0.1/", "begins with ftp:"),
        ("127.0.0.1", "begins with no scheme"),
        ("http://", "names no host"),
        ("http://anna:s3cret@127.0.0.1/", "holds a user name"),
        ("http://127.0.0.1:0/", "port 0"),
        ("http://127.0.0.1/a\tb", "a control character"),
        ("http://" + "a" * 70 + "\N{LATIN SMALL LETTER SHARP S}.test/", "URL"),
    ],
)
async def test_a_url_that_is_none(prober: Prober, url: str, says: str) -> None:
    seen = await observe(prober, url)
    assert seen.cause is Cause.PROTOCOL_ERROR
    assert says in seen.message
    assert "s3cret" not in seen.message


# Addresses.

SPELLINGS = [
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "017700000001",
    "0177.0.0.1", "127.0.0.1.", "127.1.2.3", "0", "0.0.0.0", "localhost", "LOCALHOST",
    "localhost.", "[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[2001:0:1::1]", "169.254.169.254",
    "10.0.0.1", "100.64.0.1", "172.16.0.1", "192.168.1.1", "168.63.129.16", "[fd00:ec2::254]",
    "[fe80::1]", "[fec0::1]", "224.0.0.1", "255.255.255.255", "192.0.2.1", "[2001:db8::1]",
    "[3fff::1]", "inside.test", "％31２７.０.０.１", "１２７.０.０.１", "①②⑦.⓪.⓪.①",
]  # fmt: skip


@pytest.fixture(scope="module")
def guarded_names() -> Iterator[None]:
    NAMES.update({"localhost": ["127.0.0.1", "::1"], "localhost.": ["127.0.0.1"]})
    yield
    del NAMES["localhost"], NAMES["localhost."]


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_no_spelling_of_an_inner_address_is_connected_to(
    prober: Prober, guarded_names: None, spelling: str
) -> None:
    async with serving(answer()) as canary:
        url = f"http://{spelling}:{canary.port}/"
        seen = await observe(prober, url, allow_networks=())
        assert canary.connections == 0
        assert seen.cause in {Cause.ADDRESS_BLOCKED, Cause.PROTOCOL_ERROR, Cause.DNS_FAILURE}
        async with serving(loopback.redirect(url), host="127.0.0.2") as outside:
            allowed = (ip_network("127.0.0.2/32"),)
            seen = await observe(prober, outside.url(), allow_networks=allowed)
        assert (outside.connections, canary.connections) == (1, 0)
    assert seen.cause in {Cause.ADDRESS_BLOCKED, Cause.REDIRECT_INVALID, Cause.DNS_FAILURE}


async def test_a_blocked_address_is_named(prober: Prober) -> None:
    seen = await observe(prober, "http://inside.test/", allow_networks=())
    assert (seen.cause, seen.failed_phase) == (Cause.ADDRESS_BLOCKED, Phase.CONNECT)
    assert seen.message == (
        "inside.test may not be probed: 127.0.0.1 is loopback, and in no allowed network"
    )
    assert seen.remote_address is None


async def test_an_answer_that_changes_from_lookup_to_lookup_opens_no_way_in() -> None:
    answers = iter(["127.0.0.2", "127.0.0.1"] * 10)
    prober = Prober(transport=CurlTransport(system_lookup=lambda _host, _family: [next(answers)]))
    try:
        async with (
            serving(answer()) as canary,
            serving(answer(), host="127.0.0.2", port=canary.port) as outside,
        ):
            url, allowed = canary.url(host="rebinds.test"), (ip_network("127.0.0.2/32"),)
            seen = [await observe(prober, url, allow_networks=allowed) for _ in range(20)]
    finally:
        await prober.aclose()
    assert [each.cause for each in seen] == [None, Cause.ADDRESS_BLOCKED] * 10
    assert (outside.connections, canary.connections) == (10, 0)


# Nothing is left behind.


async def test_a_closed_prober_leaves_nothing_behind(authorities: Authorities) -> None:
    def descriptors() -> set[str]:
        return set(os.listdir("/proc/self/fd"))

    scripts = [answer(), loopback.hang_up, loopback.reset, loopback.redirect("/"), loopback.silent]
    before, tasks = len(descriptors()), asyncio.all_tasks()
    prober = Prober(transport=CurlTransport(ca_bundle=authorities.file))
    for script in scripts:
        async with (
            serving(script) as server,
            serving(script, tls=authorities.tls()) as secure,
        ):
            await asyncio.gather(
                *(observe(prober, each.url(), **SOON) for each in (server, secure) * 5)
            )
    unfinished = asyncio.create_task(observe(prober, "http://127.0.0.1:1/"))
    await asyncio.sleep(0)
    await prober.aclose()
    with pytest.raises(asyncio.CancelledError):
        await unfinished
    await asyncio.sleep(0.1)  # connections of the servers' end are still closing
    assert asyncio.all_tasks() == tasks
    assert len(descriptors()) <= before
