"""What people write into a ticket, checked: one clear sentence names the field and what is allowed.

Pure but for the refusal that it raises.
"""

from __future__ import annotations

from tickets.errors import Refused
from tickets.rules.plain_text import one_line, several_lines

MAX_TEXT = 20_000
"""Longest text that a person may add to a ticket, in characters."""

MAX_TITLE = 200
"""Longest title or other single line, in characters."""


def checked_text(text: str, *, field: str, most: int = MAX_TEXT) -> str:
    """Return several lines of text, trimmed; raises ``Refused`` if empty or too long."""
    return _within(several_lines(text).strip(), field=field, most=most)


def checked_line(text: str, *, field: str, most: int = MAX_TITLE) -> str:
    """Return one line of text, trimmed; raises ``Refused`` if empty or too long."""
    return _within(one_line(text), field=field, most=most)


def _within(text: str, *, field: str, most: int) -> str:
    if not text:
        raise Refused(f"the {field} is empty: write at least one word")
    if len(text) > most:
        raise Refused(f"the {field} has {len(text)} characters; at most {most} are allowed")
    return text
