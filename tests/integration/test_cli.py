"""The command line on real stores, servers, terminals and signals."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from monitor.cli import main
from monitor.rules.verdict import Verdict
from monitor.service import prepare_store
from monitor.settings.load import load
from tests.builders import a_policy, a_site
from tests.clocks import FakeClock
from tests.commands import Fettle, write_config
from tests.sites import see_minutes, watch
from tests.tickets import opened
from tickets.accounts import PasswordHash, add_staff, find_credentials, verify_password
from tickets.attachments import accept, keep
from tickets.queries.tickets import get_ticket_page
from tickets.rules.attachment import SentFile
from tickets.rules.evidence import Evidence, EvidenceLine
from tickets.rules.staff import Role
from tickets.rules.ticket import Status
from tickets.store import Store
from tickets.tokens import find_caller

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "config" / "fettle.yml"
FETTLE = [sys.executable, "-m", "monitor"]
ALLOW = ["--allow-network", "127.0.0.0/8"]
UNUSED_HASH = PasswordHash("nobody signs in with this")

CONFIG = """\
agency:
  name: Bright Agency
  url: https://agency.test/
  mail_from: support@agency.test
  timezone: Europe/London
staff_channels:
  duty: ["mailto://duty@agency.test"]
probing:
  allow_networks: [127.0.0.0/8]
clients:
  - slug: harbour
    name: Harbour Inns
    contacts:
      - {name: Anna Wright, email: anna@harbour.test}
    sites:
      - {slug: booking, name: Booking site, url: "https://booking.harbour.test/"}
      - {slug: broken, name: Broken site, url: "http://127.0.0.1:9/"}
"""


@pytest.fixture
def fettle(
    tmp_path: Path,
    clock: FakeClock,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Fettle:
    """``fettle`` with a configuration whose store, an SQLite file, is still to be made."""
    call = Fettle(write_config(tmp_path, CONFIG), clock, capsys, monkeypatch)
    call.environ["FETTLE_STORE__URL"] = f"sqlite:///{call.store_file}"
    return call


@pytest.fixture
def ready(fettle: Fettle, migrated_sqlite: Path) -> Fettle:
    """``fettle`` with an empty SQLite store."""
    shutil.copy(migrated_sqlite, fettle.store_file)
    return fettle


@pytest.fixture
def staffed(fettle: Fettle, store: Store, store_url: str, clock: FakeClock) -> Fettle:
    """``fettle`` on both databases with one ticket, T-1001, and Sam, who may act."""
    fettle.environ["FETTLE_STORE__URL"] = store_url
    hire(store, clock, "Sam Reed", "sam@agency.test")
    opened(store, a_policy(), at=clock.now())
    return fettle


def hire(store: Store, clock: FakeClock, name: str, email: str, *, role: Role = Role.STAFF) -> None:
    store.write(
        lambda tx: add_staff(
            tx, email=email, name=name, role=role, password_hash=UNUSED_HASH, at=clock.now()
        )
    )


def in_a_process(
    *words: str, environ: Mapping[str, str] | None = None, **how: Any
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*FETTLE, *words],
        cwd=ROOT,
        env={**os.environ, **(environ or {})},
        capture_output=True,
        text=True,
        check=False,
        **how,
    )


# Start, usage, configuration


def test_the_version_is_told_without_what_only_the_service_needs() -> None:
    code = (
        "import sys; from monitor.cli import main; main(['version']);"
        "print(sorted({'pycurl', 'httpx', 'sqlalchemy', 'pydantic', 'yaml', 'holidays'}"
        " & set(sys.modules)))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    version, modules = told.stdout.splitlines()
    assert version.startswith("fettle ")
    assert modules == "[]"


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["frobnicate"],
        ["tickets"],
        ["tickets", "resolve", "T-1001"],
        ["deadline"],
        ["deadline", "--priority", "urgent"],
        ["run", "--role", "everything"],
        ["run", "--location", "London Bridge"],
        ["run", "--listen", "8080"],
        ["probe", "https://www.example.com/", "--allow-network", "10.0.0.1/8"],
        ["probe", "https://www.example.com/", "--timeout", "0"],
        ["probe", "https://www.example.com/", "--timeout", "nan"],
        ["demo", "--port", "70000"],
        ["tickets", "note", "T-1001", "--text", "\udcff"],
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2_and_says_how_it_is_done(fettle: Fettle, words: list[str]) -> None:
    ended = fettle(*words)
    assert ended.code == 2
    assert "usage: fettle" in ended.err
    assert ended.out == ""


def test_a_broken_configuration_ends_with_2_and_every_fault(fettle: Fettle) -> None:
    text = CONFIG.replace("Europe/London", "Europe/Londn").replace("slug: booking", "slog: booking")
    fettle.config.write_text(text, encoding="utf-8")
    ended = fettle("deadline", "--priority", "low")
    assert ended.code == 2
    faults = ended.err.splitlines()
    assert all(fault.startswith(f"fettle: {fettle.config}:") for fault in faults)
    assert any("Europe/London" in fault for fault in faults)
    assert any("slog" in fault and "slug" in fault for fault in faults)


def test_a_broken_configuration_stops_the_start(fettle: Fettle) -> None:
    fettle.config.write_text("agency: {name: Bright}\n", encoding="utf-8")
    ended = in_a_process("run", "--config", str(fettle.config))
    assert ended.returncode == 2
    assert "agency.mail_from" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_configuration_that_is_not_there_is_named(fettle: Fettle) -> None:
    ended = fettle("sites", "list", "--config", "nowhere.yml")
    assert (ended.code, ended.out) == (2, "")
    assert "nowhere.yml: cannot be read: no such file or directory" in ended.err


def test_check_config_tells_faults_as_a_finding(fettle: Fettle) -> None:
    assert fettle("check-config").code == 0
    fettle.config.write_text("nonsense: 1\n", encoding="utf-8")
    named = fettle("check-config", str(fettle.config))
    assert named.code == 1
    assert "fettle.yml:1" in named.out


# Deadlines


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/St_Johns"])
def test_a_deadline_is_the_same_wherever_the_host_is(zone: str) -> None:
    environ = {"TZ": zone, "FETTLE_CONFIG": ""}
    words = ["deadline", "--priority", "critical", "--at"]
    christmas = in_a_process(*words, "2026-12-23T16:30", "--explain", environ=environ)
    easter = in_a_process(*words, "2026-04-02T16:30", environ=environ)
    assert christmas.returncode == easter.returncode == 0
    assert christmas.stdout.startswith("Respond by Mon 4 Jan 2027 09:30 GMT\n")
    assert "raised Wed 23 Dec 2026 16:30 GMT" in christmas.stdout
    assert "Fri 25 Dec 2026  Christmas Day" in christmas.stdout
    assert "Wed 30 Dec 2026  Christmas closure" in christmas.stdout
    assert easter.stdout.startswith("Respond by Tue 7 Apr 2026 09:30 BST\n")


def test_a_deadline_as_json_is_the_contract_s_object(fettle: Fettle) -> None:
    ended = fettle("deadline", "--priority", "critical", "--at", "2026-04-02T15:30+00:00", "--json")
    assert ended.document == {
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


def test_a_deadline_counts_from_now_unless_told_otherwise(fettle: Fettle) -> None:
    assert "Tue 3 Mar 2026 11:00 GMT" in fettle("deadline", "--priority", "critical").out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--at", "tomorrow"], "'tomorrow' is no instant; write it as 2026-12-23T16:30"),
        (["--at", "2026-12-23"], "no time of day"),
        (["--at", "0001-01-01T00:00"], "--at: "),
        (["--at", "9999-12-31T23:59"], "--at: "),
        (["--client", "harbor"], "did you mean harbour?"),
    ],
)
def test_an_instant_or_client_that_is_none_is_wrong_usage(
    fettle: Fettle, words: list[str], says: str
) -> None:
    ended = fettle("deadline", "--priority", "low", *words)
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.err
    assert ended.err.count("\n") == 1


SCOTTISH = """\
    support:
      holidays: {subdivision: SCT}
      response: {critical: {within: 30m}}
