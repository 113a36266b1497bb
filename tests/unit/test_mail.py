"""Mails: headers exactly as meant, whatever stands in the texts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.smtp import Received
from tickets.letters import Letter
from tickets.mail import Mail, MailIdentity, MailRefused, compose
from tickets.rules.plain_text import one_line, several_lines

IDENTITY = MailIdentity(
    name="Bright Agency", address="support@agency.test", reply_to="help@agency.test"
)
LETTER = Letter("■ Down: Booking site", "■ Down\n\nText\n", "<p>■ Down</p>\n")
HUMAN = [
    "Content-Type",
    "Date",
    "From",
    "In-Reply-To",
    "MIME-Version",
    "Message-ID",
    "References",
    "Reply-To",
    "Subject",
    "To",
    "X-Fettle-Instance",
]
INJECTIONS = [
    "Down\r\nBcc: evil@x.test",
    "Down\nBcc: evil@x.test\n\nhello",
    "=?utf-8?q?a=0D=0ABcc:_evil=40x.test?=",
    "=?utf-8?b?YQ0KQmNjOiBldmlsQHgudGVzdA==?= and more",
    "=?us-ascii?q?a=0ABcc:_evil=40x.test=0A=0Ahello?=",
    "a\u2028Bcc: evil@x.test",
    "a\x0bBcc: evil@x.test\x00",
    'quoted " \\ <evil@x.test>, other@x.test',
    "long " * 300,
    "日本語のとても長い件名" * 20,
]


def make(letter: Letter = LETTER, /, **changes: Any) -> Mail:
    arguments: dict[str, Any] = {
        "identity": IDENTITY,
        "recipient": "anna@harbour.test",
        "header_id": "<t-1042.c0ffee@agency.test>",
        "thread_id": "<t-1042.00aa@agency.test>",
        "written_at": datetime(2026, 3, 9, 9, 4, 41, tzinfo=UTC),
        "is_automatic": False,
    }
    return compose(letter, **(arguments | changes))


def read(mail: Mail) -> Received:
    return Received(mail.sender, (mail.recipient,), mail.content)


def test_headers_are_exactly_those_meant() -> None:
    message = read(make()).message
    assert sorted(message.keys()) == HUMAN
    assert str(message["From"]) == "Bright Agency <support@agency.test>"
    assert str(message["Reply-To"]) == "help@agency.test"
    assert str(message["To"]) == "anna@harbour.test"
    assert str(message["Subject"]) == "■ Down: Booking site"
    assert message["Date"].datetime == datetime(2026, 3, 9, 9, 4, 41, tzinfo=UTC)
    assert str(message["Message-ID"]) == "<t-1042.c0ffee@agency.test>"
    assert str(message["In-Reply-To"]) == "<t-1042.00aa@agency.test>"
    assert str(message["References"]) == "<t-1042.00aa@agency.test>"


def test_automatic_mail_says_so_and_asks_for_no_automatic_answer() -> None:
    message = read(make(is_automatic=True)).message
    assert sorted(message.keys()) == sorted([*HUMAN, "Auto-Submitted", "X-Auto-Response-Suppress"])
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "All"


def test_text_stands_first_and_html_second() -> None:
    received = read(make())
    assert received.message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in received.parts] == ["text/plain", "text/html"]
    assert received.text == LETTER.text
    assert received.html == LETTER.html


def test_a_letter_without_html_is_plain_text() -> None:
    received = read(make(Letter("Subject", "Text\n", None)))
    assert received.message.get_content_type() == "text/plain"
    assert received.text == "Text\n"


def test_the_envelope_is_one_address_each_way() -> None:
    mail = make()
    assert (mail.sender, mail.recipient) == ("support@agency.test", "anna@harbour.test")


def test_every_attempt_is_the_same_to_the_byte() -> None:
    assert make().content == make().content
    assert make().content != make(header_id="<t-1042.other@agency.test>").content


@pytest.mark.parametrize("text", INJECTIONS)
def test_no_text_in_a_subject_or_a_name_adds_a_header(text: str) -> None:
    identity = MailIdentity(name=text, address="support@agency.test", reply_to="help@agency.test")
    received = read(make(Letter(text, "Text\n", "<p>Text</p>\n"), identity=identity))
    assert sorted(received.message.keys()) == HUMAN
    assert received.subject == one_line(text)
    [sender] = received.message["From"].addresses
    assert sender.addr_spec == "support@agency.test"
    assert [to.addr_spec for to in received.message["To"].addresses] == ["anna@harbour.test"]


@given(
    subject=st.text(max_size=200),
    name=st.text(max_size=200),
    text=st.text(max_size=300),
    page=st.text(max_size=300),
)
def test_any_cleaned_text_comes_through_unchanged(
    subject: str, name: str, text: str, page: str
) -> None:
    letter = Letter(one_line(subject), several_lines(text), several_lines(page))
    identity = MailIdentity(name=name, address="support@agency.test", reply_to="h@agency.test")
    received = read(make(letter, identity=identity))
    assert sorted(received.message.keys()) == HUMAN
    assert received.subject == letter.subject
    assert [received.text, received.html] == [letter.text, letter.html]


def test_lines_on_the_wire_are_short_and_end_as_they_must() -> None:
    content = make(Letter("s" * 3_000, "word " * 1_000 + "\n.\nFrom here\n", "x" * 5_000)).content
    assert max(len(line) for line in content.split(b"\r\n")) <= 100
    assert content.count(b"\n") == content.count(b"\r\n") == content.count(b"\r")
    assert content.isascii()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "anna",
        "anna@",
        "@harbour.test",
        "anna@harbour.test, ben@harbour.test",
        "Anna <anna@harbour.test>",
        "anna@harbour.test\r\nRCPT TO:<evil@x.test>",
        "anna@harbour.test>\nBcc: evil@x.test",
        "anna@[127.0.0.1]",
        '"anna wright"@harbour.test',
        "änna@harbour.test",
    ],
)
@pytest.mark.parametrize("place", ["recipient", "address", "reply_to"])
def test_anything_but_one_plain_address_is_refused(address: str, place: str) -> None:
    addresses: dict[str, str] = {}
    for name in ("recipient", "address", "reply_to"):
        addresses[name] = "a@agency.test"
    addresses[place] = address
    recipient = addresses.pop("recipient")
    identity = MailIdentity(name="Bright Agency", **addresses)
    with pytest.raises(MailRefused):
        make(identity=identity, recipient=recipient)


def test_an_internationalised_domain_is_encoded() -> None:
    mail = make(recipient="anna@hafen-köln.test")
    assert mail.recipient == "anna@xn--hafen-kln-67a.test"
    assert str(read(mail).message["To"]) == "anna@xn--hafen-kln-67a.test"


@pytest.mark.parametrize("place", ["header_id", "thread_id"])
@pytest.mark.parametrize(
    "header_id", ["", "t-1@agency.test", "<a b@agency.test>", "<a@agency.test>\r\nBcc: x@y.test"]
)
def test_anything_but_a_message_id_is_refused(place: str, header_id: str) -> None:
    with pytest.raises(MailRefused):
        make(LETTER, **{place: header_id})


def test_a_text_that_would_not_arrive_as_written_is_refused() -> None:
    with pytest.raises(MailRefused):
        make(Letter("Subject", "bare\rreturn\n", None))
    with pytest.raises(MailRefused):
        make(Letter("Subject", "lone \ud800 surrogate\n", None))
