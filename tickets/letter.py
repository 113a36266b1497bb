"""Letters: a notice put into words, as subject, plain text and HTML, from facts frozen with it.

Each notice has a folder in ``letters/`` with ``subject.txt`` and ``body.txt``. The sentences of a
body are written once: ``layout.txt`` sets them as plain text, ``layout.html`` as HTML. Which of the
two escapes is decided by the environment that a layout is loaded from, never by its file's name.

Facts are hostile: site titles, replies and causes come from outside. They are cleaned before any
template sees them, and are values to the templates, never templates.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined, TemplateError

from tickets.errors import ServiceError
from tickets.rules.notice import NOTICES_OF_NO_TICKET, Audience, Notice
from tickets.rules.plain_text import one_line, several_lines
from tickets.rules.words import format_duration, format_instant, format_short

MAX_HTML = 100_000
"""Bytes above which mail programs cut an HTML part: a longer letter goes as text alone."""

MAX_PLACE = 80
"""Longest name of a site in a subject, in characters."""


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
}
"""The hues of states are kept for states of a site; what people do is in the accent."""

_INSTANTS = (
    "at",
    "since",
    "until",
    "respond_by",
    "old_respond_by",
    "resumes_at",
    "next_word_by",
    "resume_at",
)
_PASSAGES = ("text", "cause", "done", "next_steps")
_OPTIONAL = (
    "site_name",
    "site_url",
    "next_word_by",
    "resumes_at",
    "answered_by",
    "next_steps",
    "estimate",
    "resume_at",
    "closure",
)
_FOR_STAFF = ("message", "desk_url")


@dataclass(frozen=True, slots=True)
class Letter:
    """A notice in words; ``html`` is None where the text alone is to be sent."""

    subject: str
    text: str
    html: str | None


class LetterFailed(ServiceError):
    """A template is broken or a fact that it needs is missing; ``plain_letter`` still works."""


class _Instant:
    """An instant: ``Mon 9 Mar 2026 09:30 GMT``, on one line in HTML; ``short`` is for subjects."""

    def __init__(self, at: datetime, *, now: datetime, zone: ZoneInfo) -> None:
        self._full = format_instant(at, zone)
        letters = self._full.rpartition(" ")[2]
        self.short = f"{format_short(at, now=now, zone=zone)} {letters}"

    def __str__(self) -> str:
        return self._full

    def __html__(self) -> str:
        return f'<span style="white-space:nowrap">{html.escape(self._full)}</span>'


class _Passage:
    """What a person wrote, several lines; HTML keeps the lines."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text

    def __html__(self) -> str:
        return html.escape(self._text).replace("\n", "<br>\n")


class Letters:
    """All letters, their templates compiled at the first use; safe to share."""

    def __init__(self) -> None:
        loader = PackageLoader("tickets", "letters")
        self._text = _environment(loader, is_html=False)
        self._html = _environment(loader, is_html=True)

    def write(self, notice: Notice, audience: Audience, facts: Mapping[str, object]) -> Letter:
        """Return the letter of ``notice`` for ``audience``; ``facts`` are those of its message.

        Raises ``LetterFailed`` for a broken template, or a missing or malformed fact.
        """
        try:
            words = _words(notice, audience, facts)
            words["subject"] = subject = one_line(
                self._text.get_template(f"{notice}/subject.txt").render(words)
            )
            text = self._text.get_template(f"{notice}/body.txt").render(
                words, layout="layout.txt", passage_layout="passage.txt"
            )
            laid_out = self._html.get_template(f"{notice}/body.txt").render(
                words, layout="layout.html", passage_layout="passage.html"
            )
        except (TemplateError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise LetterFailed(
                f"the letter '{notice}' for {audience} cannot be written: {error}"
            ) from error
        is_short = len(laid_out.encode()) < MAX_HTML
        return Letter(subject, text.strip() + "\n", laid_out if is_short else None)


def plain_letter(notice: Notice, audience: Audience, facts: Mapping[str, object]) -> Letter:
    """Return the bare facts of ``notice`` as text alone: what goes out when its letter is broken.

    Needs no template and accepts any facts.
    """
    mark = MARKS[notice]
    lines = [f"{mark}: {_place(facts)}", ""]
    for name, value in facts.items():
        is_hidden = name in {"zone", "title"} or (
            name in _FOR_STAFF and audience is not Audience.STAFF
        )
        if value in (None, "") or isinstance(value, bool) or is_hidden:
            continue
        label = name.replace("_", " ").capitalize()
        lines.append(f"{label}: {_shown(name, value, facts)}")
    subject = f"{mark}: {_place(facts)}"
    if facts.get("reference"):
        subject += f" ({one_line(str(facts['reference']))})"
    return Letter(one_line(subject), "\n".join(lines) + "\n", None)


def _environment(loader: PackageLoader, *, is_html: bool) -> Environment:
    return Environment(
        loader=loader,
        autoescape=is_html,  # noqa: S701  the other environment writes plain text only
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def _words(notice: Notice, audience: Audience, facts: Mapping[str, object]) -> dict[str, object]:
    """Return what the templates may print: cleaned, instants in the agency's zone."""
    zone, now = ZoneInfo(str(facts["zone"])), datetime.fromisoformat(str(facts["at"]))
    words: dict[str, object] = {}
    words.update(dict.fromkeys(_OPTIONAL))
    if notice in NOTICES_OF_NO_TICKET:
        words.update(reference=None, client_name=None)
    for name, value in facts.items():
        if value is not None and name in _INSTANTS:
            words[name] = _Instant(datetime.fromisoformat(str(value)), now=now, zone=zone)
        elif isinstance(value, str):
            is_passage = name in _PASSAGES
            words[name] = _Passage(several_lines(value)) if is_passage else one_line(value)
        else:
            words[name] = value
    if "duration_seconds" in facts:
        words["duration"] = format_duration(
            timedelta(seconds=float(str(facts["duration_seconds"])))
        )
    words["mark"] = MARKS[notice]
    words["place"] = _place(facts)
    words["about"] = one_line(str(facts.get("site_name") or facts["title"]))
    words["is_site_linked"] = str(facts.get("site_url")).startswith(("http://", "https://"))
    due = facts.get("respond_by")
    words["is_late"] = due is not None and datetime.fromisoformat(str(due)) < now
    words["is_staff"] = audience is Audience.STAFF
    return words


def _place(facts: Mapping[str, object]) -> str:
    """Return what a letter is about, with its client: ``Harbour Inns – booking site``."""
    client = one_line(str(facts.get("client_name") or ""))
    about = one_line(str(facts.get("site_name") or facts.get("title") or ""))
    if client and client.casefold() not in about.casefold():
        about = f"{client} – {about}" if about else client
    return one_line(about, limit=MAX_PLACE)


def _shown(name: str, value: object, facts: Mapping[str, object]) -> str:
    if name in _INSTANTS:
        try:
            zone = ZoneInfo(str(facts.get("zone")))
            return format_instant(datetime.fromisoformat(str(value)), zone)
        except (LookupError, ValueError, OSError):
            return one_line(str(value))
    text = several_lines(str(value))
    return f"\n{text}\n" if "\n" in text else text