"""


def agree(fettle: Fettle, text: str) -> None:
    """Give the client ``harbour`` an agreement of its own."""
    before = fettle.config.read_text(encoding="utf-8")
    assert before.count("    name: Harbour Inns\n") == 1
    after = before.replace("    name: Harbour Inns\n", "    name: Harbour Inns\n" + text)
    fettle.config.write_text(after, encoding="utf-8")


def test_a_client_s_own_calendar_and_target_count_for_it_alone(fettle: Fettle) -> None:
    agree(fettle, SCOTTISH)
    words = ["deadline", "--priority", "critical", "--at", "2026-04-02T16:45", "--explain"]
    own = fettle(*words, "--client", "harbour").out
    assert own.startswith("Respond by Mon 6 Apr 2026 09:15 BST\n")  # no Easter Monday there
    assert "Fri 3 Apr 2026   Good Friday" in own
    assert fettle(*words).out.startswith("Respond by Tue 7 Apr 2026 09:45 BST\n")


def test_support_time_between_two_instants(fettle: Fettle) -> None:
    words = ["hours", "elapsed", "--from", "2026-12-23T16:00", "--to", "2027-01-04T10:00"]
    told = fettle(*words)
    assert told.out == (
        "2 h of support time\nWed 23 Dec 2026 16:00 GMT to Mon 4 Jan 2027 10:00 GMT\n"
    )
    explained = fettle(*words, "--explain").out
    assert "  Mon 4 Jan 2027   09:00-10:00  1 h, 2 h in all\n" in explained
    assert "  Fri 25 Dec 2026  Christmas Day\n" in explained
    document = fettle(*words, "--json").document
    assert document["elapsed_seconds"] == 7200
    assert document["to"] == "2027-01-04T10:00:00+00:00"
    assert {"date": "2026-12-24", "why": "Christmas closure"} in document["skipped"]


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [
        ("tomorrow", "2026-12-23T16:00", "--from: 'tomorrow' is no instant"),
        ("2026-12-23T16:00", "2026-12-24", "--to: '2026-12-24' has no time of day"),
        ("2026-12-23T16:00", "2026-12-22T16:00", "the end must not lie before the start"),
        ("0001-01-01T00:00", "2026-12-22T16:00", "--from and --to: "),
    ],
)
def test_instants_between_which_no_time_can_be_counted(
    fettle: Fettle, start: str, end: str, says: str
) -> None:
    ended = fettle("hours", "elapsed", "--from", start, "--to", end)
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.err
    assert ended.err.count("\n") == 1


def test_check_config_tells_what_a_client_was_promised(fettle: Fettle) -> None:
    agree(fettle, SCOTTISH)
    out = fettle("check-config").out
    assert "If harbour raises it (support is open until 17:00)\n" in out
    assert "  critical  by Tue 3 Mar 2026 10:30 GMT  (30 min in support hours" in out


def test_check_config_tells_what_a_calendar_would_change(
    staffed: Fettle, store: Store, clock: FakeClock
) -> None:
    settings = load(staffed.config, environ=staffed.environ)
    prepare_store(store, settings, location="main", clock=clock)
    assert "Put into use" not in staffed("check-config").out
    text = staffed.config.read_text(encoding="utf-8")
    day = "{holidays: {add: [{date: 2026-03-03, name: Day of mourning}]}}"
    staffed.config.write_text(f"{text}support: {day}\n", encoding="utf-8")
    told = staffed("check-config")
    assert told.code == 0
    assert told.out.endswith(
        "\nPut into use, this changes the agency's calendar (version 1)\n"
        "  added    Tue 3 Mar 2026   Day of mourning\n"
        "  Deadlines stay as they were promised; counted anew they would be\n"
        "    T-1001  Wed 4 Mar 2026 10:00 GMT, promised Tue 3 Mar 2026 11:00 GMT\n"
    )


# The store


def test_a_store_is_made_brought_up_to_date_and_found_well(fettle: Fettle) -> None:
    missing = fettle("tickets", "list")
    assert missing.code == 2
    assert "run `fettle db upgrade`" in missing.err
    assert not fettle.store_file.exists()
    assert fettle("db", "check").code == 1
    assert fettle("db", "upgrade").out.startswith("The store is now at revision ")
    assert fettle("db", "upgrade").out.startswith("The store is already at revision ")
    assert fettle("db", "check").code == 0
    assert fettle("db", "check", "--json").document["well"] is True
    assert fettle("tickets", "list").code == 0


def test_an_empty_postgresql_store_is_refused_until_it_is_upgraded(
    fettle: Fettle, postgresql: Any
) -> None:
    fettle.environ["FETTLE_STORE__URL"] = postgresql.empty_database()
    ended = fettle("tickets", "list")
    assert ended.code == 2
    assert "run `fettle db upgrade`" in ended.err
    assert fettle("db", "upgrade").code == 0
    assert fettle("tickets", "list").code == 0


@pytest.mark.parametrize(
    ("revision", "says"), [("0000_older", "run `fettle db upgrade`"), ("9999_newer", "newer than")]
)
def test_a_store_of_another_version_is_refused(ready: Fettle, revision: str, says: str) -> None:
    change(ready.store_file, "UPDATE alembic_version SET version_num = ?", revision)
    ended = ready("outbox", "list")
    assert ended.code == 2
    assert revision in ended.err
    assert says in ended.err
    assert ready("db", "check").code == 1


def test_a_store_that_does_not_answer_is_unknown(fettle: Fettle) -> None:
    fettle.environ["FETTLE_STORE__URL"] = "postgresql+psycopg://fettle@127.0.0.1:9/fettle"
    for words in (["tickets", "list"], ["db", "check"], ["db", "upgrade"], ["sites", "list"]):
        ended = fettle(*words)
        assert (ended.code, ended.out) == (3, "")
        assert ended.err.startswith("fettle: the store does not answer")


def test_a_file_that_is_no_database_is_told_and_left_alone(fettle: Fettle) -> None:
    fettle.store_file.write_text("something else entirely", encoding="utf-8")
    ended = fettle("tickets", "list")
    assert ended.code == 2
    assert "is no SQLite database" in ended.err
    assert fettle.store_file.read_text(encoding="utf-8") == "something else entirely"


def test_rows_that_lead_nowhere_are_found(ready: Fettle) -> None:
    statement = (
        "INSERT INTO entry (ticket_id, number, at, action, actor, text, is_visible, before, after)"
        " VALUES (77, 1, 0, 'open', 'Sam', '', 1, '{}', '{}')"
    )
    change(ready.store_file, statement)
    ended = ready("db", "check", "--json")
    assert ended.code == 1
    assert "entry" in ended.document["faults"][0]


def change(database: Path, statement: str, *values: str) -> None:
    connection = sqlite3.connect(database)
    with connection:
        connection.execute(statement, values)
    connection.close()


# Tickets


def test_a_ticket_goes_its_way_on_the_command_line(
    staffed: Fettle, store: Store, clock: FakeClock
) -> None:
    clock.advance(42 * 60)
    listed = staffed("tickets", "list").out
    assert listed.startswith("18 min  respond by 11:00  critical  ■ Down")
    assert "T-1001  open" in listed

    acknowledged = staffed("tickets", "acknowledge", "T-1001")
    assert acknowledged.code == 0
    assert "Sam Reed acknowledged the ticket" in acknowledged.out
    assert "The promise is kept." in acknowledged.out
    assert "Next word to the client by Tue 3 Mar 2026 11:42 GMT." in acknowledged.out
    assert "Told by mail: anna@harbour.test" in acknowledged.out

    assert staffed("tickets", "reply", "1001", "--text", "We have found it.").code == 0
    noted = staffed("tickets", "note", "T-1001", stdin="The host\nsays 14:00.\n")
    assert "Nobody is told by mail." in noted.out
    revoked = staffed("tickets", "revoke-links", "T-1001")
    assert "Sam Reed revoked the client's links" in revoked.out
    resolved = staffed(
        "tickets", "resolve", "T-1001", "--cause", "Disk full", "--done", "Logs removed", "--json"
    )
    assert resolved.document["status"] == "resolved"
    assert resolved.document["history"][-1]["text"] == "Cause: Disk full\nDone: Logs removed"
    reopened = staffed("tickets", "reopen", "T-1001", "--reason", "It is back")
    assert "Respond by Tue 3 Mar 2026 11:42 GMT." in reopened.out
    staffed("tickets", "resolve", "T-1001", "--cause", "Disk full", "--done", "Bigger disk")
    assert staffed("tickets", "close", "T-1001", "--outcome", "fixed").code == 0

    page = store.read(lambda tx: get_ticket_page(tx, "T-1001"))
    assert page.ticket.status is Status.CLOSED
    assert [(entry.action.value, entry.actor) for entry in page.entries[1:]] == [
        (action, "Sam Reed")
        for action in (
            "acknowledge",
            "reply",
            "note",
            "revoke_links",
            "resolve",
            "reopen",
            "resolve",
            "close",
        )
    ]
    assert "No ticket is open" in staffed("tickets", "list").out
    assert "closed: fixed" in staffed("tickets", "list", "--all").out


def test_show_tells_promise_evidence_history_and_messages(staffed: Fettle, store: Store) -> None:
    staffed("tickets", "note", "T-1001", "--text", "Look here")
    files, now = accept([SentFile("shot.png", b"\x89PNG\r\n\x1a\n")]), datetime.now(UTC)
    store.write(lambda tx: keep(tx, 1, entry_number=1, files=files, sender_address=None, at=now))
    shown = staffed("tickets", "show", "T-1001").out
    assert "1 h left, respond by Tue 3 Mar 2026 11:00 GMT" in shown
    assert "none: connection refused  200 in 0.41 s" in shown
    assert "Sam Reed left a note  (staff only)\n      Look here" in shown
    assert "      file: shot.png  8 bytes" in shown
    assert "pending  down  Anna Wright <anna@harbour.test>" in shown
    document = staffed("tickets", "show", "T-1001", "--json").document
    assert document["respond_by"] == "2026-03-03T11:00:00+00:00"
    assert document["time_left"] == "1 h"
    assert [entry["action"] for entry in document["history"]] == ["open", "note"]
    assert document["history"][1]["is_visible"] is False
    assert {message["address"] for message in document["messages"]} == {
        "anna@harbour.test", "ben@harbour.test", "duty@agency.test",
    }  # fmt: skip


def test_a_broken_promise_stands_out_however_long_ago(
    staffed: Fettle, store: Store, clock: FakeClock
) -> None:
    clock.advance(86_400 * 365 * 4)
    first = staffed("tickets", "list").out.splitlines()[0]
    assert " over  respond by " in first
    assert staffed("tickets", "list", "--json").document[0]["is_late"] is True
    late = staffed("tickets", "acknowledge", "T-1001").out
    assert "The promise is met, but late." in late


def test_what_is_not_possible_ends_with_1_and_one_sentence(staffed: Fettle) -> None:
    refused = {
        ("tickets", "show", "T-9999"): "there is no ticket 'T-9999'",
        ("tickets", "acknowledge", "T-9999"): "there is no ticket 'T-9999'",
        ("tickets", "reopen", "T-1001", "--reason", "why not"): "T-1001 is open",
        ("tickets", "close", "T-1001", "--outcome", "fixed"): "not resolved",
        ("tickets", "reply", "T-1001", "--text", " "): "empty",
        ("tickets", "note", "T-1001"): "empty",
    }
    for words, says in refused.items():
        ended = staffed(*words)
        assert (ended.code, ended.out) == (1, ""), words
        assert says in ended.err
        assert ended.err.startswith("fettle: ")
        assert ended.err.count("\n") == 1


def test_text_without_end_is_refused_before_it_is_read(staffed: Fettle) -> None:
    ended = staffed("tickets", "note", "T-1001", stdin="x" * 1_000_000)
    assert ended.code == 1
    assert "at most 20000" in ended.err
    assert staffed("tickets", "note", "T-1001", stdin="a\0b").code == 2


def test_nobody_acts_unnamed_once_there_are_two(
    staffed: Fettle, store: Store, clock: FakeClock
) -> None:
    hire(store, clock, "Vera Moss", "vera@agency.test", role=Role.VIEWER)
    words = ["tickets", "note", "T-1001", "--text", "hello"]
    unnamed = staffed(*words)
    assert unnamed.code == 2
    assert "--as EMAIL" in unnamed.err
    assert staffed(*words, "--as", "SAM@agency.test").code == 0
    staffed.environ["FETTLE_STAFF"] = "sam@agency.test"
    assert staffed(*words).code == 0
    unknown = staffed(*words, "--as", "kim@agency.test")
    assert unknown.code == 2
    assert "kim@agency.test" in unknown.err
    viewer = staffed(*words, "--as", "vera@agency.test")
    assert viewer.code == 1
    assert "Vera Moss is a viewer" in viewer.err
    assert staffed("staff", "disable", "sam@agency.test").code == 0
    assert staffed(*words).code == 2


def test_hostile_text_reaches_no_terminal(ready: Fettle, clock: FakeClock) -> None:
    hostile = "shop\x1b[2J\x9b1m\r\nT-9999 is fine\u202e"
    store = Store(f"sqlite:///{ready.store_file}")
    evidence = Evidence(lines=(EvidenceLine(hostile, hostile, hostile),), excerpt=hostile)
    opened(store, a_policy(), at=clock.now(), title=hostile, evidence=evidence)
    watch(store, [a_site(name=hostile)], at=clock.now())
    hire(store, clock, "Sam Reed", "sam@agency.test")
    store.close()
    for words in (
        ["tickets", "list"],
        ["tickets", "list", "--json"],
        ["tickets", "show", "T-1001"],
        ["tickets", "show", "T-1001", "--json"],
        ["tickets", "note", "T-1001", "--text", hostile],
        ["tickets", "show", hostile],
        ["staff", "disable", hostile],
        ["deadline", "--priority", "low", "--at", hostile],
        ["deadline", "--priority", "low", "--client", hostile],
        ["probe", hostile],
        ["outbox", "list", "--json"],
        ["sites", "list"],
    ):
        ended = ready(*words)
        assert not set(ended.out + ended.err) & set("\x1b\x9b\r\u202e"), words
    assert len(ready("tickets", "list").out.splitlines()) == 1


def test_sites_are_listed_before_and_after_they_are_probed(
    fettle: Fettle, migrated_sqlite: Path, clock: FakeClock
) -> None:
    before = fettle("sites", "list")
    assert before.code == 0
    assert before.out.startswith("○ Unknown")
    assert "booking  https://booking.harbour.test/  every 1m" in before.out
    assert not fettle.store_file.exists()
    shutil.copy(migrated_sqlite, fettle.store_file)
    document = fettle("sites", "list", "--json").document
    assert [site["slug"] for site in document] == ["booking", "broken"]
    assert document[0]["state"] == "unknown"
    assert document[0]["interval_seconds"] == 60


def test_a_site_is_shown_with_its_uptime(ready: Fettle, clock: FakeClock) -> None:
    store = Store(ready.environ["FETTLE_STORE__URL"])
    site = a_site()
    watch(store, [site], at=clock.now())
    see_minutes(store, site, clock, [Verdict.UP] * 57 + [Verdict.DOWN] * 3)
    store.close()
    shown = ready("sites", "show", "booking").out
    assert "last 24 h  95.00 %  down 3 min" in shown
    assert "Tue 3 Mar 2026: 95.00 %, down 3 min" in shown
    document = ready("sites", "show", "booking", "--json").document
    assert document["uptime"]["30 d"]["share"] == 0.95
    assert document["uptime"]["30 d"]["unwatched_seconds"] == 0
    assert len(document["days"]) == 90
    assert "95.00 % in 30 d" in ready("sites", "list").out
    unknown = ready("sites", "show", "bookings")
    assert (unknown.code, "fettle sites list names them" in unknown.err) == (1, True)


def test_messages_are_cancelled_and_sent_again_by_hand_all_or_none(staffed: Fettle) -> None:
    ended = staffed("outbox", "cancel", "1", "--json")
    [message] = ended.document
    assert (message["id"], message["state"]) == (1, "cancelled")
    assert [(each["what"], each["by"]) for each in message["interventions"]] == [
        ("cancel", "Sam Reed")
    ]
    refused = staffed("outbox", "cancel", "2", "1")
    assert (refused.code, refused.out) == (1, "")
    assert "message 1 was cancelled: only what waits or is not delivered" in refused.err
    assert "message 2 is due already" in staffed("outbox", "requeue", "2").err
    assert "there is no message 99" in staffed("outbox", "requeue", "99").err
    states = {one["id"]: one["state"] for one in staffed("outbox", "list", "--json").document}
    assert states == {1: "cancelled", 2: "pending", 3: "pending"}


def test_the_outbox_is_listed_by_state(staffed: Fettle) -> None:
    assert len(staffed("outbox", "list").out.splitlines()) == 3
    pending = staffed("outbox", "list", "--state", "pending", "--json").document
    assert {message["ticket"] for message in pending} == {"T-1001"}
    assert staffed("outbox", "list", "--state", "dead").out == "No message is dead.\n"


# Staff


def test_staff_are_added_listed_given_passwords_and_disabled(ready: Fettle) -> None:
    added = ready(
        "staff", "add", "Sam@agency.test", "--name", "Sam Reed", "--role", "lead",
        "--password-stdin", stdin="correct horse battery\n",
    )  # fmt: skip
    assert added.code == 0
    assert added.out == "Sam Reed may sign in as sam@agency.test (lead).\n"
    assert may_sign_in(ready, "correct horse battery")
    changed = ready(
        "staff", "password", "sam@agency.test", "--password-stdin", stdin="another long password"
    )
    assert changed.code == 0
    assert may_sign_in(ready, "another long password")
    assert not may_sign_in(ready, "correct horse battery")
    (listed,) = ready("staff", "list", "--json").document
    assert (listed["email"], listed["role"]) == ("sam@agency.test", "lead")
    assert "password" not in json.dumps(listed)
    assert ready("staff", "disable", "sam@agency.test").code == 0
    assert "disabled Tue 3 Mar 2026 10:00 GMT" in ready("staff", "list").out
    assert not may_sign_in(ready, "another long password")


def may_sign_in(fettle: Fettle, password: str) -> bool:
    store = Store(f"sqlite:///{fettle.store_file}")
    found = store.read(lambda tx: find_credentials(tx, "sam@agency.test"))
    store.close()
    return verify_password(found, password)


def test_a_password_is_long_enough_and_never_an_argument(ready: Fettle) -> None:
    words = ["staff", "add", "sam@agency.test", "--name", "Sam"]
    short = ready(*words, "--password-stdin", stdin="short\n")
    assert short.code == 1
    assert "short" not in short.err
    assert "--password-stdin" in ready(*words, stdin="correct horse battery").err
    assert ready(*words, "--password", "correct horse battery").code == 2
    assert ready("staff", "list", "--json").document == []


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    try:
        yield ours, theirs
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize(
    ("again", "code", "says"),
    [
        ("correct horse battery", 0, "may sign in"),
        ("something else now", 1, "the two passwords differ"),
    ],
)
def test_a_password_is_asked_twice_on_a_terminal_and_not_shown(
    ready: Fettle, again: str, code: int, says: str
) -> None:
    words = ["staff", "add", "sam@agency.test", "--name", "Sam", "--config", str(ready.config)]
    with terminal() as (ours, theirs):
        child = subprocess.Popen(
            [*FETTLE, *words],
            cwd=ROOT,
            env={**os.environ, **ready.environ},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=take_terminal,  # noqa: PLW1509 (nothing else runs in the child yet)
        )
        seen = read_until(ours, "Password: ")
        os.write(ours, b"correct horse battery\n")
        seen += read_until(ours, "once more: ")
        os.write(ours, again.encode() + b"\n")
        seen += read_until(ours, says)
        assert child.wait() == code
    assert "correct horse battery" not in seen


def take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def read_until(terminal: int, text: str) -> str:
    seen = b""
    while text.encode() not in seen:
        seen += os.read(terminal, 1000)
    return seen.decode()


# Streams and signals


def test_colours_show_on_a_terminal_unless_they_are_not_wanted(ready: Fettle) -> None:
    environ = {**ready.environ, "FETTLE_CONFIG": str(ready.config), "TERM": "xterm"}
    assert "\x1b" not in ready("sites", "list").out
    with terminal() as (ours, theirs), open(theirs, "w", closefd=False) as output:
        ready.patch.setattr("sys.stdout", output)
        for unwanted in ({}, {"NO_COLOR": "1"}, {"TERM": "dumb"}):
            assert main(["sites", "list"], environ={**environ, **unwanted}) == 0
            seen = read_until(ours, "http://127.0.0.1:9/")
            assert ("\x1b" in seen) == (not unwanted)


def test_a_reader_that_has_enough_is_no_fault(ready: Fettle) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [*FETTLE, "sites", "list", "--json", "--config", str(ready.config)],
        cwd=ROOT,
        env={**os.environ, **ready.environ},
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_output_that_cannot_be_written_is_told(ready: Fettle) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        ended = subprocess.run(
            [*FETTLE, "version"], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert ended.returncode == 3
    assert ended.stderr == b"fettle: the output cannot be written: No space left on device\n"


def test_closed_streams_are_borne() -> None:
    command = f"exec {shlex.join(FETTLE)} version <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", command], cwd=ROOT, check=False).returncode == 0


def end(child: subprocess.Popen[str], number: signal.Signals) -> int:
    """Signal a command until it ends, and return its code.

    One that comes between its words and its reading is noted, and the reading begun all the same.
    """
    while True:
        child.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            return child.wait(15)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_command_with_its_own_code(
    ready: Fettle, number: signal.Signals, code: int
) -> None:
    with terminal() as (_, theirs):
        child = subprocess.Popen(
            [*FETTLE, "tickets", "reply", "T-1001", "--config", str(ready.config)],
            cwd=ROOT,
            env={**os.environ, **ready.environ},
            stdin=theirs,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert child.stderr is not None
        assert "Write the reply" in child.stderr.readline()
        assert end(child, number) == code
        assert child.stderr.read() == ""
        child.stderr.close()


# The service and sites, seen from outside


class Answers(BaseHTTPRequestHandler):
    """Answers with what its server was told to say."""

    def do_GET(self) -> None:
        status, body = self.server.says  # pyright: ignore[reportAttributeAccessIssue]
        self.server.asked.append(self.path)  # pyright: ignore[reportAttributeAccessIssue]
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""


@contextmanager
def answering(status: int, body: bytes) -> Iterator[tuple[str, list[str]]]:
    """Serve one answer on loopback; yields the address and the paths that were asked for."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.says, server.asked = (status, body), []  # pyright: ignore[reportAttributeAccessIssue]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", server.asked  # pyright: ignore[reportAttributeAccessIssue]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


