"""What a good answer is told as, and which oddities of real servers are none of our business."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from pathlib import Path

import pytest

from monitor.prober import Prober
from monitor.rules.site import BasicAuth
from tests import loopback
from tests.loopback import CRLF, OK, Authorities, Script, answer, serving
from tests.probing import (
    STARTED_AT,
    UP,
    observe,
)


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
    "100 Continue unasked": loopback.raw(
        b"HTTP/1.1 100 Continue\r\n\r\n", OK, b"Content-Length: 2\r\n\r\nok"
    ),
    "a reason in raw UTF-8": loopback.raw(
        "HTTP/1.1 200 Schön\r\nContent-Length: 2\r\n\r\nok".encode()
    ),
    "headers without values": loopback.raw(OK, b"X-Empty:\r\nContent-Length: 2\r\n\r\nok"),
    "a length beyond all numbers": loopback.raw(
        OK, b"Content-Length: " + b"9" * 400 + b"\r\n\r\nok"
    ),
    "a length that Python refuses to read": loopback.raw(
        OK, b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nok"
    ),
    "binary": loopback.answer(
        bytes(range(256)) * 40, headers={"Content-Type": "application/octet-stream"}
    ),
    "a charset that does not exist": loopback.answer(
        b"ok", headers={"Content-Type": "text/html; charset=klingon-8"}
    ),
    "a hundred cookies": loopback.answer(
        b"ok", headers={f"Set-Cookie: n{n}=1; Path=/\r\nX-{n}": "" for n in range(100)}
    ),
    "empty and gzip": loopback.answer(b"", headers={"Content-Encoding": "gzip"}),
    "gzip": loopback.encoded(b"ok"),
    "gzip, then padding": loopback.encoded(b"", data=gzip.compress(b"ok") + b"\0\0\0"),
    "gzip in two pieces": loopback.encoded(b"", data=gzip.compress(b"o") + gzip.compress(b"k")),
    "deflate": loopback.encoded(b"ok", "deflate"),
    "raw deflate": loopback.encoded(b"", "deflate", data=zlib.compress(b"ok", wbits=-15)),
    "a coding not asked for": loopback.encoded(b"", "br", data=b"\x8b\x00\x80ok\x03"),
}


@pytest.mark.parametrize("is_secure", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("script", GOOD_ODDITIES.values(), ids=GOOD_ODDITIES)
async def test_what_browsers_accept_is_accepted(
    prober: Prober, authorities: Authorities, script: Script, is_secure: bool
) -> None:
    async with serving(script, tls=authorities.tls() if is_secure else None) as server:
        seen = await observe(prober, server.url())
    UP.check(seen)
    assert seen.message == ""
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
