"""Letters: what is said to whom, and that no text from outside says more than itself."""

from __future__ import annotations

import html
import itertools
import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.builders import a_policy
from tickets.letters import MAX_HTML, Letter, LetterFailed, Letters, plain_letter
from tickets.letters.preview import Scene, preview_letters
from tickets.letters.samples import SAMPLE_FACTS
from tickets.rules.notice import NOTICES_OF_NO_TICKET, Audience, Notice, audiences_of

LETTERS = Letters()
EVERY_LETTER = list(itertools.product(Notice, Audience))
OF_TICKETS = [notice for notice in Notice if notice not in NOTICES_OF_NO_TICKET]
INSTANT = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d [A-Z]+")
WHAT_AND_WHEN = (
    "Your website ‘Booking site’ is not answering. We first saw this on Mon 9 Mar 2026 09:04 GMT."
)
NEXT = (
    "What happens next: one of us takes your ticket, and you hear from us who that is. "
    "We also write as soon as the website works again. You do not need to do anything."
)
PAGES = ("status", "support")
HOSTILE = '<img src=http://x.test> {{ 7*7 }} {% raise %} & "quoted" \x1b[2J'


def write(notice: Notice, audience: Audience = Audience.CLIENT, **facts: Any) -> Letter:
    return LETTERS.write(notice, audience, SAMPLE_FACTS[notice] | facts)


def shown(letter: Letter) -> str:
    """Return what a reader sees of the HTML part, its blanks folded."""
    assert letter.html is not None
    body = letter.html.partition("</head>")[2]
    seen = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())
    return re.sub(r" ([.,;:])", r"\1", seen)


@pytest.mark.parametrize(
    ("notice", "audience", "subject"),
    [
        (Notice.DOWN, "client", "■ Down: {place}, since 09:04 GMT (T-1042)"),
        (Notice.DOWN, "staff", "■ Down: {place}, respond by 10:04 GMT (T-1042)"),
        (Notice.SLOW, "client", "◐ Slow: {place}, since 21:43 GMT (T-1042)"),
        (Notice.SLOW, "staff", "◐ Slow: {place}, respond by Mon 10:00 GMT (T-1042)"),
        (Notice.RECOVERED, "client", "● Up again: {place}, since 09:20 GMT (T-1042)"),
        (Notice.ACKNOWLEDGED, "client", "In hand: {place}, next word by 10:12 GMT (T-1042)"),
        (Notice.REPLY, "client", "Reply: {place}, 09:31 GMT (T-1042)"),
        (Notice.RESOLVED, "client", "Resolved: {place}, 10:05 GMT (T-1042)"),
        (Notice.REOPENED, "client", "Open again: {place}, answer by 10:04 GMT (T-1042)"),
        (Notice.BLIND, "staff", "Blind: Prober main, since 09:02 GMT"),
        (Notice.SIGHTED, "staff", "Sees again: Prober main, since 09:20 GMT"),
        (Notice.BREACHED, "staff", "Deadline missed: {place}, was due 10:04 GMT (T-1042)"),
    ],
)
def test_the_subject_says_state_site_and_time(notice: Notice, audience: str, subject: str) -> None:
    place = "Harbour Inns – Booking site"
    assert write(notice, Audience(audience)).subject == subject.format(place=place)


def test_the_subject_does_not_say_the_client_twice() -> None:
    letter = write(Notice.DOWN, site_name="Harbour Inns booking")
    assert letter.subject.startswith("■ Down: Harbour Inns booking, since")


def test_a_client_reads_what_since_when_by_when_and_what_next() -> None:
    lines = write(Notice.DOWN).text.splitlines()
    assert lines[2:9] == [
        WHAT_AND_WHEN,
        "",
        "We will answer by Mon 9 Mar 2026 10:04 GMT.",
        "",
        NEXT,
        "",
        "Your ticket: https://care.quayside.example/t/Ruz3Jm6WkQ2xVb8NnT4pYg",
    ]


def test_out_of_hours_the_letter_says_when_support_resumes() -> None:
    closed = "Our support is closed at the moment and resumes on Mon 9 Mar 2026 09:00 GMT."
    assert closed in write(Notice.SLOW).text
    assert "closed" not in write(Notice.DOWN).text


CLOSED = {
    "at": "2026-12-24T10:00:00+00:00",
    "is_support_open": False,
    "resumes_at": "2027-01-04T09:00:00+00:00",
    "closed_for": "Christmas closure",
}


