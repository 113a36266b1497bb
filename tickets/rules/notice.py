"""Which notice tells whom: the closed set of letters and their audiences (contract, section 6)."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from tickets.rules.ticket import Priority


class Audience(StrEnum):
    """For whom a letter is worded."""

    CLIENT = "client"
    STAFF = "staff"


class Notice(StrEnum):
    """What is told; each has a letter of the same name."""

    DOWN = "down"
    SLOW = "slow"
    RECOVERED = "recovered"
    ACKNOWLEDGED = "acknowledged"
    REPLY = "reply"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    BREACHED = "breached"
    BLIND = "blind"
    SIGHTED = "sighted"
    AT_RISK = "at_risk"
    UPDATE_DUE = "update_due"
    CALENDAR_ENDS = "calendar_ends"
    RECEIVED = "received"
    PRIORITY_CHANGED = "priority_changed"
    ASSIGNED = "assigned"
    QUESTION = "question"
    RESUMED = "resumed"
    CLIENT_REPLIED = "client_replied"
    MERGED = "merged"
    ALLOWANCE = "allowance"
    ALERT = "alert"
    ALERT_ENDED = "alert_ended"
    VERIFY = "verify"
    NEW_LINK = "new_link"
    STATEMENT = "statement"
    DIGEST = "digest"
    MAIL_FAULT = "mail_fault"


AUTOMATIC_NOTICES = frozenset(
    {
        Notice.DOWN,
        Notice.SLOW,
        Notice.RECOVERED,
        Notice.REOPENED,
        Notice.BREACHED,
        Notice.BLIND,
        Notice.SIGHTED,
        Notice.AT_RISK,
        Notice.UPDATE_DUE,
        Notice.CALENDAR_ENDS,
        Notice.RECEIVED,
        Notice.PRIORITY_CHANGED,
        Notice.ASSIGNED,
        Notice.RESUMED,
        Notice.CLIENT_REPLIED,
        Notice.MERGED,
        Notice.ALLOWANCE,
        Notice.ALERT,
        Notice.ALERT_ENDED,
        Notice.NEW_LINK,
        Notice.VERIFY,
        Notice.STATEMENT,
        Notice.DIGEST,
        Notice.MAIL_FAULT,
    }
)
"""Notices that no person wrote: their mail says ``Auto-Submitted: auto-generated``."""

NOTICES_OF_NO_TICKET = frozenset(
    {
        Notice.BLIND,
        Notice.SIGHTED,
        Notice.CALENDAR_ENDS,
        Notice.STATEMENT,
        Notice.VERIFY,
        Notice.DIGEST,
        Notice.MAIL_FAULT,
    }
)
"""Notices that belong to no ticket: to staff about ourselves, and a client's statement."""

NOTICES_FOR_HOURS = frozenset({Notice.CLIENT_REPLIED, Notice.REOPENED, Notice.RESUMED})
"""Notices that staff get in support hours only, unless the ticket is critical."""

_STAFF_ALONE = frozenset(
    {
        Notice.BREACHED,
        Notice.BLIND,
        Notice.SIGHTED,
        Notice.AT_RISK,
        Notice.UPDATE_DUE,
        Notice.CALENDAR_ENDS,
        Notice.ASSIGNED,
        Notice.RESUMED,
        Notice.CLIENT_REPLIED,
        Notice.ALLOWANCE,
        Notice.DIGEST,
        Notice.MAIL_FAULT,
    }
)
_CLIENT_ALONE = frozenset(
    {
        Notice.ACKNOWLEDGED,
        Notice.REPLY,
        Notice.RESOLVED,
        Notice.QUESTION,
        Notice.MERGED,
        Notice.VERIFY,
        Notice.NEW_LINK,
        Notice.STATEMENT,
    }
)


def audiences_of(notice: Notice) -> Sequence[Audience]:
    """Return who is ever told of ``notice``."""
    if notice in _STAFF_ALONE:
        return (Audience.STAFF,)
    return (Audience.CLIENT,) if notice in _CLIENT_ALONE else tuple(Audience)


_RANKS = {Priority.CRITICAL: 0, Priority.NORMAL: 1, Priority.LOW: 2}


def delivery_rank(priority: Priority) -> int:
    """Return the place of a ticket's messages in the outbox: 0 leaves first."""
    return _RANKS[priority]
