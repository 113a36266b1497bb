"""Staff accounts and sessions on both databases, with real Argon2id hashes."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache, partial

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher

from tests.clocks import FakeClock
from tickets.accounts import (
    ABSOLUTE_LIFE,
    IDLE_LIFE,
    Credentials,
    NewSession,
    PasswordHash,
    SignedIn,
    Staff,
    add_staff,
    begin_session,
    disable_staff,
    end_session,
    find_credentials,
    find_session,
    hash_password,
    is_outdated,
    list_staff,
    set_password,
    touch_session,
    verify_password,
)
from tickets.errors import NotFound, Refused
from tickets.rules.staff import Role
from tickets.store import Store

PASSWORD = "correct horse battery"


@cache
def a_hash(password: str = PASSWORD) -> PasswordHash:
    """A hash that costs nothing to make or verify, as an older version might have made."""
    return PasswordHash(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(password))


def add(store: Store, *, email: str = "sam@agency.test", name: str = "Sam", at: datetime) -> Staff:
    return store.write(
        partial(add_staff, email=email, name=name, role=Role.STAFF, password_hash=a_hash(), at=at)
    )


def credentials_of(store: Store, email: str = "sam@agency.test") -> Credentials:
    return store.read(partial(find_credentials, email=email))


def begin(store: Store, clock: FakeClock) -> NewSession:
    session = store.write(partial(begin_session, credentials=credentials_of(store), at=clock.now()))
    assert session is not None
    return session


def find(store: Store, clock: FakeClock, session: NewSession) -> SignedIn | None:
    return store.read(partial(find_session, token=session.token, now=clock.now()))


def test_the_right_password_and_no_other_opens_an_account() -> None:
    credentials = Credentials(staff_id=1, password_hash=hash_password(PASSWORD))
    assert verify_password(credentials, PASSWORD)
    assert not verify_password(credentials, PASSWORD + "x")
    assert not verify_password(credentials, "")


def test_the_address_is_found_however_it_is_written(store: Store, clock: FakeClock) -> None:
    sam = add(store, email="Sam@Agency.test", at=clock.now())
    assert sam.email == "sam@agency.test"
    assert credentials_of(store, " SAM@agency.TEST ").staff_id == sam.id


def test_a_password_is_the_same_from_every_keyboard() -> None:
    composed, decomposed = "caf\u00e9 au lait noir", "cafe\u0301 au lait noir"
    credentials = Credentials(staff_id=1, password_hash=hash_password(composed))
    assert verify_password(credentials, decomposed)


def test_nobody_s_account_takes_the_same_work_and_no_password(store: Store) -> None:
    credentials = credentials_of(store, "nobody@agency.test")
    assert credentials.staff_id is None
    real, made_up = hash_password(PASSWORD).split("$")[:4], credentials.password_hash.split("$")[:4]
    assert real == made_up
    assert not verify_password(credentials, PASSWORD)


@pytest.mark.parametrize("email", ["nobody\x00@agency.test", "x" * 5000, "\ud800@agency.test", ""])
def test_odd_addresses_belong_to_nobody(store: Store, email: str) -> None:
    assert credentials_of(store, email).staff_id is None


@pytest.mark.parametrize(
    ("password", "length"), [("", 0), ("short", 5), ("x" * 11, 11), ("x" * 1001, 1001)]
)
def test_a_password_must_have_a_fair_length(password: str, length: int) -> None:
    with pytest.raises(Refused, match=f"has {length} characters; allowed are 12 to 1000"):
        hash_password(password)


@pytest.mark.parametrize("email", ["sam", "a b@agency.test", "@agency.test", "sam@", "a@b\nc", ""])
def test_no_address_is_refused(store: Store, clock: FakeClock, email: str) -> None:
    with pytest.raises(Refused, match="is no e-mail address"):
        add(store, email=email, at=clock.now())


@pytest.mark.parametrize("name", ["", "  ", "Sam\x1b[31m", "x" * 101])
def test_a_name_must_be_fit_to_print(store: Store, clock: FakeClock, name: str) -> None:
    with pytest.raises(Refused, match="printable"):
        add(store, name=name, at=clock.now())


def test_an_address_has_one_account(store: Store, clock: FakeClock) -> None:
    add(store, at=clock.now())
    with pytest.raises(Refused, match=r"already an account for sam@agency\.test"):
        add(store, email="SAM@agency.test", at=clock.now())


def test_staff_are_listed_by_name(store: Store, clock: FakeClock) -> None:
    for name in ("mia", "Zoe", "Adam"):
        add(store, email=f"{name}@agency.test", name=name, at=clock.now())
    assert [staff.name for staff in store.read(list_staff)] == ["Adam", "mia", "Zoe"]


def test_a_session_knows_whose_it_is(store: Store, clock: FakeClock) -> None:
    sam = add(store, at=clock.now())
    session = begin(store, clock)
    found = find(store, clock, session)
    assert found is not None
    assert found.staff == sam
    assert found.form_token == session.form_token


def test_the_store_holds_no_token(store: Store, clock: FakeClock) -> None:
    add(store, at=clock.now())
    session = begin(store, clock)
    with store.engine.connect() as connection:
        rows = connection.execute(sa.text("SELECT * FROM session")).all()
    assert len(rows) == 1
    assert session.token not in str(rows)


def test_tokens_are_long_and_never_the_same(store: Store, clock: FakeClock) -> None:
    add(store, at=clock.now())
    sessions = [begin(store, clock) for _ in range(20)]
    tokens = {text for session in sessions for text in (session.token, session.form_token)}
    assert len(tokens) == 40
    assert min(len(token) for token in tokens) >= 43


def test_a_session_ends_when_it_is_idle(store: Store, clock: FakeClock) -> None:
    add(store, at=clock.now())
    session = begin(store, clock)
    clock.advance(IDLE_LIFE - timedelta(seconds=1))
    assert find(store, clock, session) is not None
    clock.advance(timedelta(seconds=1))
    assert find(store, clock, session) is None


def test_use_keeps_a_session_but_not_for_ever(store: Store, clock: FakeClock) -> None:
    add(store, at=clock.now())
    session, began_at = begin(store, clock), clock.now()
    while find(store, clock, session) is not None:
        store.write(partial(touch_session, token=session.token, now=clock.now()))
        clock.advance(timedelta(hours=6))
    assert ABSOLUTE_LIFE <= clock.now() - began_at < ABSOLUTE_LIFE + timedelta(hours=6)


def test_an_ended_session_cannot_be_woken(store: Store, clock: FakeClock) -> None:
    add(store, at=clock.now())
    session = begin(store, clock)
    clock.advance(IDLE_LIFE)
    store.write(partial(touch_session, token=session.token, now=clock.now()))
    assert find(store, clock, session) is None


def test_signing_out_ends_one_session(store: Store, clock: FakeClock) -> None:
    add(store, at=clock.now())
    here, elsewhere = begin(store, clock), begin(store, clock)
    store.write(partial(end_session, token=here.token))
    assert find(store, clock, here) is None
    assert find(store, clock, elsewhere) is not None


def test_a_new_sign_in_replaces_the_browser_s_session(store: Store, clock: FakeClock) -> None:
    add(store, at=clock.now())
    before = begin(store, clock)
    after = store.write(
        partial(
            begin_session,
            credentials=credentials_of(store),
            at=clock.now(),
            replaces=before.token,
        )
    )
    assert after is not None
    assert find(store, clock, before) is None
    assert find(store, clock, after) is not None


def test_another_password_ends_every_session(store: Store, clock: FakeClock) -> None:
    add(store, at=clock.now())
    session, old = begin(store, clock), credentials_of(store)
    new_hash = a_hash("another long password")
    store.write(partial(set_password, email="sam@agency.test", password_hash=new_hash))
    assert find(store, clock, session) is None
    assert not verify_password(credentials_of(store), PASSWORD)
    assert store.write(partial(begin_session, credentials=old, at=clock.now())) is None


def test_a_disabled_account_is_out_at_once_and_stays_out(store: Store, clock: FakeClock) -> None:
    add(store, at=clock.now())
    session, old = begin(store, clock), credentials_of(store)
    disabled_at = clock.now()
    for _ in range(2):
        staff = store.write(partial(disable_staff, email="sam@agency.test", at=clock.now()))
        assert staff.is_disabled
        assert staff.disabled_at == disabled_at
        clock.advance(60)
    assert find(store, clock, session) is None
    assert credentials_of(store).staff_id is None
    assert store.write(partial(begin_session, credentials=old, at=clock.now())) is None


@pytest.mark.parametrize(
    "work",
    [
        partial(set_password, email="x@agency.test", password_hash=PasswordHash("")),
        partial(disable_staff, email="x@agency.test", at=FakeClock().now()),
    ],
)
def test_an_unknown_account_cannot_be_changed(store: Store, work: partial[Staff]) -> None:
    with pytest.raises(NotFound, match=r"no account for 'x@agency\.test'"):
        store.write(work)


def test_signing_in_sweeps_expired_sessions(store: Store, clock: FakeClock) -> None:
    add(store, at=clock.now())
    begin(store, clock)
    clock.advance(IDLE_LIFE)
    begin(store, clock)
    with store.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM session")).scalar_one() == 1


def test_an_older_kind_of_hash_is_told_and_replaced(store: Store, clock: FakeClock) -> None:
    add(store, at=clock.now())
    credentials = credentials_of(store)
    assert is_outdated(credentials)
    store.write(
        partial(
            begin_session, credentials=credentials, at=clock.now(), new_hash=hash_password(PASSWORD)
        )
    )
    assert not is_outdated(credentials_of(store))
    assert verify_password(credentials_of(store), PASSWORD)