@pytest.mark.parametrize(
    "notice",
    [Notice.DOWN, Notice.RECOVERED, Notice.ACKNOWLEDGED, Notice.REPLY, Notice.REOPENED],
)
def test_in_a_closure_the_letter_names_it_and_says_when_support_is_back(notice: Notice) -> None:
    said = (
        "Our support is closed at the moment (Christmas closure) and resumes on "
        "Mon 4 Jan 2027 09:00 GMT."
    )
    letter = write(notice, **CLOSED)
    assert said in letter.text
    assert said.rstrip(".") in shown(letter)


def test_a_deadline_beyond_days_off_says_so_in_hours() -> None:
    letter = write(
        Notice.DOWN,
        at="2026-12-23T16:40:00+00:00",
        respond_by="2027-01-04T09:40:00+00:00",
        closed_before="Christmas closure",
    )
    assert "Until then our support is closed in between (Christmas closure)." in letter.text


def test_a_receipt_says_hours_closure_and_how_to_add_something() -> None:
    text = write(Notice.RECEIVED).text
    assert "Our support hours: Mon to Fri 09:00-17:00 (London)." in text
    assert "closed from Thu 24 Dec 2026 to Fri 1 Jan 2027 (Christmas closure)." in text
    closed = {"is_support_open": False, "resumes_at": "2027-01-04T09:00:00+00:00"}
    within = write(Notice.RECEIVED, closed_for="Christmas closure", **closed).text
    assert within.count("Christmas closure") == 1
    assert "To add something, reply to this mail or write on the page of your ticket." in text
    assert "reply to this mail." in write(Notice.RECEIVED, ticket_url=None).text


def test_a_resolution_says_until_when_it_may_be_reopened_and_watches_what_is_watched() -> None:
    letter = write(Notice.RESOLVED)
    assert "Until Mon 23 Mar 2026 10:05 GMT we then take up the same ticket again." in letter.text
    assert "We keep watching your website" in letter.text
    assert "We keep watching" not in write(Notice.RESOLVED, is_incident=False).text


def test_a_relapse_is_told_as_the_fault_and_not_as_paperwork() -> None:
    assert "The fault on your website ‘Booking site’ is back" in write(Notice.REOPENED).text
    asked = write(Notice.REOPENED, is_relapse=False).text
    assert "Your ticket about ‘Booking site’ is open again." in asked


def test_a_letter_wears_the_brand_of_its_client_and_keeps_the_hue_of_states() -> None:
    page = str(write(Notice.DOWN, brand_name="Harbour Inns", brand_colour="#7a1f5c").html)
    assert ">Harbour Inns</a>" in page
    assert 'bgcolor="#7a1f5c"' in page
    assert "border-top:4px solid #b3261e" in page
    plain = str(write(Notice.DOWN, brand_colour="red;}</style>").html)
    assert "red;" not in plain
    assert 'bgcolor="#3b2db0"' in plain
    staff = str(write(Notice.DOWN, Audience.STAFF, brand_colour="#7a1f5c").html)
    assert "#7a1f5c" not in staff


def test_an_incident_leads_to_the_status_page_and_a_request_to_the_form() -> None:
    status, form = (f"https://care.quayside.example/{page}/harbour-inns" for page in PAGES)
    incident, request = write(Notice.DOWN).text, write(Notice.RECEIVED).text
    assert f"All your websites: {status}" in incident
    assert form not in incident
    assert f"Ask for something else: {form}" in request


def test_a_message_of_an_earlier_version_has_fewer_facts_and_still_its_letter() -> None:
    newer = {"ticket_url", "status_url", "support_url", "agency_url", "brand_name"} | {
        "brand_colour", "is_support_open", "resumes_at", "closed_for", "is_incident",
    }  # fmt: skip
    facts = {k: v for k, v in SAMPLE_FACTS[Notice.ACKNOWLEDGED].items() if k not in newer}
    letter = LETTERS.write(Notice.ACKNOWLEDGED, Audience.CLIENT, facts)
    assert "Sam Okafor has taken your ticket" in letter.text
    assert "Your ticket:" not in letter.text


def test_a_promise_that_was_met_or_missed_is_not_made_again() -> None:
    client = write(Notice.DOWN, answered_by="Sam Okafor")
    assert "Sam Okafor has your ticket already." in client.text
    assert "We will answer by" not in client.text
    staff = write(Notice.DOWN, Audience.STAFF, answered_by="Sam Okafor")
    assert "respond by" not in staff.subject + staff.text.lower()
    late = write(Notice.DOWN, at="2026-03-09T10:30:00+00:00")
    assert "We should have answered by Mon 9 Mar 2026 10:04 GMT" in late.text
    assert "We will answer by" not in late.text


