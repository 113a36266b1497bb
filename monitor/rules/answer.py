"""Is an HTTP answer good? Status first, then encoding, then keywords; and what to keep of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from monitor.rules.site import PATTERN_MARK, Site, is_pattern

Contains = Callable[[str, str], bool]
"""From a keyword and a page's text to whether the one is in the other."""

_DECODED_PER_RAW = 4
_MOST_MATCHED = 1024 * 1024
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


def is_plainly_in(keyword: str, text: str) -> bool:
    """Tell whether ``keyword``, taken as plain text, occurs in ``text``."""
    return keyword in text


def weigh(site: Site, answer: HttpAnswer, *, contains: Contains = is_plainly_in) -> Finding:
    """Weigh ``answer`` against what the site expects; ``contains`` finds its keywords.

    Of a long page a pattern is shown the first million characters only.
    """
    content_type = answer.headers.get("content-type", "")
    decoded, broken = _decode(site, answer)
    cause, message = _fault(site, answer, broken)
    if cause is None and (site.keyword is not None or site.keyword_absent is not None):
        cause, message = _keyword_fault(site, answer, decoded, contains)
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
    site: Site, answer: HttpAnswer, broken: BrokenEncoding | None
) -> tuple[Cause | None, str]:
    if not is_expected(site, answer.status):
        status = f"{answer.status} {answer.reason}".rstrip()
        return Cause.HTTP_STATUS, f"answered {status}; expected {_ranges(site)}"
    has_keywords = site.keyword is not None or site.keyword_absent is not None
    if broken is not None and (has_keywords or not isinstance(broken, UnknownEncoding)):
        return Cause.DECODE_ERROR, str(broken)
    return None, ""


def _keyword_fault(
    site: Site, answer: HttpAnswer, decoded: Decoded, contains: Contains
) -> tuple[Cause | None, str]:
    text = text_of(decoded.body, answer.headers.get("content-type", ""))
    where = "the page"
    if decoded.is_truncated:
        where = f"the first {len(decoded.body):,} bytes of the page"
    if site.has_patterns and len(text) > _MOST_MATCHED:
        text, where = text[:_MOST_MATCHED], f"the first {_MOST_MATCHED:,} characters of the page"
    if site.keyword is not None and not contains(site.keyword, text):
        words = _quoted(site.keyword)
        if is_pattern(site.keyword):
            return Cause.KEYWORD_MISSING, f"nothing in {where} matches {words}"
        return Cause.KEYWORD_MISSING, f"{where} lacks the words {words}"
    if site.keyword_absent is not None and contains(site.keyword_absent, text):
        words = _quoted(site.keyword_absent)
        if is_pattern(site.keyword_absent):
            return Cause.KEYWORD_PRESENT, f"something in the page matches {words}"
        return Cause.KEYWORD_PRESENT, f"the page has the words {words}"
    return None, ""


def _quoted(words: str) -> str:
    words = clean(words.removeprefix(PATTERN_MARK), most=100)
    return f"\N{LEFT DOUBLE QUOTATION MARK}{words}\N{RIGHT DOUBLE QUOTATION MARK}"


def _ranges(site: Site) -> str:
    return ", ".join(
        str(first) if first == last else f"{first}-{last}" for first, last in site.expect_status
    )
