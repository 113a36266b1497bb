"""No answer is read beyond its bounds."""

from __future__ import annotations

import gc
import gzip
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from monitor.prober import Prober
from tests import loopback
from tests.loopback import CRLF, OK, answer, serving
from tests.probing import (
    observe,
    observe_script,
)


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
