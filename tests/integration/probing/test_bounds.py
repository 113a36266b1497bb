"""No answer is read beyond its bounds."""

from __future__ import annotations

import asyncio
import json
import sys
import zlib
from contextlib import AsyncExitStack

import pytest

from monitor.prober import Prober
from monitor.rules.observation import Cause
from tests import alone, loopback
from tests.loopback import CRLF, OK, Script, answer, serving
from tests.probing import UP, observe, observe_script


async def test_an_endless_body_is_cut_and_no_fault(prober: Prober) -> None:
    async with serving(loopback.endless(OK + CRLF, b"x" * 65536)) as server:
        seen = await observe(prober, server.url(), body_limit=200_000)
        await server.closed.wait()
    assert seen.cause is None
    assert (seen.body_bytes, seen.body_truncated) == (200_000, True)


async def test_a_body_of_exactly_the_limit_is_whole(prober: Prober) -> None:
    seen = await observe_script(prober, answer(b"x" * 1000), body_limit=1000)
    assert (seen.cause, seen.body_bytes, seen.body_truncated) == (None, 1000, False)


def gzip_of_nothing(megabytes: int) -> bytes:
    """Return that many megabytes of zeros in gzip, a thousandth of it long."""
    packer = zlib.compressobj(9, wbits=31)
    zeros = bytes(1_000_000)
    return b"".join(packer.compress(zeros) for _ in range(megabytes)) + packer.flush()


def packed(data: bytes, coding: str) -> Script:
    return answer(data, headers={"Content-Encoding": coding})


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from Linux")
async def test_what_is_hostile_takes_no_memory() -> None:
    """A process that probes nothing else stays within 50 MB of what it holds at rest."""
    bomb = gzip_of_nothing(300)
    assert len(bomb) < 310_000
    twice = zlib.compress(bomb)
    missing, too_large = Cause.KEYWORD_MISSING.value, Cause.HEADERS_TOO_LARGE.value
    hostile: dict[str, tuple[Script, str]] = {
        "endless body": (loopback.endless(OK + CRLF, b"x" * 65536), missing),
        "endless chunk": (
            loopback.endless(OK + b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n", b"x" * 65536),
            missing,
        ),
        "endless header": (loopback.endless(OK + b"X: ", b"x" * 65536), too_large),
        "headers without end": (loopback.endless(OK, b"X: abcdefghijklmn\r\n" * 4000), too_large),
        "endless hints": (loopback.endless(b"", b"HTTP/1.1 103 Hints\r\n\r\n" * 999), too_large),
        "gzip bomb": (packed(bomb, "gzip"), missing),
        "bomb within a bomb": (packed(twice, "gzip, deflate"), missing),
        "endless gzip": (
            loopback.endless(OK + b"Content-Encoding: gzip\r\n\r\n" + bomb[:-100], bytes(65536)),
            missing,
        ),
    }
    async with AsyncExitStack() as servers:
        well = await servers.enter_async_context(serving(answer(b"needle")))
        urls = [
            (await servers.enter_async_context(serving(script))).url()
            for script, _cause in hostile.values()
        ]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.alone", stdin=-1, stdout=-1
        )
        told, _ = await process.communicate(json.dumps([well.url(), urls]).encode())
    account = alone.Account(**json.loads(told))
    causes = dict(zip(hostile, account.causes, strict=True))
    assert causes == {name: [cause] * alone.AT_ONCE for name, (_, cause) in hostile.items()}
    assert 0 < account.at_most - account.at_rest < 50_000_000


async def test_a_bomb_is_cut_and_no_fault(prober: Prober) -> None:
    seen = await observe_script(prober, packed(gzip_of_nothing(10), "gzip"))
    UP.check(seen)
    assert seen.body_truncated
    assert seen.body_bytes < 11_000