READY = b'{"ready": true, "reasons": []}'
NOT_READY = b'{"ready": false, "reasons": ["the last tick is 9 s old\\u001b[2J"]}'


def test_a_ready_service_is_told_from_one_that_is_not(fettle: Fettle) -> None:
    with answering(200, READY) as (url, asked):
        assert (fettle("healthcheck", "--url", url).code, asked) == (0, ["/-/ready"])
        fettle.environ["FETTLE_WEB__LISTEN"] = f"0.0.0.0:{url.rpartition(':')[2]}"
        fettle.environ["FETTLE_WEB__BASE_URL"] = "https://desk.agency.test"
        assert fettle("healthcheck").out == "ready\n"
    with answering(503, NOT_READY) as (url, _):
        ended = fettle("healthcheck", "--url", url)
        assert ended.code == 1
        assert ended.out == "not ready\n  the last tick is 9 s old\\x1b[2J\n"
        assert fettle("healthcheck", "--url", url, "--json").document["ready"] is False
    with answering(404, b"<h1>something else</h1>") as (url, _):
        ended = fettle("healthcheck", "--url", url)
        assert ended.code == 1
        assert "404" in ended.out
    silent = fettle("healthcheck", "--url", url)
    assert silent.code == 3
    assert "nothing answers" in silent.err
    assert fettle("healthcheck", "--url", "ftp://desk").code == 2


