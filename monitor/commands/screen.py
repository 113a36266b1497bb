"""Where commands write: text for people, JSON for programs, and nothing that a terminal obeys.

Text from sites, alerts and forms is hostile. Everything passes here on its way out, and whatever
does not print comes out escaped: no colour, cursor move or forged line gets through but our own.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TextIO

from tickets.errors import ServiceError

_JOINERS = "\u200c\u200d"  # names in several scripts need them, and they move nothing
_WIDE = frozenset("WF")
_COLOUR = re.compile("(\x1b\\[[0-9;]{1,10}m)")
_RESET = "\x1b[0m"


class OutputLost(ServiceError):
    """Nothing can be written any more; ``is_closed`` when the reader has gone, as ``head`` does."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"the output cannot be written: {error.strerror}")
        self.is_closed = isinstance(error, BrokenPipeError)


class Tone(StrEnum):
    """How a piece of text stands out on a terminal with colours; it never carries meaning alone."""

    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"
    QUIET = "quiet"
    STRONG = "strong"


_CODES = {
    Tone.GOOD: "\x1b[32m",
    Tone.WARNING: "\x1b[33m",
    Tone.BAD: "\x1b[31m",
    Tone.QUIET: "\x1b[2m",
    Tone.STRONG: "\x1b[1m",
}


@dataclass(frozen=True, slots=True)
class Toned:
    """A piece of text with its tone."""

    text: str
    tone: Tone | None = None


Piece = str | Toned


def one_line(text: str) -> str:
    r"""Return ``text`` as one line that a terminal shows and does not obey.

    Control, direction and unassigned characters come out escaped (``\x1b``), line breaks too.
    """
    return "".join(
        character
        if character.isprintable() or character in _JOINERS
        else (" " if character == "\xa0" else repr(character)[1:-1])
        for character in text
    )


def width_of(text: str) -> int:
    """Return how many columns of a terminal ``text`` takes."""
    return sum(
        0
        if unicodedata.combining(character) or character in _JOINERS
        else 1 + (unicodedata.east_asian_width(character) in _WIDE)
        for character in text
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """The three streams of a command; ``has_colour`` says whether tones show on ``output``."""

    input: TextIO
    output: TextIO
    errors: TextIO
    has_colour: bool = False

    def line(self, *pieces: Piece) -> None:
        """Write one line to the output, the pieces as they follow each other."""
        self._write("".join(map(self._painted, pieces)).rstrip(" ") + "\n")

    def text(self, text: str, *, indent: str = "", is_coloured: bool = False) -> None:
        """Write ``text`` of several lines to the output, each after ``indent``.

        Colours within it show only if ``is_coloured``, for text that Fettle itself coloured.
        """
        for line in text.replace("\r\n", "\n").split("\n"):
            if is_coloured and self.has_colour:
                pieces = _COLOUR.split(line.expandtabs(4))  # text and colours take turns
                pieces[::2] = map(one_line, pieces[::2])
                self._write(f"{indent}{''.join(pieces)}\n")
            else:
                self.line(indent, line.expandtabs(4))

    def table(self, rows: Sequence[Sequence[Piece]], *, gap: str = "  ") -> None:
        """Write rows of cells to the output, columns aligned to the left; rows may be ragged."""
        widths: list[int] = []
        for row in rows:
            for column, cell in enumerate(row):
                if column == len(widths):
                    widths.append(0)
                widths[column] = max(widths[column], width_of(one_line(_plain(cell))))
        for row in rows:
            pieces: list[Piece] = []
            for column, cell in enumerate(row):
                room = widths[column] - width_of(one_line(_plain(cell)))
                pieces += [cell, " " * room + gap]
            self.line(*pieces)

    def document(self, document: Mapping[str, object] | Sequence[object]) -> None:
        """Write one JSON document to the output; what does not print is escaped within it."""
        is_plain = (self.output.encoding or "utf-8").lower().replace("-", "") != "utf8"
        written = json.dumps(document, ensure_ascii=is_plain, indent=2)
        safe = "".join(
            each if each.isprintable() or each == "\n" else _json_escape(each) for each in written
        )
        self._write(safe + "\n")

    def complain(self, message: str) -> None:
        """Write one line that begins with ``fettle:`` to the errors."""
        self.errors.write(f"fettle: {one_line(message)}\n")

    def hint(self, message: str) -> None:
        """Write a line for whoever sits at the terminal to the errors."""
        self.errors.write(f"{one_line(message)}\n")

    def flush(self) -> None:
        """Hand what was written to the system; raises ``OutputLost``, as every writing may."""
        try:
            self.output.flush()
        except OSError as error:
            raise OutputLost(error) from error

    def _write(self, text: str) -> None:
        try:
            self.output.write(text)
        except OSError as error:
            raise OutputLost(error) from error

    def _painted(self, piece: Piece) -> str:
        text = one_line(_plain(piece))
        if isinstance(piece, str) or piece.tone is None or not self.has_colour:
            return text
        return f"{_CODES[piece.tone]}{text}{_RESET}"


def _plain(piece: Piece) -> str:
    return piece if isinstance(piece, str) else piece.text


def _json_escape(character: str) -> str:
    """Return a character that json.dumps left as it stands in JSON's own escapes."""
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))
