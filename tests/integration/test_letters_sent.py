"""Every letter in a real mail server's hands, and the commands that show and try them."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from datetime import datetime, timedelta
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

import pytest
from sqlmodel import col, select
from structlog.testing import capture_logs

from monitor.jobs import Jobs
from monitor.roles.letters import LetterWatch
from tests.builders import a_policy
from tests.clocks import FakeClock
from tests.commands import Ended, Fettle, write_config
from tests.smtp import Postbox, Received
from tests.tickets import opened
from tickets.accounts import PasswordHash, add_staff
from tickets.actions import acknowledge
from tickets.delivery import Delivery
from tickets.history import Actor
from tickets.incidents import recover
from tickets.letters import Letters
from tickets.letters.preview import SampleLetter, preview_letters
from tickets.letters.samples import SAMPLE_FACTS
from tickets.mail import MailIdentity, compose
from tickets.mail_channel import MailChannel
from tickets.opening import NewRequest, Requester, open_request
from tickets.policy import Policy
from tickets.queries.messages import list_messages
from tickets.rules.message import MessageState
from tickets.rules.notice import AUTOMATIC_NOTICES, Audience, Notice, audiences_of
from tickets.rules.staff import Role
from tickets.rules.ticket import Category, Priority
from tickets.settings.mail import MailSecurity
from tickets.smtp import MailServer, SmtpSender
from tickets.store import Session, Store
from tickets.tables import MessageRow

ANNA = "anna@harbour.test"
IDENTITY = MailIdentity(
    name="Bright Agency", address="support@agency.test", reply_to="help@agency.test"
)
HEADERS = {"Content-Type", "Date", "From", "In-Reply-To", "MIME-Version", "Message-ID"} | {
    "References", "Reply-To", "Subject", "To", "X-Fettle-Instance",
}  # fmt: skip


def smtp_sender(box: Postbox) -> SmtpSender:
    server = MailServer(
        host=box.host, port=box.port, security=MailSecurity.NONE, hello_name="agency.test"
    )
    return SmtpSender(server, deadline=timedelta(seconds=20))


async def test_every_letter_at_every_hour_arrives_with_the_headers_that_were_meant() -> None:
    samples = list(preview_letters(Letters(), own={"brand_name": "Harbour Inns"}))
    with Postbox() as box:
        sender = smtp_sender(box)
        for number, sample in enumerate(samples):
            unsubscribe = sample.facts.get("unsubscribe_url")
            mail = compose(
                sample.letter,
                identity=IDENTITY.for_client("Harbour Inns"),
                recipient=ANNA,
                header_id=f"<t-1042.{number}@agency.test>",
                thread_id="<t-1042.root@agency.test>",
                written_at=sample.written_at,
                is_automatic=sample.notice in AUTOMATIC_NOTICES,
                unsubscribe_url=str(unsubscribe) if unsubscribe else None,
            )
            await sender.send(mail)
        await sender.rest()
        mails = box.wait_for(len(samples))
    for sample, mail in zip(samples, mails, strict=True):
        check(sample, mail)


def check(sample: SampleLetter, mail: Received) -> None:
    """Check one mail as a mail program reads it."""
    meant = set(HEADERS)
    if sample.notice in AUTOMATIC_NOTICES:
        meant |= {"Auto-Submitted", "X-Auto-Response-Suppress"}
    if sample.notice is Notice.STATEMENT:
        meant |= {"List-Unsubscribe", "List-Unsubscribe-Post"}
    assert sorted(mail.message.keys()) == sorted(meant)
    assert (mail.sender, mail.recipients) == (IDENTITY.address, (ANNA,))
    assert str(mail.message["To"]) == ANNA
    assert mail.message["From"].addresses[0].display_name == (
        "Harbour Inns support via Bright Agency"
    )
    assert mail.message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.parts] == ["text/plain", "text/html"]
    assert mail.subject == sample.letter.subject
    assert mail.text == sample.letter.text
    assert mail.html == sample.letter.html
    assert len(mail.content) < 100_000


def ask(store: Store, requester: Requester, *, at: datetime) -> None:
    """Open a ticket for what somebody asks."""
    new = NewRequest(
        client="harbour",
        priority=Priority.NORMAL,
        category=Category.ADVICE,
        title="A question",
        text="How?",
        requester=requester,
    )
    policy = a_policy(duty=())
    store.write(lambda tx: open_request(tx, policy, new, actor=Actor("Form"), at=at))


async def test_case_11_a_client_with_our_own_address_gets_no_mail_and_no_loop_begins(
    store: Store, clock: FakeClock
) -> None:
    ask(store, Requester("Nobody", "Help@Agency.test"), at=clock.now())
    with Postbox() as box:
        channel = MailChannel(smtp_sender(box), identity=IDENTITY, clock=clock)
        await Delivery(store, channel=channel, clock=clock).drain()
        assert box.mails == []
    states = {m.state for m in store.read(list_messages) if m.address == "Help@agency.test"}
    assert states == {MessageState.DEAD}


def recovered(store: Store, policy: Policy, *, since: datetime, at: datetime) -> str:
    """Let the first ticket's site recover; return the letter to the client."""
    store.write(lambda tx: recover(tx, policy, 1, since=since, until=at, is_told=True, at=at))
    query = select(MessageRow).where(col(MessageRow.notice) == Notice.RECOVERED)
    rows = store.read(lambda tx: list(tx.exec(query.where(col(MessageRow.address) == ANNA))))
    return Letters().write(Notice.RECOVERED, Audience.CLIENT, rows[0].facts).text


