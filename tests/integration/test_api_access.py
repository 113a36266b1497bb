"""Who gets in at the API: every address is asked with every kind of wrong token."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api import ApiBench
from tests.clocks import FakeClock
from tickets.accounts import disable_staff
from tickets.api.app import ApiContext, api_routes
from tickets.api.operations import OPERATIONS, PUBLIC, Doing, Operation
from tickets.rules.scope import Scope
from tickets.store import Store
from tickets.tokens import revoke_token

ROOT = Path(__file__).parents[2]

BODIES: Mapping[str, Mapping[str, Any]] = {
    "open": {
        "client": "harbour",
        "priority": "normal",
        "category": "advice",
        "title": "Which plan?",
        "text": "Is ours enough?",
    },
    "acknowledge": {"version": 1},
    "reply": {"version": 1, "text": "We have found it."},
    "note": {"version": 1, "text": "The host says 14:00."},
    "resolve": {"version": 1, "cause": "Disk full", "done": "Logs removed"},
    "close": {"version": 1, "outcome": "duplicate", "reason": "See the other"},
    "reopen": {"version": 1, "reason": "It is back"},
    "priority": {"version": 1, "priority": "low", "reason": "As agreed"},
    "category": {"version": 1, "category": "advice"},
    "assign": {"version": 1, "assignee": None},
    "wait": {"version": 1, "question": "Which page?", "resume_on": "2026-03-05"},
    "resume": {"version": 1},
    "merge": {"version": 1, "into": "other"},
    "link": {"version": 1, "to": "other"},
    "log_time": {"version": 1, "minutes": 30, "worked_on": "2026-03-03", "text": "Looked"},
}
"""A right body for every POST; a new one that is forgotten here fails."""


@pytest.fixture
def bench(tmp_path: Any, migrated_sqlite: Any, clock: FakeClock) -> Iterator[ApiBench]:
    path = tmp_path / "fettle.db"
    path.write_bytes(migrated_sqlite.read_bytes())
    store = Store(f"sqlite:///{path}")
    yield ApiBench(store, clock)
    store.close()


async def ask(
    program: httpx.AsyncClient,
    operation: Operation,
    ref: str = "T-1001",
    other: str = "T-1002",
    *,
    query: str = "",
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    """Ask what is right to ask about ``ref``, and about ``other`` where there are two tickets."""
    path = operation.path.replace("{ref}", ref) + query
    if not isinstance(operation, Doing):
        return await program.get(path, headers=headers)
    body = BODIES[operation.name]
    body = {name: other if value == "other" else value for name, value in body.items()}
    return await program.post(path, json=body, headers=headers)


def each(answer: httpx.Response) -> tuple[int, str]:
    """The status of a problem and the end of its type."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["title"]
    assert problem["detail"].endswith((".", ")"))
    return answer.status_code, problem["type"].removeprefix("urn:fettle:problem:")


def test_every_route_is_in_the_table_or_public_on_purpose(bench: ApiBench) -> None:
    """The other tests ask what the table lists; this one says that nothing else is served."""
    context = ApiContext(store=bench.store, policy=bench.policy, clock=bench.clock, version="1")
    routes = {route.path for route in api_routes(context)}
    assert routes == {operation.path for operation in OPERATIONS} | set(PUBLIC)
    assert PUBLIC == ("/openapi.json",)
    assert {one.name for one in OPERATIONS if isinstance(one, Doing)} == set(BODIES)


def entries(bench: ApiBench) -> int:
    """How many changes there have been."""
    count = "SELECT count(*) FROM entry"
    return bench.store.read(lambda tx: tx.connection().exec_driver_sql(count).scalar_one())


async def test_every_address_refuses_what_is_no_token_in_force(bench: ApiBench) -> None:
    bench.tickets()
    before, now = entries(bench), bench.clock.now()
    email = bench.staff()
    disabled, revoked = bench.token("Disabled", staff=email), bench.token("Revoked")
    expired = bench.token("Expired", expires_at=now + timedelta(seconds=1))
    bench.store.write(lambda tx: disable_staff(tx, email=email, at=now))
    bench.store.write(lambda tx: revoke_token(tx, revoked.token.id, at=now))
    bench.clock.advance(1)
    for token in (None, "nonsense", disabled, revoked, expired):
        for number, operation in enumerate(OPERATIONS):
            async with bench.program(token, address=f"192.0.2.{number}") as program:
                answer = await ask(program, operation)
            assert each(answer) == (401, "unauthorised"), operation.name
            assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert entries(bench) == before


