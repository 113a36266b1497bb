"""Bodies of strangers: decoding within limits, text, titles, excerpts."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.rules.content import (
    BrokenEncoding,
    UnknownEncoding,
    clean,
    decode,
    excerpt_of,
    text_of,
    title_of,
)

CODINGS = ["gzip", "deflate", "x-gzip", "identity", "br", "zstd", "GZIP", "", "gzip, gzip"]


@pytest.mark.parametrize(
    ("raw", "codings"),
    [
        (b"hello", ""),
        (b"hello", "identity"),
        (gzip.compress(b"hello", mtime=0), "gzip"),
        (gzip.compress(b"hello", mtime=0), "X-GZIP"),
        (gzip.compress(b"hel", mtime=0) + gzip.compress(b"lo", mtime=0), "gzip"),
        (gzip.compress(b"hello", mtime=0) + b"\0" * 20, "gzip"),
        (zlib.compress(b"hello"), "deflate"),
        (zlib.compress(b"hello", wbits=-15), "deflate"),
        (gzip.compress(zlib.compress(b"hello"), mtime=0), "deflate, gzip"),
    ],
)
def test_decoding(raw: bytes, codings: str) -> None:
    decoded = decode(raw, codings, limit=1000, is_whole=True)
    assert (decoded.body, decoded.is_truncated) == (b"hello", False)


@pytest.mark.parametrize("codings", ["gzip", "deflate", "gzip, gzip"])
@pytest.mark.parametrize("is_whole", [True, False])
def test_nothing_inflates_beyond_the_limit(codings: str, is_whole: bool) -> None:
    raw = bytes(1_000_000)
    for coding in codings.split(", "):
        raw = gzip.compress(raw, mtime=0) if coding == "gzip" else zlib.compress(raw)
    decoded = decode(raw, codings, limit=10_000, is_whole=is_whole)
    assert (len(decoded.body), decoded.is_truncated) == (10_000, True)


def test_a_body_that_was_cut_need_not_end() -> None:
    raw = gzip.compress(bytes(range(256)) * 20)
    decoded = decode(raw[: len(raw) // 2], "gzip", limit=1_000_000, is_whole=False)
    assert decoded.is_truncated
    assert decoded.body == (bytes(range(256)) * 20)[: len(decoded.body)]


@pytest.mark.parametrize(
    ("raw", "codings", "says"),
    [
        (b"hello", "gzip", "the body's gzip data is broken"),
        (gzip.compress(b"hello" * 50, mtime=0)[:-9], "gzip", "the body's gzip data ends too early"),
        (
            gzip.compress(b"hello", mtime=0)[:-8] + bytes(8),
            "gzip",
            "the body's gzip data is broken",
        ),
        (b"x", ", ".join(["gzip"] * 6), "encoded 6 times over"),
        (gzip.compress(b"", mtime=0) * 1000, "gzip", "in more than 100 pieces"),
    ],
)
def test_broken_encodings(raw: bytes, codings: str, says: str) -> None:
    with pytest.raises(BrokenEncoding, match=says):
        decode(raw, codings, limit=1000, is_whole=True)


def test_a_coding_that_was_not_offered() -> None:
    with pytest.raises(UnknownEncoding, match="the body came in the coding br, unasked"):
        decode(b"x", "br", limit=1000, is_whole=True)


@given(st.binary(max_size=300), st.sampled_from(CODINGS), st.booleans())
def test_decoding_never_raises_anything_else(raw: bytes, codings: str, is_whole: bool) -> None:
    for candidate in (
        raw,
        gzip.compress(raw, mtime=0)[: len(raw)],
        raw + gzip.compress(raw, mtime=0),
    ):
        try:
            decoded = decode(candidate, codings, limit=200, is_whole=is_whole)
        except BrokenEncoding:
            continue
        assert len(decoded.body) <= 200


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ("Grüße".encode(), "text/html; charset=utf-8", "Grüße"),
        ("Grüße".encode(), "text/html", "Grüße"),
        ("Grüße".encode("latin-1"), "text/html; charset=ISO-8859-1", "Grüße"),
        ("5 €".encode("cp1252"), "text/html; charset=latin1", "5 €"),
        ("Grüße".encode("utf-8-sig"), "text/html; charset=latin1", "Grüße"),
        ("Grüße".encode("utf-16"), "", "Grüße"),
        ("Grüße".encode("utf-16-be"), "text/plain; charset=UTF-16BE", "Grüße"),
        ("日本".encode("cp932"), 'text/html; charset="Shift_JIS"', "日本"),
        (b'<meta charset="koi8-r">\xc1', "text/html", '<meta charset="koi8-r">а'),
        (b"a\xff", "text/html", "a\ufffd"),
        (b"a", "text/html; charset=no-such", "a"),
        (b"68656c6c6f", "text/html; charset=hex", "68656c6c6f"),
        (b"a-b", "text/html; charset=punycode", "a-b"),
    ],
)
def test_text(body: bytes, content_type: str, text: str) -> None:
    assert text_of(body, content_type) == text


@given(st.binary(max_size=200), st.text(max_size=60))
def test_text_never_raises(body: bytes, content_type: str) -> None:
    for declared in (content_type, f"text/html; charset={content_type}"):
        text_of(body, declared)
        title_of(body, declared)
        excerpt_of(body, declared)


@pytest.mark.parametrize(
    ("body", "title"),
    [
        (b"<title>Shop</title>", "Shop"),
        (b"<TITLE lang='en'>\n  Our\n shop &amp; more  </TITLE>", "Our shop & more"),
        (b"<title>never closed", "never closed"),
        (b"<title></title>", ""),
        (b"no title", ""),
        (b"", ""),
        (b"<title>" + b"x" * 900 + b"</title>", "x" * 200),
        (b"<title>a\x1b[31mb\x00c&#x202e;d</title>", "a [31mb c d"),
        (b" " * 70_000 + b"<title>too late</title>", ""),
    ],
)
def test_titles(body: bytes, title: str) -> None:
    assert title_of(body, "text/html; charset=utf-8") == title


@pytest.mark.parametrize(
    "body", [b"<title" * 11_000, b"<title " * 9_000, b"<title>" + b"x" * 65_000]
)
def test_a_page_made_to_keep_us_busy_does_not(body: bytes) -> None:
    """Quadratic time would run into the suite's own time limit a hundred times over."""
    for _ in range(20):
        title_of(body, "text/html")


def test_an_excerpt_keeps_lines_and_drops_controls() -> None:
    body = b"<h1>Error</h1>\r\n\r\n\tat  line\x00 5\x1b]0;evil\x07\n" + b"y" * 9000
    excerpt = excerpt_of(body, "text/html")
    assert excerpt.startswith("<h1>Error</h1>\nat line 5 ]0;evil\nyyy")
    assert len(excerpt) == 2000


@given(st.text(max_size=300), st.integers(min_value=0, max_value=50))
def test_cleaned_text_is_short_printable_and_on_one_line(text: str, most: int) -> None:
    cleaned = clean(text, most=most)
    assert len(cleaned) <= most
    assert cleaned.isprintable()
    assert len(cleaned.splitlines()) <= 1
