"""Answers that are none: what each fault is called, in which phase, plain and over TLS."""

from __future__ import annotations

import asyncio
import gzip
import os
import random
import zlib

import pytest

from monitor.prober import Prober
from monitor.rules.observation import Cause, Phase
from tests import loopback
from tests.loopback import CRLF, OK, Authorities, Script, answer, serving
from tests.probing import SOON, Told, cases, down, observe, observe_script

CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"

BROKEN: dict[str, tuple[Script, Told]] = {
    "503": (
        answer(b"busy", status="503 Service Unavailable"),
        down(
            Cause.HTTP_STATUS,
            Phase.PROCESSING,
            "answered 503 Service Unavailable; expected 200-299",
        ),
    ),
    "status 999": (
        answer(status="999 Denied"),
        down(Cause.HTTP_STATUS, Phase.PROCESSING, "answered 999; expected 200-299"),
    ),
    "status 101": (
        loopback.raw(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"),
        down(
            Cause.HTTP_STATUS,
            Phase.PROCESSING,
            "answered 101 Switching Protocols; expected 200-299",
        ),
    ),
    "hung up": (
        loopback.hang_up,
        down(Cause.CONNECT_RESET, Phase.PROCESSING, "hung up without an answer"),
    ),
    "reset": (
        loopback.reset,
        down(Cause.CONNECT_RESET, Phase.PROCESSING, "hung up without an answer"),
    ),
    "hung up in headers": (
        loopback.raw(OK, b"Content-Le"),
        down(Cause.CONNECT_RESET, Phase.PROCESSING, "hung up in the middle of its headers"),
    ),
    "reset in headers": (
        loopback.reset_after(OK, b"Content-Le"),
        down(Cause.CONNECT_RESET, Phase.PROCESSING, "hung up in the middle of its headers"),
    ),
    "reset in body": (
        loopback.reset_after(OK, b"Content-Length: 10\r\n\r\nabc"),
        down(Cause.BODY_INCOMPLETE, Phase.TRANSFER, "the body broke off after 3 of 10 bytes"),
    ),
    "short body": (
        loopback.raw(OK, b"Content-Length: 1000\r\n\r\nabc"),
        down(Cause.BODY_INCOMPLETE, Phase.TRANSFER, "the body broke off after 3 of 1,000 bytes"),
    ),
    "short chunk": (
        loopback.raw(OK, b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"),
        down(Cause.BODY_INCOMPLETE, Phase.TRANSFER, "the body broke off after 2 bytes"),
    ),
    "no last chunk": (
        loopback.raw(OK, b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"),
        down(Cause.BODY_INCOMPLETE, Phase.TRANSFER, "the body broke off after 2 bytes"),
    ),
    "bad chunk": (
        loopback.raw(OK, b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab"),
        down(Cause.PROTOCOL_ERROR, Phase.TRANSFER, "breaks the rules of HTTP"),
    ),
    "two lengths": (
        loopback.raw(OK, b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc"),
        down(Cause.PROTOCOL_ERROR, Phase.PROCESSING, "breaks the rules of HTTP"),
    ),
    "NUL in a header": (
        loopback.raw(OK, b"X: a\0b\r\nContent-Length: 2\r\n\r\nok"),
        down(Cause.PROTOCOL_ERROR, Phase.PROCESSING, "breaks the rules of HTTP"),
    ),
    "HTTP/0.9": (
        loopback.raw(b"hello"),
        down(Cause.PROTOCOL_ERROR, Phase.PROCESSING, "is not HTTP"),
    ),
    "SSH": (
        loopback.raw(b"SSH-2.0-OpenSSH_9.9\r\n"),
        down(Cause.PROTOCOL_ERROR, Phase.PROCESSING, "is not HTTP"),
    ),
    "no number for a status": (
        loopback.raw(b"HTTP/1.1 abc OK\r\n\r\n"),
        down(Cause.PROTOCOL_ERROR, Phase.PROCESSING, "is not HTTP"),
    ),
    "a header of 150 KB": (
        loopback.raw(OK, b"X: ", b"a" * 150_000, b"\r\n\r\n"),
        down(Cause.HEADERS_TOO_LARGE, Phase.PROCESSING, "larger than 100 KiB"),
    ),
    "10,000 headers": (
        loopback.raw(OK, b"X: abcdefghijklmn\r\n" * 10_000, CRLF),
        down(Cause.HEADERS_TOO_LARGE, Phase.PROCESSING, "larger than 100 KiB"),
    ),
    "endless early hints": (
        loopback.endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50),
        down(Cause.HEADERS_TOO_LARGE, Phase.PROCESSING, "larger than 100 KiB"),
    ),
    "broken gzip": (
        loopback.encoded(b"", data=b"\x1f\x8b\x08nonsense"),
        down(Cause.DECODE_ERROR, Phase.TRANSFER, "the body's gzip data is broken"),
    ),
    "gzip cut short": (
        loopback.encoded(b"", data=gzip.compress(os.urandom(500))[:200]),
        down(Cause.DECODE_ERROR, Phase.TRANSFER, "the body's gzip data ends too early"),
    ),
    "not gzip at all": (
        loopback.encoded(b"", data=b"hello"),
        down(Cause.DECODE_ERROR, Phase.TRANSFER, "the body's gzip data is broken"),
    ),
    "two hundred codings": (
        answer(b"x", headers={"Content-Encoding": "gzip, " * 199 + "gzip"}),
        down(Cause.DECODE_ERROR, Phase.TRANSFER, "encoded 200 times over"),
    ),
    "a transfer coding not asked for": (
        loopback.raw(OK, b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n"),
        down(Cause.DECODE_ERROR, Phase.PROCESSING, "encoded in a way we did not ask for"),
    ),
    "503 with a short body": (
        loopback.raw(b"HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\nabc"),
        down(
            Cause.HTTP_STATUS,
            Phase.PROCESSING,
            "answered 503 Service Unavailable; expected 200-299",
        ),
    ),
    "nothing, and a reset": (
        loopback.reset_after(),
        down(Cause.CONNECT_RESET, Phase.PROCESSING, "hung up without an answer"),
    ),
    "reset after early hints": (
        loopback.reset_after(HINTS),
        down(Cause.CONNECT_RESET, Phase.PROCESSING, "hung up in the middle of its headers"),
    ),
    "early hints and no answer": (
        loopback.raw(HINTS),
        down(Cause.CONNECT_RESET, Phase.PROCESSING, "hung up in the middle of its headers"),
    ),
    "reset in a chunk": (
        loopback.reset_after(OK, CHUNKED, b"5\r\nab"),
        down(Cause.BODY_INCOMPLETE, Phase.TRANSFER, "the body broke off after 2 bytes"),
    ),
    "reset in a body without length": (
        loopback.reset_after(OK, CRLF, b"abc"),
        down(Cause.BODY_INCOMPLETE, Phase.TRANSFER, "the body broke off after 3 bytes"),
    ),
    "a chunk longer than its size": (
        loopback.raw(OK, CHUNKED, b"2\r\nabcdef\r\n0\r\n\r\n"),
        down(Cause.PROTOCOL_ERROR, Phase.TRANSFER, "breaks the rules of HTTP"),
    ),
    "a chunk of negative size": (
        loopback.raw(OK, CHUNKED, b"-2\r\nab\r\n0\r\n\r\n"),
        down(Cause.PROTOCOL_ERROR, Phase.TRANSFER, "breaks the rules of HTTP"),
    ),
    "a chunk size of a hundred digits": (
        loopback.raw(OK, CHUNKED, b"f" * 100 + b"\r\nab"),
        down(Cause.PROTOCOL_ERROR, Phase.TRANSFER, "breaks the rules of HTTP"),
    ),
    "a negative length": (
        loopback.raw(OK, b"Content-Length: -5\r\n\r\nab"),
        down(Cause.PROTOCOL_ERROR, Phase.PROCESSING, "breaks the rules of HTTP"),
    ),
    "a length that is no number": (
        loopback.raw(OK, b"Content-Length: many\r\n\r\nab"),
        down(Cause.PROTOCOL_ERROR, Phase.PROCESSING, "breaks the rules of HTTP"),
    ),
    "NUL in the status line": (
        loopback.raw(b"HTTP/1.1 200 O\0K\r\nContent-Length: 2\r\n\r\nok"),
        down(Cause.PROTOCOL_ERROR, Phase.PROCESSING, "breaks the rules of HTTP"),
    ),
    "a header without a colon": (
        loopback.raw(OK, b"no colon here\r\nContent-Length: 2\r\n\r\nok"),
        down(Cause.PROTOCOL_ERROR, Phase.PROCESSING, "breaks the rules of HTTP"),
    ),
    "a greeting by mail": (
        loopback.raw(b"220 mx.site.test ESMTP\r\n"),
        down(Cause.PROTOCOL_ERROR, Phase.PROCESSING, "is not HTTP"),
    ),
    "noise": (
        loopback.raw(random.Random(7).randbytes(4096)),
        down(Cause.PROTOCOL_ERROR, Phase.PROCESSING, "is not HTTP"),
    ),
    "nothing but line ends": (
        loopback.raw(CRLF * 20),
        down(Cause.PROTOCOL_ERROR, Phase.PROCESSING, "is not HTTP"),
    ),
    "HTTP of the future": (
        loopback.raw(b"HTTP/7.3 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        down(Cause.PROTOCOL_ERROR, Phase.PROCESSING, "is not HTTP"),
    ),
    "a status of four digits": (
        loopback.raw(b"HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok"),
        down(Cause.PROTOCOL_ERROR, Phase.PROCESSING, "is not HTTP"),
    ),
    "a status of five thousand digits": (
        loopback.raw(b"HTTP/1.1 " + b"2" * 5000 + b" OK\r\n\r\nok"),
        down(Cause.PROTOCOL_ERROR, Phase.PROCESSING, "is not HTTP"),
    ),
    "a status line of 150 KB": (
        loopback.raw(b"HTTP/1.1 200 ", b"a" * 150_000, CRLF, CRLF),
        down(Cause.HEADERS_TOO_LARGE, Phase.PROCESSING, "larger than 100 KiB"),
    ),
    "an endless header": (
        loopback.endless(OK + b"X: ", b"a" * 65536),
        down(Cause.HEADERS_TOO_LARGE, Phase.PROCESSING, "larger than 100 KiB"),
    ),
    "headers without end": (
        loopback.endless(OK, b"X: abcdefghijklmn\r\n" * 4000),
        down(Cause.HEADERS_TOO_LARGE, Phase.PROCESSING, "larger than 100 KiB"),
    ),
    "trailers without end": (
        loopback.endless(OK + CHUNKED + b"2\r\nok\r\n0\r\n", b"X: abcdefghijklmn\r\n" * 4000),
        down(Cause.HEADERS_TOO_LARGE, Phase.TRANSFER, "larger than 100 KiB"),
    ),
    "broken deflate": (
        loopback.encoded(b"", "deflate", data=b"\xff\xff\xffnonsense"),
        down(Cause.DECODE_ERROR, Phase.TRANSFER, "the body's deflate data is broken"),
    ),
    "deflate cut short": (
        loopback.encoded(b"", "deflate", data=zlib.compress(os.urandom(500))[:200]),
        down(Cause.DECODE_ERROR, Phase.TRANSFER, "the body's deflate data ends too early"),
    ),
    "gzip with a wrong sum": (
        loopback.encoded(b"", data=gzip.compress(b"ok")[:-8] + b"\0" * 8),
        down(Cause.DECODE_ERROR, Phase.TRANSFER, "the body's gzip data is broken"),
    ),
    "401 that asks for a password": (
        answer(status="401 Unauthorized", headers={"WWW-Authenticate": 'Basic realm="staff"'}),
        down(Cause.HTTP_STATUS, Phase.PROCESSING, "answered 401 Unauthorized"),
    ),
    "429 with the time to wait": (
        answer(status="429 Too Many Requests", headers={"Retry-After": "120"}),
        down(Cause.HTTP_STATUS, Phase.PROCESSING, "answered 429 Too Many Requests"),
    ),
    "304 that nobody asked for": (
        loopback.raw(b"HTTP/1.1 304 Not Modified\r\n\r\n"),
        down(Cause.HTTP_STATUS, Phase.PROCESSING, "answered 304 Not Modified"),
    ),
    "500 with a broken coding": (
        answer(b"x", status="500 Oops", headers={"Content-Encoding": "gzip"}),
        down(Cause.HTTP_STATUS, Phase.PROCESSING, "answered 500 Internal Server Error"),
    ),
}


@pytest.mark.parametrize("is_secure", [False, True], ids=["plain", "tls"])
@cases(BROKEN, "script told")
async def test_a_broken_answer(
    prober: Prober, authorities: Authorities, script: Script, told: Told, is_secure: bool
) -> None:
    async with serving(script, tls=authorities.tls() if is_secure else None) as server:
        told.check(await observe(prober, server.url()))


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


ENDLESS: dict[str, tuple[Script, Told]] = {
    "no answer": (
        loopback.silent,
        down(
            Cause.RESPONSE_TIMEOUT,
            Phase.PROCESSING,
            "took the request and answered nothing within 0.4 s",
        ),
    ),
    "header drip": (
        loopback.drip(OK, b"X: y\r\n"),
        down(Cause.RESPONSE_TIMEOUT, Phase.PROCESSING, "only part of its headers within 0.4 s"),
    ),
    "drip of early hints": (
        loopback.drip(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        down(Cause.RESPONSE_TIMEOUT, Phase.PROCESSING, "only part of its headers within 0.4 s"),
    ),
    "body drip": (
        loopback.drip(OK + CRLF, b"x"),
        down(Cause.TRANSFER_TIMEOUT, Phase.TRANSFER, "the body was not complete after 0.4 s"),
    ),
    "drip of a status line": (
        loopback.drip(b"HTTP/1.1 200 ", b"O"),
        down(Cause.RESPONSE_TIMEOUT, Phase.PROCESSING, "within 0.4 s"),
    ),
    "chunk drip": (
        loopback.drip(OK + CHUNKED, b"1\r\nx\r\n"),
        down(Cause.TRANSFER_TIMEOUT, Phase.TRANSFER, "the body was not complete after 0.4 s"),
    ),
    "drip of trailers": (
        loopback.drip(OK + CHUNKED + b"0\r\n", b"X: y\r\n"),
        down(Cause.TRANSFER_TIMEOUT, Phase.TRANSFER, "the body was not complete after 0.4 s"),
    ),
    "a body that stops": (
        loopback.stop_after(OK, b"Content-Length: 10\r\n\r\nabc"),
        down(Cause.TRANSFER_TIMEOUT, Phase.TRANSFER, "after 0.4 s: 3 bytes came"),
    ),
    "a body that never begins": (
        loopback.stop_after(OK, b"Content-Length: 10\r\n\r\n"),
        down(Cause.TRANSFER_TIMEOUT, Phase.TRANSFER, "after 0.4 s: 0 bytes came"),
    ),
    "100 Continue and no more": (
        loopback.stop_after(b"HTTP/1.1 100 Continue\r\n\r\n"),
        down(Cause.RESPONSE_TIMEOUT, Phase.PROCESSING, "only part of its headers within 0.4 s"),
    ),
    "503 whose page drips": (
        loopback.drip(b"HTTP/1.1 503 Busy\r\n\r\n", b"x"),
        down(Cause.HTTP_STATUS, Phase.PROCESSING, "answered 503 Service Unavailable"),
    ),
}


@cases(ENDLESS, "script told")
async def test_the_deadline_ends_it(
    prober: Prober, authorities: Authorities, script: Script, told: Told
) -> None:
    async with serving(script) as plain, serving(script, tls=authorities.tls()) as secure:
        seen = await asyncio.gather(
            *(observe(prober, each.url(), **SOON) for each in (plain, secure))
        )
        await asyncio.gather(plain.closed.wait(), secure.closed.wait())  # nothing is held on to
    for each in seen:
        told.check(each)
