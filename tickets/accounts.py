"""Staff accounts and their sessions at the desk: who may sign in, and who is signed in.

Passwords are hashed with Argon2id, which takes a sixth of a second and 64 MiB: hash and verify
before a transaction, never inside one. Of a session only a hash of its token is stored, so a copy
of the database signs nobody in. Functions that take ``tx`` need an open transaction.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NewType

import sqlalchemy as sa
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlmodel import Session, col, select

from tickets.errors import NotFound, Refused
from tickets.rules.staff import Role
from tickets.tables import SessionRow, StaffRow

SHORTEST_PASSWORD = 12
"""Fewest characters of a password."""

LONGEST_PASSWORD = 1000
"""Most characters of a password; more would only be work for the hash."""

IDLE_LIFE = timedelta(hours=8)
"""How long a session lives after it was last used."""

ABSOLUTE_LIFE = timedelta(days=7)
"""How long a session lives at most, however much it is used."""

TOUCH_EVERY = timedelta(minutes=5)
"""How stale ``seen_at`` may become: a page read twice a minute must not write twice a minute."""

LONGEST_EMAIL = 254
"""Most characters of an e-mail address."""

LONGEST_NAME = 100
"""Most characters of a staff member's name."""

PasswordHash = NewType("PasswordHash", str)
"""What ``hash_password`` returns; a type of its own so that no bare password is ever stored."""

_HASHER = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4)

# Verified when no account matches: the same work as for a real one, and no password fits it.
_NOBODY = PasswordHash(
    f"$argon2id$v=19$m={_HASHER.memory_cost},t={_HASHER.time_cost},p={_HASHER.parallelism}"
    f"${base64.b64encode(bytes(_HASHER.salt_len)).decode().rstrip('=')}"
    f"${base64.b64encode(bytes(_HASHER.hash_len)).decode().rstrip('=')}"
)

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Staff:
    """One of the agency's people, without the password."""

    id: int
    email: str
    name: str
    role: Role
    created_at: datetime
    disabled_at: datetime | None

    @property
    def is_disabled(self) -> bool:
        """Whether the account can no longer sign in."""
        return self.disabled_at is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What a sign-in is verified against; also made up for an address that nobody has."""

    staff_id: int | None
    password_hash: PasswordHash = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A session that is in force, and whose it is; ``form_token`` stands in each of its forms."""

    staff: Staff
    form_token: str = field(repr=False)
    seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSession(SignedIn):
    """A session that has just begun: ``token`` goes into the cookie and is known nowhere else."""

    token: str = field(repr=False)


def hash_password(password: str) -> PasswordHash:
    """Return the Argon2id hash of a new password; slow on purpose.

    Raises ``Refused`` when it is shorter than ``SHORTEST_PASSWORD`` or too long.
    """
    password = _normal(password)
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise Refused(
            f"the password has {len(password)} characters; allowed are"
            f" {SHORTEST_PASSWORD} to {LONGEST_PASSWORD}"
        )
    return PasswordHash(_HASHER.hash(_octets(password)))


def verify_password(credentials: Credentials, password: str) -> bool:
    """Tell whether ``password`` is right; as slow for nobody's account as for a real one."""
    try:
        _HASHER.verify(
            credentials.password_hash, _octets(_normal(password[: LONGEST_PASSWORD + 1]))
        )
    except (VerificationError, InvalidHashError):
        return False
    return credentials.staff_id is not None


def is_outdated(credentials: Credentials) -> bool:
    """Tell whether the hash was made with other parameters than are used now."""
    return _HASHER.check_needs_rehash(credentials.password_hash)


def add_staff(
    tx: Session,
    *,
    email: str,
    name: str,
    role: Role,
    password_hash: PasswordHash,
    at: datetime,
) -> Staff:
    """Add an account that may sign in at once; the address is kept in lower case.

    Raises ``Refused`` for an address that is taken or none, and for an empty or overlong name.
    """
    email = _normal(email).strip().lower()
    is_address = email.isprintable() and _EMAIL.fullmatch(email) is not None
    if len(email) > LONGEST_EMAIL or not is_address:
        raise Refused(f"{email[:80]!r} is no e-mail address; write it as name@example.com")
    name = " ".join(_normal(name).split())
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise Refused(f"the name must have 1 to {LONGEST_NAME} printable characters")
    if tx.exec(select(StaffRow).where(col(StaffRow.email) == email)).first() is not None:
        raise Refused(f"there is already an account for {email}")
    row = StaffRow(email=email, name=name, role=role, password_hash=password_hash, created_at=at)
    tx.add(row)
    tx.flush()
    return _staff(row)


def list_staff(tx: Session) -> Sequence[Staff]:
    """Return every account, by name."""
    rows = tx.exec(select(StaffRow).order_by(sa.func.lower(col(StaffRow.name)), col(StaffRow.id)))
    return [_staff(row) for row in rows]


