"""Text from outside, made safe to show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickets.rules.plain_text import one_line, several_lines


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Booking site", "Booking site"),
        ("  Booking \t site\n", "Booking site"),
        ("a\r\nBcc: x@y.test", "a Bcc: x@y.test"),
        ("a\u2028b\u2029c\x85d\x0be\x0cf", "a b c d e f"),
        ("nul\x00 bell\x07 escape\x1b[31m", "nul\ufffd bell\ufffd escape\ufffd[31m"),
        ("lone \ud800 surrogate", "lone \ufffd surrogate"),
        ("invoice\u202etxt.exe\u2066", "invoicetxt.exe"),
        ("Café ■ 東京 👩\u200d🔧", "Café ■ 東京 👩\u200d🔧"),
    ],
)
def test_one_line(text: str, line: str) -> None:
    assert one_line(text) == line


def test_a_long_line_is_cut_with_an_ellipsis() -> None:
    assert one_line("Booking site of the inn", limit=13) == "Booking site…"
    assert one_line("Booking site", limit=12) == "Booking site"


def test_lines_and_tabs_stay_in_several_lines() -> None:
    assert several_lines("a\r\nb\rc\n\n\td\x00") == "a\nb\nc\n\n\td\ufffd"


@given(st.text(alphabet=st.characters(categories=["Cc", "Cs", "Zl", "Zp", "Ll", "Zs"])))
def test_nothing_that_controls_gets_through(text: str) -> None:
    assert all(c in "\n\t" or c.isprintable() or c.isspace() for c in several_lines(text))
    line = one_line(text)
    assert line == line.strip()
    assert "\n" not in line
    line.encode()
