"""Sample facts of the notices that belong to no ticket."""

from __future__ import annotations

from tickets.rules.notice import Notice

_OURSELVES: dict[str, object] = {
    "title": "Prober main",
    "location": "main",
    "why": "its own network is down",
    "since": "2026-03-09T09:02:10+00:00",
    "priority": "critical",
    "agency_name": "Quayside Studio",
    "zone": "Europe/London",
    "desk_url": "https://desk.quayside.example/sites",
    "at": "2026-03-09T09:04:41+00:00",
}
FACTS_APART: dict[Notice, dict[str, object]] = {
    Notice.BLIND: _OURSELVES,
    Notice.SIGHTED: _OURSELVES
    | {
        "at": "2026-03-09T09:20:22+00:00",
        "until": "2026-03-09T09:20:10+00:00",
        "duration_seconds": 1080.0,
        "unwatched": 3312,
    },
    Notice.CALENDAR_ENDS: {
        "title": "Calendar",
        "until": "2027-01-01T00:00:00+00:00",
        "priority": "normal",
        "agency_name": "Quayside Studio",
        "zone": "Europe/London",
        "desk_url": "https://desk.quayside.example/calendar",
        "at": "2026-03-09T09:04:41+00:00",
    },
    Notice.DIGEST: {
        "title": "New requests",
        "count": 2,
        "more": 0,
        "first_by": "Wed 11 Mar 2026 08:20 GMT",
        "lines": [
            {
                "reference": "T-1043",
                "client": "Harbour Inns",
                "title": "A new picture on the front page",
                "priority": "normal",
                "respond_by": "Wed 11 Mar 2026 08:20 GMT",
            },
            {
                "reference": "T-1044",
                "client": "Tideway Rowing",
                "title": "Results of the spring races",
                "priority": "low",
                "respond_by": "Thu 12 Mar 2026 09:00 GMT",
            },
        ],
        "until": "2026-03-09T09:00:00+00:00",
        "priority": "normal",
        "agency_name": "Quayside Studio",
        "zone": "Europe/London",
        "desk_url": "https://desk.quayside.example/tickets",
        "at": "2026-03-09T09:00:08+00:00",
    },
    Notice.MAIL_FAULT: {
        "title": "Mail",
        "what": "Mails to anna@harbour-inns.example do not arrive.",
        "message": "550 5.1.1 no such user here",
        "advice": "Ask the client for another address and put it in the configuration.",
        "since": "2026-03-09T09:02:10+00:00",
        "priority": "critical",
        "agency_name": "Quayside Studio",
        "zone": "Europe/London",
        "desk_url": "https://desk.quayside.example/outbox?state=dead",
        "at": "2026-03-09T09:04:41+00:00",
    },
    Notice.STATEMENT: {
        "title": "Statement for February 2026",
        "client_name": "Harbour Inns",
        "month": "February 2026",
        "period": "1 to 28 February 2026",
        "uptime": "99.90 %",
        "incident_count": "2 incidents",
        "answers": "2 of 3 answers in time",
        "sites": [
            {
                "name": "Booking site",
                "share": "99.84 %",
                "parts": "down 1 h 4 min, slow 12 min, unknown 3 min, maintenance 2 h",
                "watched": "",
            },
            {
                "name": "Gift shop",
                "share": "100 %",
                "parts": "",
                "watched": "Figures from Mon 16 Feb 2026.",
            },
        ],
        "more_sites": "",
        "incidents": [
            {
                "site": "Booking site",
                "shape": "■",
                "kind": "down",
                "began": "Tue 3 Feb 2026 10:02 GMT",
                "lasted": "1 h 4 min in 2 stretches",
                "words": "is not answering",
                "ending": "",
                "reference": "T-1031",
            },
            {
                "site": "Booking site",
                "shape": "◐",
                "kind": "slow",
                "began": "Thu 12 Feb 2026 14:30 GMT",
                "lasted": "12 min",
                "words": "is answering much more slowly than it should",
                "ending": "",
                "reference": "T-1036",
            },
        ],
        "more_incidents": "",
        "responses": [
            {
                "priority": "Critical",
                "outcome": "1 of 2 in time",
                "median": "41 min",
                "worst": "1 h 12 min",
            },
            {
                "priority": "Normal",
                "outcome": "1 of 1 in time",
                "median": "6 h 40 min",
                "worst": "6 h 40 min",
            },
        ],
        "broken": [
            {
                "reference": "T-1036",
                "title": "Booking site is slow",
                "kept": "broken: 12 min late",
            }
        ],
        "more_broken": "",
        "certificates": [{"site": "Gift shop", "expires": "Tue 24 Mar 2026 12:00 GMT"}],
        "allowance": "2 h 15 min of 5 h (45 %)",
        "domains": "Domain names are not watched yet, so this says nothing of when they must "
        "be renewed.",
        "priority": "low",
        "agency_name": "Quayside Studio",
        "agency_url": "https://www.quayside.example/",
        "brand_name": None,
        "brand_colour": "#0b5a7a",
        "status_url": "https://care.quayside.example/status/harbour-inns",
        "support_url": "https://care.quayside.example/support/harbour-inns",
        "zone": "Europe/London",
        "desk_url": "https://desk.quayside.example/",
        "action": "See the whole statement",
        "action_url": "https://care.quayside.example/statement/8f0c6d2e4b7a91d35c6e0f1a2b3c4d5e",
        "unsubscribe_url": "https://care.quayside.example/unsubscribe/"
        "5e4d3c2b1a0f6e5c3d19a7b4e2d6c0f8",
        "link_until": "2027-04-06T09:00:00+01:00",
        "at": "2026-03-02T09:00:00+00:00",
    },
    Notice.VERIFY: {
        "client_name": "Harbour Inns",
        "agency_name": "Quayside Studio",
        "zone": "Europe/London",
        "at": "2026-03-09T09:04:41+00:00",
        "until": "2026-03-11T09:04:41+00:00",
        "action": "Verify your address",
        "action_url": "https://desk.quayside.example/support/harbour/verify/c2FtcGxlLW9ubHk",
    },
}
