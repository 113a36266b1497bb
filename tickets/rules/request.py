"""Requests that somebody sends by the form: how they stand, and what they may be about."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from tickets.rules.ticket import Category

ABOUT: Mapping[Category, str] = {
    Category.BUG_FIX: "Something does not work as it should",
    Category.CONTENT_CHANGE: "A change to words, pictures or pages",
    Category.CMS_UPDATE: "An update of the system behind the website, or of its plug-ins",
    Category.ADVICE: "A question, or advice",
}
"""What a request may be about, in the words in which clients choose it."""


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
