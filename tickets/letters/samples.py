"""Sample facts of every notice, as ``tickets.actions`` and its kind write them."""

from __future__ import annotations

from types import MappingProxyType

from tickets.letters.samples_apart import FACTS_APART
from tickets.rules.notice import Notice
from tickets.rules.request import ABOUT
from tickets.rules.ticket import Category

_COMMON: dict[str, object] = {
    "reference": "T-1042",
    "title": "Booking site is down",
    "client_name": "Harbour Inns",
    "site_name": "Booking site",
    "site_url": "https://booking.harbourinns.example/",
    "priority": "critical",
    "is_incident": True,
    "agency_name": "Quayside Studio",
    "agency_url": "https://www.quayside.example/",
    "zone": "Europe/London",
    "desk_url": "https://desk.quayside.example/tickets/T-1042",
    "ticket_url": "https://care.quayside.example/t/Ruz3Jm6WkQ2xVb8NnT4pYg",
    "status_url": "https://care.quayside.example/status/harbour-inns",
    "support_url": "https://care.quayside.example/support/harbour-inns",
    "brand_name": None,
    "brand_colour": "#0b5a7a",
    "is_support_open": True,
    "resumes_at": None,
    "closed_for": None,
    "at": "2026-03-09T09:04:41+00:00",
}
_PROMISE: dict[str, object] = {
    "respond_by": "2026-03-09T10:04:41+00:00",
    "answered_by": None,
    "closed_before": None,
}
_REQUEST: dict[str, object] = {
    "title": "A new picture on the front page",
    "site_name": None,
    "site_url": None,
    "priority": "normal",
    "is_incident": False,
}
_SEEN: dict[str, object] = {
    "what": "is not answering",
    "message": "connection refused by 203.0.113.7 on port 443",
    "since": "2026-03-09T09:04:10+00:00",
}

SAMPLE_FACTS = MappingProxyType(
    {
        Notice.DOWN: _COMMON | _PROMISE | _SEEN,
        Notice.SLOW: _COMMON
        | {
            "at": "2026-03-06T21:47:30+00:00",
            "title": "Booking site is slow",
            "what": "is answering much more slowly than it should",
            "message": "answered in 6.2 s; slow after 3 s",
            "since": "2026-03-06T21:43:00+00:00",
            "respond_by": "2026-03-09T10:00:00+00:00",
            "answered_by": None,
            "closed_before": None,
            "is_support_open": False,
            "resumes_at": "2026-03-09T09:00:00+00:00",
        },
        Notice.RECOVERED: _COMMON
        | _PROMISE
        | {
            "at": "2026-03-09T09:20:22+00:00",
            "since": "2026-03-09T09:04:10+00:00",
            "until": "2026-03-09T09:20:10+00:00",
            "duration_seconds": 960.0,
            "is_outstanding": True,
        },
        Notice.ACKNOWLEDGED: _COMMON
        | {
            "at": "2026-03-09T09:12:05+00:00",
            "by": "Sam Okafor",
            "next_word_by": "2026-03-09T10:12:05+00:00",
        },
        Notice.REPLY: _COMMON
        | {
            "at": "2026-03-09T09:31:00+00:00",
            "by": "Sam Okafor",
            "text": "The host restarted the server at 09:02 and its database did not come back.\n\n"
            "We have started it by hand and are checking that no booking was lost.",
            "next_word_by": "2026-03-09T10:31:00+00:00",
        },
        Notice.RESOLVED: _COMMON
        | {
            "at": "2026-03-09T10:05:00+00:00",
            "by": "Sam Okafor",
            "cause": "The host restarted the server unasked and its database did not start.",
            "done": "We started the database, checked that no booking was lost, and set it to "
            "start by itself from now on.",
            "reopen_until": "2026-03-23T10:05:00+00:00",
        },
        Notice.REOPENED: _COMMON
        | _PROMISE
        | {
            "message": "It happens again: connection refused by 203.0.113.7 on port 443",
            "is_relapse": True,
        },
        Notice.BREACHED: _COMMON | _PROMISE | {"at": "2026-03-09T10:05:00+00:00"},
        Notice.AT_RISK: _COMMON
        | _PROMISE
        | {
            "at": "2026-03-09T09:34:41+00:00",
            "since": "2026-03-09T09:04:41+00:00",
            "percent": 50,
            "time_left": "30 min",
        },
        Notice.UPDATE_DUE: _COMMON
        | {
            "at": "2026-03-09T10:12:20+00:00",
            "next_word_by": "2026-03-09T10:12:05+00:00",
            "by": "Sam Okafor",
        },
        Notice.RECEIVED: _COMMON
        | _PROMISE
        | _REQUEST
        | {
            "at": "2026-12-18T15:10:00+00:00",
            "respond_by": "2026-12-22T15:10:00+00:00",
            "text": "Please put the picture that we sent on Friday on the front page.",
            "category": ABOUT[Category.CONTENT_CHANGE],
            "closure": "from Thu 24 Dec 2026 to Fri 1 Jan 2027 (Christmas closure)",
            "support_hours": "Mon to Fri 09:00-17:00 (London)",
        },
        Notice.PRIORITY_CHANGED: _COMMON
        | _PROMISE
        | {
            "by": "Sam Okafor",
            "old_priority": "normal",
            "old_respond_by": "2026-03-11T09:04:41+00:00",
            "text": "Guests cannot book at all, not only on phones.",
        },
        Notice.ASSIGNED: _COMMON
        | _PROMISE
        | {"by": "Sam Okafor", "assignee": "Mia Reed", "is_answered": False},
        Notice.QUESTION: _COMMON
        | _REQUEST
        | {
            "by": "Sam Okafor",
            "text": "Which of the two pictures is the one to show first?",
            "resume_at": "2026-03-12T09:00:00+00:00",
        },
        Notice.RESUMED: _COMMON | {"by": "Fettle", "at": "2026-03-12T09:00:30+00:00"},
        Notice.CLIENT_REPLIED: _COMMON
        | _PROMISE
        | {
            "by": "Anna Wright",
            "answered_by": "Sam Okafor",
            "text": "The one with the harbour, please.",
            "files": "harbour at dawn.jpg",
        },
        Notice.MERGED: _COMMON
        | _PROMISE
        | {
            "by": "Sam Okafor",
            "survivor": "T-1040",
            "survivor_title": "Booking site is slow",
            "is_answered": False,
        },
        Notice.NEW_LINK: _COMMON | {"expires_at": "2026-06-07T09:04:41+01:00"},
        Notice.ALLOWANCE: _COMMON
        | {
            "by": "Sam Okafor",
            "share": 80,
            "month": "March 2026",
            "spent": "4 h",
            "per_month": "5 h",
        },
        Notice.ALERT: _COMMON
        | _PROMISE
        | {
            "title": "Harbour Inns: QueueStuck: 340 bookings wait",
            "message": "340 bookings wait for the payment service",
            "since": "2026-03-09T09:04:10+00:00",
        },
        Notice.ALERT_ENDED: _COMMON
        | _PROMISE
        | {
            "title": "Harbour Inns: QueueStuck: 340 bookings wait",
            "since": "2026-03-09T09:04:10+00:00",
            "until": "2026-03-09T09:20:10+00:00",
            "duration_seconds": 960.0,
            "is_outstanding": True,
        },
    }
    | FACTS_APART
)
"""Facts of one message for each notice, as ``tickets.actions`` writes them."""