def test_a_probe_says_what_it_saw(fettle: Fettle) -> None:
    with answering(200, b"<title>Book a room</title>") as (url, _):
        good = fettle("probe", f"{url}/", *ALLOW, "--json")
        assert good.code == 0
        assert good.document["verdict"] == "up"
        assert set(good.document) == {
            "url", "final_url", "verdict", "cause", "message", "phase", "http_status",
            "http_version", "duration_seconds", "phases", "redirects", "hops", "remote_address",
            "body_bytes", "body_truncated", "certificate", "started_at",
        }  # fmt: skip
        assert good.document["started_at"] == "2026-03-03T10:00:00+00:00"
        assert "Book a room" in fettle("probe", f"{url}/", *ALLOW).out
        missing = fettle("probe", url, *ALLOW, "--keyword", "Sold out", "--json")
        assert (missing.code, missing.document["cause"]) == (1, "keyword_missing")
        slow = fettle("probe", url, *ALLOW, "--slow-after", "0.000001", "--json")
        assert (slow.code, slow.document["verdict"]) == (1, "slow")


def test_a_probe_reaches_no_network_that_is_not_allowed(fettle: Fettle) -> None:
    fettle.config.write_text(CONFIG.replace("127.0.0.0/8", "10.0.0.0/8"), encoding="utf-8")
    with answering(200, b"inside") as (url, asked):
        ended = fettle("probe", url, "--json", "--config", str(fettle.config))
        assert ended.code == 2  # the configuration lists a site on loopback, so it is refused whole
        fettle.environ["FETTLE_CONFIG"] = ""
        fettle.patch.chdir(fettle.config.parent)
        blocked = fettle("probe", url, "--json")
        assert (blocked.code, blocked.document["cause"]) == (1, "address_blocked")
        assert asked == []


