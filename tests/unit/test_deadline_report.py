"""What ``fettle deadline`` says, and that the documentation's examples are true."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.unit.calendars import HOUR, a_calendar, at, shipped_calendar
from tickets.deadline_report import (
    DeadlineReport,
    explain_deadline,
    explanation_lines,
    parse_instant,
)
from tickets.errors import Refused
from tickets.rules.promise import CountedIn, MetBy, ResponseTarget, deadline
from tickets.rules.ticket import Priority
from tickets.rules.words import format_hours, format_instant
from tickets.settings.support import SupportSettings

LONDON = ZoneInfo("Europe/London")
ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "support-hours.md").read_text(encoding="utf-8")
PAGES = [
    PAGE,
    *((ROOT / name).read_text("utf-8") for name in ("README.md", "docs/command-line.md")),
]


def report(priority: str, raised: str) -> DeadlineReport:
    return explain_deadline(
        shipped_calendar(),
        SupportSettings().response.targets()[Priority(priority)],
        priority=Priority(priority),
        raised_at=parse_instant(raised, LONDON),
    )


def test_critical_before_christmas_in_words() -> None:
    found = report("critical", "2026-12-23T16:30")
    short, _, why = found.text(explain=True).partition("\n\n")
    assert found.text() == short
    assert short.splitlines() == [
        "Respond by Mon 4 Jan 2027 09:30 GMT",
        (
            "critical, raised Wed 23 Dec 2026 16:30 GMT: 1 h in support hours, "
            "met by an acknowledgement"
        ),
    ]
    assert why.splitlines() == [
        "Counted",
        "  Wed 23 Dec 2026  16:30-17:00  30 min, 30 min in all",
        "  Mon 4 Jan 2027   09:00-09:30  30 min, 1 h in all",
        "Skipped",
        "  Thu 24 Dec 2026  Christmas closure",
        "  Fri 25 Dec 2026  Christmas Day",
        "  Sat 26 Dec 2026  Boxing Day",
        "  Sun 27 Dec 2026  Christmas closure",
        "  Mon 28 Dec 2026  Boxing Day (observed)",
        "  Tue 29 Dec 2026  Christmas closure",
        "  Wed 30 Dec 2026  Christmas closure",
        "  Thu 31 Dec 2026  Christmas closure",
        "  Fri 1 Jan 2027   New Year's Day",
        "  Sat 2 Jan 2027   Saturday",
        "  Sun 3 Jan 2027   Sunday",
    ]


def test_critical_before_easter_as_json() -> None:
    found = report("critical", "2026-04-02T16:30")
    assert json.loads(json.dumps(found.document())) == {
        "respond_by": "2026-04-07T09:30:00+01:00",
        "priority": "critical",
        "within": "1h",
        "counted_in": "support_hours",
        "raised_at": "2026-04-02T16:30:00+01:00",
        "skipped": [
            {"date": "2026-04-03", "why": "Good Friday"},
            {"date": "2026-04-04", "why": "Saturday"},
            {"date": "2026-04-05", "why": "Sunday"},
            {"date": "2026-04-06", "why": "Easter Monday"},
        ],
    }


def test_support_days_say_how_many_they_are() -> None:
    found = report("normal", "2026-03-07T12:00")
    assert explanation_lines(found.deadline) == [
        "Counted",
        "  Mon 9 Mar 2026   09:00-17:00  8 h, 8 h in all",
        "  Tue 10 Mar 2026  09:00-17:00  8 h, 16 h in all",
        "  that is 2 support days",
        "Skipped",
        "  Sat 7 Mar 2026   Saturday",
        "  Sun 8 Mar 2026   Sunday",
    ]


@pytest.mark.parametrize(
    ("within", "lines"),
    [
        (
            48 * HOUR,
            [
                "Counted by the clock",
                "  Fri 23 Oct 2026 16:30 BST to Sun 25 Oct 2026 15:30 GMT",
                "  that is out of hours, so it is due when support next opens",
                "Skipped",
                "  Sun 25 Oct 2026  Sunday",
            ],
        ),
        (
            72 * HOUR,
            [
                "Counted by the clock",
                "  Fri 23 Oct 2026 16:30 BST to Mon 26 Oct 2026 15:30 GMT",
            ],
        ),
    ],
)
def test_what_is_counted_by_the_clock_says_so(within: timedelta, lines: list[str]) -> None:
    target = ResponseTarget(within=within, counted_in=CountedIn.CLOCK_THEN_ROLL, met_by=MetBy.REPLY)
    found = deadline(shipped_calendar(), target, at("2026-10-23T15:30Z"))
    assert explanation_lines(found) == lines


def test_midnight_ends_its_own_day() -> None:
    target = ResponseTarget(within=HOUR, counted_in=CountedIn.SUPPORT_HOURS, met_by=MetBy.REPLY)
    calendar = a_calendar(week={"tue": ["20:00-24:00"]})
    found = deadline(calendar, target, at("2026-03-03T23:00Z"))
    assert explanation_lines(found)[1] == "  Tue 3 Mar 2026   23:00-24:00  1 h, 1 h in all"


def test_a_deadline_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(Refused, match=r"no deadline can be given: .*2024-01-01 to 2032-12-31"):
        report("critical", "2040-03-03T10:00")


class TestParseInstant:
    @pytest.mark.parametrize(
        ("text", "means"),
        [
            ("2026-12-23T16:30", "2026-12-23T16:30+00:00"),
            ("2026-07-01T16:30", "2026-07-01T15:30+00:00"),
            ("2026-07-01 16:30:15", "2026-07-01T15:30:15+00:00"),
            (" 2026-07-01T16:30 ", "2026-07-01T15:30+00:00"),
            ("2026-07-01T16:30Z", "2026-07-01T16:30+00:00"),
            ("2026-07-01T16:30-02:30", "2026-07-01T19:00+00:00"),
            # shown twice on 25 October: the first; skipped on 29 March: when it skips
            ("2026-10-25T01:30", "2026-10-25T00:30+00:00"),
            ("2026-10-25T01:30+00:00", "2026-10-25T01:30+00:00"),
            ("2026-03-29T01:30", "2026-03-29T01:00+00:00"),
        ],
    )
    def test_what_it_means(self, text: str, means: str) -> None:
        assert parse_instant(text, LONDON).isoformat() == at(means).isoformat()

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("tomorrow", "'tomorrow' is no instant; write it as 2026-12-23T16:30"),
            ("2026-12-32T16:30", "is no instant"),
            ("2026-12-23", "'2026-12-23' has no time of day"),
            ("20261223", "has no time of day"),
            ("16:30", "is no instant"),
            ("", "'' is no instant"),
            ("0001-01-01T00:00+10:00", "lies beyond the calendar"),
        ],
    )
    def test_what_it_refuses(self, text: str, says: str) -> None:
        with pytest.raises(Refused, match=re.escape(says)):
            parse_instant(text, LONDON)


class TestDocumentation:
    ROWS = re.findall(r"^\| (critical|normal|low) \| (.+?) \| (.+?) \|", PAGE, re.MULTILINE)
    BLOCKS = re.findall(
        r"```\w*\n\$ fettle deadline (.+?)\n(.+?)\n```", "\n".join(PAGES), re.DOTALL
    )
    SPANS = re.findall(r"^\| (\S+) to (\S+) \| (.+?) \|", PAGE, re.MULTILINE)

    def test_it_has_examples(self) -> None:
        assert len(self.ROWS) >= 10
        assert len(self.BLOCKS) >= 4
        assert len(self.SPANS) >= 3

    @pytest.mark.parametrize(("priority", "raised", "respond_by"), ROWS)
    def test_the_table_is_true(self, priority: str, raised: str, respond_by: str) -> None:
        found = report(priority, raised)
        assert format_instant(found.deadline.respond_by, LONDON) == respond_by

    @pytest.mark.parametrize(("flags", "printed"), BLOCKS)
    def test_what_it_shows_is_what_is_printed(self, flags: str, printed: str) -> None:
        priority, raised = re.findall(r"--priority (\S+) --at (\S+)", flags)[0]
        assert report(priority, raised).text(explain="--explain" in flags) == printed

    @pytest.mark.parametrize(("start", "end", "elapsed"), SPANS)
    def test_what_has_passed_is_true(self, start: str, end: str, elapsed: str) -> None:
        counted = shipped_calendar().elapsed(
            parse_instant(start, LONDON), parse_instant(end, LONDON)
        )
        assert format_hours(counted) == elapsed
