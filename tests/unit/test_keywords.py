"""Keyword rules: plain text, or a pattern of RE2 that no page can turn against us."""

from __future__ import annotations

import sys

import pytest

from monitor.keywords import is_in, keyword_fault


@pytest.mark.parametrize(
    ("keyword", "text", "found"),
    [
        ("basket", "your basket", True),
        ("Basket", "your basket", False),
        (".*", "your basket", False),
        ("re2:bas.et", "your basket", True),
        ("re2:Bas.et", "your basket", False),
        ("re2:(?i)add to (basket|cart)", "ADD TO CART", True),
        ("re2:^cart", "your\ncart", False),
        ("re2:(?m)^cart$", "your\ncart\n", True),
        ("re2:your.cart", "your\ncart", False),
        ("re2:(?s)your.cart", "your\ncart", True),
        ("re2:Gr[üu](ß|ss)e", "Schöne Grüße", True),
        ("re2:\\d+ rooms", "12 rooms", True),
        ("re2:.", "", False),
        ("re2:a", "\ud800a", True),  # half of a pair, which is no character
        ("RE2:a", "a", False),
    ],
)
def test_what_is_found(keyword: str, text: str, found: bool) -> None:
    assert keyword_fault(keyword) is None
    assert is_in(keyword, text) is found


@pytest.mark.parametrize(
    ("keyword", "fault"),
    [
        ("re2:", "has no pattern after re2:"),
        ("re2:(a", "is not a pattern of RE2: missing ): (a"),
        ("re2:a**", "is not a pattern of RE2: bad repetition operator: **"),
        ("re2:(?=a)", "is not a pattern of RE2: invalid perl operator: (?="),
        ("re2:(a)\\1", "is not a pattern of RE2: invalid escape sequence: \\1"),
        ("re2:\\pL{900}", "is not a pattern of RE2: pattern too large"),
        ("re2:(?i)[a-m].{900}[0-9]", "is too large a pattern (7,"),
        ("re2:(\x01", "is not a pattern of RE2: it holds a control character"),
    ],
)
def test_what_cannot_be_looked_for(keyword: str, fault: str) -> None:
    assert (keyword_fault(keyword) or "").startswith(fault)
    with pytest.raises(ValueError, match="pattern"):
        is_in(keyword, "a")


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("re2:(x+x+)+y", "x" * 1_000_000),
        ("re2:^(a|a)*$", "a" * 28 + "!"),
        ("re2:(a*)*b", "a" * 1_000_000),
        ("re2:(.*)(.*)(.*)(.*)(.*)x", "y" * 200_000),
    ],
)
def test_what_keeps_other_engines_busy_for_ages_ends(keyword: str, text: str) -> None:
    assert not is_in(keyword, text)


def test_without_the_library_only_plain_text_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "re2", None)
    assert keyword_fault("re2:never seen before") == (
        "patterns need the package google-re2, which is not installed here; write plain text"
    )
    assert is_in("plain", "in plain text")
