"""Keyword rules: plain text, or a pattern of RE2, which no page can make run for minutes.

Python's own regular expressions are never used on a page: 28 characters of it kept one of them busy
for 19 seconds. RE2 takes time in proportion to the page; a limit on the pattern's own size bounds
the factor, and compiled patterns are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Protocol, cast

from monitor.rules.site import PATTERN_MARK, is_pattern

_MOST_MEMORY = 1024 * 1024
_MOST_STEPS = 2000
_MOST_KEPT = 1024


class _Options(Protocol):
    """What we set of the library's options; the library has no types of its own."""

    max_mem: int
    log_errors: bool
    never_capture: bool


class _Pattern(Protocol):
    """What we use of a compiled pattern."""

    programsize: int

    def search(self, text: bytes) -> object: ...


class _Library(Protocol):
    """What we use of the library."""

    Options: Callable[[], _Options]
    compile: Callable[[str, _Options], _Pattern]
    error: type[Exception]


def keyword_fault(keyword: str) -> str | None:
    """Tell in a few words why ``keyword`` cannot be looked for; None if it can.

    Plain text always can; a pattern must be RE2's, of moderate size, and RE2 must be installed.
    """
    if not is_pattern(keyword):
        return None
    try:
        _compile(keyword)
    except ValueError as error:
        return str(error)
    return None


def is_in(keyword: str, text: str) -> bool:
    """Tell whether ``keyword`` occurs in ``text``; raises ValueError for an impossible pattern.

    A pattern may need a second of processor time on a million characters. RE2 lets other threads
    run meanwhile.
    """
    if not is_pattern(keyword):
        return keyword in text
    return _compile(keyword).search(text.encode("utf-8", "replace")) is not None


@lru_cache(maxsize=_MOST_KEPT)
def _compile(keyword: str) -> _Pattern:
    library = _library()
    source = keyword.removeprefix(PATTERN_MARK)
    if not source:
        raise ValueError(f"has no pattern after {PATTERN_MARK}")
    options = library.Options()
    options.max_mem = _MOST_MEMORY
    options.log_errors = False
    options.never_capture = True
    try:
        pattern = library.compile(source, options)
    except library.error as error:
        raise ValueError(f"is not a pattern of RE2: {_words(error)}") from error
    if pattern.programsize > _MOST_STEPS:
        raise ValueError(
            f"is too large a pattern ({pattern.programsize:,} steps; at most {_MOST_STEPS:,}); "
            "write fewer or smaller repeats"
        )
    return pattern


def _library() -> _Library:
    """Return the library, which takes a while to load and which few configurations need."""
    try:
        import re2  # pyright: ignore[reportMissingTypeStubs] # it has none; _Library stands in
    except ImportError as error:
        raise ValueError(
            "patterns need the package google-re2, which is not installed here; write plain text"
        ) from error
    return cast(_Library, cast(object, re2))


def _words(error: Exception) -> str:
    """Return the library's own words, which it gives as bytes."""
    words: object = error.args[0] if error.args else ""
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
    return text if text.isprintable() else "it holds a control character"
