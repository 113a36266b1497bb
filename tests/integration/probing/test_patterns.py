"""Patterns of RE2 as keywords: looked for in another thread, and no site's fault if of no use."""

from __future__ import annotations

import threading
from typing import Any

from monitor.prober import Prober
from monitor.rules.observation import Cause, Phase
from tests import loopback
from tests.loopback import answer, serving
from tests.probing import UP, Told, cases, down, observe, observe_script, unknown

PAGE = answer("<title>Shop</title><p>Add to\nbasket: 12 €</p>".encode())
MISSING = down(Cause.KEYWORD_MISSING, Phase.TRANSFER, "nothing in the page matches “(?i)cart”")
PRESENT = down(Cause.KEYWORD_PRESENT, Phase.TRANSFER, "something in the page matches “1.”")

PATTERNS: dict[str, tuple[dict[str, Any], Told]] = {
    "found": ({"keyword": "re2:(?i)add to\\s+(basket|cart)"}, UP),
    "not found": ({"keyword": "re2:(?i)cart"}, MISSING),
    "absent": ({"keyword_absent": "re2:(?i)fatal error"}, UP),
    "present": ({"keyword_absent": "re2:1."}, PRESENT),
    "a pattern beside plain text": ({"keyword": "basket", "keyword_absent": "re2:1."}, PRESENT),
    "beyond ASCII": ({"keyword": "re2:\\d €"}, UP),
    "too long for us": (
        {"keyword": "re2:(?i)[a-m].{900}[0-9]"},
        unknown(Cause.OWN_RESOURCES, Phase.TRANSFER, "cannot look for the keyword: it is too"),
    ),
    "none": (
        {"keyword": "re2:(a"},
        unknown(Cause.OWN_RESOURCES, Phase.TRANSFER, "it is not a pattern of RE2: missing ): (a"),
    ),
}


@cases(PATTERNS, "changes told")
async def test_patterns(prober: Prober, changes: dict[str, Any], told: Told) -> None:
    seen = await observe_script(prober, PAGE, **changes)
    told.check(seen)
    assert seen.title == ("" if seen.cause is Cause.OWN_RESOURCES else "Shop")


async def test_a_bad_status_weighs_more_than_a_pattern(prober: Prober) -> None:
    seen = await observe_script(prober, answer(b"Busy", status="503 Busy"), keyword="re2:x")
    assert (seen.cause, seen.excerpt) == (Cause.HTTP_STATUS, "Busy")


async def test_only_the_first_million_characters_are_matched(prober: Prober) -> None:
    page = loopback.encoded(b"a" * 1_500_000 + b"end")
    seen = await observe_script(prober, page, keyword="re2:end")
    plain = await observe_script(prober, page, keyword="end")
    assert seen.cause is Cause.KEYWORD_MISSING
    assert seen.message == "nothing in the first 1,048,576 characters of the page matches “end”"
    assert plain.cause is None


async def test_patterns_are_matched_beside_the_loop(prober: Prober) -> None:
    before = set(threading.enumerate())

    def matchers() -> list[str]:
        names = [thread.name for thread in set(threading.enumerate()) - before]
        return [name for name in names if name.startswith("fettle-match")]

    async with serving(PAGE) as server:
        await observe(prober, server.url(), keyword="Add to")
        assert not matchers()
        await observe(prober, server.url(), keyword="re2:Add to")
        assert matchers()
