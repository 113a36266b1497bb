"""Letters: a notice put into words, as subject, plain text and HTML, from facts frozen with it.

``tickets.letters.words`` cleans the facts, ``tickets.letters.sandbox`` holds what prints them. A
template of the agency's own that does not work is replaced by ours, and ours by ``plain_letter``:
being told badly beats not being told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

import structlog

from tickets.errors import ServiceError
from tickets.letters.sandbox import TemplateFailed, Templates
from tickets.letters.words import INSTANTS, place_of, words_of
from tickets.rules.notice import Audience, Notice
from tickets.rules.plain_text import one_line, several_lines
from tickets.rules.words import format_instant

log = structlog.get_logger()

MAX_HTML = 100_000
"""Bytes above which mail programs cut an HTML part: a longer letter goes as text alone."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The state that a letter tells: a shape (empty for what people did), a word and a hue."""

    shape: str
    word: str
    hue: str

    def __str__(self) -> str:
        return f"{self.shape} {self.word}".strip()


MARKS = {
    Notice.DOWN: Mark("■", "Down", "down"),
    Notice.SLOW: Mark("◐", "Slow", "slow"),
    Notice.RECOVERED: Mark("●", "Up again", "up"),
    Notice.ACKNOWLEDGED: Mark("", "In hand", "accent"),
    Notice.REPLY: Mark("", "Reply", "accent"),
    Notice.RESOLVED: Mark("", "Resolved", "accent"),
    Notice.REOPENED: Mark("", "Open again", "accent"),
    Notice.BREACHED: Mark("", "Deadline missed", "accent"),
    Notice.BLIND: Mark("", "Blind", "accent"),
    Notice.SIGHTED: Mark("", "Sees again", "accent"),
    Notice.AT_RISK: Mark("", "At risk", "accent"),
    Notice.UPDATE_DUE: Mark("", "Word due", "accent"),
    Notice.CALENDAR_ENDS: Mark("", "Calendar ends", "accent"),
    Notice.RECEIVED: Mark("", "Received", "accent"),
    Notice.PRIORITY_CHANGED: Mark("", "Priority changed", "accent"),
    Notice.ASSIGNED: Mark("", "Assigned", "accent"),
    Notice.QUESTION: Mark("", "Question", "accent"),
    Notice.RESUMED: Mark("", "Resumed", "accent"),
    Notice.CLIENT_REPLIED: Mark("", "Client's reply", "accent"),
    Notice.MERGED: Mark("", "Merged", "accent"),
    Notice.ALLOWANCE: Mark("", "Allowance", "accent"),
    Notice.ALERT: Mark("", "Alert", "accent"),
    Notice.ALERT_ENDED: Mark("", "Alert ended", "accent"),
    Notice.VERIFY: Mark("", "Please verify", "accent"),
    Notice.NEW_LINK: Mark("", "Your link", "accent"),
    Notice.STATEMENT: Mark("", "Statement", "accent"),
    Notice.DIGEST: Mark("", "New requests", "accent"),
    Notice.MAIL_FAULT: Mark("", "Mail", "accent"),
}
"""The hues of states are kept for states of a site; what people do is in the accent."""

_FOR_STAFF = ("message", "desk_url")
_UNSAID = frozenset({"zone", "title", "brand_name", "brand_colour", "agency_url"})


@dataclass(frozen=True, slots=True)
class Letter:
    """A notice in words; ``html`` is None where the text alone is to be sent."""

    subject: str
    text: str
    html: str | None


class LetterFailed(ServiceError):
    """A template is broken or a fact that it needs is missing; ``plain_letter`` still works."""


class Letters:
    """All letters, their templates compiled at the first use; safe to share.

    ``folder`` holds an agency's own templates, which stand before the built-in ones where they are
    and work. ``overrides_failed`` counts letters for which they did not.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.overrides_failed = 0
        self._ours = Templates()
        self._own = None if folder is None else Templates(folder)

    def write(self, notice: Notice, audience: Audience, facts: Mapping[str, object]) -> Letter:
        """Return the letter of ``notice`` for ``audience``; ``facts`` are those of its message.

        Raises ``LetterFailed`` for a broken template, or a missing or malformed fact.
        """
        try:
            words = words_of(notice, audience, facts) | {"mark": MARKS[notice]}
        except (LookupError, TypeError, ValueError) as error:
            raise _failed(notice, audience, error) from error
        if self._own is not None:
            try:
                return _letter(self._own, notice, words)
            except TemplateFailed as error:
                self.overrides_failed += 1
                log.error(  # noqa: TRY400  the trace is Jinja's, the place in the template says all
                    "letters.override_failed",
                    notice=notice,
                    audience=audience,
                    file=error.file,
                    line=error.line,
                    fault=str(error),
                )
        try:
            return _letter(self._ours, notice, words)
        except TemplateFailed as error:
            raise _failed(notice, audience, error) from error


def _letter(templates: Templates, notice: Notice, words: Mapping[str, object]) -> Letter:
    subject, text, page = templates.render(notice, words)
    is_short = len(page.encode(errors="replace")) < MAX_HTML
    return Letter(one_line(subject), text.strip() + "\n", page if is_short else None)


def _failed(notice: Notice, audience: Audience, error: Exception) -> LetterFailed:
    return LetterFailed(f"the letter '{notice}' for {audience} cannot be written: {error}")


def plain_letter(notice: Notice, audience: Audience, facts: Mapping[str, object]) -> Letter:
    """Return the bare facts of ``notice`` as text alone: what goes out when its letter is broken.

    Needs no template and accepts any facts.
    """
    mark = MARKS[notice]
    lines = [f"{mark}: {place_of(facts)}", ""]
    for name, value in facts.items():
        is_hidden = name in _UNSAID or (name in _FOR_STAFF and audience is not Audience.STAFF)
        if value in (None, "") or isinstance(value, bool) or is_hidden:
            continue
        label = name.replace("_", " ").capitalize()
        lines.append(f"{label}: {_shown(name, value, facts)}")
    subject = f"{mark}: {place_of(facts)}"
    if facts.get("reference"):
        subject += f" ({one_line(str(facts['reference']))})"
    return Letter(one_line(subject), "\n".join(lines) + "\n", None)


def _shown(name: str, value: object, facts: Mapping[str, object]) -> str:
    if name in INSTANTS:
        try:
            zone = ZoneInfo(str(facts.get("zone")))
            return format_instant(datetime.fromisoformat(str(value)), zone)
        except (LookupError, ValueError, OSError):
            return one_line(str(value))
    text = several_lines("\n".join(_listed(value)))
    return f"\n{text}\n" if "\n" in text else text


def _listed(value: object) -> Iterator[str]:
    """Yield a fact in lines: of a list each item, of a table in it each row."""
    if isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _listed(item)
    elif isinstance(value, dict):
        cells = cast("dict[str, object]", value).values()
        yield ", ".join(one_line(str(cell)) for cell in cells if cell not in (None, ""))
    else:
        yield str(value)