def test_a_probe_of_a_configured_site_uses_its_settings(fettle: Fettle) -> None:
    with answering(200, b"hello") as (url, _):
        fettle.config.write_text(
            CONFIG.replace('url: "http://127.0.0.1:9/"', f'url: "{url}/", keyword: Good bye'),
            encoding="utf-8",
        )
        ended = fettle("probe", "broken", "--json")
    assert (ended.code, ended.document["cause"]) == (1, "keyword_missing")
    assert ended.document["url"] == f"{url}/"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["ftp://www.example.com/"], "must begin with http:// or https://"),
        (["https://user:secret@www.example.com/"], "must not contain a user name or password"),
        (["https://"], "has no host"),
        (["www.example.com"], "neither a site nor a URL"),
        (["bookings"], "did you mean booking?"),
        (["https://www.example.com/", "--ca", "nowhere.pem"], "'nowhere.pem' cannot be read"),
        (["https://www.example.com/", "--ca", __file__], "holds no certificate in PEM"),
    ],
)
def test_what_cannot_be_probed_is_wrong_usage(fettle: Fettle, words: list[str], says: str) -> None:
    ended = fettle("probe", *words)
    assert (ended.code, ended.out) == (2, "")
    assert says in ended.err
    assert "secret" not in ended.err


def test_a_url_is_probed_without_a_configuration_or_beside_a_broken_one(
    fettle: Fettle, tmp_path: Path
) -> None:
    fettle.environ["FETTLE_CONFIG"] = ""
    fettle.patch.chdir(tmp_path)
    refused = fettle("probe", "http://127.0.0.1:9/", *ALLOW, "--json")
    assert (refused.code, refused.document["cause"]) == (1, "connect_refused")
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "fettle.yml").write_text("nonsense: 1\n", encoding="utf-8")
    beside = fettle("probe", "http://127.0.0.1:9/", *ALLOW, "--json")
    assert (beside.code, beside.document["cause"]) == (1, "connect_refused")
    assert "has faults and is not used" in beside.err


