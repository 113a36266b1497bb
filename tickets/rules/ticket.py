"""What a ticket may be and which action may follow which status.

The table in ``ACTIONS`` is the contract's list of actions; whatever it does not list is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Priority(StrEnum):
    """Picks the response target."""

    CRITICAL = "critical"
    NORMAL = "normal"
    LOW = "low"


class Status(StrEnum):
    """Where a ticket stands; ``closed`` is final."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    WAITING = "waiting"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Category(StrEnum):
    """What the ticket is about; the first four come from people, the others from machines."""

    BUG_FIX = "bug_fix"
    CONTENT_CHANGE = "content_change"
    ADVICE = "advice"
    CMS_UPDATE = "cms_update"
    OUTAGE = "outage"
    SLOW = "slow"
    CERTIFICATE = "certificate"
    DOMAIN = "domain"
    ALERT = "alert"


class Source(StrEnum):
    """Who or what opened the ticket."""

    MONITOR = "monitor"
    ALERTMANAGER = "alertmanager"
    GRAFANA = "grafana"
    PORTAL = "portal"
    STAFF = "staff"
    API = "api"


class Outcome(StrEnum):
    """How a closed ticket ended."""

    FIXED = "fixed"
    RECOVERED_BY_ITSELF = "recovered_by_itself"
    DUPLICATE = "duplicate"
    NOT_AN_ISSUE = "not_an_issue"
    ANSWERED = "answered"


class Action(StrEnum):
    """What may be done to a ticket; the entry that records it carries the same word."""

    OPEN = "open"
    ACKNOWLEDGE = "acknowledge"
    REPLY = "reply"
    NOTE = "note"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    CLOSE = "close"
    RECOVER = "recover"
    RELAPSE = "relapse"
    WORSEN = "worsen"
    UNWATCH = "unwatch"
    BREACH = "breach"
    ESCALATE = "escalate"
    PRIORITY = "priority"
    CATEGORY = "category"
    ASSIGN = "assign"
    WAIT = "wait"
    RESUME = "resume"
    CLIENT_REPLY = "client_reply"
    MERGE = "merge"
    ABSORB = "absorb"
    LINK = "link"
    LOG_TIME = "log_time"
    REVOKE_LINKS = "revoke_links"


class LinkKind(StrEnum):
    """How two tickets belong together; a duplicate is the first of the two."""

    RELATED = "related"
    DUPLICATE = "duplicate"


OPEN_STATUSES = frozenset({Status.OPEN, Status.ACKNOWLEDGED, Status.WAITING})
"""Statuses in which work or a promise is outstanding."""

_NOT_CLOSED = OPEN_STATUSES | {Status.RESOLVED}

ACTIONS: Mapping[Action, frozenset[Status]] = MappingProxyType(
    {
        Action.ACKNOWLEDGE: frozenset({Status.OPEN}),
        Action.REPLY: _NOT_CLOSED,
        Action.NOTE: frozenset(Status),
        Action.RESOLVE: OPEN_STATUSES,
        Action.REOPEN: frozenset({Status.RESOLVED}),
        Action.CLOSE: _NOT_CLOSED,
        Action.RECOVER: frozenset(Status),
        Action.RELAPSE: frozenset(Status),
        Action.WORSEN: frozenset(Status),
        Action.UNWATCH: frozenset(Status),
        Action.BREACH: OPEN_STATUSES,
        Action.ESCALATE: OPEN_STATUSES,
        Action.PRIORITY: OPEN_STATUSES,
        Action.CATEGORY: _NOT_CLOSED,
        Action.ASSIGN: _NOT_CLOSED,
        Action.WAIT: frozenset({Status.ACKNOWLEDGED}),
        Action.RESUME: frozenset({Status.WAITING}),
        Action.CLIENT_REPLY: OPEN_STATUSES,
        Action.MERGE: _NOT_CLOSED,
        Action.ABSORB: _NOT_CLOSED,
        Action.LINK: frozenset(Status),
        Action.LOG_TIME: frozenset(Status),
        Action.REVOKE_LINKS: frozenset(Status),
    }
)
"""Statuses from which each action is allowed."""

PEOPLE_CATEGORIES = (
    Category.BUG_FIX,
    Category.CONTENT_CHANGE,
    Category.ADVICE,
    Category.CMS_UPDATE,
)
"""Categories that people choose; machines open tickets with the others."""

MACHINE_SOURCES = frozenset({Source.MONITOR, Source.ALERTMANAGER, Source.GRAFANA})
"""Sources without a requester."""

AGENCY = "_agency"
"""Stands in a client's place on tickets that concern the agency alone; no client's slug is so."""

RESOLVING_OUTCOMES = (
    Outcome.FIXED,
    Outcome.ANSWERED,
    Outcome.RECOVERED_BY_ITSELF,
    Outcome.NOT_AN_ISSUE,
)
"""Outcomes with which a ticket may be resolved; a duplicate is merged instead."""

NOT_YET_KNOWN = "not yet known"
"""What the first reply says in place of next steps or of an estimate that nobody has yet."""

WAIT_DAYS = 10
"""Support days that a ticket may wait for the client before work resumes."""

REOPEN_DAYS = 10
"""Support days after a resolution in which its ticket may be reopened."""

EARLY_OUTCOMES = frozenset({Outcome.DUPLICATE, Outcome.NOT_AN_ISSUE})
"""Outcomes with which a ticket may be closed without a resolution, given a reason."""


def is_allowed(action: Action, status: Status) -> bool:
    """Tell whether ``action`` may be taken on a ticket in ``status``."""
    return status in ACTIONS.get(action, frozenset())


REFERENCE_BASE = 1000
"""Added to a ticket's row number so that the first ticket is not ``T-1``."""


def reference(number: int) -> str:
    """Return the reference of the ticket with row number ``number`` (1 gives ``T-1001``)."""
    return f"T-{REFERENCE_BASE + number}"


def parse_reference(text: str) -> int | None:
    """Return the row number meant by ``text`` (``T-1001`` or ``1001``), or None if it is none."""
    digits = text.strip().upper().removeprefix("T-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 12:
        return None
    number = int(digits) - REFERENCE_BASE
    return number if number > 0 else None
