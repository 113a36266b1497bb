"""Mails each client's statement of the month before, once, when support first opens in the month.

That is the client's own calendar: after New Year's holiday and a closure it may be the fifth. What
is due is found anew each time, so a service that was away then sends it when it is back, as long as
the month lasts; what was written is in the store, so nothing is sent twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog

from monitor.rules.month import Month, month_of
from monitor.statement import words
from monitor.statement.figures import IncidentFigures, Kept, Statement
from monitor.statement.page import render_page
from monitor.statement.reading import read_statement
from tickets.errors import Unavailable
from tickets.notices import client_facts
from tickets.policy import Policy
from tickets.rules.plain_text import one_line
from tickets.statements import Issue, hand_out, list_waiting
from tickets.store import Store

log = structlog.get_logger()

MOST_ROWS = 40
"""Most rows of one kind in a letter; what is beyond is counted and stands on the page."""

MOST_SITES = 100

SETTLED_AFTER = timedelta(minutes=15)
"""How long after its end a month's readings are all written."""


async def send_due(store: Store, policy: Policy, *, now: datetime) -> int:
    """Write what is due at ``now``; return for how many clients that failed, by a fault of ours.

    Opens its own transactions. Raises ``Unavailable`` if the store is away.
    """
    month = month_of(now.astimezone(policy.zone).date()).previous
    return sum(
        [
            await _one(store, policy, client, month, now=now)
            for client, contacts in policy.contacts.items()
            if contacts.statement
        ]
    )


def due_at(policy: Policy, client: str, month: Month) -> datetime:
    """Return when the statement of ``client`` for ``month`` is due: support first opens after it.

    Where support is open around the clock, its last readings are waited for. Raises ``ValueError``
    beyond the client's calendar.
    """
    end = month.end(policy.zone)
    return max(policy.hours_of(client).next_open(end), end + SETTLED_AFTER)


async def _one(store: Store, policy: Policy, client: str, month: Month, *, now: datetime) -> int:
    try:
        await _send(store, policy, client, month, now=now)
    except Unavailable:
        raise
    except Exception:
        # A loop edge: one client whose statement cannot be made must not cost the others theirs.
        log.exception("statement.client_failed", client=client, month=str(month))
        return 1
    return 0


async def _send(store: Store, policy: Policy, client: str, month: Month, *, now: datetime) -> None:
    if now < due_at(policy, client, month):
        return
    waiting = partial(list_waiting, policy=policy, client=client, month=str(month))
    if not await store.aread(waiting):
        return
    read = partial(read_statement, policy=policy, client=client, month=month, at=now)
    statement = await store.aread(read)
    if statement.is_empty:
        return
    page = await asyncio.to_thread(render_page, statement, policy, is_served=True)
    issue = Issue(client=client, month=str(month), page=page, facts=letter_facts(statement, policy))
    written = await store.awrite(partial(hand_out, policy=policy, issue=issue, at=now))
    log.info("statement.written", client=client, month=str(month), contacts=written)


def letter_facts(statement: Statement, policy: Policy) -> dict[str, Any]:
    """Return what the letter says of ``statement``, all of it plain text on one line each."""
    broken = [one for one in statement.promises if one.kept is Kept.BROKEN]
    month = words.month_name(statement)
    return {
        "title": f"Statement for {month}",
        "client_name": statement.client_name,
        "month": month,
        "period": words.period(statement),
        "uptime": words.share(statement.uptime),
        "incident_count": words.incidents(statement),
        "answers": words.answers(statement),
        "sites": [
            {
                "name": one_line(site.name),
                "share": words.share(site.uptime),
                "parts": ", ".join(words.parts(site.uptime)),
                "watched": words.watched(site, statement),
            }
            for site in statement.sites[:MOST_SITES]
        ],
        "more_sites": _more(statement.sites, MOST_SITES, "website"),
        "incidents": [_incident(one, statement) for one in statement.incidents[:MOST_ROWS]],
        "more_incidents": _more(statement.incidents, MOST_ROWS, "incident"),
        "responses": [
            {
                "priority": one.priority.value.capitalize(),
                "outcome": words.outcome(one),
                "median": None if one.median is None else words.span(one.median),
                "worst": words.span(one.worst),
            }
            for one in statement.responses
        ],
        "broken": [
            {
                "reference": one.reference,
                "title": one_line(one.title, limit=120),
                "kept": words.kept(one),
            }
            for one in broken[:MOST_ROWS]
        ],
        "more_broken": _more(broken, MOST_ROWS, "promise"),
        "certificates": [
            {"site": one_line(one.site), "expires": words.instant(one.expires_at, statement)}
            for one in statement.certificates[:MOST_ROWS]
        ],
        "allowance": None if statement.allowance is None else words.used(statement.allowance),
        "domains": words.DOMAINS,
        "priority": "low",
        "agency_name": policy.agency_name,
        "zone": policy.zone.key,
        "desk_url": policy.base_url,
        "at": statement.at.isoformat(),
        **client_facts(policy, statement.client),
    }


def _incident(incident: IncidentFigures, statement: Statement) -> dict[str, str]:
    return {
        "site": one_line(incident.site),
        "shape": words.shape(incident),
        "kind": incident.kind,
        "began": words.instant(incident.started_at, statement),
        "lasted": words.lasted(incident),
        "words": incident.words,
        "ending": words.ending(incident),
        "reference": incident.reference,
    }


def _more(rows: Sequence[object], most: int, noun: str) -> str:
    left = len(rows) - most
    return f"{words.count(left, f'more {noun}')} on the page." if left > 0 else ""