def test_instants_follow_the_zone_into_summer() -> None:
    letter = write(
        Notice.DOWN,
        since="2026-06-05T15:30:00+00:00",
        at="2026-06-05T15:31:00+00:00",
        respond_by="2026-06-08T08:31:00+00:00",
    )
    assert "on Fri 5 Jun 2026 16:30 BST." in letter.text
    assert "by Mon 8 Jun 2026 09:31 BST." in letter.text
    assert "since 16:30 BST" in letter.subject


def test_a_recovery_says_from_when_to_when_and_whether_work_goes_on() -> None:
    letter = write(Notice.RECOVERED)
    assert "It recovered on Mon 9 Mar 2026 09:20 GMT." in letter.text
    assert "began on Mon 9 Mar 2026 09:04 GMT and lasted 16 min." in letter.text
    assert "We are still looking at what caused it." in letter.text
    assert "still looking" not in write(Notice.RECOVERED, is_outstanding=False).text


@pytest.mark.parametrize("notice", [Notice.RECOVERED, Notice.ALERT_ENDED])
def test_a_recovery_says_by_when_the_client_hears_more(notice: Notice) -> None:
    assert "We will answer by Mon 9 Mar 2026 10:04 GMT." in write(notice).text
    assert "Respond by Mon 9 Mar 2026 10:04 GMT." in write(notice, Audience.STAFF).text
    taken = write(notice, answered_by="Sam", next_word_by="2026-03-09T10:12:05+00:00").text
    assert "You will hear from us again by Mon 9 Mar 2026 10:12 GMT." in taken
    assert "We will answer" not in taken
    told = write(notice, answered_by="Sam").text
    assert "We will answer" not in told
    over = write(notice, is_outstanding=False).text
    assert "We will answer" not in over


def test_an_acknowledgement_names_the_person_and_the_next_word() -> None:
    text = write(Notice.ACKNOWLEDGED).text
    assert "Sam Okafor has taken your ticket about ‘Booking site’." in text
    assert "You will hear from us again by Mon 9 Mar 2026 10:12 GMT." in text


def test_a_reply_without_a_next_word_promises_none() -> None:
    facts = dict(SAMPLE_FACTS[Notice.REPLY])
    del facts["next_word_by"]
    text = LETTERS.write(Notice.REPLY, Audience.CLIENT, facts).text
    assert "hear from us again" not in text
    assert "no booking was lost" in text


def test_a_resolution_carries_cause_and_what_was_done() -> None:
    text = write(Notice.RESOLVED, cause="A\nB", done="C\n\nD").text
    assert "Cause:\nA\nB\n" in text
    assert "What we did:\nC\n\nD\n" in text


@pytest.mark.parametrize("notice", OF_TICKETS)
def test_staff_get_the_link_and_clients_never_do(notice: Notice) -> None:
    link = "https://desk.quayside.example/tickets/T-1042"
    staff, client = write(notice, Audience.STAFF), write(notice)
    assert link in staff.text
    assert f'href="{link}"' in str(staff.html)
    assert "desk" not in client.text
    assert "desk" not in str(client.html)


@pytest.mark.parametrize("notice", [Notice.DOWN, Notice.SLOW, Notice.REOPENED])
def test_the_technical_sentence_is_for_staff_alone(notice: Notice) -> None:
    message = "HTTP 503 from the origin"
    assert message in write(notice, Audience.STAFF, message=message).text
    assert message in shown(write(notice, Audience.STAFF, message=message))
    client = write(notice, message=message)
    assert message not in client.text
    assert message not in str(client.html)


@pytest.mark.parametrize(("notice", "audience"), EVERY_LETTER)
def test_text_is_complete_and_html_says_the_same(notice: Notice, audience: Audience) -> None:
    letter = write(notice, audience)
    seen = shown(letter)
    facts = SAMPLE_FACTS[notice]
    links = [facts[name] for name in facts if name.endswith("_url") and facts[name]]
    for line in letter.text.splitlines():
        if any(str(fact) in line for fact in links):  # a link: HTML has its words
            continue
        for said in re.split(r"^(?:Site|Client|Ticket): |(?<=\.) ", line):
            words = said.strip(" .:")
            assert words == "--" or words in seen
    assert notice in NOTICES_OF_NO_TICKET or "T-1042" in letter.text
    assert INSTANT.search(letter.text)