def set_password(tx: Session, *, email: str, password_hash: PasswordHash) -> Staff:
    """Give an account another password and end its sessions; raises ``NotFound``."""
    row = _get_row(tx, email)
    row.password_hash = password_hash
    _end_sessions(tx, row)
    return _staff(row)


def disable_staff(tx: Session, *, email: str, at: datetime) -> Staff:
    """Shut an account out for good and end its sessions; its name stays in histories.

    Raises ``NotFound``. An account that was disabled before keeps its instant.
    """
    row = _get_row(tx, email)
    row.disabled_at = row.disabled_at or at
    _end_sessions(tx, row)
    return _staff(row)


def find_credentials(tx: Session, email: str) -> Credentials:
    """Return what a sign-in with ``email`` is verified against, whether anybody has it or not."""
    row = _find_row(tx, email)
    if row is None or row.disabled_at is not None:
        return Credentials(staff_id=None, password_hash=_NOBODY)
    return Credentials(staff_id=row.id, password_hash=PasswordHash(row.password_hash))


def begin_session(
    tx: Session,
    credentials: Credentials,
    *,
    at: datetime,
    new_hash: PasswordHash | None = None,
    replaces: str | None = None,
) -> NewSession | None:
    """Begin a session for credentials that were verified, and forget sessions that have expired.

    ``new_hash`` replaces an outdated hash; ``replaces`` is the token that the browser held before,
    whose session ends. Returns None when the account was disabled or its password changed since.
    """
    if credentials.staff_id is None:
        return None
    row = tx.get_one(StaffRow, credentials.staff_id, with_for_update=True)
    if row.disabled_at is not None or row.password_hash != credentials.password_hash:
        return None
    if new_hash is not None:
        row.password_hash = new_hash
    if replaces is not None:
        end_session(tx, replaces)
    tx.exec(sa.delete(SessionRow).where(col(SessionRow.expires_at) <= at))
    staff = _staff(row)
    session = NewSession(
        token=secrets.token_urlsafe(32),
        form_token=secrets.token_urlsafe(32),
        staff=staff,
        seen_at=at,
        expires_at=at + IDLE_LIFE,
    )
    tx.add(
        SessionRow(
            token_hash=_token_hash(session.token),
            staff_id=staff.id,
            form_token=session.form_token,
            created_at=at,
            seen_at=at,
            expires_at=session.expires_at,
        )
    )
    return session


def find_session(tx: Session, token: str, *, now: datetime) -> SignedIn | None:
    """Return whose session ``token`` is, or None if it is nobody's or no longer in force."""
    found = tx.exec(
        select(SessionRow, StaffRow)
        .join(StaffRow, col(StaffRow.id) == col(SessionRow.staff_id))
        .where(
            col(SessionRow.token_hash) == _token_hash(token),
            col(SessionRow.expires_at) > now,
            col(StaffRow.disabled_at).is_(None),
        )
    ).first()
    if found is None:
        return None
    session, row = found
    return SignedIn(
        staff=_staff(row),
        form_token=session.form_token,
        seen_at=session.seen_at,
        expires_at=session.expires_at,
    )


def touch_session(tx: Session, token: str, *, now: datetime) -> None:
    """Record that a session was used now, which puts off its end; needed every ``TOUCH_EVERY``."""
    row = tx.get(SessionRow, _token_hash(token))
    if row is not None and row.expires_at > now:
        row.seen_at = now
        row.expires_at = min(now + IDLE_LIFE, row.created_at + ABSOLUTE_LIFE)


def end_session(tx: Session, token: str) -> None:
    """End the session that ``token`` names, if there is one."""
    tx.exec(sa.delete(SessionRow).where(col(SessionRow.token_hash) == _token_hash(token)))


def _end_sessions(tx: Session, row: StaffRow) -> None:
    tx.exec(sa.delete(SessionRow).where(col(SessionRow.staff_id) == row.id))


def _find_row(tx: Session, email: str) -> StaffRow | None:
    wanted = _normal(email[: LONGEST_EMAIL + 1]).strip().lower()
    if not wanted.isprintable():
        return None  # nobody has it, and PostgreSQL refuses to compare with some of it
    return tx.exec(select(StaffRow).where(col(StaffRow.email) == wanted)).first()


def _get_row(tx: Session, email: str) -> StaffRow:
    row = _find_row(tx, email)
    if row is None:
        raise NotFound(
            f"there is no account for {email[:80]!r}; 'fettle staff list' shows them all"
        )
    return row


def _staff(row: StaffRow) -> Staff:
    assert row.id is not None
    return Staff(
        id=row.id,
        email=row.email,
        name=row.name,
        role=row.role,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
    )


def _normal(text: str) -> str:
    """Return ``text`` composed, so that two keyboards that type the same word agree on it."""
    return unicodedata.normalize("NFC", text)


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _token_hash(token: str) -> str:
    return hashlib.sha256(_octets(token)).hexdigest()
