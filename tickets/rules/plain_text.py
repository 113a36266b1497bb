"""Text from outside made safe to show: no control characters, nothing that turns directions.

Site titles, replies and server answers are data. Whoever prints one passes it through here first;
escaping for HTML is the template's business.
"""

from __future__ import annotations

import re
import unicodedata

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_REORDERING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_LINE_ENDS = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_BLANKS = re.compile(r"\s+")


def one_line(text: str, *, limit: int | None = None) -> str:
    """Return ``text`` as one trimmed line of at most ``limit`` characters, cut with an ellipsis.

    Every run of blanks and line ends becomes one space.
    """
    line = _BLANKS.sub(" ", several_lines(text)).strip()
    if limit is not None and len(line) > limit:
        return line[: limit - 1].rstrip() + "…"
    return line


def several_lines(text: str) -> str:
    """Return ``text`` with its tabs and its lines, each ended by one line feed.

    Other control characters and lone surrogates become U+FFFD; characters that turn the direction
    of what follows them are dropped.
    """
    text = _REORDERING.sub("", _LINE_ENDS.sub("\n", text))
    return "".join(_REPLACEMENT if _is_unsafe(character) else character for character in text)


def _is_unsafe(character: str) -> bool:
    return character not in "\n\t" and unicodedata.category(character) in {"Cc", "Cs"}
