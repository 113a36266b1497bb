"""Mail under attack: the field's abuse cases of mail, by their numbers.

Each case goes the whole way from facts to the bytes of a mail: through the letter and the headers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.smtp import Received
from tickets.addresses import canonical_mail_address
from tickets.letters import Letters, plain_letter
from tickets.letters.samples import SAMPLE_FACTS
from tickets.mail import MailIdentity, MailRefused, compose
from tickets.rules.notice import AUTOMATIC_NOTICES, Audience, Notice
from tickets.rules.plain_text import several_lines

LETTERS = Letters()
IDENTITY = MailIdentity(
    name="Bright Agency", address="support@agency.test", reply_to="help@agency.test"
)
FIXED = {"content-type", "date", "from", "in-reply-to", "message-id", "mime-version"} | {
    "references", "reply-to", "subject", "to", "x-fettle-instance",
}  # fmt: skip
AUTOMATIC = {"auto-submitted", "x-auto-response-suppress"}
WRITTEN_BY_PEOPLE = {Notice.ACKNOWLEDGED, Notice.REPLY, Notice.RESOLVED, Notice.QUESTION}
TYPED = ("title", "site_name", "client_name", "text", "by", "cause", "message", "what")


def sent(
    facts: Mapping[str, Any],
    *,
    notice: Notice = Notice.REPLY,
    audience: Audience = Audience.CLIENT,
    recipient: str = "anna@harbour.test",
    identity: MailIdentity = IDENTITY,
) -> Received:
    """Return the mail that a message with ``facts`` over the sample's becomes."""
    all_facts = {**SAMPLE_FACTS[notice], **facts}
    stored = {k: several_lines(v) if isinstance(v, str) else v for k, v in all_facts.items()}
    brand = stored.get("brand_name")
    mail = compose(
        LETTERS.write(notice, audience, stored),
        identity=identity.for_client(brand if isinstance(brand, str) else None),
        recipient=recipient,
        header_id="<t-1042.c0ffee@agency.test>",
        thread_id="<t-1042.00aa@agency.test>",
        written_at=datetime(2026, 3, 9, 9, 4, 41, tzinfo=UTC),
        is_automatic=notice in AUTOMATIC_NOTICES,
    )
    return Received(mail.sender, (mail.recipient,), mail.content)


def check_headers(mail: Received, *, notice: Notice = Notice.REPLY) -> None:
    """Check that the mail has the headers that were meant, once each, and one recipient."""
    meant = FIXED | (AUTOMATIC if notice in AUTOMATIC_NOTICES else set())
    assert sorted(name.lower() for name in mail.message) == sorted(meant)
    assert [to.addr_spec for to in mail.message["To"].addresses] == ["anna@harbour.test"]
    assert [one.addr_spec for one in mail.message["From"].addresses] == ["support@agency.test"]
    assert len(mail.parts) == 2


@pytest.mark.parametrize("field", [*TYPED, "brand_name", "agency_name"])
@pytest.mark.parametrize(
    "text",
    [
        "=?utf-8?q?a=0D=0ABcc:_evil=40x.test?=",
        "=?utf-8?q?a=0ABcc:_evil=40x.test=0A=0Ahello?= tail",
        "=?utf-8?b?YQ0KQmNjOiBldmlsQHgudGVzdA==?=",
        "=?utf-8?q?=3D=3Futf-8=3Fq=3Fa=3D0ABcc=3A_evil=40x=2Etest=3F=3D?=",
        "a\r\nBcc: evil@x.test\r\n\r\n<b>body</b>",
    ],
)
def test_case_1_an_encoded_word_or_a_line_end_adds_no_header(field: str, text: str) -> None:
    mail = sent({field: text})
    check_headers(mail)
    assert "evil" not in mail.message["To"]
    assert mail.recipients == ("anna@harbour.test",)


@pytest.mark.parametrize(
    "typed",
    [
        "a@x.test, b@y.test",
        "a@x.test\r\nCc: b@y.test",
        "a@x.test b@y.test",
        '"a b"@x.test',
        '"<script>"@x.test',
        "<script>@x.test",
        "a" * 310 + "@x.test",
        "a@" + "x" * 320 + ".test",
        "a@x.test\x00",
        "a@x.test\u2028",
        "Anna <a@x.test>",
        "a@x..test",
        "a@-x.test",
    ],
)
def test_case_2_what_is_not_one_plain_address_gets_no_mail(typed: str) -> None:
    with pytest.raises(ValueError, match=r"mail address|domain|name"):
        canonical_mail_address(typed)
    with pytest.raises(MailRefused):
        sent({}, recipient=typed)


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("a+b@X.Test", "a+b@x.test"),
        ("a@hafen-köln.test", "a@xn--hafen-kln-67a.test"),
        ("o'brien@x.test", "o'brien@x.test"),
    ],
)
def test_case_2_one_plain_address_gets_one_mail(typed: str, address: str) -> None:
    mail = sent({}, recipient=typed)
    assert mail.recipients == (address,)
    assert [to.addr_spec for to in mail.message["To"].addresses] == [address]


@pytest.mark.parametrize(
    "text",
    [
        "nul \x00 and escape \x1b[2J and delete \x7f",
        "half a character \ud83d",
        "line\u2028separator, paragraph\u2029separator, vertical\x0btab, next\x85line",
        "turned \u202egnp.exe\u202c and \u2066isolated\u2069",
        "four bytes \U0001f6a2\U0001f525",
        "right to left: \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
        "combining " + "e\u0301" * 40,
        "long " * 400,
    ],
)
@pytest.mark.parametrize("field", ["title", "site_name", "by", "text", "brand_name"])
def test_case_3_odd_characters_are_shown_inert_and_damage_no_header(field: str, text: str) -> None:
    mail = sent({field: text, "site_name": None} if field == "title" else {field: text})
    check_headers(mail)
    for part in (mail.subject, str(mail.message["From"]), mail.text, mail.html):
        assert not set(part) & {"\x00", "\x1b", "\u202e", "\u2028", "\u2029", "\x0b", "\x85"}
        part.encode()


