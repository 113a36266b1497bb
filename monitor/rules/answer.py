"""Is an HTTP answer good? Status first, then encoding, then keywords; and what to keep of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.rules.content import (
    BrokenEncoding,
    Decoded,
    UnknownEncoding,
    clean,
    decode,
    excerpt_of,
    text_of,
    title_of,
)
from monitor.rules.observation import Cause
from monitor.rules.site import Site

_DECODED_PER_RAW = 4
_EVIDENCE = (
    "server", "content-type", "content-length", "content-encoding", "location", "date", "age",
    "cache-control", "last-modified", "retry-after", "via", "x-powered-by", "x-cache", "cf-ray",
    "www-authenticate",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """One whole answer: names of ``headers`` in lower case, ``body`` undecoded and perhaps cut.

    ``reason`` is the phrase that belongs to the status, not the one that the server sent.
    """

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes
    is_truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is wrong with an answer (``cause`` is None if nothing is) and what is kept of it."""

    cause: Cause | None = None
    message: str = ""
    title: str = ""
    excerpt: str = ""
    is_truncated: bool = False


def is_expected(site: Site, status: int) -> bool:
    """Tell whether ``status`` is one that the site is expected to answer with."""
    return any(first <= status <= last for first, last in site.expect_status)


def weigh(site: Site, answer: HttpAnswer) -> Finding:
    """Weigh ``answer`` against what the site expects."""
    content_type = answer.headers.get("content-type", "")
    decoded, broken = _decode(site, answer)
    cause, message = _fault(site, answer, decoded, broken)
    return Finding(
        cause=cause,
        message=message,
        title=title_of(decoded.body, content_type),
        excerpt=excerpt_of(decoded.body, content_type) if cause is not None else "",
        is_truncated=decoded.is_truncated,
    )


def evidence_of(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers worth keeping, by lower-case name, cut and without control characters."""
    return {name: clean(headers[name], most=200) for name in _EVIDENCE if name in headers}


def _decode(site: Site, answer: HttpAnswer) -> tuple[Decoded, BrokenEncoding | None]:
    codings = answer.headers.get("content-encoding", "")
    if not codings or not answer.body:
        return Decoded(answer.body, answer.is_truncated), None
    try:
        decoded = decode(
            answer.body,
            codings,
            limit=site.body_limit * _DECODED_PER_RAW,
            is_whole=not answer.is_truncated,
        )
    except BrokenEncoding as error:
        return Decoded(b"", answer.is_truncated), error
    return Decoded(decoded.body, decoded.is_truncated or answer.is_truncated), None


def _fault(
    site: Site, answer: HttpAnswer, decoded: Decoded, broken: BrokenEncoding | None
) -> tuple[Cause | None, str]:
    if not is_expected(site, answer.status):
        status = f"{answer.status} {answer.reason}".rstrip()
        return Cause.HTTP_STATUS, f"answered {status}; expected {_ranges(site)}"
    has_keywords = site.keyword is not None or site.keyword_absent is not None
    if broken is not None and (has_keywords or not isinstance(broken, UnknownEncoding)):
        return Cause.DECODE_ERROR, str(broken)
    if not has_keywords:
        return None, ""
    text = text_of(decoded.body, answer.headers.get("content-type", ""))
    if site.keyword is not None and site.keyword not in text:
        where = "the page"
        if decoded.is_truncated:
            where = f"the first {len(decoded.body):,} bytes of the page"
        return Cause.KEYWORD_MISSING, f"{where} lacks the words {_quoted(site.keyword)}"
    if site.keyword_absent is not None and site.keyword_absent in text:
        return Cause.KEYWORD_PRESENT, f"the page has the words {_quoted(site.keyword_absent)}"
    return None, ""


def _quoted(words: str) -> str:
    return f"\N{LEFT DOUBLE QUOTATION MARK}{clean(words, most=100)}\N{RIGHT DOUBLE QUOTATION MARK}"


def _ranges(site: Site) -> str:
    return ", ".join(
        str(first) if first == last else f"{first}-{last}" for first, last in site.expect_status
    )
