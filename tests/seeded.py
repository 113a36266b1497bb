"""A store in which everything has happened that the boards for Grafana show, up to this moment.

Sites in every state, tickets of each priority in each state, promises kept and broken, mails sent,
waiting, failed and given up, incidents open and over. ``Past.go_on`` lets a little more of it
happen, so that counters rise between two scrapes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlmodel import col, select

from monitor.rules.observation import Cause, Certificate, Observation, Phases
from monitor.rules.site import Site
from monitor.rules.verdict import Verdict
from monitor.site_rows import sync_sites
from monitor.tables import ProberRow
from monitor.watched import LATENESS_EDGES
from tests.builders import a_refusal, a_site, an_observation
from tests.sites import MAIN, observe, settle
from tests.tickets import opened
from tickets import outbox
from tickets.actions import NOTHING_KNOWN, acknowledge, reopen, reply, resolve
from tickets.history import Actor
from tickets.policy import Policy
from tickets.rules.message import DeliveryOutcome, FailureReason
from tickets.rules.ticket import Priority
from tickets.store import Store
from tickets.sweep import sweep
from tickets.tables import MessageRow, TicketRow
from tickets.waiting import wait

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SAM = Actor("Sam Reed")

NAMES = {
    "booking": ("harbour", "Booking site"),
    "rooms": ("harbour", "Rooms"),
    "menu": ("harbour", "Menu"),
    "spa": ("harbour", "Spa"),
    "tickets": ("moss", "Tickets"),
    "foyer": ("moss", "Foyer"),
}
CLIENTS = {"harbour": "Harbour Inns", "moss": "Moss Theatre"}

ALL_DAY = {day: ["00:00-24:00"] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
"""Support hours under which a test means the same on every day and at every time."""


def _sites() -> Mapping[str, Site]:
    return {
        slug: a_site(slug, client=client, name=name, url=f"https://{slug}.{client}.test/")
        for slug, (client, name) in NAMES.items()
    }


def _answer(site: Site, *, at: datetime, seconds: float, certificate_days: float) -> Observation:
    ends = at + certificate_days * DAY
    return replace(
        an_observation(url=site.url, started_at=at, duration=seconds),
        phases=Phases(
            resolve=0.02,
            connect=0.05,
            tls=0.09,
            processing=seconds * 0.7 - 0.16,
            transfer=seconds * 0.3,
        ),
        certificate=Certificate(
            not_after=ends,
            earliest_not_after=ends,
            subject=f"CN={site.slug}.{site.client}.test",
            issuer="CN=Test authority,O=Authority",
            names=(f"{site.slug}.{site.client}.test",),
            verified=True,
            fingerprint_sha256="ab12",
            serial_number="0f",
        ),
        tls_version="TLSv1.3",
        tls_cipher="TLS_AES_128_GCM_SHA256",
    )


@dataclass(slots=True)
class Past:
    """What has happened in ``store`` under ``policy`` until ``now``."""

    store: Store
    policy: Policy
    now: datetime

    @property
    def sites(self) -> Mapping[str, Site]:
        return _sites()

    def happen(self) -> None:
        """Let all of it happen."""
        sites = self.sites
        pairs = [(site, CLIENTS[site.client]) for site in sites.values()]
        self.store.write(lambda tx: sync_sites(tx, pairs, location=MAIN, at=self.now - 40 * DAY))
        self._see_sites()
        self._settle("booking", Verdict.UP, since=self.now - DAY)
        self._settle("rooms", Verdict.SLOW, since=self.now - 50 * MINUTE)
        self._settle("menu", Verdict.DOWN, since=self.now - 3 * DAY)
        self._settle("menu", Verdict.UP, since=self.now - 3 * DAY + 20 * MINUTE)
        self._settle("menu", Verdict.DOWN, since=self.now - 12 * MINUTE)
        self._settle("spa", Verdict.UP, since=self.now - DAY)
        self._settle("tickets", Verdict.DOWN, since=self.now - 3 * HOUR)
        self._settle("tickets", Verdict.UP, since=self.now - 2 * HOUR)
        self._raise_tickets()
        self._break_promises()
        self._mail()
        self._tick(1)

    def go_on(self, turn: int) -> None:
        """Let a little more of it happen; ``turn`` counts from 1."""
        self._see_sites()
        self._tick(1 + turn)
        for priority in Priority:
            self._answered_ticket(priority, at=self.now - 10 * MINUTE)
        self._mail()

    def _see_sites(self) -> None:
        ours = an_observation(
            cause=Cause.OWN_NETWORK, message="our network", http_status=None, started_at=self.now
        )
        for slug, site in self.sites.items():
            good = _answer(site, at=self.now, seconds=0.4, certificate_days=90)
            slow = _answer(site, at=self.now, seconds=4.2, certificate_days=12)
            seen = {
                "rooms": (good, slow, slow),
                "menu": (good, ours, a_refusal(started_at=self.now), a_refusal()),
                "foyer": (a_refusal(started_at=self.now), ours, good),
            }.get(slug, (good, good, good))
            # Nobody has confirmed how the foyer stands.
            observe(self.store, site, *seen, ended_at=self.now, missed=slug == "foyer")

    def _settle(self, slug: str, verdict: Verdict, *, since: datetime) -> None:
        site = self.sites[slug]
        name = CLIENTS[site.client]
        settle(self.store, site, verdict, since=since, client_name=name, policy=self.policy)

    def _raise_tickets(self) -> None:
        """Open a ticket of each priority in each state; one of each was answered in time."""
        for priority in Priority:
            at = self.now - 20 * MINUTE
            opened(self.store, self.policy, at=at, priority=priority)
            self._answered_ticket(priority, at=at)
            waiting = self._answered_ticket(priority, at=at)
            resume_on = (self.now + 3 * DAY).astimezone(self.policy.zone).date()
            self.store.write(
                lambda tx, ref=waiting, on=resume_on: wait(
                    tx,
                    self.policy,
                    ref,
                    question="Which logo?",
                    resume_on=on,
                    actor=SAM,
                    at=self.now - MINUTE,
                )
            )
            recovered = opened(self.store, self.policy, at=at, priority=priority)
            self.store.write(
                lambda tx, ref=recovered: tx.exec(
                    sa.update(TicketRow)
                    .where(col(TicketRow.id) == int(ref.removeprefix("T-")) - 1000)
                    .values(recovered_at=self.now - MINUTE)
                )
            )
            done = self._answered_ticket(priority, at=at)
            self.store.write(lambda tx, ref=done: self._resolve(tx, ref))
            self.store.write(
                lambda tx, ref=done: reopen(
                    tx, self.policy, ref, reason="Down again", actor=SAM, at=self.now - MINUTE
                )
            )

    def _resolve(self, tx: outbox.Session, ref: str) -> None:
        resolve(
            tx,
            self.policy,
            ref,
            cause="A full disk",
            done="Made room",
            actor=SAM,
            at=self.now - 2 * MINUTE,
        )

    def _answered_ticket(self, priority: Priority, *, at: datetime) -> str:
        """Open a ticket that is answered nine minutes later; return its reference."""
        ref = opened(self.store, self.policy, at=at, priority=priority)
        answered_at = at + 9 * MINUTE
        if priority is Priority.CRITICAL:
            self.store.write(
                lambda tx: acknowledge(tx, self.policy, ref, actor=SAM, at=answered_at)
            )
        else:
            self.store.write(
                lambda tx: reply(
                    tx,
                    self.policy,
                    ref,
                    text="We are on it",
                    outlook=NOTHING_KNOWN,
                    actor=SAM,
                    at=answered_at,
                )
            )
        return ref

    def _break_promises(self) -> None:
        """Break a promise of each priority; the critical one is answered late, the others never."""
        long_ago = self.now - 10 * DAY
        late = {
            priority: opened(self.store, self.policy, at=long_ago, priority=priority)
            for priority in Priority
        }
        opened(self.store, self.policy, at=self.now - 2 * HOUR)
        asyncio.run(sweep(self.store, self.policy, now=self.now - MINUTE))
        self.store.write(
            lambda tx: acknowledge(
                tx, self.policy, late[Priority.CRITICAL], actor=SAM, at=self.now - MINUTE
            )
        )

    def _mail(self) -> None:
        """Send some of the mails that were never tried, give some up, and let some fail."""
        ends = [
            (DeliveryOutcome.SENT, None),
            (DeliveryOutcome.SENT, None),
            (DeliveryOutcome.DEFERRED, FailureReason.CONNECT),
            (DeliveryOutcome.REFUSED, FailureReason.PERMANENT),
        ]
        untried = select(MessageRow.id).where(col(MessageRow.attempts) == 0)
        messages = self.store.read(lambda tx: tx.exec(untried).all())
        for place, message in enumerate(messages[:-2]):
            assert message is not None
            outcome, reason = ends[place % len(ends)]
            self.store.write(
                lambda tx, id_=message, outcome=outcome, reason=reason: outbox.settle(
                    tx, id_, outcome=outcome, answer="as it was", now=self.now, reason=reason
                )
            )

    def _tick(self, turn: int) -> None:
        buckets = [50 * turn, 20 * turn, 5 * turn, 0, turn]
        lateness = buckets + [0] * (len(LATENESS_EDGES) + 1 - len(buckets))
        prober = ProberRow(
            location=MAIN,
            holder="test",
            expires_at=self.now + HOUR,
            ticked_at=self.now,
            figures={
                "runs": {"ok": 70 * turn, "error": turn, "missed": turn, "skipped": turn},
                "in_flight": 4,
                "due": 2,
                "lateness": {"buckets": lateness, "sum": 9.5 * turn, "count": 76 * turn},
                "answers": {
                    client: {"buckets": [0, 0, 30 * turn, 9 * turn, *[0] * 8], "sum": 12.5 * turn}
                    for client in CLIENTS
                },
                "store_errors": {"read": 0, "write": turn},
                "usage": {"resident_bytes": 150_000_000, "cpu_seconds": 12.5 * turn},
            },
        )
        self.store.write(lambda tx: tx.merge(prober))
