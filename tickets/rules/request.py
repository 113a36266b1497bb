"""How a request stands that somebody sent by the form: before it is a ticket, and after."""

from __future__ import annotations

from enum import StrEnum


class RequestState(StrEnum):
    """How a request stands; the last four are final.

    ``TAKEN``: stored, not looked at yet. ``WAITING``: its address is unknown and its owner has not
    answered. ``REPEATED``: the same as one that was sent before.
    """

    TAKEN = "taken"
    WAITING = "waiting"
    OPENED = "opened"
    DECLINED = "declined"
    EXPIRED = "expired"
    REPEATED = "repeated"


UNFINISHED = frozenset({RequestState.TAKEN, RequestState.WAITING})
"""States in which a request may still become a ticket."""