def test_a_recovery_before_anybody_answered_repeats_by_when_somebody_does(
    store: Store, clock: FakeClock
) -> None:
    policy, at = a_policy(), clock.now()
    opened(store, policy, at=at)
    letter = recovered(store, policy, since=at, at=at + timedelta(minutes=5))
    assert "We are still looking at what caused it.\nWe will answer by" in letter


def test_a_recovery_after_an_acknowledgement_says_when_the_next_word_comes(
    store: Store, clock: FakeClock
) -> None:
    policy, at = a_policy(), clock.now()
    ref = opened(store, policy, at=at)

    def take(tx: Session) -> None:
        sam = add_staff(
            tx,
            email="sam@agency.test",
            name="Sam Okafor",
            role=Role.STAFF,
            password_hash=PasswordHash("-"),
            at=at,
        )
        acknowledge(tx, policy, ref, actor=Actor(sam.name, sam.id), at=at + timedelta(minutes=1))

    store.write(take)
    letter = recovered(store, policy, since=at, at=at + timedelta(minutes=5))
    assert "You will hear from us again by" in letter
    assert "We will answer by" not in letter


Call = Callable[..., Ended]

CONFIG = """\
agency: {name: Bright Agency, url: "https://agency.test", mail_from: support@agency.test}
web: {base_url: "https://care.agency.test"}
mail: {host: 127.0.0.1, port: PORT, letters: LETTERS}
store: {url: "sqlite:///FOLDER/fettle.db"}
clients:
  - {slug: harbour, name: Harbour Inns, branding: {name: The Inns, colour: "#7a1f5c"},
     contacts: [{name: Anna Wright, email: anna@harbour.test, tickets: false, statement: true}]}
"""


