"""The API at work: reading, doing, conflicts, repeated requests and hostile bodies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.api import ApiBench
from tests.clocks import FakeClock
from tests.stores import open_store
from tickets.queries.tickets import get_ticket_page
from tickets.rules.ticket import Priority
from tickets.store import Store

REQUEST: dict[str, Any] = {
    "client": "harbour",
    "site": "booking",
    "priority": "normal",
    "category": "content_change",
    "title": "New prices",
    "text": "Please put the new prices up.",
    "requester": {"name": "Carla Lund", "address": "carla@harbour.test"},
}

on_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
"""What depends on no database runs on one."""


@pytest.fixture
def bench(store: Store, clock: FakeClock) -> ApiBench:
    return ApiBench(store, clock)


@pytest.fixture
def twin(bench: ApiBench, store_url: str) -> Iterator[ApiBench]:
    """The same API in another process, as far as the store can tell."""
    store = open_store(store_url)
    yield ApiBench(store, bench.clock)
    store.close()


def kind(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["type"].removeprefix("urn:fettle:problem:")


async def test_a_ticket_lives_its_whole_life_by_the_api(bench: ApiBench) -> None:
    async with bench.person() as program:
        opened = await program.post("/tickets", json=REQUEST)
        assert opened.status_code == 201
        ticket = opened.json()
        ref = ticket["reference"]
        assert opened.headers["location"] == f"/api/v1/tickets/{ref}"
        assert (ticket["status"], ticket["source"], ticket["version"]) == ("open", "api", 1)
        assert ticket["opened_at"] == "2026-03-03T10:00:00Z"
        assert ticket["respond_by"] == "2026-03-05T10:00:00Z"
        assert ticket["requester_address"] == "carla@harbour.test"

        async def do(action: str, **body: object) -> dict[str, Any]:
            version = (await program.get(f"/tickets/{ref}")).json()["version"]
            answer = await program.post(
                f"/tickets/{ref}/{action}", json={"version": version, **body}
            )
            assert answer.is_success, answer.text
            return answer.json()

        assert (await do("acknowledge"))["assignee"] == "Sam Okafor"
        replied = await do("reply", text="By Friday", next_steps="We type", estimate="Friday")
        assert (replied["answered_by"], replied["is_late"]) == ("Sam Okafor", False)
        assert (await do("category", category="advice"))["category"] == "advice"
        raised = await do("priority", priority="critical", reason="The shop opens")
        assert (raised["priority"], raised["respond_by"]) == ("critical", ticket["respond_by"])
        waiting = await do("wait", question="Which prices?", resume_on="2026-03-05")
        assert waiting["resume_at"] == "2026-03-05T09:00:00Z"
        assert (await do("resume"))["status"] == "acknowledged"
        assert (await do("assign", assignee=None))["assignee"] is None
        await do("log_time", minutes=30, worked_on="2026-03-03", text="Typed")
        await do("resolve", cause="Old prices", done="New ones are up", outcome="answered")
        assert (await do("reopen", reason="One is missing"))["status"] == "acknowledged"
        await do("resolve", cause="One was missing", done="It is up")
        assert (await do("close"))["outcome"] == "fixed"
        entries = (await program.get(f"/tickets/{ref}/entries")).json()["entries"]
    assert [entry["action"] for entry in entries] == [
        "open", "acknowledge", "reply", "category", "priority", "wait", "resume", "assign",
        "log_time", "resolve", "reopen", "resolve", "close",
    ]  # fmt: skip
    assert {entry["actor"] for entry in entries} == {"Sam Okafor"}


async def test_merged_and_linked_tickets_tell_of_each_other(bench: ApiBench) -> None:
    first, second = bench.tickets()
    third = bench.ticket()
    async with bench.person() as program:
        linked = await program.post(f"/tickets/{first}/link", json={"version": 1, "to": third})
        assert linked.json()["version"] == 2
        merged = await program.post(f"/tickets/{second}/merge", json={"version": 1, "into": first})
        assert (merged.json()["status"], merged.json()["merged_into"]) == ("closed", first)
        assert (await program.get(f"/tickets/{first}")).json()["version"] == 3


async def test_a_program_opens_a_ticket_and_answers_no_promise(bench: ApiBench) -> None:
    async with bench.program(bench.token("Site form")) as program:
        opened = await program.post("/tickets", json=REQUEST | {"priority": "critical"})
        ref = opened.json()["reference"]
        noted = await program.post(f"/tickets/{ref}/note", json={"version": 1, "text": "Seen"})
    page = bench.store.read(lambda tx: get_ticket_page(tx, ref))
    assert (noted.status_code, page.ticket.promise.is_answered) == (200, False)
    assert [entry.actor for entry in page.entries] == ["Site form", "Site form"]
    assert "carla@harbour.test" in {message.address for message in page.messages}


async def test_pages_hold_every_ticket_once_whatever_opens_meanwhile(bench: ApiBench) -> None:
    there = [bench.ticket() for _ in range(7)]
    seen: list[str] = []
    async with bench.person() as program:
        cursor = ""
        while cursor is not None:
            page = (await program.get(f"/tickets?limit=3{cursor and f'&cursor={cursor}'}")).json()
            seen += [ticket["reference"] for ticket in page["tickets"]]
            cursor = page["next_cursor"]
            bench.ticket()
    assert seen == there[::-1]


@on_sqlite
async def test_filters_narrow_the_list(bench: ApiBench) -> None:
    email = bench.staff("Mia Holt")
    critical, normal = bench.ticket(), bench.ticket(priority=Priority.NORMAL)
    other = bench.ticket(client="wren")
    async with bench.person() as program:
        await program.post(f"/tickets/{normal}/assign", json={"version": 1, "assignee": email})
        await program.post(f"/tickets/{other}/acknowledge", json={"version": 1})

        async def listed(query: str) -> list[str]:
            answer = await program.get(f"/tickets?{query}")
            return [ticket["reference"] for ticket in answer.json()["tickets"]]

        assert await listed("") == [other, normal, critical]
        assert await listed("status=open") == [normal, critical]
        assert await listed("status=acknowledged&status=waiting") == [other]
        assert await listed("client=wren") == [other]
        assert await listed("priority=normal") == [normal]
        assert await listed("site=booking&client=harbour") == [normal, critical]
        assert await listed("site=shop") == []
        assert await listed("assignee=MIA@agency.test") == [normal]
        assert await listed("assignee=nobody@agency.test") == []


@on_sqlite
@pytest.mark.parametrize(
    ("query", "field", "says"),
    [
        ("limit=0", "limit", "greater than or equal to 1"),
        ("limit=201", "limit", "less than or equal to 200"),
        ("limit=many", "limit", "valid integer"),
        ("limit=1&limit=2", "limit", "given twice"),
        ("status=broken", "status.0", "'open', 'acknowledged', 'waiting'"),
        ("client=%00", "client", "must have the form"),
        ("cursor=x", "cursor", "must have the form"),
        ("assignee=%ed%a0%80", "assignee", "must have the form"),
        ("colour=red", "colour", "allowed are assignee, client, cursor, limit"),
    ],
)
async def test_a_wrong_parameter_is_named_with_what_is_allowed(
    bench: ApiBench, query: str, field: str, says: str
) -> None:
    async with bench.person() as program:
        answer = await program.get(f"/tickets?{query}")
    assert kind(answer) == (422, "invalid")
    (fault,) = answer.json()["errors"]
    assert fault["field"] == field
    assert says in fault["message"]


async def test_history_comes_in_pages(bench: ApiBench) -> None:
    ref = bench.ticket()
    async with bench.person() as program:
        for version in range(1, 5):
            await program.post(f"/tickets/{ref}/note", json={"version": version, "text": "x"})
        first = (await program.get(f"/tickets/{ref}/entries?limit=3")).json()
        cursor = first["next_cursor"]
        second = (await program.get(f"/tickets/{ref}/entries?limit=3&cursor={cursor}")).json()
    assert [entry["number"] for entry in first["entries"]] == [1, 2, 3]
    assert [entry["number"] for entry in second["entries"]] == [4, 5]
    assert second["next_cursor"] is None


async def test_of_two_people_on_one_version_one_wins_and_the_other_sees_who(
    bench: ApiBench, twin: ApiBench
) -> None:
    sams, mias = (bench.token(name, staff=bench.staff(name)) for name in ("Sam Okafor", "Mia Holt"))
    async with bench.program(sams) as sam, twin.program(mias) as mia:
        for _ in range(5):
            path, body = f"/tickets/{bench.ticket()}/acknowledge", {"version": 1}
            answers = await asyncio.gather(sam.post(path, json=body), mia.post(path, json=body))
            won, lost = sorted(answers, key=lambda answer: answer.status_code)
            assert won.status_code == 200
            assert kind(lost) == (409, "stale-version")
            problem = lost.json()
            assert problem["version"] == won.json()["version"] == 2
            assert [one["actor"] for one in problem["changes"]] == [won.json()["answered_by"]]


async def test_what_the_status_does_not_allow_is_refused_and_recorded(bench: ApiBench) -> None:
    ref = bench.ticket()
    async with bench.person() as program:
        answer = await program.post(f"/tickets/{ref}/reopen", json={"version": 1, "reason": "x"})
    assert kind(answer) == (409, "not-possible-now")
    assert "possible only while a ticket is resolved" in answer.json()["detail"]
    count = "SELECT count(*) FROM refusal"
    assert bench.store.read(lambda tx: tx.connection().exec_driver_sql(count).scalar_one()) == 1


class TestRepeated:
    KEY: Mapping[str, str] = {"Idempotency-Key": "order-1"}

    async def test_the_same_request_has_one_effect_and_one_answer(self, bench: ApiBench) -> None:
        async with bench.person() as program:
            first = await program.post("/tickets", json=REQUEST, headers=self.KEY)
            reordered = dict(reversed(REQUEST.items()))
            again = await program.post("/tickets", json=reordered, headers=self.KEY)
            listed = (await program.get("/tickets")).json()["tickets"]
        assert (again.status_code, again.text) == (first.status_code, first.text)
        assert again.headers["location"] == first.headers["location"]
        assert len(listed) == 1

    async def test_an_action_that_comes_again_is_no_stale_version(self, bench: ApiBench) -> None:
        path = f"/tickets/{bench.ticket()}/acknowledge"
        async with bench.person() as program:
            first = await program.post(path, json={"version": 1}, headers=self.KEY)
            again = await program.post(path, json={"version": 1}, headers=self.KEY)
        assert again.is_success
        assert again.text == first.text

    async def test_at_the_same_time_has_one_effect(self, bench: ApiBench) -> None:
        async with bench.person() as program:
            answers = await asyncio.gather(
                *(program.post("/tickets", json=REQUEST, headers=self.KEY) for _ in range(8))
            )
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.text for answer in answers}) == 1

    async def test_from_two_processes_has_one_effect(self, bench: ApiBench, twin: ApiBench) -> None:
        token = bench.token()
        async with bench.program(token) as here, twin.program(token) as there:
            for number in range(5):
                key = {"Idempotency-Key": f"order-{number}"}
                answers = await asyncio.gather(
                    *(one.post("/tickets", json=REQUEST, headers=key) for one in (here, there))
                )
                assert answers[0].status_code == 201
                assert answers[0].text == answers[1].text
            assert len((await here.get("/tickets")).json()["tickets"]) == 5

    async def test_another_request_under_the_key_is_refused(self, bench: ApiBench) -> None:
        first, second = bench.tickets()
        body = {"version": 1, "text": "Seen"}
        async with bench.person() as program:
            await program.post(f"/tickets/{first}/note", json=body, headers=self.KEY)
            other_body = await program.post(
                f"/tickets/{first}/note", json=body | {"text": "Not seen"}, headers=self.KEY
            )
            other_ticket = await program.post(
                f"/tickets/{second}/note", json=body, headers=self.KEY
            )
        assert kind(other_body) == kind(other_ticket) == (422, "idempotency-key-reused")

    async def test_a_key_belongs_to_its_token(self, bench: ApiBench) -> None:
        async with bench.person("Sam Okafor") as sam, bench.person("Mia Holt") as mia:
            first = await sam.post("/tickets", json=REQUEST, headers=self.KEY)
            second = await mia.post("/tickets", json=REQUEST, headers=self.KEY)
        assert first.json()["reference"] != second.json()["reference"]

    async def test_a_refused_request_may_be_mended_under_its_key(self, bench: ApiBench) -> None:
        path = f"/tickets/{bench.ticket()}/acknowledge"
        async with bench.person() as program:
            stale = await program.post(path, json={"version": 7}, headers=self.KEY)
            mended = await program.post(path, json={"version": 1}, headers=self.KEY)
        assert (stale.status_code, mended.status_code) == (409, 200)

    async def test_a_key_is_forgotten_after_a_day(self, bench: ApiBench) -> None:
        async with bench.person() as program:
            await program.post("/tickets", json=REQUEST, headers=self.KEY)
            bench.clock.advance(timedelta(hours=24) - timedelta(seconds=1))
            kept = await program.post("/tickets", json=REQUEST, headers=self.KEY)
            bench.clock.advance(1)
            anew = await program.post("/tickets", json=REQUEST, headers=self.KEY)
        assert kept.json()["reference"] == "T-1001"
        assert anew.json()["reference"] == "T-1002"

    @on_sqlite
    async def test_a_key_that_is_none_is_refused(self, bench: ApiBench) -> None:
        async with bench.person() as program:
            for key in ("", "x" * 256, "a b", "caf\xe9"):
                answer = await program.post(
                    "/tickets", json=REQUEST, headers={b"Idempotency-Key": key.encode("latin-1")}
                )
                assert kind(answer) == (400, "malformed"), key


def deep(levels: int) -> bytes:
    return b'{"version":' + b"[" * levels + b"]" * levels + b"}"


HOSTILE = [
    (b"", 400, "malformed"),
    (b"{", 400, "malformed"),
    (b"[]", 400, "malformed"),
    (b"null", 400, "malformed"),
    (b"\xff\xfe{}", 400, "malformed"),
    (b'\xef\xbb\xbf{"version": 1}', 400, "malformed"),
    (deep(200_000), 400, "malformed"),
    (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400, "malformed"),
    (b'{"version": NaN}', 400, "malformed"),
    (b'{"version": -Infinity}', 400, "malformed"),
    (b'{"version": 1e999}', 400, "malformed"),
    (b'{"version": ' + b"9" * 100_000 + b"}", 400, "malformed"),
    (b'{"version": 1, "version": 2, "text": "x"}', 400, "malformed"),
    (b'{"version": 1, "text": "\\ud800"}', 400, "malformed"),
    (b'{"version": 1, "text": "\xed\xa0\x80"}', 400, "malformed"),
    (b'{"version": 1, "\\udfff": "x"}', 400, "malformed"),
    (b'{"version": 1, "text": "a\x00b"}', 400, "malformed"),
    (b'{"version": 1, "text": "a\\u0000b"}', 422, "invalid"),
    (b'{"version": 1, "text": "\\u001b[31m"}', 422, "invalid"),
    (b'{"version": 1, "text": " \\n\\t "}', 422, "invalid"),
    (b'{"version": 1, "text": ""}', 422, "invalid"),
    (b'{"version": 1, "text": "\\u00a0"}', 422, "refused"),
    (b'{"version": 99999999999999999999, "text": "x"}', 422, "invalid"),
    (b'{"version": 0, "text": "x"}', 422, "invalid"),
    (b'{"version": "1", "text": "x"}', 422, "invalid"),
    (b'{"version": true, "text": "x"}', 422, "invalid"),
    (b'{"version": 1.5, "text": "x"}', 422, "invalid"),
    (b'{"version": 1, "text": ["x"]}', 422, "invalid"),
    (b'{"version": 1, "text": {"text": "x"}}', 422, "invalid"),
    (b'{"version": 1, "text": "x", "at": "2020-01-01T00:00:00Z"}', 422, "invalid"),
    (b'{"version": 1, "text": "x", "\\u001b[31m": 1}', 422, "invalid"),
    (b'{"version": 1, "text": "' + b"x" * 20_001 + b'"}', 422, "invalid"),
    (b'{"version": 1, "text": "' + b"x" * 1_048_576 + b'"}', 413, "too-large"),
]


@on_sqlite
async def test_hostile_bodies_are_refused_and_change_nothing(bench: ApiBench) -> None:
    path = f"/tickets/{bench.ticket()}/note"
    headers = {"Content-Type": "application/json"}
    async with bench.person() as program:
        for body, status, problem in HOSTILE:
            answer = await program.post(path, content=body, headers=headers)
            assert kind(answer) == (status, problem), body[:60]
            assert answer.text.isprintable()
        assert (await program.get(path.removesuffix("/note"))).json()["version"] == 1


@on_sqlite
async def test_a_whole_number_may_be_written_with_a_point(bench: ApiBench) -> None:
    path, headers = f"/tickets/{bench.ticket()}/note", {"Content-Type": "application/json"}
    async with bench.person() as program:
        body = b'{"version": 1.0, "text": "x"}'
        assert (await program.post(path, content=body, headers=headers)).is_success


@on_sqlite
async def test_only_json_is_read(bench: ApiBench) -> None:
    path, body = f"/tickets/{bench.ticket()}/note", b'{"version": 1, "text": "x"}'
    async with bench.person() as program:
        for wrong in ("text/plain", "application/x-www-form-urlencoded", "application/xml", ""):
            answer = await program.post(path, content=body, headers={"Content-Type": wrong})
            assert kind(answer) == (415, "not-json")
        right = {"Content-Type": "Application/JSON; charset=utf-8"}
        assert (await program.post(path, content=body, headers=right)).is_success


@on_sqlite
async def test_a_body_without_end_is_cut_off(bench: ApiBench) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 65_536
            yield b" " * 65_536

    async with bench.person() as program:
        answer = await program.post(
            "/tickets", content=endless(), headers={"Content-Type": "application/json"}
        )
    assert kind(answer) == (413, "too-large")


@on_sqlite
async def test_each_fault_is_told_by_its_field(bench: ApiBench) -> None:
    body = {**REQUEST, "category": "outage", "client": "Harbour!", "requester": {"name": "C"}}
    del body["title"]
    async with bench.person() as program:
        answer = await program.post("/tickets", json=body)
        unknown = await program.post("/tickets", json={**REQUEST, "client": "nobody"})
    assert kind(answer) == (422, "invalid")
    faults = {fault["field"]: fault["message"] for fault in answer.json()["errors"]}
    assert set(faults) == {"category", "client", "requester.address", "title"}
    assert faults["title"] == faults["requester.address"] == "is required"
    assert "'bug_fix', 'content_change', 'advice' or 'cms_update'" in faults["category"]
    assert kind(unknown) == (422, "refused")
    assert "allowed are harbour, wren" in unknown.json()["detail"]


@on_sqlite
async def test_a_store_that_takes_no_writes_is_said_so_and_still_read(
    store_url: str, clock: FakeClock
) -> None:
    store = Store(store_url, busy_timeout=timedelta(milliseconds=50))
    bench = ApiBench(store, clock)
    token, ref = bench.token(), bench.ticket()
    with store.engine.connect() as blocker:
        blocker.exec_driver_sql("UPDATE ticket SET title = title")
        async with bench.program(token) as program:
            answer = await program.post(f"/tickets/{ref}/note", json={"version": 1, "text": "x"})
            read = await program.get(f"/tickets/{ref}")
    store.close()
    assert kind(answer) == (503, "unavailable")
    assert answer.headers["retry-after"] == "5"
    assert read.is_success


class BrokenClock(FakeClock):
    """A clock that breaks as no clock does: a fault that nobody expected."""

    def now(self) -> datetime:
        """Break."""
        raise RuntimeError("secret of the inside")


@on_sqlite
async def test_a_fault_of_ours_is_a_problem_that_tells_nothing_of_the_inside(
    bench: ApiBench,
) -> None:
    token = bench.token()
    broken = ApiBench(bench.store, BrokenClock())
    async with broken.program(token, is_raising=False) as program:
        answer = await program.get("/tickets")
    assert kind(answer) == (500, "fault")
    assert "secret" not in answer.text