async def test_every_address_refuses_a_good_token_in_the_wrong_place(bench: ApiBench) -> None:
    bench.tickets()
    token, before = bench.token(staff=bench.staff()), entries(bench)
    wrong = [
        ({"Authorization": f"Bearer {token.text}"}, f"?token={token.text}"),
        ({"Authorization": f"Bearer {token.text}"}, "?access_token=x"),
        ({}, f"?q={token.text}"),
        ({"Authorization": f"Basic {token.text}"}, ""),
        ({"Authorization": token.text}, ""),
        ({"Authorization": "Bearer "}, ""),
        ({"X-Api-Key": token.text}, ""),
        ({"Cookie": f"token={token.text}"}, ""),
    ]
    async with bench.program(None) as program:
        for operation in OPERATIONS:
            for headers, query in wrong:
                answer = await ask(program, operation, query=query, headers=headers)
                assert each(answer) == (401, "unauthorised"), (operation.name, headers, query)
    assert entries(bench) == before


async def test_every_address_refuses_the_other_scope(bench: ApiBench) -> None:
    bench.tickets()
    email, before = bench.staff(), entries(bench)
    for scope in Scope:
        others = [one for one in Scope if one is not scope]
        async with bench.program(
            bench.token(f"Not {scope}", scopes=others, staff=email)
        ) as program:
            for operation in OPERATIONS:
                if operation.scope is scope:
                    answer = await ask(program, operation)
                    assert each(answer) == (403, "insufficient-scope"), operation.name
                    assert f'scope="{scope}"' in answer.headers["www-authenticate"]
    assert entries(bench) == before


async def test_every_address_hides_another_clients_ticket(bench: ApiBench) -> None:
    theirs, ours = bench.ticket(client="wren"), bench.ticket()
    before = entries(bench)
    async with bench.program(bench.token(client="harbour", staff=bench.staff())) as program:
        for operation in OPERATIONS:
            if "{ref}" not in operation.path:
                continue
            answer = await ask(program, operation, theirs, other=ours)
            nothing = await ask(program, operation, "T-9999", other=ours)
            assert each(answer) == (404, "not-found"), operation.name
            assert answer.json()["detail"].replace(theirs, "T-9999") == nothing.json()["detail"]
    assert entries(bench) == before


async def test_a_program_does_only_what_needs_no_person(bench: ApiBench) -> None:
    async with bench.program(bench.token()) as program:
        for operation in OPERATIONS:
            answer = await ask(program, operation, *bench.tickets())
            if isinstance(operation, Doing) and operation.needs_person:
                assert each(answer) == (403, "person-needed"), operation.name
            else:
                assert answer.is_success, answer.text
    allowed = {one.name for one in OPERATIONS if isinstance(one, Doing) and not one.needs_person}
    assert allowed == {"open", "note", "link", "log_time"}


async def test_a_token_does_no_more_than_its_owner_may_by_now(bench: ApiBench) -> None:
    token = bench.token(staff=bench.staff())
    demote = "UPDATE staff SET role = 'viewer'"
    bench.store.write(lambda tx: tx.connection().exec_driver_sql(demote))
    async with bench.program(token) as program:
        for operation in OPERATIONS:
            answer = await ask(program, operation, *bench.tickets())
            if isinstance(operation, Doing):
                assert each(answer) == (403, "viewer"), operation.name
            else:
                assert answer.is_success


@pytest.mark.parametrize(("action", "name"), [("merge", "into"), ("link", "to")])
async def test_a_client_token_reaches_no_other_ticket_by_way_of_its_own(
    bench: ApiBench, action: str, name: str
) -> None:
    ours, theirs = bench.ticket(), bench.ticket(client="wren")
    async with bench.program(bench.token(client="harbour", staff=bench.staff())) as program:
        answer = await program.post(f"/tickets/{ours}/{action}", json={"version": 1, name: theirs})
    assert each(answer) == (404, "not-found")


async def test_a_client_token_opens_tickets_of_its_client_alone(bench: ApiBench) -> None:
    async with bench.program(bench.token(client="wren")) as program:
        answer = await program.post("/tickets", json=BODIES["open"])
    assert each(answer) == (403, "other-client")


