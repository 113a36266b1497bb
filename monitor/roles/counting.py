"""Counts how attempts to send end, for the metrics page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tickets.delivery import MessageChannel
from tickets.mail_channel import Attempt
from tickets.rules.message import DeliveryOutcome
from tickets.tables import MessageRow


@dataclass(frozen=True, slots=True)
class CountedChannel:
    """A channel that tells ``count`` how each attempt ended: ok, or error."""

    channel: MessageChannel
    count: Callable[[str], None]

    def free_slots(self, *, slots: int, in_hand: int) -> int:
        """Return how many more messages may be taken up."""
        return self.channel.free_slots(slots=slots, in_hand=in_hand)

    async def attempt(self, message: MessageRow, carried: Sequence[MessageRow] = ()) -> Attempt:
        """Try to send a message with those that it carries, and count how that ended."""
        attempt = await self.channel.attempt(message, carried)
        self.count("ok" if attempt.outcome is DeliveryOutcome.SENT else "error")
        return attempt

    async def rest(self) -> None:
        """Let go of what is held for the next message."""
        await self.channel.rest()
