"""The mail channel: one attempt to deliver a message, and whether mails can leave at all.

Puts the message into words, sends it, and says how that ended; holds no transaction and writes
nothing. A letter that cannot be written goes out as plain facts: being told badly beats not being
told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from tickets.clock import Clock
from tickets.letters import Letter, LetterFailed, Letters, plain_letter
from tickets.letters.merged import one_letter
from tickets.mail import Mail, MailIdentity, MailRefused, Sender, SendFailed, compose
from tickets.rules.message import DeliveryOutcome, FailureReason
from tickets.rules.notice import AUTOMATIC_NOTICES, Audience
from tickets.tables import MessageRow

log = structlog.get_logger()

RETRY_AFTER_FAULT = timedelta(seconds=30)
"""When a message comes up again that failed because the mail server could not be used at all."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """How an attempt ended, as the outbox records it; ``retry_after`` replaces its back-off.

    ``is_address_refused`` says that the server refused the recipient's address for good.
    """

    outcome: DeliveryOutcome
    answer: str
    reason: FailureReason | None = None
    retry_after: timedelta | None = None
    is_address_refused: bool = False


class MailChannel:
    """Sends messages as mails and knows when the server is of no use.

    ``letters_failed`` counts letters that went out as plain facts, ``faults`` errors of our own.
    """

    def __init__(
        self,
        sender: Sender,
        *,
        identity: MailIdentity,
        clock: Clock,
        letters: Letters | None = None,
    ) -> None:
        self.letters_failed = 0
        self.faults = 0
        self._sender = sender
        self._identity = identity
        self._clock = clock
        self._letters = letters or Letters()
        self._held_until: float | None = None

    def free_slots(self, *, slots: int, in_hand: int) -> int:
        """Return how many more messages may be tried now, with ``in_hand`` of ``slots`` taken.

        A server that could not be used is left alone for a while; then one message finds out.
        """
        if self._held_until is None:
            return slots - in_hand
        is_over = self._clock.monotonic() >= self._held_until
        return 1 if is_over and in_hand == 0 else 0

    async def attempt(self, message: MessageRow, carried: Sequence[MessageRow] = ()) -> Attempt:
        """Try to send ``message`` with what its mail carries; return how it ended in any case."""
        try:
            mail = await asyncio.to_thread(self._compose, message, carried)
            answer = await self._sender.send(mail)
        except MailRefused as error:
            return Attempt(DeliveryOutcome.REFUSED, str(error), FailureReason.PERMANENT)
        except SendFailed as failure:
            return self._failed(failure)
        except Exception as error:
            # A loop edge: one message that we cannot handle must not stop the others.
            self.faults += 1
            log.exception("delivery.message_failed", message=message.header_id)
            answer = f"a fault of our own: {type(error).__name__}"
            return Attempt(DeliveryOutcome.DEFERRED, answer, FailureReason.TEMPORARY)
        if self._held_until is not None:
            self._held_until = None
            log.info("delivery.channel_resumed")
        return Attempt(DeliveryOutcome.SENT, answer)

    async def rest(self) -> None:
        """Let go of connections: nothing is due."""
        await self._sender.rest()

    def _failed(self, failure: SendFailed) -> Attempt:
        if failure.is_permanent:
            return Attempt(
                DeliveryOutcome.REFUSED,
                str(failure),
                failure.reason,
                is_address_refused=failure.is_address_refused,
            )
        if failure.hold is None:
            return Attempt(DeliveryOutcome.DEFERRED, str(failure), failure.reason)
        if self._held_until is None:
            log.error("delivery.channel_held", reason=failure.reason)
        self._held_until = self._clock.monotonic() + failure.hold.total_seconds()
        return Attempt(DeliveryOutcome.DEFERRED, str(failure), failure.reason, RETRY_AFTER_FAULT)

    def _compose(self, message: MessageRow, carried: Sequence[MessageRow]) -> Mail:
        identity = self._identity
        if message.audience is Audience.CLIENT:
            if identity.owns(message.address):
                raise MailRefused(f"{message.address} is our own address: it would answer itself")
            identity = identity.for_client(_text(message.facts.get("brand_name")))
        together = sorted((message, *carried), key=lambda one: (one.entry_number, one.id or 0))
        return compose(
            one_letter([self._letter(one) for one in together]),
            identity=identity,
            recipient=message.address,
            header_id=message.header_id,
            thread_id=message.thread_id,
            written_at=message.written_at,
            is_automatic=all(one.notice in AUTOMATIC_NOTICES for one in together),
            unsubscribe_url=_text(message.facts.get("unsubscribe_url")),
        )

    def _letter(self, message: MessageRow) -> Letter:
        try:
            return self._letters.write(message.notice, message.audience, message.facts)
        except LetterFailed:
            self.letters_failed += 1
            log.exception("delivery.letter_failed", message=message.header_id)
            return plain_letter(message.notice, message.audience, message.facts)


def _text(fact: object) -> str | None:
    return fact if isinstance(fact, str) else None
