"""Asks Alertmanager what fires, because it never sends what ended while we were away.

What its list has and we have not, opens; what we hold and it has no more, ends. The second is
dangerous: a list is also empty just after Alertmanager started, for it forgets its alerts and waits
for Prometheus to send them again. So an alert that is not listed ends only if

- it is not silenced or inhibited either, which a second question tells,
- its sender last spoke of it well before the question, so that no message crossed it, and
- Alertmanager has run without a break since it last spoke of it, or for ``SETTLED_AFTER``; and if
  it does not say since when it runs, only if it has been missing for as long.

Only the configured address is asked, redirects are not followed, and answers are bounded.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import cast

import httpx
import structlog
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select

from monitor.alert_tables import AlertRow, AlertSourceRow
from monitor.alerts.episodes import Changes, Episodes
from monitor.alerts.source import AlertSource
from monitor.alerts.taking import Intake, is_watchdog, lock_source
from monitor.rules.alert import Alert, Listed, NoAlertBody, read_list
from monitor.rules.episode import AlertState
from tickets.clock import Clock
from tickets.errors import ServiceError
from tickets.rules.plain_text import several_lines
from tickets.store import Store

EVERY = timedelta(minutes=2)
LARGEST_LIST = 16 * 1024 * 1024
ANSWER_WITHIN = 5.0
"""Seconds for one answer; a reading takes three at most."""

READING_WITHIN = timedelta(seconds=60)
"""How long a reading holds the source; a process that dies in it leaves it free after this."""

CROSSING = timedelta(seconds=10)
"""A message that came so shortly before the question may be newer than the answer."""

SETTLED_AFTER = timedelta(minutes=5)
"""By then Prometheus has sent a fresh Alertmanager all that fires: it does so every minute."""

FIRING = {"active": "true", "silenced": "false", "inhibited": "false"}
HELD_BACK = {"active": "true", "silenced": "true", "inhibited": "true"}

_log = structlog.stdlib.get_logger()


class NotRead(ServiceError):
    """Alertmanager did not give its alerts; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What Alertmanager said to a question that was asked at ``at`` of our clock.

    ``firing`` are the alerts for our receiver; ``known`` are the fingerprints of all that it has,
    also silenced ones. ``running_since`` is on our clock, None if it did not say.
    """

    at: datetime
    firing: Sequence[Alert]
    known: frozenset[str]
    running_since: datetime | None


class Reconciler:
    """Reads the alerts of each source that has a ``reconcile_url``, one process at a time."""

    def __init__(
        self,
        store: Store,
        intake: Intake,
        sources: Sequence[AlertSource],
        *,
        clock: Clock,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._store = store
        self._intake = intake
        self._sources = [source for source in sources if source.reconcile_url is not None]
        self._clock = clock
        self._transport = transport

    async def read_all(self, *, is_start: bool = False) -> int:
        """Read the sources that are due, at a start all; return how many could not be read.

        Raises ``Unavailable`` when the store does not answer.
        """
        failed = 0
        for source in self._sources:
            now = self._clock.now()
            receivers = await self._store.awrite(
                partial(_claim, source=source, is_start=is_start, now=now)
            )
            if receivers is None:
                continue
            try:
                await self._read_one(source, receivers)
            except NotRead as error:
                failed += 1
                _log.warning("alerts.list_not_read", source=source.name, reason=str(error))
            finally:
                await self._store.awrite(partial(_release, source=source, now=now))
        return failed

    async def _read_one(self, source: AlertSource, receivers: Sequence[str]) -> None:
        async with httpx.AsyncClient(
            transport=self._transport,
            timeout=ANSWER_WITHIN,
            follow_redirects=False,
            trust_env=False,
        ) as http:
            heard = await self._ask(http, source, receivers)
        try:
            changes = await self._store.awrite(partial(self._apply, source, heard))
        except IntegrityError as error:  # another source has just opened the same
            raise NotRead(f"others are in the way: {error.orig}") from error
        if changes.begun or changes.ended:
            _log.info(
                "alerts.reconciled",
                source=source.name,
                begun=len(changes.begun),
                ended=len(changes.ended),
            )

    async def _ask(
        self, http: httpx.AsyncClient, source: AlertSource, receivers: Sequence[str]
    ) -> Heard:
        at = self._clock.now()
        listed = await self._list(http, source, FIRING, at)
        firing = [each.alert for each in listed if _is_ours(each, receivers)]
        known = frozenset(each.alert.fingerprint for each in listed)
        running_since: datetime | None = None
        held = await self._store.aread(partial(_list_firing, source=source))
        if not held <= known:
            more = await self._list(http, source, HELD_BACK, at)
            known |= {each.alert.fingerprint for each in more}
            running_since = await self._running_since(http, source, at)
        return Heard(at=at, firing=firing, known=known, running_since=running_since)

    async def _list(
        self, http: httpx.AsyncClient, source: AlertSource, wanted: Mapping[str, str], at: datetime
    ) -> Sequence[Listed]:
        content, _ = await _get(http, f"{source.reconcile_url}/api/v2/alerts", wanted)
        try:
            return await asyncio.to_thread(read_list, content, clean=several_lines, now=at)
        except NoAlertBody as error:
            raise NotRead(f"its list of alerts cannot be read: {error}") from error

    async def _running_since(
        self, http: httpx.AsyncClient, source: AlertSource, at: datetime
    ) -> datetime | None:
        """Return since when Alertmanager runs; None if it does not say.

        How long it runs is told by its own clock alone, which may differ from ours.
        """
        try:
            content, headers = await _get(http, f"{source.reconcile_url}/api/v2/status", {})
            status = cast("dict[str, object]", json.loads(content))
            began = datetime.fromisoformat(str(status["uptime"]))
            told = parsedate_to_datetime(headers["date"])
            return at - (told.astimezone(UTC) - began.astimezone(UTC))
        except (NotRead, LookupError, TypeError, ValueError, OverflowError):
            return None

    def _apply(self, source: AlertSource, heard: Heard, tx: Session) -> Changes:
        """Open what was missed, let fire again what is listed, end what is gone."""
        lock_source(tx, source.name, at=heard.at)
        alerts = [alert for alert in heard.firing if not is_watchdog(alert)]
        episodes, changes = Episodes(tx, source.name, alerts, at=heard.at), Changes()
        for alert in alerts:
            row = episodes.find(alert)
            is_over = row is not None and row.state is AlertState.RESOLVED
            if row is not None and is_over and _is_long_over(row, heard.at):
                episodes.revive(row, alert, changes)
            else:
                episodes.take(alert, changes)
        firing = select(AlertRow).where(
            col(AlertRow.source) == source.name, col(AlertRow.state) == AlertState.FIRING
        )
        for row in tx.exec(firing).all():
            if row.fingerprint in heard.known:
                row.missing_since = None
                continue
            if row.missing_since is None:
                row.missing_since = heard.at
            if is_gone(row, heard):
                episodes.end(row, AlertState.GONE, heard.at, changes)
        self._intake.follow(tx, source, changes, at=self._clock.now())
        return changes


def is_gone(row: AlertRow, heard: Heard) -> bool:
    """Tell whether an alert that is not listed, which has a ``missing_since``, has ended."""
    if heard.at - row.seen_at <= CROSSING:
        return False
    since = heard.running_since
    if since is not None:
        return since <= row.seen_at or heard.at - since >= SETTLED_AFTER
    return row.missing_since is not None and heard.at - row.missing_since >= SETTLED_AFTER


def _is_long_over(row: AlertRow, at: datetime) -> bool:
    """Tell whether an episode was told to have ended, and not just while we asked."""
    return row.ended_at is not None and at - row.ended_at > CROSSING


def _is_ours(listed: Listed, receivers: Sequence[str]) -> bool:
    if listed.is_muted:
        return False
    return not receivers or not listed.receivers or not listed.receivers.isdisjoint(receivers)


async def _get(
    http: httpx.AsyncClient, address: str, wanted: Mapping[str, str]
) -> tuple[bytes, httpx.Headers]:
    content = bytearray()
    try:
        async with (
            asyncio.timeout(ANSWER_WITHIN),
            http.stream("GET", address, params=dict(wanted)) as answer,
        ):
            if answer.status_code != 200:
                raise NotRead(f"it answered {answer.status_code}")
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > LARGEST_LIST:
                    raise NotRead(f"its answer is larger than {LARGEST_LIST:,} bytes")
            return bytes(content), answer.headers
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NotRead(f"it cannot be reached: {type(error).__name__} {error}".rstrip()) from error
    except TimeoutError as error:
        raise NotRead(f"it did not answer within {ANSWER_WITHIN:g} s") from error


def _list_firing(tx: Session, *, source: AlertSource) -> frozenset[str]:
    query = select(AlertRow.fingerprint).where(
        col(AlertRow.source) == source.name, col(AlertRow.state) == AlertState.FIRING
    )
    return frozenset(tx.exec(query).all())


def _claim(
    tx: Session, *, source: AlertSource, is_start: bool, now: datetime
) -> Sequence[str] | None:
    """Take the source for a reading; return the receivers that count, or None if it is not due."""
    row = lock_source(tx, source.name, at=now)
    is_taken = row.reading_until is not None and row.reading_until > now
    if is_taken or not (is_start or _is_due(row, now)):
        return None
    row.reading_until = now + READING_WITHIN
    return [source.receiver] if source.receiver is not None else list(row.receivers)


def _is_due(row: AlertSourceRow, now: datetime) -> bool:
    return row.read_at is None or not row.read_at <= now < row.read_at + EVERY * 0.75


def _release(tx: Session, *, source: AlertSource, now: datetime) -> None:
    row = lock_source(tx, source.name, at=now)
    row.reading_until, row.read_at = None, now
