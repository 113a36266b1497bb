"""The desk's own words for what the rules name by a code, and what to offer next on a ticket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tickets.pages.watch import SiteState
from tickets.queries.views import TicketView
from tickets.rules.message import HoldReason, Intervention, MessageState
from tickets.rules.notice import Notice
from tickets.rules.promise import MetBy
from tickets.rules.ticket import (
    EARLY_OUTCOMES,
    MACHINE_SOURCES,
    PEOPLE_CATEGORIES,
    RESOLVING_OUTCOMES,
    Action,
    Category,
    Outcome,
    Priority,
    Source,
    Status,
    is_allowed,
)

CATEGORIES = {
    Category.BUG_FIX: "Bug fix",
    Category.CONTENT_CHANGE: "Content change",
    Category.ADVICE: "Advice",
    Category.CMS_UPDATE: "CMS update",
    Category.OUTAGE: "Down",
    Category.SLOW: "Slow",
    Category.CERTIFICATE: "Certificate",
    Category.DOMAIN: "Domain",
    Category.ALERT: "Alert",
}

SOURCES = {
    Source.MONITOR: "the monitor",
    Source.ALERTMANAGER: "Alertmanager",
    Source.GRAFANA: "Grafana",
    Source.PORTAL: "the request form",
    Source.STAFF: "staff",
    Source.API: "the API",
}

OUTCOMES = {
    Outcome.FIXED: "fixed",
    Outcome.RECOVERED_BY_ITSELF: "recovered by itself",
    Outcome.DUPLICATE: "a duplicate",
    Outcome.NOT_AN_ISSUE: "not an issue",
    Outcome.ANSWERED: "answered",
}

DEEDS = {
    Action.OPEN: "opened the ticket",
    Action.ACKNOWLEDGE: "acknowledged the ticket",
    Action.REPLY: "wrote to the client",
    Action.NOTE: "left a note",
    Action.RESOLVE: "resolved the ticket",
    Action.REOPEN: "reopened the ticket",
    Action.CLOSE: "closed the ticket",
    Action.RECOVER: "saw the site recover",
    Action.RELAPSE: "saw the site fail again",
    Action.WORSEN: "saw the site go from slow to down",
    Action.UNWATCH: "stopped watching the site",
    Action.BREACH: "recorded that the promise was broken",
    Action.ESCALATE: "told staff that the clock runs",
    Action.PRIORITY: "changed the priority",
    Action.CATEGORY: "changed the category",
    Action.ASSIGN: "changed who has the ticket",
    Action.WAIT: "asked the client",
    Action.RESUME: "resumed the work",
    Action.CLIENT_REPLY: "wrote to us",
    Action.MERGE: "merged the ticket as a duplicate",
    Action.ABSORB: "merged a duplicate into the ticket",
    Action.LINK: "linked a ticket",
    Action.LOG_TIME: "logged time",
    Action.REVOKE_LINKS: "revoked the client's links",
}
"""What somebody did; the name of whoever it was comes before."""

ALERT_DEEDS = {
    Action.RECOVER: "reported the end of the alert",
    Action.RELAPSE: "reported the alert again",
    Action.UNWATCH: "stopped listening to the source",
}
"""The same on a ticket that an alert opened."""

BUTTONS = {
    Action.ACKNOWLEDGE: "Acknowledge",
    Action.REPLY: "Reply",
    Action.NOTE: "Note",
    Action.RESOLVE: "Resolve",
    Action.RESUME: "Resume",
    Action.REOPEN: "Reopen",
    Action.CLOSE: "Close",
    Action.WAIT: "Ask and wait",
    Action.LOG_TIME: "Log time",
    Action.REVOKE_LINKS: "Revoke links",
    Action.ASSIGN: "Assign",
    Action.PRIORITY: "Change priority",
    Action.CATEGORY: "Change category",
    Action.LINK: "Link",
    Action.MERGE: "Merge",
}
"""What a person may do to a ticket at the desk, in the order in which it is offered."""

AT_HAND = frozenset(
    {Action.ACKNOWLEDGE, Action.REPLY, Action.NOTE, Action.RESOLVE, Action.RESUME, Action.REOPEN}
)
"""What is offered at once; the rest stands behind a word."""

AT_ONCE = frozenset({Action.ACKNOWLEDGE, Action.RESUME, Action.REVOKE_LINKS})
"""What needs no form."""

SENDS = {
    Action.REPLY: "Send the reply",
    Action.NOTE: "Keep the note",
    Action.RESOLVE: "Resolve and tell the client",
    Action.CLOSE: "Close the ticket",
    Action.REOPEN: "Reopen and tell the client",
    Action.PRIORITY: "Change the priority",
    Action.CATEGORY: "Change the category",
    Action.ASSIGN: "Assign",
    Action.WAIT: "Ask the client and wait",
    Action.MERGE: "Merge and tell the client",
    Action.LINK: "Link the two",
    Action.LOG_TIME: "Log the time",
    Action.REVOKE_LINKS: "Revoke the links",
}
"""What the button of each form says."""

Choices = Sequence[tuple[str, str]]
"""What a form sends and what it shows, in order."""

NOTICES = {
    Notice.DOWN: "Down",
    Notice.SLOW: "Slow",
    Notice.RECOVERED: "Recovered",
    Notice.ACKNOWLEDGED: "Acknowledged",
    Notice.REPLY: "Reply",
    Notice.RESOLVED: "Resolved",
    Notice.REOPENED: "Reopened",
    Notice.BREACHED: "Promise broken",
    Notice.BLIND: "Blind",
    Notice.SIGHTED: "Sees again",
    Notice.AT_RISK: "Promise at risk",
    Notice.UPDATE_DUE: "Word to the client due",
    Notice.CALENDAR_ENDS: "Calendar ends",
    Notice.RECEIVED: "Received",
    Notice.PRIORITY_CHANGED: "Priority changed",
    Notice.ASSIGNED: "Assigned",
    Notice.QUESTION: "Question",
    Notice.RESUMED: "Work resumed",
    Notice.CLIENT_REPLIED: "Client's reply",
    Notice.MERGED: "Merged",
    Notice.ALLOWANCE: "Allowance",
    Notice.ALERT: "Alert",
    Notice.ALERT_ENDED: "Alert ended",
    Notice.NEW_LINK: "New link",
    Notice.VERIFY: "Verification",
    Notice.STATEMENT: "Statement",
    Notice.DIGEST: "New requests",
    Notice.MAIL_FAULT: "Fault of the mail",
}

MESSAGE_STATES = {
    MessageState.PENDING: "Waiting",
    MessageState.SENDING: "Sending",
    MessageState.SENT: "Sent",
    MessageState.DEAD: "Not delivered",
    MessageState.CANCELLED: "Cancelled",
}

HOLDS = {
    HoldReason.SUPPORT_HOURS: "until support opens",
    HoldReason.LIMIT: "over a limit of mail.limits",
    HoldReason.UNDELIVERABLE: "the address takes no mail",
}

INTERVENTIONS = {Intervention.REQUEUE: "Sent again", Intervention.CANCEL: "Cancelled"}


@dataclass(frozen=True, slots=True)
class Mark:
    """A state as a word with, for sites, its shape and colour."""

    word: str
    state: SiteState | None = None


def mark_of(ticket: TicketView) -> Mark:
    """Return what a ticket is about: how its site stood or stands, else its category."""
    if ticket.recovered_at is not None:
        is_alert = ticket.category is Category.ALERT
        return Mark("Alert ended" if is_alert else "Up again", None if is_alert else SiteState.UP)
    if ticket.category is Category.OUTAGE:
        return Mark("Down", SiteState.DOWN)
    if ticket.category is Category.SLOW:
        return Mark("Slow", SiteState.SLOW)
    return Mark(CATEGORIES[ticket.category])


def offered_actions(ticket: TicketView) -> list[Action]:
    """Return what a person may do to the ticket now, in the order of ``BUTTONS``."""
    offered = [action for action in BUTTONS if is_allowed(action, ticket.status)]
    hidden = set[Action]()
    if not ticket.promise.is_answered:
        hidden.add(Action.WAIT)
    if ticket.source in MACHINE_SOURCES:
        hidden.add(Action.CATEGORY)
    if ticket.is_internal:
        hidden.add(Action.REVOKE_LINKS)
    return [action for action in offered if action not in hidden]


def is_at_hand(action: Action, ticket: TicketView) -> bool:
    """Tell whether the action is offered at once, not behind a word."""
    return action in AT_HAND or (action is Action.CLOSE and ticket.status is Status.RESOLVED)


def next_action(ticket: TicketView) -> Action | None:
    """Return the next sensible action on a ticket; None once it is closed."""
    if ticket.status is Status.CLOSED:
        return None
    if ticket.status is Status.RESOLVED:
        return Action.CLOSE
    if ticket.status is Status.WAITING:
        return Action.RESUME
    if ticket.status is Status.OPEN:
        keeps_it = ticket.promise.met_by is MetBy.ACKNOWLEDGEMENT
        return Action.ACKNOWLEDGE if keeps_it else Action.REPLY
    return Action.RESOLVE if ticket.recovered_at is not None else Action.REPLY


def offered_outcomes(ticket: TicketView) -> list[Outcome]:
    """Return the outcomes with which the ticket may be closed from where it stands."""
    if ticket.status is Status.RESOLVED:
        return list(Outcome)
    return [outcome for outcome in Outcome if outcome in EARLY_OUTCOMES]


def outcome_choices(outcomes: Sequence[Outcome]) -> Choices:
    """Return outcomes as a form offers them."""
    return [(one.value, OUTCOMES[one].capitalize()) for one in outcomes]


def resolving_outcomes() -> Choices:
    """Return the outcomes with which a ticket may be resolved."""
    return outcome_choices(RESOLVING_OUTCOMES)


def category_choices() -> Choices:
    """Return the categories that people choose."""
    return [(one.value, CATEGORIES[one]) for one in PEOPLE_CATEGORIES]


def priority_choices(current: Priority | None = None) -> Choices:
    """Return the priorities without the one that stands already."""
    return [(one.value, one.value.capitalize()) for one in Priority if one is not current]
