"""The kinds of value that settings are made of, for use as annotations in the settings models.

Each accepts the text that a file or an environment variable holds as well as the finished value,
and refuses with a ``ValueError`` whose message completes "<key>: ...".
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    WithJsonSchema,
)

from tickets.addresses import canonical_mail_address, canonical_url, shown
from tickets.quantities import (
    DURATION_PATTERN,
    SIZE_PATTERN,
    duration_text,
    parse_duration,
    parse_size,
    size_text,
)

MAX_LINE = 200
"""Longest name, in characters: names end in mail subjects and page titles."""

PERCENT_PATTERN = r"^([1-9][0-9]?|100)%$"

_WHOLE = re.compile(r"-?[0-9]{1,15}", re.ASCII)
_SLUG = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_YES_OR_NO = {"yes": "true", "on": "true", "no": "false", "off": "false"}


class Section(BaseModel):
    """Root of all settings models: immutable, unknown keys refused, no input in error texts."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_by_name=True
    )


def did_you_mean(word: str, allowed: Iterable[str]) -> str:
    """Return ``"; did you mean x?"`` for the nearest allowed word, or nothing if none is near."""
    choices = {choice.lower(): choice for choice in allowed}
    near = difflib.get_close_matches(word.lower(), choices, n=1) if len(word) <= 60 else []
    return f"; did you mean {choices[near[0]]}?" if near else ""


def from_text(parse: Callable[[str], object]) -> BeforeValidator:
    """Return a validator that parses text and lets finished values pass."""

    def read(value: object) -> object:
        return parse(value) if isinstance(value, str) else value

    return BeforeValidator(read)


def between(least: str, most: str) -> AfterValidator:
    """Return a validator that holds a duration between two others, both allowed themselves."""
    low, high = parse_duration(least), parse_duration(most)

    def check(duration: timedelta) -> timedelta:
        if not low <= duration <= high:
            raise ValueError(f"{duration_text(duration)} is not between {least} and {most}")
        return duration

    return AfterValidator(check)


def sized(least: str, most: str) -> AfterValidator:
    """Return a validator that holds a size in bytes between two others, both allowed themselves."""
    low, high = parse_size(least), parse_size(most)

    def check(size: int) -> int:
        if not low <= size <= high:
            raise ValueError(f"{size_text(size)} is not between {least} and {most}")
        return size

    return AfterValidator(check)


def _flag(text: str) -> bool:
    word = text.lower()
    if word in {"true", "false"}:
        return word == "true"
    if word in _YES_OR_NO:
        raise ValueError(f"{shown(text)} is a plain word here; write {_YES_OR_NO[word]}")
    raise ValueError(f"{shown(text)} is neither true nor false")


def _whole(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{shown(text)} is not a whole number")
    return int(text)


def _slug(text: str) -> str:
    if not _SLUG.fullmatch(text):
        raise ValueError(
            f"{shown(text)} is not a slug; write 1 to 63 small letters, digits and inner hyphens, "
            "such as example-shop"
        )
    return text


def _line(text: str) -> str:
    line = text.strip()
    if not line:
        raise ValueError("must not be empty")
    if len(line) > MAX_LINE:
        raise ValueError(f"is {len(line)} characters long; at most {MAX_LINE} are allowed")
    if not line.isprintable():
        raise ValueError("must be one line without control characters")
    return line


def _day(text: str) -> date:
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{shown(text)} is no date in the calendar") from None
    raise ValueError(f"{shown(text)} is not a date; write YYYY-MM-DD, such as 2026-12-25")


Duration = Annotated[
    timedelta,
    from_text(parse_duration),
    PlainSerializer(duration_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["30s", "1h30m"]}),
]
"""A ``timedelta``, written as ``30s``, ``5m``, ``1h``, ``2d`` or ``1h30m``."""

Size = Annotated[
    int,
    from_text(parse_size),
    PlainSerializer(size_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": SIZE_PATTERN, "examples": ["64KiB", "1MiB"]}),
]
"""Bytes, written as ``64KiB`` or ``1MiB``."""

Flag = Annotated[bool, from_text(_flag)]
"""``true`` or ``false``; other words for them are refused, because they are words elsewhere."""

WHOLE = from_text(_whole)
"""Reads a whole number; stands last in an annotation, after its limits."""

Slug = Annotated[
    str, AfterValidator(_slug), WithJsonSchema({"type": "string", "pattern": f"^{_SLUG.pattern}$"})
]
"""An identity that stays when the name changes: small letters, digits, inner hyphens."""

Line = Annotated[str, AfterValidator(_line)]
"""One line of text, trimmed, not empty, without control characters."""

Day = Annotated[date, from_text(_day)]
"""A date, written as ``YYYY-MM-DD``."""

MailAddress = Annotated[
    str,
    AfterValidator(canonical_mail_address),
    WithJsonSchema({"type": "string", "format": "email"}),
]
"""One plain mail address; a non-ASCII domain is encoded."""

WebUrl = Annotated[
    str, AfterValidator(canonical_url), WithJsonSchema({"type": "string", "format": "uri"})
]
"""An http or https URL in its canonical spelling."""
