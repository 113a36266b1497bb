"""One request, read and checked, on its way to what it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tickets.api.orders import Order, Question
from tickets.policy import Policy
from tickets.tokens import Caller


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Who asks for what, and when; ``ref`` is empty where the address names no ticket.

    ``question`` holds the address's parameters, ``order`` the body of a change.
    """

    policy: Policy
    caller: Caller
    ref: str
    question: Question
    order: Order | None
    at: datetime
