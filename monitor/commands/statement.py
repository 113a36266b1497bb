"""``fettle statement``: a client's month as a page, a PDF or JSON, and who is sent it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from monitor.commands.screen import Piece, Screen, Tone, Toned
from monitor.commands.surroundings import Surroundings, WrongUsage, open_store
from monitor.commands.ticket_documents import iso
from monitor.rules.month import Month, month_of
from monitor.service import build_policy
from monitor.statement.document import statement_document
from monitor.statement.page import render_page
from monitor.statement.pdf import PdfImpossible, print_pdf
from monitor.statement.reading import read_statement
from tickets.addresses import shown
from tickets.policy import Policy
from tickets.rules.words import format_instant
from tickets.settings.types import did_you_mean
from tickets.statements import Standing, list_standings

_SUFFIXES = (".html", ".pdf")


def make(surroundings: Surroundings, arguments: Namespace) -> int:
    """Make a statement, or list who gets one.

    Raises ``WrongUsage`` for a client that is not configured, a file that is neither HTML nor PDF
    or cannot be written, and a PDF where WeasyPrint is missing; ``Refused`` for a month to come.
    """
    settings = surroundings.load_settings()
    now, screen = surroundings.clock.now(), surroundings.screen
    policy = build_policy(settings, clock=surroundings.clock)
    if arguments.recipients:
        _check_client(policy, arguments.client, is_needed=False)
        with open_store(settings) as store:
            standings = store.read(partial(list_standings, policy=policy))
        wanted = [one for one in standings if arguments.client in {None, one.client}]
        _list(screen, wanted, zone=policy.zone, as_json=arguments.json)
        return 0
    _check_client(policy, arguments.client, is_needed=True)
    suffix = _suffix(arguments.out)
    month: Month = arguments.month or month_of(now.astimezone(policy.zone).date()).previous
    read = partial(read_statement, policy=policy, client=arguments.client, month=month, at=now)
    with open_store(settings) as store:
        statement = store.read(read)
    if arguments.json:
        screen.document(statement_document(statement))
    if arguments.out is None:
        if not arguments.json:
            screen.text(render_page(statement, policy).rstrip("\n"))
        return 0
    page = render_page(statement, policy)
    try:
        content = print_pdf(page) if suffix == ".pdf" else page.encode()
    except PdfImpossible as error:
        raise WrongUsage(str(error)) from error
    _write(arguments.out, content)
    return 0


def _check_client(policy: Policy, slug: str | None, *, is_needed: bool) -> None:
    if slug is None:
        if is_needed:
            raise WrongUsage("--client is needed: say whose statement it is")
        return
    if slug not in policy.clients:
        near = did_you_mean(slug, policy.clients)
        raise WrongUsage(f"--client: there is no client {slug!r} in the configuration{near}")


def _suffix(out: str | None) -> str | None:
    if out is None:
        return None
    suffix = Path(out).suffix.lower()
    if suffix not in _SUFFIXES:
        raise WrongUsage(f"--out {shown(out)} must end in {' or '.join(_SUFFIXES)}")
    return suffix


def _write(out: str, content: bytes) -> None:
    try:
        Path(out).write_bytes(content)
    except OSError as error:
        raise WrongUsage(f"--out {shown(out)} cannot be written: {error.strerror}") from error


def _list(screen: Screen, standings: Sequence[Standing], *, zone: ZoneInfo, as_json: bool) -> None:
    if as_json:
        screen.document(
            [
                {
                    "client": one.client,
                    "name": one.name,
                    "address": one.address,
                    "unsubscribed_at": iso(one.unsubscribed_at, zone),
                    "last_month": one.last_month,
                }
                for one in standings
            ]
        )
    elif standings:
        screen.table([_row(one, zone) for one in standings])
    else:
        screen.line("Nobody gets statements: set `statement: true` for a contact of a client.")


def _row(standing: Standing, zone: ZoneInfo) -> Sequence[Piece]:
    gone = standing.unsubscribed_at
    stands = (
        "gets statements"
        if gone is None
        else Toned(f"unsubscribed on {format_instant(gone, zone)}", Tone.WARNING)
    )
    last = standing.last_month
    return [
        Toned(standing.client, Tone.STRONG),
        standing.name,
        standing.address,
        stands,
        "none sent yet" if last is None else f"last sent: {last}",
    ]
