"""Which files may come with a ticket: how many, how large, of what kind, under which name.

The content decides what a file is; its name only has to agree. Nothing is ever unpacked or run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tickets.rules.plain_text import one_line

MOST_FILES = 5
"""Most files of one form."""

LARGEST_FILE = 10 * 1024 * 1024
"""Most octets of one file."""

LARGEST_SET = 20 * 1024 * 1024
"""Most octets of the files of one form together."""

LARGEST_TICKET = 50 * 1024 * 1024
"""Most octets of all files of one ticket."""

LONGEST_NAME = 100
"""Most characters of a file's name; of a longer one the end is kept, and with it the ending."""

ALLOWED = (
    "pictures (PNG, JPEG, GIF, WebP, HEIC), PDF, text, CSV, and documents of Word, Excel,"
    " PowerPoint and OpenDocument"
)
"""What may be sent, in words."""

LIMITS = (
    f"at most {MOST_FILES} files, each up to {LARGEST_FILE // 1024**2} MB,"
    f" {LARGEST_SET // 1024**2} MB together"
)
"""How much may be sent, in words."""

NAMELESS = "file"
"""What stands for a name of which nothing is left."""

_SEPARATORS = re.compile(r"[/\\]")
_UNWANTED = re.compile(r'[<>:"|?*\N{REPLACEMENT CHARACTER}]')
_INVISIBLE = re.compile("[\u00ad\u061c\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff]")
_OFFICE = "application/vnd.openxmlformats-officedocument."
_OPEN = "application/vnd.oasis.opendocument."
_MACROS = b"vbaProject.bin"
_NO_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_BYTE_ORDERS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class SentFile:
    """A file as it was sent; ``name`` is the sender's word for it."""

    name: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file that may be kept: its name cleaned, its type found in its content."""

    name: str
    media_type: str
    content: bytes = field(repr=False)


def clean_name(name: str) -> str:
    """Return a file's name fit to be shown and to be saved under, never empty.

    Folders before it, control and invisible characters, and what turns the direction of reading
    are dropped; what some systems refuse in a name becomes ``_``.
    """
    last = _SEPARATORS.split(name)[-1]
    shown = _UNWANTED.sub("_", _INVISIBLE.sub("", one_line(last))).strip(" .")
    return shown[-LONGEST_NAME:].strip(" .") or NAMELESS


def ending_of(name: str) -> str:
    """Return a name's ending in lower case, without its dot; empty if it has none."""
    stem, dot, ending = name.rpartition(".")
    return ending.lower() if dot and stem else ""


def is_allowed_name(name: str) -> bool:
    """Tell whether files of this (clean) name may be sent at all."""
    return ending_of(name) in ENDINGS


def find_media_type(name: str, content: bytes) -> str | None:
    """Return what the content is, if that agrees with the (clean) name; else None."""
    ending = ending_of(name)
    for kind in _KINDS:
        if ending in kind.endings:
            return kind.find(content)
    return None


@dataclass(frozen=True, slots=True)
class _Kind:
    """Endings that may stand for each other, and what finds their type in the content."""

    endings: frozenset[str]
    find: Callable[[bytes], str | None]


def _picture(content: bytes) -> str | None:
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content[4:8] == b"ftyp" and content[8:12] in {b"heic", b"heix", b"mif1", b"msf1"}:
        return "image/heic"
    return None


def _pdf(content: bytes) -> str | None:
    return "application/pdf" if content.startswith(b"%PDF-") else None


def _text(media_type: str) -> Callable[[bytes], str | None]:
    def find(content: bytes) -> str | None:
        if content.startswith(_BYTE_ORDERS):
            return media_type if _is_readable(content, "utf-16") else None
        return None if _NO_TEXT.search(content) else media_type

    return find


def _is_readable(content: bytes, encoding: str) -> bool:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return "\x00" not in text


def _office(folder: bytes, media_type: str) -> Callable[[bytes], str | None]:
    """Find a document of Microsoft's by the names of its parts, which stand in it as they are."""

    def find(content: bytes) -> str | None:
        is_one = content.startswith(b"PK\x03\x04") and folder in content
        is_plain = b"[Content_Types].xml" in content and _MACROS not in content
        return media_type if is_one and is_plain else None

    return find


def _open_document(media_type: str) -> Callable[[bytes], str | None]:
    """Find a document whose type stands, not compressed, in its first part."""
    mark = b"mimetype" + media_type.encode()

    def find(content: bytes) -> str | None:
        is_one = content.startswith(b"PK\x03\x04") and content[30 : 30 + len(mark)] == mark
        return media_type if is_one and b"Basic/script-lc.xml" not in content else None

    return find


_KINDS: Sequence[_Kind] = (
    _Kind(frozenset({"png", "jpg", "jpeg", "gif", "webp", "heic"}), _picture),
    _Kind(frozenset({"pdf"}), _pdf),
    _Kind(frozenset({"txt", "log", "md"}), _text("text/plain")),
    _Kind(frozenset({"csv"}), _text("text/csv")),
    _Kind(frozenset({"docx"}), _office(b"word/", _OFFICE + "wordprocessingml.document")),
    _Kind(frozenset({"xlsx"}), _office(b"xl/", _OFFICE + "spreadsheetml.sheet")),
    _Kind(frozenset({"pptx"}), _office(b"ppt/", _OFFICE + "presentationml.presentation")),
    _Kind(frozenset({"odt"}), _open_document(_OPEN + "text")),
    _Kind(frozenset({"ods"}), _open_document(_OPEN + "spreadsheet")),
    _Kind(frozenset({"odp"}), _open_document(_OPEN + "presentation")),
)

ENDINGS = frozenset(ending for kind in _KINDS for ending in kind.endings)
"""Endings of names that may be sent, in lower case without their dot."""

ACCEPT = ",".join(sorted(f".{ending}" for ending in ENDINGS))
"""The same for the attribute ``accept`` of a form's field."""
