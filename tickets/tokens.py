"""API tokens: who may use the API, for what, and on whose behalf.

A token is ``fettle_ID_SECRET``. The id finds it; of the secret, 256 random bits, only a SHA-256 is
stored, so a copy of the database lets nobody in. Functions that take ``tx`` need an open
transaction.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from tickets.addresses import shown
from tickets.errors import NotFound, Refused
from tickets.history import Actor
from tickets.rules.scope import Scope
from tickets.rules.staff import Role, may_act
from tickets.tables import StaffRow
from tickets.token_tables import TokenRow

LONGEST_NAME = 100
"""Most characters of a token's name."""

TOUCH_EVERY = timedelta(hours=1)
"""How stale ``used_at`` may become: a request a second must not write once a second."""

PREFIX = "fettle_"
"""What every token begins with, so that one in the wrong place is recognised."""

_FORM = re.compile(r"fettle_([0-9a-f]{16})_([A-Za-z0-9_-]{43})", re.ASCII)

_NOBODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token without its secret; ``staff_email`` is None for a program's."""

    id: str
    name: str
    scopes: frozenset[Scope]
    client: str | None
    staff_email: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None
    is_staff_disabled: bool = False

    def is_in_force(self, now: datetime) -> bool:
        """Tell whether it lets anybody in: not revoked, not expired, its owner not disabled."""
        is_expired = self.expires_at is not None and self.expires_at <= now
        return self.revoked_at is None and not is_expired and not self.is_staff_disabled


