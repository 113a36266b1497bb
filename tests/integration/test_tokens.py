"""API tokens on both databases: what lets whom in, and what does not."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from tests.api import ApiBench
from tests.clocks import FakeClock
from tickets.accounts import disable_staff
from tickets.errors import NotFound, Refused
from tickets.rules.scope import Scope
from tickets.rules.staff import Role
from tickets.store import Store
from tickets.tokens import Caller, NewToken, add_token, find_caller, list_tokens, revoke_token


@pytest.fixture
def bench(store: Store, clock: FakeClock) -> ApiBench:
    return ApiBench(store, clock)


def caller(bench: ApiBench, text: str) -> Caller | None:
    return bench.store.read(partial(find_caller, text=text, now=bench.clock.now()))


def test_a_token_lets_in_whoever_has_all_of_it(bench: ApiBench) -> None:
    new = bench.token(scopes=[Scope.TICKETS_READ], client="harbour")
    found = caller(bench, new.text)
    assert found is not None
    assert (found.actor.name, found.client, found.is_person) == ("Board", "harbour", False)
    assert found.scopes == {Scope.TICKETS_READ}


def tampered(new: NewToken) -> list[str]:
    prefix, identity, secret = new.text.split("_", 2)
    other = "A" if secret[-2] != "A" else "B"
    return [
        "",
        new.text[:-1],
        f"{new.text}x",
        new.text.upper(),
        f"{prefix}_{identity}_{secret[:-2]}{other}{secret[-1]}",
        f"{prefix}_{identity}_",
        f"{prefix}_{'0' * 16}_{secret}",
        f"{prefix}_{identity}_{'x' * 43}",
        f"{new.text}\n",
        "fettle_\ud800_\x00",
        "x" * 60_000,
    ]


def test_nothing_but_the_whole_token_lets_in(bench: ApiBench) -> None:
    new = bench.token()
    assert [text for text in tampered(new) if caller(bench, text) is not None] == []


def test_the_store_holds_no_secret(bench: ApiBench) -> None:
    new = bench.token()
    rows = bench.store.read(lambda tx: tx.connection().execute(sa.text("SELECT * FROM token")))
    kept = str(rows.all())
    assert new.text.split("_", 2)[2] not in kept
    assert new.text not in repr(new)


def test_revoked_expired_and_disabled_tokens_stop_at_once(bench: ApiBench) -> None:
    email = bench.staff()
    revoked, ownerless = bench.token("Revoked"), bench.token("Ownerless", staff=email)
    expiring = bench.token("Expiring", expires_at=bench.clock.now() + timedelta(hours=1))
    assert all(caller(bench, new.text) for new in (revoked, ownerless, expiring))
    at = bench.clock.advance(timedelta(hours=1))
    bench.store.write(lambda tx: revoke_token(tx, "Revoked", at=at))
    bench.store.write(lambda tx: disable_staff(tx, email=email, at=at))
    assert not any(caller(bench, new.text) for new in (revoked, ownerless, expiring))
    in_force = [one.is_in_force(at) for one in bench.store.read(list_tokens)]
    assert in_force == [False, False, False]


def test_a_token_of_a_person_acts_in_that_persons_name(bench: ApiBench) -> None:
    new = bench.token("Sam's laptop", staff=bench.staff())
    found = caller(bench, new.text)
    assert found is not None
    assert (found.actor.name, found.actor.address) == ("Sam Okafor", "sam@agency.test")
    assert found.is_person


def test_a_name_is_free_again_once_its_token_is_revoked(bench: ApiBench) -> None:
    first = bench.token()
    with pytest.raises(Refused, match="there is a token 'Board' already"):
        bench.token()
    at = bench.clock.now()
    assert bench.store.write(lambda tx: revoke_token(tx, first.token.id, at=at)).name == "Board"
    assert bench.token().token.id != first.token.id
    with pytest.raises(NotFound, match="there is no token 'Nobody'"):
        bench.store.write(lambda tx: revoke_token(tx, "Nobody", at=at))


def test_what_cannot_be_a_token_is_refused(bench: ApiBench) -> None:
    viewer = bench.staff("Vera Lind", role=Role.VIEWER)
    make = partial(add_token, scopes=[Scope.TICKETS_WRITE], at=bench.clock.now())
    cases = [
        (partial(make, name=" "), "1 to 100 printable"),
        (partial(make, name="a\x1b[31m"), "1 to 100 printable"),
        (partial(make, name="a", scopes=[]), "allowed are tickets:read, tickets:write"),
        (partial(make, name="a", expires_at=bench.clock.now()), "would have expired"),
        (partial(make, name="a", staff_email=viewer), "is a viewer"),
    ]
    for work, message in cases:
        with pytest.raises(Refused, match=message):
            bench.store.write(work)
    with pytest.raises(NotFound, match="nobody who may sign in"):
        bench.store.write(partial(make, name="a", staff_email="kim@agency.test"))
