"""``fettle outbox``: messages to clients and staff, how they stand, and what is done by hand."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from monitor.commands.acting import STAFF_VARIABLE, choose_actor
from monitor.commands.screen import Piece
from monitor.commands.surroundings import Surroundings, open_store
from monitor.commands.ticket_documents import message_document
from monitor.commands.ticket_page import message_row
from tickets import accounts, interventions
from tickets.desk.phrases import HOLDS
from tickets.history import Actor
from tickets.queries import MOST_ROWS
from tickets.queries.messages import get_message, list_messages
from tickets.queries.views import MessageView
from tickets.rules.message import MessageState
from tickets.rules.words import format_instant
from tickets.store import Session
from tickets.tables import MessageRow


class _Deed(Protocol):
    """What is done to one message, in the transaction given."""

    def __call__(
        self, tx: Session, message_id: int, *, actor: Actor, at: datetime
    ) -> MessageRow: ...


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


def requeue(surroundings: Surroundings, arguments: Namespace) -> int:
    """Send messages again; all of them or, if one cannot be, none."""
    return _change(surroundings, arguments, interventions.requeue, "is due now")


def cancel(surroundings: Surroundings, arguments: Namespace) -> int:
    """Cancel messages for good; all of them or, if one cannot be, none."""
    return _change(surroundings, arguments, interventions.cancel, "will not be sent")


def _change(surroundings: Surroundings, arguments: Namespace, deed: _Deed, says: str) -> int:
    settings = surroundings.load_settings()
    at = surroundings.clock.now()
    wanted = arguments.staff or surroundings.environ.get(STAFF_VARIABLE)

    def work(tx: Session) -> Sequence[MessageView]:
        actor = choose_actor(accounts.list_staff(tx), wanted)
        numbers = dict.fromkeys(arguments.messages)
        changed = [deed(tx, number, actor=actor, at=at).id or 0 for number in numbers]
        tx.flush()
        return [get_message(tx, number) for number in changed]

    with open_store(settings) as store:
        found = store.write(work)
    screen = surroundings.screen
    if arguments.json:
        screen.document([message_document(message, settings.agency.zone) for message in found])
    else:
        for message in found:
            screen.line(f"Message {message.id}, {message.notice} to {message.address}, {says}.")
    return 0


def _row(message: MessageView, zone: ZoneInfo) -> Sequence[Piece]:
    tries = f"{message.attempts} failed" if message.attempts and message.sent_at is None else ""
    if tries and message.state is MessageState.PENDING:
        tries += f", next {format_instant(message.not_before, zone)}"
    if message.carrier_id is not None:
        tries = f"goes with {message.carrier_id}"
    elif message.state is MessageState.PENDING and message.held_for is not None:
        tries = f"{HOLDS[message.held_for]}, next {format_instant(message.not_before, zone)}"
    number = str(message.id)
    return [number, message.reference or "no ticket", *message_row(message, zone), tries]