@pytest.mark.parametrize(("notice", "audience"), EVERY_LETTER)
def test_html_is_small_and_fetches_nothing(notice: Notice, audience: Audience) -> None:
    page = str(write(notice, audience).html)
    assert len(page.encode()) < MAX_HTML
    assert not re.search(r"<(img|script|link|iframe|object|form|svg)|url\(|@import|\bsrc=", page)
    addresses = set(re.findall(r'(?:href|action|background)="([^"]*)"', page))
    facts = SAMPLE_FACTS[notice]
    given = {str(fact) for name, fact in facts.items() if name.endswith("_url")}
    assert addresses <= given


def test_letters_are_calm_and_print_no_relative_promise() -> None:
    for sample in preview_letters(LETTERS):
        words = sample.letter.subject + sample.letter.text
        assert "!" not in words
        assert not re.search(r"\bin \d+ (hours?|minutes?|days?)\b", words)
        assert "None" not in words


@pytest.mark.parametrize(("notice", "audience"), EVERY_LETTER)
def test_hostile_text_stays_text(notice: Notice, audience: Audience) -> None:
    hostile = {
        name: HOSTILE
        for name, value in SAMPLE_FACTS[notice].items()
        if isinstance(value, str) and not re.match(r"\d{4}-", value) and name != "zone"
    }
    letter = write(notice, audience, **hostile)
    literal = HOSTILE.replace("\x1b", "\ufffd")
    assert literal in letter.text
    assert "<img" not in str(letter.html)
    assert "&lt;img src=http://x.test&gt;" in str(letter.html)
    assert '"quoted"' not in str(letter.html)
    assert "{{ 7*7 }}" in shown(letter)
    assert "\n" not in letter.subject
    for part in (letter.subject, letter.text, str(letter.html)):
        assert "\x1b" not in part


@pytest.mark.parametrize(
    ("notice", "name", "key"),
    [
        (Notice.DIGEST, "lines", "title"),
        (Notice.STATEMENT, "sites", "name"),
        (Notice.STATEMENT, "incidents", "words"),
    ],
)
def test_hostile_text_in_a_list_stays_text(notice: Notice, name: str, key: str) -> None:
    rows: Any = SAMPLE_FACTS[notice][name]
    facts: dict[str, Any] = {name: [row | {key: HOSTILE + "\u202e"} for row in rows]}
    letter = LETTERS.write(notice, Audience.CLIENT, {**SAMPLE_FACTS[notice], **facts})
    assert HOSTILE.replace("\x1b", "\ufffd") in letter.text
    assert "&lt;img src=http://x.test&gt;" in str(letter.html)
    assert not set("\x1b\u202e") & set(letter.text + str(letter.html))


def test_a_site_address_that_is_no_web_address_becomes_no_link() -> None:
    page = str(write(Notice.DOWN, site_url="javascript:alert(1)").html)
    assert 'href="javascript' not in page
    assert "javascript:alert(1)" in page


def test_blindness_is_told_without_any_ticket_and_its_end_with_what_was_missed() -> None:
    blind, sighted = write(Notice.BLIND, Audience.STAFF), write(Notice.SIGHTED, Audience.STAFF)
    assert "Fettle cannot see sites from ‘main’: its own network is down." in blind.text
    assert "This began on Mon 9 Mar 2026 09:02 GMT." in blind.text
    assert "for 18 min from Mon 9 Mar 2026 09:02 GMT to Mon 9 Mar 2026 09:20 GMT." in sighted.text
    assert "3312 slots went unwatched" in sighted.text
    for letter in (blind, sighted):
        assert "https://desk.quayside.example/sites" in letter.text
        assert "Open the desk" in shown(letter)
        assert "Ticket" not in letter.text + shown(letter)


def test_an_overlong_letter_goes_as_text_alone_and_complete() -> None:
    text = "<&>" * 6_000 + "end"
    letter = write(Notice.RESOLVED, cause=text, done=text)
    assert letter.html is None
    assert letter.text.count(text) == 2


def test_a_missing_fact_is_a_failure_of_the_letter() -> None:
    facts = {key: value for key, value in SAMPLE_FACTS[Notice.DOWN].items() if key != "respond_by"}
    with pytest.raises(LetterFailed, match="respond_by"):
        LETTERS.write(Notice.DOWN, Audience.CLIENT, facts)