# Tokens


def test_a_token_is_shown_once_and_lets_in_until_it_is_revoked(
    staffed: Fettle, store: Store, clock: FakeClock
) -> None:
    made = staffed("token", "add", "Board", "--scope", "tickets:read", "--client", "harbour")
    text = made.out.removesuffix("\n")

    def is_good() -> bool:
        return store.read(lambda tx: find_caller(tx, text, now=clock.now())) is not None

    assert is_good()
    assert "works until Wed 3 Mar 2027 10:00 GMT" in made.err
    listed = staffed("token", "list").out
    assert "tickets:read of harbour only" in listed
    assert "never used" in listed
    assert text.split("_", 2)[2] not in listed + staffed("token", "list", "--json").out
    assert staffed("token", "revoke", "Board").code == 0
    assert not is_good()
    assert "revoked Tue 3 Mar 2026 10:00 GMT" in staffed("token", "list").out


def test_a_token_may_belong_to_a_person_and_never_expire(staffed: Fettle) -> None:
    words = ["token", "add", "Sam's", "--scope", "tickets:read", "--scope", "tickets:write"]
    made = staffed(*words, "--as", "sam@agency.test", "--expires-in", "never", "--json").document
    assert made["token"].startswith(f"fettle_{made['id']}_")
    assert made["scopes"] == ["tickets:read", "tickets:write"]
    assert (made["staff"], made["expires_at"], made["works"]) == ("sam@agency.test", None, True)
    staffed("staff", "disable", "sam@agency.test")
    assert "its owner is disabled" in staffed("token", "list").out
    assert staffed("token", "list", "--json").document[0]["works"] is False


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["add", "Board"], 2, "--scope"),
        (["add", "Board", "--scope", "all"], 2, "tickets:read"),
        (["add", "Board", "--scope", "tickets:read", "--client", "x"], 2, "allowed: harbour"),
        (["add", "Board", "--scope", "tickets:read", "--expires-in", "90"], 2, "has no unit"),
        (["add", "Board", "--scope", "tickets:read", "--expires-in", "1s"], 2, "within 1m and"),
        (["add", "Board", "--scope", "tickets:read", "--as", "kim@x.test"], 1, "nobody who may"),
        (["add", " ", "--scope", "tickets:read"], 1, "1 to 100 printable characters"),
        (["revoke", "Board\x1b[31m"], 1, "there is no token"),
    ],
)
def test_what_cannot_be_a_token_is_told(
    ready: Fettle, words: list[str], code: int, says: str
) -> None:
    ended = ready("token", *words)
    assert (ended.code, ended.out) == (code, "")
    assert says in ended.err
    assert "\x1b" not in ended.err
