"""A ticket in the client's words: what happened, how it stands, what was promised.

Of a machine's entries only the fact is told, never its text. What is not listed here is not told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tickets.attachments import AttachmentView
from tickets.pages.words import Words
from tickets.queries.story import FollowUp, StoryEntry
from tickets.queries.views import TicketView
from tickets.rules.promise import MetBy
from tickets.rules.ticket import MACHINE_SOURCES, Action, Category, Outcome, Priority, Status

OUTCOMES: Mapping[Outcome, str] = {
    Outcome.FIXED: "It was fixed",
    Outcome.RECOVERED_BY_ITSELF: "It recovered by itself",
    Outcome.DUPLICATE: "It goes on as another ticket",
    Outcome.NOT_AN_ISSUE: "Nothing had to be done",
    Outcome.ANSWERED: "It was answered",
}
"""How a closed ticket ended."""

_FAULTS: Mapping[Category, str] = {Category.OUTAGE: "down", Category.SLOW: "slow"}

_NOTICED: Mapping[Category, str] = {
    Category.OUTAGE: "We noticed that {site} is not answering as it should",
    Category.SLOW: "We noticed that {site} is answering slowly",
    Category.CERTIFICATE: "We noticed that the certificate of {site} needs attention",
    Category.DOMAIN: "We noticed that the domain of {site} needs attention",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryLine:
    """One line: ``what`` is a whole sentence without its full stop, ``text`` what somebody wrote.

    ``is_yours`` tells that somebody at the client said it.
    """

    at: datetime
    what: str
    text: str = ""
    is_yours: bool = False
    files: Sequence[AttachmentView] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the ticket stands: a word, one sentence, and what is promised.

    ``left`` is the support time left for what is due next, ``due`` says what that is; both are
    empty where nothing is. ``promise`` is a sentence without its full stop, ``is_late`` tells that
    it is not kept.
    """

    word: str
    sentence: str
    left: str
    due: str
    promise: str
    is_late: bool


def title_of(ticket: TicketView) -> str:
    """Return the title without the client's own name before it, in the past once that is over."""
    is_over = ticket.recovered_at is not None or ticket.status in {Status.RESOLVED, Status.CLOSED}
    fault = _FAULTS.get(ticket.category)
    if fault is not None and ticket.source in MACHINE_SOURCES and ticket.site_name:
        return f"{ticket.site_name} {'was' if is_over else 'is'} {fault}"
    return ticket.title.removeprefix(f"{ticket.client_name}: ")


def story_of(
    ticket: TicketView,
    entries: Sequence[StoryEntry],
    follow_ups: Sequence[FollowUp],
    files: Sequence[AttachmentView],
) -> Sequence[StoryLine]:
    """Return the lines of a ticket's history as its client reads it, the newest first."""
    lines = [line for entry in entries if (line := _line(ticket, entry, _files_of(entry, files)))]
    is_told = any(entry.action is Action.CLOSE for entry in entries)
    if ticket.closed_at is not None and ticket.merged_into is None and not is_told:
        lines.append(StoryLine(at=ticket.closed_at, what="Closed"))
    lines += [
        StoryLine(at=one.at, what=f"You asked again: it is {one.reference}", is_yours=True)
        for one in follow_ups
    ]
    return sorted(lines, key=lambda line: line.at)[::-1]


def _files_of(entry: StoryEntry, files: Sequence[AttachmentView]) -> Sequence[AttachmentView]:
    return [file for file in files if file.entry_number == entry.number]


def _line(
    ticket: TicketView, entry: StoryEntry, files: Sequence[AttachmentView]
) -> StoryLine | None:
    what = _what(ticket, entry)
    if what is None:
        return None
    return StoryLine(
        at=entry.at,
        what=what,
        text=entry.text if _is_for_clients(ticket, entry) else "",
        is_yours=_is_yours(ticket, entry),
        files=files,
    )


def _is_yours(ticket: TicketView, entry: StoryEntry) -> bool:
    if entry.action is Action.OPEN:
        return ticket.source not in MACHINE_SOURCES and not entry.is_staff
    return entry.is_client or entry.action is Action.CLIENT_REPLY


def _is_for_clients(ticket: TicketView, entry: StoryEntry) -> bool:
    """Tell whether the entry's text was written for the client or by the client."""
    if entry.action is Action.OPEN:
        return ticket.source not in MACHINE_SOURCES
    if entry.action is Action.PRIORITY:  # else its reason was mailed to nobody
        return entry.moved_deadline
    if entry.action in {Action.RESUME, Action.REOPEN}:  # else a machine wrote it
        return entry.is_staff or entry.is_client
    return entry.action in _WRITTEN


_WRITTEN = frozenset({Action.REPLY, Action.WAIT, Action.CLIENT_REPLY, Action.RESOLVE})
"""Actions whose text is always a person's, to the client or at the client."""


