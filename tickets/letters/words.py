"""The words of letters: facts of a message as its templates may print them.

Facts are hostile: site titles, replies and causes come from outside. They are cleaned here before
any template sees them. Nothing here escapes for HTML; that is the templates' environment's work.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import cast
from zoneinfo import ZoneInfo

from tickets.rules.colour import readable_on
from tickets.rules.notice import NOTICES_OF_NO_TICKET, Audience, Notice
from tickets.rules.plain_text import one_line, several_lines
from tickets.rules.words import format_duration, format_instant, format_short

MAX_PLACE = 80
"""Longest name of a site in a subject, in characters."""

ACCENT = "#3b2db0"
"""Colour of buttons and links where a client has none of its own."""

DARK_GROUND = "#211e1a"
"""Ground of a letter where the mail program is dark; colours are made readable on it."""

INSTANTS = frozenset(
    {
        "at",
        "since",
        "until",
        "respond_by",
        "old_respond_by",
        "resumes_at",
        "next_word_by",
        "resume_at",
        "reopen_until",
        "expires_at",
        "link_until",
    }
)
"""Facts that are instants, as ISO 8601."""

_PASSAGES = frozenset({"text", "cause", "done", "next_steps"})
_REFERENCES = frozenset({"reference", "survivor"})
_LINKS = (
    "desk_url",
    "ticket_url",
    "status_url",
    "support_url",
    "agency_url",
    "action_url",
    "unsubscribe_url",
)
_OPTIONAL = MappingProxyType(
    {
        "site_name": None,
        "site_url": None,
        "next_word_by": None,
        "answered_by": None,
        "met_by": None,
        "next_steps": None,
        "estimate": None,
        "resume_at": None,
        "reopen_until": None,
        "closure": None,
        "files": None,
        "support_hours": None,
        "category": None,
        "is_relapse": False,
        "is_incident": False,
        "is_unverified": False,
        "is_support_open": True,
        "resumes_at": None,
        "closed_for": None,
        "closed_before": None,
        "brand_name": None,
        "action": None,
    }
    | dict.fromkeys(_LINKS)
)
_COLOUR = re.compile(r"#[0-9a-f]{6}", re.ASCII)


class Moment:
    """An instant: ``Mon 9 Mar 2026 09:30 GMT``, on one line in HTML; ``short`` is for subjects."""

    def __init__(self, at: datetime, *, now: datetime, zone: ZoneInfo) -> None:
        self._full = format_instant(at, zone)
        letters = self._full.rpartition(" ")[2]
        self.short = f"{format_short(at, now=now, zone=zone)} {letters}"

    def __str__(self) -> str:
        return self._full

    def __html__(self) -> str:
        return f'<span style="white-space:nowrap">{html.escape(self._full)}</span>'


class Unbroken(str):
    """A word that HTML keeps on one line, such as ``T-1042``."""

    __slots__ = ()

    def __html__(self) -> str:
        return f'<span style="white-space:nowrap">{html.escape(self)}</span>'


class Passage:
    """What a person wrote, several lines; HTML keeps the lines."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text

    def __html__(self) -> str:
        return html.escape(self._text).replace("\n", "<br>\n")


def words_of(notice: Notice, audience: Audience, facts: Mapping[str, object]) -> dict[str, object]:
    """Return what the templates may print: cleaned, instants in the agency's zone.

    Raises ``LookupError``, ``TypeError`` or ``ValueError`` for a missing or malformed fact.
    """
    zone, now = ZoneInfo(str(facts["zone"])), datetime.fromisoformat(str(facts["at"]))
    words: dict[str, object] = dict(_OPTIONAL)
    if notice in NOTICES_OF_NO_TICKET:
        words.update(reference=None, client_name=None)
    for name, value in facts.items():
        if value is not None and name in INSTANTS:
            words[name] = Moment(datetime.fromisoformat(str(value)), now=now, zone=zone)
        elif isinstance(value, str):
            words[name] = _words_in(name, value)
        else:
            words[name] = _cleaned(value)
    if "duration_seconds" in facts:
        words["duration"] = format_duration(
            timedelta(seconds=float(str(facts["duration_seconds"])))
        )
    for name in _LINKS:
        words[name] = words[name] if is_web_address(words[name]) else None
    due = facts.get("respond_by")
    is_staff = audience is Audience.STAFF
    return words | {
        "place": place_of(facts),
        "about": about_of(facts),
        "is_site_linked": is_web_address(facts.get("site_url")),
        "is_late": due is not None and datetime.fromisoformat(str(due)) < now,
        "is_staff": is_staff,
        "sender": one_line(str(facts.get("brand_name") or facts["agency_name"])),
        **_colours(None if is_staff else facts.get("brand_colour")),
    }


def _words_in(name: str, value: str) -> object:
    """Return a fact that is text as it is printed."""
    if name in _PASSAGES:
        return Passage(several_lines(value))
    return Unbroken(one_line(value)) if name in _REFERENCES else one_line(value)


def _cleaned(value: object) -> object:
    """Return a fact with every text in its lists and tables on one line and harmless."""
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, list):
        return [_cleaned(item) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        return {key: _cleaned(item) for key, item in cast("dict[str, object]", value).items()}
    return value


def about_of(facts: Mapping[str, object]) -> str:
    """Return what a letter is about: the site of an incident, a request in its own words."""
    names = ("site_name", "title") if facts.get("is_incident") else ("title", "site_name")
    return one_line(next((str(facts[name]) for name in names if facts.get(name)), ""))


def place_of(facts: Mapping[str, object]) -> str:
    """Return what a letter is about, with its client: ``Harbour Inns – booking site``."""
    client = one_line(str(facts.get("client_name") or ""))
    about = about_of(facts)
    if client and client.casefold() not in about.casefold():
        about = f"{client} – {about}" if about else client
    return one_line(about, limit=MAX_PLACE)


def is_web_address(text: object) -> bool:
    """Tell whether ``text`` may be a link."""
    return isinstance(text, str) and text.startswith(("http://", "https://"))


def _colours(given: object) -> dict[str, str]:
    """Return the accent and the same made readable on the dark."""
    accent = given if isinstance(given, str) and _COLOUR.fullmatch(given) else ACCENT
    dark = "#b4abff" if accent == ACCENT else readable_on(accent, DARK_GROUND)
    return {"accent": accent, "accent_dark": dark}
