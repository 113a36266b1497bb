"""What an answer says: its body decoded within a limit, its text, its title, an excerpt.

Everything that comes in here was written by a stranger. Nothing inflates beyond the limit that it
is given, and no text leaves with control characters in it.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from html import unescape

_MOST_CODINGS = 5
_MOST_MEMBERS = 100
_HEAD = 64 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP, _ZLIB, _RAW = 31, 15, -15

# A repeat without an upper limit would let a page of "<title" run for minutes.
_TITLE = re.compile(r"<title[^>]{0,500}>([^<]{0,1000})", re.IGNORECASE)
_CHARSET = re.compile(rb"""charset\s{0,8}=\s{0,8}["']?([\w.:-]{1,40})""", re.IGNORECASE)

_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)

# What browsers know; Python has text codecs that a stranger could use to keep us busy.
_CHARSETS = {
    "ascii": "cp1252",
    "us-ascii": "cp1252",
    "latin1": "cp1252",
    "iso-8859-1": "cp1252",
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "utf-16": "utf-16",
    "utf-16le": "utf-16-le",
    "utf-16be": "utf-16-be",
    "macintosh": "mac-roman",
    "tis-620": "cp874",
    "windows-874": "cp874",
    "x-sjis": "cp932",
    "windows-31j": "cp932",
    "ks_c_5601-1987": "euc-kr",
    "gb2312": "gbk",
    **{f"iso-8859-{n}": f"iso-8859-{n}" for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
    "iso-8859-9": "cp1254",
    **{f"windows-{n}": f"cp{n}" for n in range(1250, 1259)},
    **{name: name for name in ("koi8-r", "koi8-u", "big5", "euc-jp", "euc-kr", "gbk", "gb18030")},
    **{name: name for name in ("shift_jis", "iso-2022-jp", "cp866")},
}


class BrokenEncoding(ValueError):
    """The body is not what its Content-Encoding says; ``str`` is a sentence for a person."""


class UnknownEncoding(BrokenEncoding):
    """The body came in a coding that we did not offer."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded body, cut where the limit was reached."""

    body: bytes
    is_truncated: bool


def decode(raw: bytes, codings: str, *, limit: int, is_whole: bool) -> Decoded:
    """Undo the Content-Encoding ``codings`` (the header's text), never beyond ``limit`` bytes.

    ``is_whole`` says that nothing of ``raw`` was cut off, so that it has to end properly. Raises
    BrokenEncoding, UnknownEncoding.
    """
    names = [name for name in (part.strip().lower() for part in codings.split(",")) if name]
    if len(names) > _MOST_CODINGS:
        raise BrokenEncoding(f"the body is encoded {len(names)} times over")
    body, is_truncated = raw, False
    for name in reversed(names):
        if name == "identity" or not body:
            continue
        ends = is_whole and not is_truncated
        if name in {"gzip", "x-gzip"}:
            body, cut = _inflate(body, _GZIP, name, limit=limit, is_whole=ends)
        elif name == "deflate":
            kind = _ZLIB if _is_zlib(body) else _RAW
            body, cut = _inflate(body, kind, name, limit=limit, is_whole=ends)
        else:
            raise UnknownEncoding(f"the body came in the coding {clean(name, most=40)}, unasked")
        is_truncated = is_truncated or cut
    if len(body) > limit:
        body, is_truncated = body[:limit], True
    return Decoded(body, is_truncated)


def _inflate(raw: bytes, kind: int, name: str, *, limit: int, is_whole: bool) -> tuple[bytes, bool]:
    parts: list[bytes] = []
    left = limit
    try:
        for _member in range(_MOST_MEMBERS):
            inflater = zlib.decompressobj(kind)
            part = inflater.decompress(raw, left) if left > 0 else b""
            parts.append(part)
            left -= len(part)
            if not inflater.eof:
                break
            raw = inflater.unused_data
            if kind != _GZIP or not raw.startswith(_GZIP_MAGIC):
                return b"".join(parts), False  # what follows is padding, ignored as browsers do
        else:
            raise BrokenEncoding(f"the body's {name} data is in more than {_MOST_MEMBERS} pieces")
    except zlib.error as error:
        raise BrokenEncoding(f"the body's {name} data is broken") from error
    if left > 0 and is_whole:
        raise BrokenEncoding(f"the body's {name} data ends too early")
    return b"".join(parts), True


def _is_zlib(raw: bytes) -> bool:
    """Tell a zlib stream from raw deflate, which some servers send under the same name."""
    return len(raw) > 1 and raw[0] & 0x0F == 8 and int.from_bytes(raw[:2], "big") % 31 == 0


def text_of(body: bytes, content_type: str) -> str:
    """Return ``body`` as text by its byte order mark, declared charset or the page's own word.

    Falls back to UTF-8; what cannot be decoded becomes U+FFFD.
    """
    for mark, codec in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return body.decode(codec, "replace")
    declared = _CHARSET.search(content_type.encode("utf-8", "replace"))
    if declared is None:
        declared = _CHARSET.search(body, 0, 1024)
    name = declared[1].decode("ascii", "replace").lower() if declared else "utf-8"
    return body.decode(_CHARSETS.get(name, "utf-8"), "replace")


def title_of(body: bytes, content_type: str) -> str:
    """Return the page's title, at most 200 characters on one line; empty if it has none."""
    found = _TITLE.search(text_of(body[:_HEAD], content_type))
    return clean(unescape(found[1]), most=200) if found else ""


def excerpt_of(body: bytes, content_type: str) -> str:
    """Return the beginning of ``body`` as text, at most 2,000 characters, line breaks kept."""
    text = text_of(body[:8192], content_type)
    lines = (clean(line, most=2000) for line in text.splitlines())
    return "\n".join(line for line in lines if line)[:2000]


def clean(text: str, *, most: int) -> str:
    """Return ``text`` on one line without control, format and unassigned characters, cut short.

    ``most`` is the greatest number of characters; runs of space become one.
    """
    if len(text) <= most and text.isprintable() and "  " not in text:
        return text.strip()
    shown = "".join(character if character.isprintable() else " " for character in text[: most * 4])
    return " ".join(shown.split())[:most]
