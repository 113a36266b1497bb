"""``fettle outbox list``: messages to clients and staff, and how their delivery stands."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from zoneinfo import ZoneInfo

from monitor.commands.screen import Piece
from monitor.commands.surroundings import Surroundings, open_store
from monitor.commands.ticket_documents import message_document
from monitor.commands.ticket_page import message_row
from tickets.queries import MOST_ROWS
from tickets.queries.messages import list_messages
from tickets.queries.views import MessageView
from tickets.rules.message import MessageState
from tickets.rules.words import format_instant


def list_all(surroundings: Surroundings, arguments: Namespace) -> int:
    """List the newest messages, optionally only those in one state."""
    settings = surroundings.load_settings()
    state = None if arguments.state is None else MessageState(arguments.state)
    with open_store(settings) as store:
        found = store.read(lambda tx: list_messages(tx, state=state))
    zone, screen = settings.agency.zone, surroundings.screen
    if arguments.json:
        screen.document([message_document(message, zone) for message in found])
    elif found:
        screen.table([_row(message, zone) for message in found])
    else:
        screen.line(f"No message is {state.value}." if state else "No message has been written.")
    if len(found) == MOST_ROWS:
        screen.hint(f"Only the newest {MOST_ROWS} are listed.")
    return 0


def _row(message: MessageView, zone: ZoneInfo) -> Sequence[Piece]:
    tries = f"{message.attempts} failed" if message.attempts and message.sent_at is None else ""
    if tries and message.state is MessageState.PENDING:
        tries += f", next {format_instant(message.not_before, zone)}"
    return [message.reference or "no ticket", *message_row(message, zone), tries]