@pytest.mark.parametrize("fault", [{"since": "yesterday"}, {"zone": "Mars/Olympus"}])
def test_a_malformed_fact_is_a_failure_of_the_letter(fault: dict[str, str]) -> None:
    with pytest.raises(LetterFailed):
        LETTERS.write(Notice.DOWN, Audience.CLIENT, SAMPLE_FACTS[Notice.DOWN] | fault)


def test_the_plain_letter_tells_the_facts_without_any_template() -> None:
    facts = {**SAMPLE_FACTS[Notice.DOWN], "since": "yesterday"}
    letter = plain_letter(Notice.DOWN, Audience.CLIENT, facts)
    assert letter.subject == "■ Down: Harbour Inns – Booking site (T-1042)"
    assert letter.html is None
    assert "Respond by: Mon 9 Mar 2026 10:04 GMT" in letter.text
    assert "Since: yesterday" in letter.text
    assert "203.0.113.7" not in letter.text
    assert "desk" not in letter.text
    staff = plain_letter(Notice.DOWN, Audience.STAFF, facts)
    assert "203.0.113.7" in staff.text
    assert "https://desk.quayside.example/tickets/T-1042" in staff.text


def test_the_plain_letter_shows_lists_as_lines_and_nothing_of_our_insides() -> None:
    text = plain_letter(Notice.DIGEST, Audience.STAFF, SAMPLE_FACTS[Notice.DIGEST]).text
    assert "T-1043, Harbour Inns, A new picture on the front page" in text
    assert not set(text) & set("{}[]")
    client = plain_letter(Notice.DOWN, Audience.CLIENT, SAMPLE_FACTS[Notice.DOWN]).text
    assert "#0b5a7a" not in client
    assert "Ticket url: https://care.quayside.example/t/" in client


@pytest.mark.parametrize(("notice", "audience"), EVERY_LETTER)
def test_the_plain_letter_needs_no_fact_at_all(notice: Notice, audience: Audience) -> None:
    assert plain_letter(notice, audience, {}).text


def test_every_letter_that_somebody_gets_is_previewed_and_no_other() -> None:
    samples = list(preview_letters(LETTERS))
    open_now = [(s.notice, s.audience) for s in samples if s.scene is Scene.IN_HOURS]
    assert open_now == [(told, whom) for told in Notice for whom in audiences_of(told)]
    assert (Notice.BLIND, Audience.CLIENT) not in open_now
    assert (Notice.VERIFY, Audience.STAFF) not in open_now
    scenes = [s.scene for s in samples if (s.notice, s.audience) == (Notice.DOWN, "client")]
    assert scenes == list(Scene)
    assert "resumes on Mon 9 Mar 2026 09:00 GMT" in samples[1].letter.text
    assert "(Christmas closure) and resumes on Mon 4 Jan 2027" in samples[2].letter.text


def test_a_preview_promises_nothing_for_a_time_without_support() -> None:
    hours = a_policy().hours
    for sample in preview_letters(LETTERS):
        for name in ("respond_by", "old_respond_by", "next_word_by", "resumes_at"):
            if promised := sample.facts.get(name):
                at = datetime.fromisoformat(str(promised)) - timedelta(seconds=1)
                assert hours.is_open(at) or name == "resumes_at", (sample.notice, sample.scene)


def test_no_letter_has_a_gap_and_a_reference_stays_on_one_line() -> None:
    for sample in preview_letters(LETTERS):
        assert "\n\n\n" not in sample.letter.text, (sample.notice, sample.audience)
    page = str(write(Notice.RECEIVED).html)
    assert 'as <span style="white-space:nowrap">T-1042</span>, with' in page


def test_a_receipt_says_what_comes_first_where_somebody_takes_it_up() -> None:
    critical = write(Notice.RECEIVED, priority="critical", met_by="acknowledgement")
    assert "one of us takes your request up, and you hear from us who that is." in critical.text
    assert "next steps" not in critical.text
    staff = write(Notice.RECEIVED, Audience.STAFF, met_by="acknowledgement")
    assert "Acknowledge it at the desk: the client then hears that you have it." in staff.text
    assert "next steps and an estimate" in write(Notice.RECEIVED, met_by="reply").text


def test_a_request_is_named_in_its_own_words_also_where_it_names_a_website() -> None:
    letter = write(
        Notice.REPLY, is_incident=False, title="New menu", site_name="Booking site", site_url=None
    )
    assert letter.subject == "Reply: Harbour Inns – New menu, 09:31 GMT (T-1042)"
    assert "Sam Okafor wrote to you about ‘New menu’." in letter.text
    assert "Site: Booking site" in letter.text
