"""Several letters about one ticket to one address as one, each whole, in the order of events.

The newest gives the subject, for it says how things stand.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from tickets.letters import MAX_HTML, Letter

_FOOTER = "\n-- \n"
_RULE = "\n\n" + "-" * 40 + "\n\n"
_BODY = re.compile(r"<body[^>]*>(.*)</body>", re.DOTALL)
_PREVIEW = re.compile(r'\s*<div style="display:none[^>]*>.*?</div>', re.DOTALL)


def one_letter(letters: Sequence[Letter]) -> Letter:
    """Return ``letters``, at least one and the oldest first, as one letter."""
    last = letters[-1]
    if len(letters) == 1:
        return last
    texts = [letter.text.rpartition(_FOOTER) for letter in letters]
    bodies = [(before or after).strip() for before, _, after in texts]
    footer = f"{_FOOTER}{texts[-1][2]}" if texts[-1][1] else "\n"
    text = f"{_count(letters)}\n\n{_RULE.join(bodies)}\n{footer}"
    return Letter(last.subject, text, _page(letters))


def _count(letters: Sequence[Letter]) -> str:
    return f"This mail tells of {len(letters)} things that happened shortly after each other."


def _page(letters: Sequence[Letter]) -> str | None:
    """Return the pages of the letters one below the other; None without each, or over the limit."""
    pages = [letter.html for letter in letters]
    bodies = [None if page is None else _BODY.search(page) for page in pages]
    last, found = pages[-1], bodies[-1]
    if last is None or found is None or any(body is None for body in bodies):
        return None
    # Each begins with what mail programs show in their list: the last one's goes first.
    before = [_PREVIEW.sub("", body[1], count=1) for body in bodies[:-1] if body is not None]
    preview = _PREVIEW.match(found[1])
    lead = preview[0] if preview else ""
    whole = last[: found.start(1)] + lead + "".join(before)
    whole += found[1][len(lead) :] + last[found.end(1) :]
    return whole if len(whole.encode()) <= MAX_HTML else None