@given(field=st.sampled_from([*TYPED, "brand_name", "agency_name"]), text=st.text(max_size=120))
@settings(max_examples=100)
def test_case_3_no_text_at_all_damages_a_header(field: str, text: str) -> None:
    check_headers(sent({field: text}))


@given(
    text=st.text(
        st.sampled_from("=?utf-8QqBb_ \r\n:;,<>@\"'\\()\t\x00\u2028Bcc.é\ud800\u202e"), max_size=60
    )
)
@settings(max_examples=100)
def test_case_1_no_play_with_encoded_words_adds_a_header(text: str) -> None:
    check_headers(sent({"site_name": text, "by": text, "brand_name": text}))


@pytest.mark.parametrize("notice", Notice)
def test_case_11_automatic_mail_says_so_and_a_persons_does_not(notice: Notice) -> None:
    mail = sent({}, notice=notice)
    is_automatic = notice not in WRITTEN_BY_PEOPLE
    assert (mail.message["Auto-Submitted"] == "auto-generated") == is_automatic
    assert (mail.message["X-Auto-Response-Suppress"] == "All") == is_automatic
    assert mail.message["X-Fettle-Instance"] == "agency.test"
    assert "Precedence" not in mail.message


def test_case_11_our_own_addresses_are_known() -> None:
    assert IDENTITY.owns("Support@agency.test")
    assert IDENTITY.owns("HELP@AGENCY.TEST")
    assert not IDENTITY.owns("anna@harbour.test")


@pytest.mark.parametrize(
    "text",
    [
        "{{ 7*7 }}",
        "{% for x in range(9) %}!{% endfor %}",
        "{{ self.__init__.__globals__ }}",
        "<img src=x onerror=alert(1)>",
        '"}\n# HELP fettle_up nothing',
        "</td></table><script>alert(1)</script>",
        "${7*7} #{7*7} <%= 7*7 %>",
    ],
)
@pytest.mark.parametrize("notice", [Notice.ALERT, Notice.DOWN, Notice.CLIENT_REPLIED])
@pytest.mark.parametrize("audience", Audience)
def test_case_14_what_a_label_or_a_title_says_is_text(
    text: str, notice: Notice, audience: Audience
) -> None:
    facts = {field: text for field in TYPED if field in SAMPLE_FACTS[notice]}
    mail = sent(facts, notice=notice, audience=audience)
    assert sorted(name.lower() for name in mail.message) == sorted(FIXED | AUTOMATIC)
    assert "49" not in mail.text.replace("T-1049", "")
    for tag in ("<img", "<script", "</td></table><"):
        assert tag not in mail.html
    assert "fettle_up nothing" not in mail.subject or "\n" not in mail.subject


def test_case_14_plain_facts_are_text_as_well() -> None:
    facts = {**SAMPLE_FACTS[Notice.DOWN], "site_name": "{{ 7*7 }}\nBcc: x@y.test"}
    letter = plain_letter(Notice.DOWN, Audience.CLIENT, facts)
    assert letter.subject == "■ Down: Harbour Inns – {{ 7*7 }} Bcc: x@y.test (T-1042)"


@pytest.mark.parametrize(
    ("brand", "shown"),
    [
        (None, "Bright Agency"),
        ("", "Bright Agency"),
        ("bright agency", "Bright Agency"),
        ("Harbour Inns", "Harbour Inns support via Bright Agency"),
        ("Harbour Inns Support", "Harbour Inns Support via Bright Agency"),
        ("Tom, Dick & Harry <x@y.test>", "Tom, Dick & Harry <x@y.test> support via Bright Agency"),
        ("Café Zoë", "Café Zoë support via Bright Agency"),
    ],
)
def test_the_sender_shows_the_clients_brand_and_keeps_our_address(
    brand: str | None, shown: str
) -> None:
    [sender] = sent({"brand_name": brand}).message["From"].addresses
    assert (sender.display_name, sender.addr_spec) == (shown, "support@agency.test")


def test_one_click_unsubscription_needs_https() -> None:
    def headers(url: str) -> dict[str, str]:
        mail = compose(
            LETTERS.write(Notice.REPLY, Audience.CLIENT, SAMPLE_FACTS[Notice.REPLY]),
            identity=IDENTITY,
            recipient="anna@harbour.test",
            header_id="<s.1@agency.test>",
            thread_id="<s.0@agency.test>",
            written_at=datetime(2026, 3, 9, 9, 4, tzinfo=UTC),
            is_automatic=True,
            unsubscribe_url=url,
        )
        found = Received(mail.sender, (mail.recipient,), mail.content).message
        return {name: str(found[name]) for name in found if name.startswith("List-")}

    url = "https://care.agency.test/unsubscribe/" + "0" * 32
    assert headers(url) == {
        "List-Unsubscribe": f"<{url}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    assert headers("http://127.0.0.1:8080/u/1") == {
        "List-Unsubscribe": "<http://127.0.0.1:8080/u/1>"
    }
    for bad in ("https://x.test/ b", "https://x.test/>\r\nBcc: a@b.test", "mailto:a@b.test"):
        with pytest.raises(MailRefused):
            headers(bad)
