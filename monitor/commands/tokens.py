"""``fettle token``: who may use the API, and for what. A token is shown once, when it is made."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from monitor.commands.screen import Piece, Tone, Toned
from monitor.commands.surroundings import Surroundings, WrongUsage, open_store
from monitor.commands.ticket_documents import iso
from monitor.settings import Settings
from tickets import tokens
from tickets.addresses import shown
from tickets.rules.scope import Scope
from tickets.rules.words import format_instant
from tickets.tokens import Token


def add(surroundings: Surroundings, arguments: Namespace) -> int:
    """Make a token and show it."""
    settings = surroundings.load_settings()
    _refuse_unknown_client(settings, arguments.client)
    at, life = surroundings.clock.now(), arguments.expires_in
    with open_store(settings) as store:
        new = store.write(
            lambda tx: tokens.add_token(
                tx,
                name=arguments.name,
                scopes=[Scope(scope) for scope in arguments.scopes],
                client=arguments.client,
                staff_email=arguments.staff,
                expires_at=None if life is None else at + life,
                at=at,
            )
        )
    zone, screen = settings.agency.zone, surroundings.screen
    if arguments.json:
        screen.document({**_document(new.token, zone, now=at), "token": new.text})
        return 0
    screen.line(new.text)
    screen.hint(f"The token {new.token.name}: {_allows(new.token)}; {_until(new.token, zone)}.")
    screen.hint("It is not shown again: put it where the program reads its secrets.")
    return 0


def list_all(surroundings: Surroundings, arguments: Namespace) -> int:
    """List the tokens."""
    settings = surroundings.load_settings()
    with open_store(settings) as store:
        found = store.read(tokens.list_tokens)
    zone, now, screen = settings.agency.zone, surroundings.clock.now(), surroundings.screen
    if arguments.json:
        screen.document([_document(token, zone, now=now) for token in found])
    elif found:
        screen.table([_row(token, zone, now=now) for token in found])
    else:
        screen.line("There is no token yet; make one with `fettle token add`.")
    return 0


def revoke(surroundings: Surroundings, arguments: Namespace) -> int:
    """Shut a token out."""
    settings = surroundings.load_settings()
    at = surroundings.clock.now()
    with open_store(settings) as store:
        token = store.write(lambda tx: tokens.revoke_token(tx, arguments.which, at=at))
    if arguments.json:
        surroundings.screen.document(_document(token, settings.agency.zone, now=at))
    else:
        surroundings.screen.line(f"The token {token.name} ({token.id}) no longer works.")
    return 0


def _refuse_unknown_client(settings: Settings, slug: str | None) -> None:
    known = [client.slug for client in settings.clients]
    if slug is not None and slug not in known:
        allowed = ", ".join(known) or "none is configured"
        raise WrongUsage(f"there is no client {shown(slug)}; allowed: {allowed}")


def _row(token: Token, zone: ZoneInfo, *, now: datetime) -> Sequence[Piece]:
    return [
        Toned(token.name, Tone.STRONG),
        token.id,
        _allows(token),
        _until(token, zone) if token.is_in_force(now) else _ended(token, zone),
        f"used {format_instant(token.used_at, zone)}" if token.used_at else "never used",
    ]


def _allows(token: Token) -> str:
    parts = [", ".join(sorted(token.scopes))]
    if token.client is not None:
        parts.append(f"of {token.client} only")
    if token.staff_email is not None:
        parts.append(f"as {token.staff_email}")
    return " ".join(parts)


def _until(token: Token, zone: ZoneInfo) -> str:
    if token.expires_at is None:
        return "never expires"
    return f"works until {format_instant(token.expires_at, zone)}"


def _ended(token: Token, zone: ZoneInfo) -> str:
    if token.revoked_at is not None:
        return f"revoked {format_instant(token.revoked_at, zone)}"
    if token.is_staff_disabled:
        return "its owner is disabled"
    assert token.expires_at is not None
    return f"expired {format_instant(token.expires_at, zone)}"


def _document(token: Token, zone: ZoneInfo, *, now: datetime) -> dict[str, object]:
    return {
        "id": token.id,
        "name": token.name,
        "scopes": sorted(token.scopes),
        "client": token.client,
        "staff": token.staff_email,
        "works": token.is_in_force(now),
        "created_at": iso(token.created_at, zone),
        "expires_at": iso(token.expires_at, zone),
        "revoked_at": iso(token.revoked_at, zone),
        "used_at": iso(token.used_at, zone),
    }
