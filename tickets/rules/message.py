"""The states of a message in the outbox, and how long to wait before the next attempt."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from tickets.rules.ticket import Priority


class MessageState(StrEnum):
    """Where a message stands: ``sent`` only after the mail server took it."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    DEAD = "dead"
    CANCELLED = "cancelled"


class Channel(StrEnum):
    """By what a message travels: mail, or a service for chat, push or SMS, which only staff use."""

    MAIL = "mail"
    PUSH = "push"


class DeliveryOutcome(StrEnum):
    """How one attempt to send a message ended."""

    SENT = "sent"
    DEFERRED = "deferred"
    REFUSED = "refused"


class FailureReason(StrEnum):
    """Why an attempt failed."""

    CONNECT = "connect"
    TLS = "tls"
    AUTH = "auth"
    TEMPORARY = "temporary"
    PERMANENT = "permanent"
    TIMEOUT = "timeout"


class HoldReason(StrEnum):
    """Why a message waits though nothing about it failed."""

    SUPPORT_HOURS = "support_hours"
    LIMIT = "limit"
    UNDELIVERABLE = "undeliverable"


class Intervention(StrEnum):
    """What a person does to a message by hand."""

    REQUEUE = "requeue"
    CANCEL = "cancel"


BACKOFF = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 15, 60))
"""Waits before the second, third, ... attempt; the last one repeats (contract, section 6)."""

GIVE_UP_AFTER = {
    Priority.CRITICAL: timedelta(hours=24),
    Priority.NORMAL: timedelta(hours=72),
    Priority.LOW: timedelta(hours=72),
}
"""Wall time after which a message that still fails for passing reasons is dead."""


MOST_JITTER = 0.1
"""Most that is added to a wait, as a share of it: never less, for a greylist asks for a minute."""


def backoff(attempts: int, *, chance: float = 0.0) -> timedelta:
    """Return the wait after ``attempts`` failed attempts (at least 1).

    ``chance`` from 0 to 1 spreads messages that failed together over a tenth of the wait.
    """
    if attempts < 1:
        raise ValueError(f"attempts counts failed attempts from 1, got {attempts}")
    return BACKOFF[min(attempts, len(BACKOFF)) - 1] * (1 + MOST_JITTER * chance)


def may_requeue(state: MessageState, *, is_due: bool) -> bool:
    """Tell whether a message may be put up for sending again: what is dead, or waits for later."""
    return state is MessageState.DEAD or (state is MessageState.PENDING and not is_due)


def may_cancel(state: MessageState) -> bool:
    """Tell whether a message may be cancelled: what waits or is dead, never what is on its way."""
    return state in {MessageState.PENDING, MessageState.DEAD}
