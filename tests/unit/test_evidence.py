"""What a ticket shows of a failure beside what was seen when all was well."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from monitor.evidence import compare
from monitor.readings import observation_document
from monitor.rules.observation import Cause, Certificate, Observation
from monitor.rules.verdict import judge
from tests.builders import LONDON, an_observation

SLOW_AFTER = timedelta(seconds=3)
LATER = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)

GOOD = replace(
    an_observation(),
    certificate=Certificate(
        not_after=LATER,
        earliest_not_after=LATER,
        subject="CN=booking.harbour.test",
        issuer="CN=R3",
        names=("booking.harbour.test", "www.harbour.test"),
        verified=True,
    ),
    headers={"server": "nginx", "x-powered-by": "PHP/8.4"},
)
assert GOOD.certificate is not None
BAD = replace(
    GOOD,
    cause=Cause.HTTP_STATUS,
    message="answered 503 Service Unavailable; expected 200-299",
    http_status=503,
    remote_address="198.51.100.4",
    final_url="https://parked.test/",
    hops=(GOOD.url, "https://booking.harbour.test/en", "https://parked.test/"),
    certificate=replace(
        GOOD.certificate,
        earliest_not_after=LATER - timedelta(days=30),
        issuer="CN=Elsewhere",
        names=tuple(f"n{number}.test" for number in range(12)),
    ),
    headers={"server": "Apache", "retry-after": "120"},
    title="Be right back",
    excerpt="<h1>Be right back</h1>",
    warnings=("IPv6 fails: 2001:db8::1 gave no connection, and 198.51.100.4 did",),
)


def lines(bad: Observation, good: Observation | None) -> dict[str, tuple[str, str]]:
    last_good = observation_document(good, judge(good, slow_after=SLOW_AFTER)) if good else None
    found = compare(bad, judge(bad, slow_after=SLOW_AFTER), last_good, zone=LONDON)
    return {line.label: (line.now, line.before) for line in found.lines}


def test_everything_that_may_have_changed_stands_side_by_side() -> None:
    assert lines(BAD, GOOD) == {
        "answer": (
            "503 in 0.41 s: answered 503 Service Unavailable; expected 200-299",
            "200 in 0.41 s",
        ),
        "address": ("198.51.100.4", "203.0.113.7"),
        "final address of the page": ("https://parked.test/", ""),
        "redirects": ("https://booking.harbour.test/en\nhttps://parked.test/", ""),
        "certificate": (
            "valid to Mon 1 Jun 2026 13:00 BST, one above it to Sat 2 May 2026 13:00 BST",
            "valid to Mon 1 Jun 2026 13:00 BST",
        ),
        "certificate names": (
            ", ".join(f"n{number}.test" for number in range(10)) + " and 2 more",
            "booking.harbour.test, www.harbour.test",
        ),
        "certificate issuer": ("CN=Elsewhere", "CN=R3"),
        "page title": ("Be right back", "Book a room"),
        "server": ("Apache", "nginx"),
        "other headers": ("retry-after: 120", "x-powered-by: PHP/8.4"),
        "warnings": ("IPv6 fails: 2001:db8::1 gave no connection, and 198.51.100.4 did", ""),
    }


def test_a_site_that_never_worked_has_nothing_to_compare() -> None:
    found = compare(BAD, judge(BAD, slow_after=SLOW_AFTER), None, zone=LONDON)
    assert {line.before for line in found.lines} == {""}
    assert (found.last_good, found.excerpt) == ("", "<h1>Be right back</h1>")


def test_what_an_older_version_stored_can_still_be_compared() -> None:
    last_good = {"http_status": 200, "certificate": {"not_after": LATER.isoformat()}}
    found = compare(BAD, judge(BAD, slow_after=SLOW_AFTER), last_good, zone=LONDON)
    before = {line.label: line.before for line in found.lines}
    assert before["certificate"] == "valid to Mon 1 Jun 2026 13:00 BST"
    assert before["certificate names"] == ""