def _what(ticket: TicketView, entry: StoryEntry) -> str | None:
    site = ticket.site_name or "your website"
    if entry.action is Action.OPEN:
        return _opening(ticket, entry, site)
    if entry.action in {Action.RESUME, Action.REOPEN, Action.CLOSE} and entry.is_client:
        return {
            Action.RESUME: f"{entry.actor} answered",
            Action.REOPEN: f"{entry.actor} wrote that it is not solved",
            Action.CLOSE: f"{entry.actor} said that it is solved",
        }[entry.action]
    sentences = {
        Action.ACKNOWLEDGE: f"{entry.actor} has taken it up",
        Action.REPLY: f"{entry.actor} wrote to you",
        Action.WAIT: f"{entry.actor} asked you",
        Action.CLIENT_REPLY: f"{entry.actor} wrote to us",
        Action.RESUME: "We went on without waiting longer for an answer",
        Action.RESOLVE: f"{entry.actor} resolved it",
        Action.REOPEN: f"{entry.actor} took it up again"
        if entry.is_staff
        else "It happened again, so we took it up again",
        Action.RECOVER: f"{site} works again",
        Action.RELAPSE: f"{site} failed again",
        Action.WORSEN: f"{site} went from slow to not answering",
        Action.PRIORITY: f"We changed the priority to {entry.priority}",
        Action.MERGE: "It goes on together with another report of the same",
    }
    return sentences.get(entry.action)


def _opening(ticket: TicketView, entry: StoryEntry, site: str) -> str:
    if ticket.source in MACHINE_SOURCES:
        return _NOTICED.get(ticket.category, "We noticed a fault at {site}").format(site=site)
    if entry.is_staff:
        asked = f" for {ticket.requester_name}" if ticket.requester_name else ""
        return f"{entry.actor} opened it{asked}"
    return f"{ticket.requester_name or entry.actor} asked us"


def standing_of(ticket: TicketView, words: Words) -> Standing:
    """Return how the ticket stands at the instant of ``words``."""
    promise = ticket.promise
    is_over = promise.is_breached(words.now) and ticket.status is not Status.CLOSED
    left = due = ""
    if ticket.status is not Status.CLOSED and not promise.is_answered and not is_over:
        left, due = words.left(promise.respond_by, ticket.client), "left to answer you"
    elif ticket.update_by is not None and words.now <= ticket.update_by:
        left = words.left(ticket.update_by, ticket.client)
        due = "until you hear from us again"
    word, sentence = _status(ticket)
    return Standing(
        word=word,
        sentence=sentence,
        left=left,
        due=due,
        promise=_promise(ticket, words),
        is_late=is_over,
    )


def _status(ticket: TicketView) -> tuple[str, str]:
    works = "It works again; " if ticket.recovered_at else ""
    if ticket.status is Status.OPEN:
        sentence = f"{works}{_with_whom(ticket)}"
        return "Received", f"{sentence[:1].upper()}{sentence[1:]}"
    if ticket.status is Status.ACKNOWLEDGED:
        who = ticket.assignee or "one of us"
        if works:
            return "In hand", f"{works}{who} is still looking at the cause"
        return "In hand", f"{who[:1].upper()}{who[1:]} is working on it"
    if ticket.status is Status.WAITING:
        return "Waiting for you", "We need your answer to go on"
    if ticket.status is Status.RESOLVED:
        return "Resolved", "We have dealt with it. Please tell us whether it is solved"
    ended = "Nothing more will be done here" if ticket.outcome is None else OUTCOMES[ticket.outcome]
    return "Closed", ended


def _with_whom(ticket: TicketView) -> str:
    """Return who has a ticket that nobody has answered, and who was told of it."""
    if ticket.assignee:
        return f"{ticket.assignee} has it"
    if ticket.priority is Priority.CRITICAL:  # of others duty hears by a digest
        return "nobody has it yet, but everybody on duty has been told"
    return "it waits for one of us to read it"


def _promise(ticket: TicketView, words: Words) -> str:
    promise = ticket.promise
    due = _unbroken(words.full(promise.respond_by))
    if promise.answered_at is not None:
        answered = f"Answered {_unbroken(words.full(promise.answered_at))}"
        if promise.was_kept:
            return f"{answered}, in time: we had promised {due}"
        return f"{answered}, later than the {due} that we promised"
    if ticket.status is Status.CLOSED:
        return ""
    if promise.is_breached(words.now):
        return f"The answer that we promised by {due} is late. Those in charge have been told"
    if promise.met_by is MetBy.ACKNOWLEDGEMENT:
        return f"One of us takes it up by {due}"
    return f"We write to you by {due}"


def _unbroken(instant: str) -> str:
    """Return an instant that stays on one line."""
    return instant.replace(" ", "\N{NO-BREAK SPACE}")