@dataclass(frozen=True, slots=True, kw_only=True)
class NewToken:
    """A token that was just made: ``text`` is shown once and known nowhere else."""

    token: Token
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who uses the API: what the token allows, and the name that entries carry.

    ``role`` is None for a program, which has no person behind it.
    """

    token_id: str
    scopes: frozenset[Scope]
    client: str | None
    actor: Actor
    role: Role | None
    used_at: datetime | None

    @property
    def is_person(self) -> bool:
        """Whether a named person stands behind what the caller does."""
        return self.role is not None

    def may_see(self, client: str, *, is_internal: bool = False) -> bool:
        """Tell whether rows of the client with slug ``client`` exist for this caller.

        An internal ticket exists for no client.
        """
        return self.client is None or (self.client == client and not is_internal)

    def may_change(self) -> bool:
        """Tell whether the person may change tickets; a program may what its scopes say."""
        return self.role is None or may_act(self.role)


def add_token(
    tx: Session,
    *,
    name: str,
    scopes: Sequence[Scope],
    client: str | None = None,
    staff_email: str | None = None,
    expires_at: datetime | None = None,
    at: datetime,
) -> NewToken:
    """Make a token that works at once and return it with its text, which is not stored.

    Whether there is a client with slug ``client`` is for the caller to know. Raises ``Refused`` for
    a name that is taken, empty or overlong, for no scope, for an end that has passed, and for a
    person who may not act; ``NotFound`` for nobody's address.
    """
    name = " ".join(name.split())
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise Refused(f"the name must have 1 to {LONGEST_NAME} printable characters")
    if not scopes:
        raise Refused(f"a token needs a scope; allowed are {', '.join(Scope)}")
    if expires_at is not None and expires_at <= at:
        raise Refused(f"the token would have expired at {expires_at.isoformat()} already")
    if _find_by_name(tx, name) is not None:
        raise _name_taken(name)
    owner = None if staff_email is None else _get_owner(tx, staff_email)
    if owner is not None and Scope.TICKETS_WRITE in scopes and not may_act(owner.role):
        raise Refused(
            f"{owner.name} is a {owner.role}, who reads tickets and cannot change them:"
            f" the scope {Scope.TICKETS_WRITE} is not possible"
        )
    secret = secrets.token_urlsafe(32)
    row = TokenRow(
        id=secrets.token_hex(8),
        secret_hash=_hash(secret),
        name=name,
        scopes=sorted({scope.value for scope in scopes}),
        client=client,
        staff_id=None if owner is None else owner.id,
        created_at=at,
        expires_at=expires_at,
    )
    tx.add(row)
    try:
        tx.flush()
    except IntegrityError as error:  # somebody else has just taken the name
        raise _name_taken(name) from error
    return NewToken(token=_token(row, owner), text=f"{PREFIX}{row.id}_{secret}")


def _name_taken(name: str) -> Refused:
    return Refused(f"there is a token {shown(name)} already; revoke it or choose another name")


def list_tokens(tx: Session) -> Sequence[Token]:
    """Return every token, also those that no longer work, the newest first."""
    rows = tx.exec(
        select(TokenRow).order_by(col(TokenRow.created_at).desc(), col(TokenRow.id))
    ).all()
    return [_token(row, _owner(tx, row)) for row in rows]


def revoke_token(tx: Session, which: str, *, at: datetime) -> Token:
    """Shut a token out from the next request on; ``which`` is its id or its name.

    Raises ``NotFound``. A token that was revoked before keeps its instant.
    """
    row = tx.get(TokenRow, which) if which.isprintable() else None
    row = row or _find_by_name(tx, which)
    if row is None:
        raise NotFound(f"there is no token {shown(which)}; 'fettle token list' shows them all")
    row.revoked_at = row.revoked_at or at
    return _token(row, _owner(tx, row))


def find_caller(tx: Session, text: str, *, now: datetime) -> Caller | None:
    """Return who ``text`` lets in; None if it is no token or one that is no longer in force.

    Of a token that nobody has the same is computed as of a real one.
    """
    form = _FORM.fullmatch(text)
    token_id, secret = form.groups() if form is not None else ("", text[:100])
    row = tx.get(TokenRow, token_id)
    is_right = hmac.compare_digest(_NOBODY if row is None else row.secret_hash, _hash(secret))
    if row is None or not is_right:
        return None
    owner = _owner(tx, row)
    if not _token(row, owner).is_in_force(now):
        return None
    actor = Actor(row.name) if owner is None else Actor(owner.name, owner.id, owner.email)
    return Caller(
        token_id=row.id,
        scopes=_scopes(row),
        client=row.client,
        actor=actor,
        role=None if owner is None else owner.role,
        used_at=row.used_at,
    )


def touch_token(tx: Session, token_id: str, *, now: datetime) -> None:
    """Record that a token was used now; needed every ``TOUCH_EVERY``."""
    row = tx.get(TokenRow, token_id)
    if row is not None:
        row.used_at = now


def _find_by_name(tx: Session, name: str) -> TokenRow | None:
    if not name.isprintable():
        return None  # nobody has it, and PostgreSQL refuses to compare with some of it
    in_force = select(TokenRow).where(
        col(TokenRow.name) == name, col(TokenRow.revoked_at).is_(None)
    )
    return tx.exec(in_force).first()


def _get_owner(tx: Session, email: str) -> StaffRow:
    wanted = email.strip().lower()
    query = select(StaffRow).where(
        col(StaffRow.email) == wanted, col(StaffRow.disabled_at).is_(None)
    )
    row = tx.exec(query).first() if wanted.isprintable() else None
    if row is None:
        raise NotFound(
            f"nobody who may sign in has the address {shown(email)}; 'fettle staff list' shows all"
        )
    return row


def _owner(tx: Session, row: TokenRow) -> StaffRow | None:
    return None if row.staff_id is None else tx.get_one(StaffRow, row.staff_id)


def _token(row: TokenRow, owner: StaffRow | None) -> Token:
    return Token(
        id=row.id,
        name=row.name,
        scopes=_scopes(row),
        client=row.client,
        staff_email=None if owner is None else owner.email,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        used_at=row.used_at,
        is_staff_disabled=owner is not None and owner.disabled_at is not None,
    )


def _scopes(row: TokenRow) -> frozenset[Scope]:
    """Return the scopes that this version knows; one of a newer version allows nothing here."""
    return frozenset(scope for scope in Scope if scope.value in row.scopes)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