@pytest.fixture
def fettle(
    tmp_path: Path,
    clock: FakeClock,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Call:
    """Calls ``fettle`` with a mail server at ``port`` and the agency's own letters."""
    (tmp_path / "own").mkdir()

    def call(*words: str, port: int = 1, letters: str = "") -> Ended:
        own = letters or str(tmp_path / "own")
        text = CONFIG.replace("PORT", str(port)).replace("LETTERS", own)
        config = write_config(tmp_path, text.replace("FOLDER", str(tmp_path)))
        return Fettle(config, clock, capsys, monkeypatch)(*words)

    return call


def test_the_preview_writes_each_letter_as_text_page_and_mail(fettle: Call, tmp_path: Path) -> None:
    folder = tmp_path / "preview"
    code, out, _ = fettle("mail", "preview", str(folder), "--client", "harbour", "--json")
    assert code == 0
    written = json.loads(out)
    assert {(each["notice"], each["audience"]) for each in written} == {
        (notice, audience) for notice in Notice for audience in audiences_of(notice)
    }
    names = {each["name"] for each in written}
    assert "down-client-closure" in names
    suffixes = {".txt", ".html", ".eml"}
    assert {file.name for file in folder.iterdir()} == {
        f"{name}{suffix}" for name in names for suffix in suffixes
    } | {"index.html"}
    page = (folder / "down-client-in-hours.html").read_text("utf-8")
    assert "#7a1f5c" in page
    assert "The Inns" in page
    assert "https://care.agency.test/status/harbour" in page
    mail = BytesParser(policy=default).parsebytes(
        (folder / "down-client-in-hours.eml").read_bytes()
    )
    assert str(mail["From"]) == "The Inns support via Bright Agency <support@agency.test>"
    index = (folder / "index.html").read_text("utf-8")
    assert all(f'href="{name}.txt"' in index for name in names)


def test_the_preview_of_one_notice_tells_of_a_letter_of_our_own_that_fails(
    fettle: Call, tmp_path: Path
) -> None:
    own = tmp_path / "own" / "down"
    own.mkdir()
    (own / "subject.txt").write_text("{{ oops }}")
    folder = tmp_path / "preview"
    code, _, err = fettle("mail", "preview", str(folder), "--notice", "down")
    assert code == 1
    assert "`fettle check-config` tells where" in err
    assert {file.name.split("-")[0] for file in folder.iterdir()} == {"down", "index.html"}


def test_check_config_names_file_and_line_of_a_broken_letter(fettle: Call, tmp_path: Path) -> None:
    own = tmp_path / "own" / "down"
    own.mkdir()
    (own / "subject.txt").write_text("ours\n{{ oops }}")
    code, out, _ = fettle("check-config")
    assert code == 1
    assert out == f"{own / 'subject.txt'}:2: 'oops' is undefined\n1 fault\n"
    (own / "subject.txt").write_text("{{ reference }}")
    assert fettle("check-config")[0] == 0


def test_check_config_names_a_folder_of_letters_that_is_not_there(fettle: Call) -> None:
    code, out, _ = fettle("check-config", letters="/nowhere/letters")
    assert code == 1
    assert "mail.letters: '/nowhere/letters' is no folder" in out


def test_a_test_mail_arrives_and_the_server_is_quoted(fettle: Call) -> None:
    with Postbox() as box:
        code, out, _ = fettle("mail", "test", "you@agency.test", port=box.port)
        [mail] = box.wait_for(1)
    assert code == 0
    assert f"Sent. 127.0.0.1:{box.port} (none) took the mail for you@agency.test." in out
    assert "It said: 250" in out
    assert mail.recipients == ("you@agency.test",)
    assert "Test mail from Bright Agency, Tue 3 Mar 2026 10:00 GMT" in mail.subject
    assert mail.message["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize(
    ("answer", "code", "says"),
    [
        ("550 no such user", 1, "Look at the address"),
        ("451 try later", 3, "try again in a few minutes"),
    ],
)
def test_a_test_mail_that_is_refused_says_why_and_what_to_look_at(
    fettle: Call, answer: str, code: int, says: str
) -> None:
    with Postbox(on_mail=lambda _: answer) as box:
        ended, out, _ = fettle("mail", "test", "you@agency.test", port=box.port)
    assert ended == code
    assert f"Not sent. 127.0.0.1:{box.port} (none): {answer}" in out
    assert says in out


def test_a_test_mail_without_a_server_or_an_address_says_so(fettle: Call) -> None:
    code, out, _ = fettle("mail", "test", "you@agency.test", "--json", port=1)
    assert (code, json.loads(out)["reason"]) == (3, "connect")
    code, _, err = fettle("mail", "test", "nobody")
    assert code == 2
    assert "ADDRESS: 'nobody' is not a mail address" in err


def test_the_service_logs_what_fails_in_its_letters_and_counts_it(
    tmp_path: Path, clock: FakeClock
) -> None:
    (tmp_path / "down").mkdir()
    (tmp_path / "down" / "subject.txt").write_text("ours\n{{ oops }}")
    letters, jobs = Letters(tmp_path), Jobs(clock)
    watch = LetterWatch(letters, folder=tmp_path, jobs=jobs)

    async def start() -> None:
        stop = asyncio.Event()
        stop.set()
        await watch.run(stop)

    with capture_logs() as logged:
        asyncio.run(start())
    [line] = [one for one in logged if one["event"] == "letters.template_broken"]
    assert (line["file"], line["line"]) == (str(tmp_path / "down" / "subject.txt"), 2)
    watch.count([])
    assert jobs.runs == {}
    letters.write(Notice.DOWN, Audience.CLIENT, SAMPLE_FACTS[Notice.DOWN])
    watch.count([])
    watch.count([])
    assert jobs.runs == {"mail": {"error": 1}}


def test_a_contacts_data_is_listed_shown_and_erased_by_commands(
    fettle: Call, migrated_sqlite: Path, tmp_path: Path, clock: FakeClock
) -> None:
    code, out, _ = fettle("contacts", "list", "--client", "harbour")
    assert (code, out) == (0, "harbour  Anna Wright  anna@harbour.test  incidents, statement\n")
    assert fettle("contacts", "list", "--client", "harbor")[0] == 2
    shutil.copy(migrated_sqlite, tmp_path / "fettle.db")
    code, out, _ = fettle("contacts", "export", ANNA)
    assert (code, json.loads(out)["configured"][0]["is_unsubscribed"]) == (0, False)
    code, _, err = fettle("contacts", "erase", ANNA)
    assert code == 1
    assert "still stands in the configuration, as a contact of harbour" in err
    store = Store(f"sqlite:///{tmp_path / 'fettle.db'}")
    ask(store, Requester("Lena Hart", "lena@elsewhere.test"), at=clock.now())
    store.close()
    stored = json.loads(fettle("contacts", "export", "Lena@elsewhere.test")[1])["stored"]
    assert {"ticket", "message"} <= stored.keys()
    code, out, _ = fettle("contacts", "erase", "lena@elsewhere.test", "--yes", "--json")
    assert code == 0
    assert json.loads(out)["messages_waiting"] == 1
    assert fettle("contacts", "export", "lena@elsewhere.test")[0] == 1
    assert "Nothing is stored" in fettle("contacts", "erase", "lena@elsewhere.test")[1]
