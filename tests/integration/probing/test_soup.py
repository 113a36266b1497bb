"""Whatever bytes a server sends, a probe ends in an observation that can be told and stored."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.probe_report import probe_report
from monitor.prober import Prober
from monitor.rules.observation import Cause, Observation
from monitor.rules.verdict import judge
from tests import loopback
from tests.loopback import serving
from tests.probing import observe

NAMES = [
    b"Content-Length", b"Transfer-Encoding", b"Content-Encoding", b"Content-Type", b"Location",
    b"Set-Cookie", b"Connection", b"Server", b"Retry-After", b"X",
]  # fmt: skip
VALUES = [
    b"0", b"2", b"-1", b"99999999999999999999", b"9" * 4500, b"gzip", b"deflate, gzip", b"chunked",
    b"text/html; charset=utf-16", b"text/html; charset=idna", b"text/html; charset=\"", b"/",
    b"//", b"http://[::1", b"https://127.0.0.1:1/", b"a=b; Domain=test; Max-Age=1e9", b"close", b"",
]  # fmt: skip
STARTS = [
    b"HTTP/1.1 200 OK", b"HTTP/1.0 404", b"HTTP/1.1 302 Found", b"HTTP/1.1 100 Continue",
    b"HTTP/2 200", b"HTTP/1.1 999 \xff", b"ICY 200 OK", b"",
]  # fmt: skip
BODIES = [b"<title>ok", b"\x1f\x8b\x08\x00", b"2\r\nok\r\n0\r\n\r\n", b"\xff\xfe<\x00", b"\x00" * 9]

words = st.one_of(st.sampled_from(VALUES), st.binary(max_size=30))
headers = st.lists(
    st.tuples(st.one_of(st.sampled_from(NAMES), st.binary(max_size=10)), words), max_size=6
)
ends = st.sampled_from([b"\r\n", b"\n", b"\r", b"\r\n "])


@st.composite
def soups(draw: st.DrawFn) -> bytes:
    """Return an answer that is nearly one, or not at all."""
    if draw(st.integers(0, 4)) == 0:
        return draw(st.binary(max_size=200))
    end = draw(ends)
    lines = [draw(st.sampled_from(STARTS)), *(b": ".join(each) for each in draw(headers))]
    return end.join([*lines, b"", draw(st.one_of(st.sampled_from(BODIES), st.binary(max_size=60)))])


async def probe_all(answers: list[bytes]) -> list[Observation]:
    prober = Prober()
    limits = {"timeout": timedelta(seconds=2), "keyword": "ok", "body_limit": 1000}
    seen: list[Observation] = []
    try:
        for each in answers:
            async with serving(loopback.raw(each)) as server:
                seen.append(await observe(prober, server.url(), **limits))
    finally:
        await prober.aclose()
    return seen


@given(st.lists(soups(), min_size=1, max_size=8))
@settings(max_examples=40, database=None)
def test_no_bytes_of_a_server_make_a_probe_raise(answers: list[bytes]) -> None:
    for seen in asyncio.run(probe_all(answers)):
        judgement = judge(seen, slow_after=timedelta(seconds=60))
        told = json.loads(json.dumps(probe_report(seen, judgement), allow_nan=False))
        assert told["cause"] is None or told["cause"] in set(Cause)
        assert (told["cause"] is None) == (told["message"] == "")
        for text in (seen.message, seen.title, *seen.headers, *seen.headers.values()):
            assert text.isprintable(), text
        assert all(line.isprintable() for line in seen.excerpt.split("\n"))
        assert seen.content_length is None or 0 <= seen.content_length < 2**63
