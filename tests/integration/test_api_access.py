"""Who gets in at the API: every address is asked with every kind of wrong token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
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

BODIES: Mapping[str, Mapping[str, Any]] = {
    "acknowledge": {"version": 1},
    "reply": {"version": 1, "text": "We have found it."},
    "note": {"version": 1, "text": "The host says 14:00."},
    "resolve": {"version": 1, "cause": "Disk full", "done": "Logs removed"},
    "close": {"version": 1, "outcome": "duplicate", "reason": "See the other"},
    "reopen": {"version": 1, "reason": "It is back"},
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
    program: httpx.AsyncClient, operation: Operation, ref: str, *, query: str = ""
) -> httpx.Response:
    path = operation.path.replace("{ref}", ref) + query
    if isinstance(operation, Doing):
        return await program.post(path, json=BODIES[operation.name])
    return await program.get(path)


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


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
class TestEveryAddress:
    async def test_without_a_token_in_force(self, bench: ApiBench, operation: Operation) -> None:
        ref, now = bench.ticket(), bench.clock.now()
        email = bench.staff()
        disabled, revoked = bench.token("Disabled", staff=email), bench.token("Revoked")
        expired = bench.token("Expired", expires_at=now + timedelta(seconds=1))
        bench.store.write(lambda tx: disable_staff(tx, email=email, at=now))
        bench.store.write(lambda tx: revoke_token(tx, revoked.token.id, at=now))
        bench.clock.advance(1)
        for token in (None, "nonsense", disabled, revoked, expired):
            async with bench.program(token) as program:
                answer = await ask(program, operation, ref)
            assert each(answer) == (401, "unauthorised")
            assert answer.headers["www-authenticate"].startswith("Bearer ")

    async def test_with_a_good_token_in_the_wrong_place(
        self, bench: ApiBench, operation: Operation
    ) -> None:
        ref, token = bench.ticket(), bench.token()
        async with bench.program(token) as program, bench.program(None) as bare:
            for query in (f"?token={token.text}", f"?q={token.text}", "?access_token=x"):
                assert each(await ask(program, operation, ref, query=query))[0] == 401
                assert each(await ask(bare, operation, ref, query=query))[0] == 401
            bare.headers["Authorization"] = f"Basic {token.text}"
            assert each(await ask(bare, operation, ref))[0] == 401
            bare.headers["Authorization"] = "Bearer "
            assert each(await ask(bare, operation, ref))[0] == 401

    async def test_with_the_other_scope(self, bench: ApiBench, operation: Operation) -> None:
        ref = bench.ticket()
        others = [scope for scope in Scope if scope is not operation.scope]
        token = bench.token(scopes=others, staff=bench.staff())
        async with bench.program(token) as program:
            answer = await ask(program, operation, ref)
        assert each(answer) == (403, "insufficient-scope")
        assert f'scope="{operation.scope}"' in answer.headers["www-authenticate"]

    async def test_with_another_clients_token(self, bench: ApiBench, operation: Operation) -> None:
        ref = bench.ticket(client="wren")
        token = bench.token(client="harbour", staff=bench.staff())
        async with bench.program(token) as program:
            answer = await ask(program, operation, ref)
            nothing = await ask(program, operation, "T-9999")
        if "{ref}" in operation.path:
            assert each(answer) == (404, "not-found")
            assert answer.json()["detail"].replace(ref, "T-9999") == nothing.json()["detail"]
        else:
            assert "wren" not in answer.text

    async def test_with_a_programs_token(self, bench: ApiBench, operation: Operation) -> None:
        ref = bench.ticket()
        async with bench.program(bench.token()) as program:
            answer = await ask(program, operation, ref)
        if isinstance(operation, Doing) and operation.needs_person:
            assert each(answer) == (403, "person-needed")
        else:
            assert answer.is_success

    async def test_with_the_token_of_somebody_who_only_reads_by_now(
        self, bench: ApiBench, operation: Operation
    ) -> None:
        ref = bench.ticket()
        token = bench.token(staff=bench.staff())
        bench.store.write(
            lambda tx: tx.connection().exec_driver_sql("UPDATE staff SET role = 'viewer'")
        )
        async with bench.program(token) as program:
            answer = await ask(program, operation, ref)
        if isinstance(operation, Doing):
            assert each(answer) == (403, "viewer")
        else:
            assert answer.is_success


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


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/tickets/",
        "/tickets/{ref}",
        "/tickets/T-1001/explode",
        "/tickets/T-0",
        "/tickets/999999999999",
        "/tickets/%00",
        "/tickets/%ff",
        "/tickets/..%2f",
    ],
)
async def test_addresses_that_name_nothing(bench: ApiBench, path: str) -> None:
    bench.ticket()
    async with bench.program(bench.token()) as program:
        assert each(await program.get(path)) == (404, "not-found")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
async def test_a_wrong_method_names_the_right_ones(bench: ApiBench, operation: Operation) -> None:
    ref = bench.ticket()
    path = operation.path.replace("{ref}", ref)
    async with bench.program(bench.token()) as program:
        answer = await program.delete(path)
    assert each(answer) == (405, "method-not-allowed")
    method = "POST" if isinstance(operation, Doing) else "GET"
    assert method in answer.headers["allow"].split(", ")


async def test_only_the_description_is_public(bench: ApiBench) -> None:
    async with bench.program(None) as program:
        answer = await program.get("/openapi.json")
    assert answer.json()["openapi"] == "3.1.0"
    assert answer.headers["x-content-type-options"] == "nosniff"