async def test_a_client_token_lists_its_own_tickets_and_may_not_ask_for_others(
    bench: ApiBench,
) -> None:
    bench.ticket(client="wren")
    ours = bench.ticket()
    async with bench.program(bench.token(client="harbour")) as program:
        listed = (await program.get("/tickets")).json()["tickets"]
        assert [ticket["reference"] for ticket in listed] == [ours]
        assert (await program.get("/tickets?client=harbour")).is_success
        assert each(await program.get("/tickets?client=wren")) == (403, "other-client")


async def test_a_client_token_never_sees_what_is_for_staff_only(bench: ApiBench) -> None:
    ref = bench.ticket()
    async with bench.program(bench.token("All", staff=bench.staff())) as program:
        await program.post(f"/tickets/{ref}/note", json={"version": 1, "text": "Between us"})
    async with bench.program(bench.token("One", client="harbour")) as program:
        entries = await program.get(f"/tickets/{ref}/entries")
        stale = await program.post(f"/tickets/{ref}/note", json={"version": 1, "text": "Hello"})
    assert [entry["number"] for entry in entries.json()["entries"]] == [1]
    assert each(stale) == (409, "stale-version")
    assert "Between us" not in stale.text


async def test_wrong_tokens_from_one_address_are_slowed_down_and_the_right_one_is_not(
    bench: ApiBench,
) -> None:
    token = bench.token()
    async with (
        bench.program(token) as good,
        bench.program("fettle_nonsense") as bad,
        bench.program("fettle_nonsense", address="192.0.2.99") as elsewhere,
    ):
        assert (await good.get("/tickets")).is_success
        answers = [(await bad.get("/tickets")).status_code for _ in range(21)]
        assert answers == [401] * 20 + [429]
        refused = await bad.get("/tickets")
        assert each(refused) == (429, "too-many-wrong-tokens")
        assert (await good.get("/tickets")).is_success
        assert each(await elsewhere.get("/tickets"))[0] == 401
        bench.clock.advance(float(refused.headers["retry-after"]))
        assert each(await bad.get("/tickets"))[0] == 401


async def test_the_last_use_is_kept_to_the_hour(bench: ApiBench) -> None:
    token = bench.token()
    began = bench.clock.now()
    async with bench.program(token) as program:

        async def used_at() -> object:
            await program.get("/tickets")
            sql = "SELECT used_at FROM token"
            return await bench.store.aread(
                lambda tx: tx.connection().exec_driver_sql(sql).scalar_one()
            )

        first = await used_at()
        bench.clock.advance(timedelta(minutes=59))
        assert await used_at() == first == round(began.timestamp() * 1e6)
        bench.clock.advance(timedelta(minutes=1))
        assert await used_at() != first


async def test_addresses_that_name_nothing(bench: ApiBench) -> None:
    bench.ticket()
    paths = ["/nothing", "/tickets/", "/tickets/{ref}", "/tickets/T-1001/explode", "/tickets/T-0"]
    paths += [
        "/tickets/999999999999",
        "/tickets/%00",
        "/tickets/%0A%0A",
        "/%0A",
        "/tickets/%ff",
        "/tickets/..%2f",
    ]
    async with bench.program(bench.token()) as program:
        for path in paths:
            assert each(await program.get(path)) == (404, "not-found"), path


async def test_a_wrong_method_names_the_right_ones(bench: ApiBench) -> None:
    ref = bench.ticket()
    async with bench.program(bench.token()) as program:
        for operation in OPERATIONS:
            answer = await program.delete(operation.path.replace("{ref}", ref))
            assert each(answer) == (405, "method-not-allowed")
            method = "POST" if isinstance(operation, Doing) else "GET"
            assert method in answer.headers["allow"].split(", ")


async def test_only_the_description_is_public(bench: ApiBench) -> None:
    async with bench.program(None) as program:
        answer = await program.get("/openapi.json")
    assert answer.json()["openapi"] == "3.1.0"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_manual_lists_every_address_and_every_problem() -> None:
    manual = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    for operation in OPERATIONS:
        address, ending = operation.path.replace("{ref}", "T-1042"), operation.path.split("/")[-1]
        assert address in manual or f"`…/{ending}`" in manual, operation.name
    modules = sorted((ROOT / "tickets/api").glob("*.py"))
    source = "".join(module.read_text(encoding="utf-8") for module in modules)
    kinds = set(re.findall(r'rejected\(\s*\d{3},\s*"([a-z-]+)"', source)) - {"fault"}
    assert kinds >= {"malformed", "not-json", "person-needed"}
    assert [one for one in sorted(kinds) if f"`{one}`" not in manual] == []
