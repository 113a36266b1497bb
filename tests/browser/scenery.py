"""A Monday morning at an invented agency, for pictures and for looking at the desk by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.builders import TARGETS, a_policy
from tests.histories import a_busy_past, a_history
from tickets import actions, claims, incidents, outbox
from tickets.accounts import PasswordHash, Staff, add_staff
from tickets.history import MONITOR, Actor
from tickets.opening import NewTicket, open_ticket
from tickets.outbox import Recipient, staff_recipient
from tickets.pages.watch import SiteHistory, SiteState, SiteView, WatchSummary
from tickets.policy import ClientContacts, ClientProfile, Policy, SiteName
from tickets.rules.allowance import Allowance
from tickets.rules.evidence import Evidence, EvidenceLine
from tickets.rules.message import DeliveryOutcome, FailureReason
from tickets.rules.notice import Audience, Notice
from tickets.rules.staff import Role
from tickets.rules.ticket import Category, Outcome, Priority, Source
from tickets.store import Session

NOW = datetime(2026, 3, 9, 9, 47, 12, tzinfo=UTC)
"""Mon 9 Mar 2026, a quarter to ten."""

FRIDAY = datetime(2026, 3, 6, 16, 32, 3, tzinfo=UTC)

CLIENTS = {
    "harbour": "Harbour Inns",
    "wren": "Wren & Co",
    "moss": "Moss Theatre",
    "larkfield": "Larkfield School",
    "tidewater": "Tidewater Books",
}

EXCERPT = """<!doctype html>
<html><head><title>503 Service Unavailable</title></head>
<body><h1>Service Unavailable</h1>
<p>The server is temporarily unable to service your request due to maintenance downtime
or capacity problems. Please try again later.</p>
<script>alert("this is text, not a script")</script></body></html>
"""


def the_policy(base_url: str) -> Policy:
    """The shipped promises, with contacts at every client."""
    contacts = {
        slug: (
            Recipient("Anna Wright", f"anna@{slug}.example", Audience.CLIENT),
            Recipient("Ben Moss", f"ben@{slug}.example", Audience.CLIENT),
        )
        for slug in CLIENTS
    }
    return replace(
        a_policy(targets=TARGETS, duty=[staff_recipient("duty@agency.example", "Duty")]),
        base_url=base_url,
        contacts={
            slug: ClientContacts(incidents=people, tickets=people)
            for slug, people in contacts.items()
        },
        clients={
            slug: ClientProfile(
                name=name,
                sites=(SiteName(f"{slug}-home", name, f"https://www.{slug}.example/"),),
                everyone=contacts[slug],
                allowance=Allowance(per_month=timedelta(hours=5)),
            )
            for slug, name in CLIENTS.items()
        },
    )


def at(hour: int, minute: int, second: int = 0) -> datetime:
    """An instant of the same morning."""
    return NOW.replace(hour=hour, minute=minute, second=second)


def paint(tx: Session, policy: Policy) -> Staff:
    """Fill an empty store with the scene; return who looks at it."""
    sam = _staff(tx, "sam@agency.example", "Sam Okafor", Role.STAFF)
    mia = _staff(tx, "mia@agency.example", "Mia Lindqvist", Role.LEAD)
    _staff(tx, "guest@agency.example", "Guest", Role.VIEWER)
    _finished(tx, policy, mia)
    _late(tx, policy)
    _requests(tx, policy, mia)
    _recovered(tx, policy, sam, mia)
    _outages(tx, policy)
    return sam


def as_actor(staff: Staff) -> Actor:
    """The same person as actions know them."""
    return Actor(staff.name, staff_id=staff.id, address=staff.email)


def _staff(tx: Session, email: str, name: str, role: Role) -> Staff:
    return add_staff(
        tx,
        email=email,
        name=name,
        role=role,
        password_hash=PasswordHash("$argon2id$none"),
        at=FRIDAY - timedelta(days=30),
    )


def _new(
    client: str,
    what: str,
    *,
    site: str | None = None,
    url: str | None = None,
    category: Category = Category.OUTAGE,
    message: str,
    priority: Priority = Priority.CRITICAL,
    source: Source = Source.MONITOR,
    since: datetime = NOW,
    evidence: Evidence = Evidence(),
) -> NewTicket:
    return NewTicket(
        key=None,
        title=f"{CLIENTS[client]}: {what}",
        client=client,
        client_name=CLIENTS[client],
        site=site,
        site_name=site,
        site_url=url,
        priority=priority,
        category=category,
        source=source,
        notice=Notice.SLOW if category is Category.SLOW else Notice.DOWN,
        what="is not answering",
        message=message,
        since=since,
        evidence=evidence,
    )


def _open(tx: Session, policy: Policy, new: NewTicket, when: datetime) -> str:
    ticket = open_ticket(tx, policy, new, actor=MONITOR, at=when)
    return f"T-{1000 + (ticket.id or 0)}"


def _deliver(tx: Session, when: datetime) -> None:
    tx.flush()
    for message in (one.message for one in claims.claim(tx, now=when, most=100)):
        assert message.id is not None
        outbox.settle(tx, message.id, outcome=DeliveryOutcome.SENT, answer="250 2.0.0 OK", now=when)
    tx.flush()


def _finished(tx: Session, policy: Policy, mia: Staff) -> None:
    opened = FRIDAY - timedelta(days=2, hours=4)
    actor = as_actor(mia)
    ref = _open(
        tx,
        policy,
        _new(
            "tidewater",
            "Shop is down",
            site="shop",
            url="https://shop.tidewater.example/",
            message="The certificate expired",
        ),
        opened,
    )
    after = opened + timedelta(minutes=11)
    actions.acknowledge(tx, policy, ref, actor=actor, at=after)
    actions.resolve(
        tx,
        policy,
        ref,
        cause="The certificate was not renewed because the host's job had stopped.",
        done="We renewed it and set an alarm three weeks before the next one ends.",
        actor=actor,
        at=after + timedelta(minutes=40),
    )
    actions.close(tx, ref, outcome=Outcome.FIXED, actor=actor, at=after + timedelta(hours=5))
    ref = _open(
        tx,
        policy,
        _new(
            "moss",
            "Tickets is slow",
            site="tickets",
            url="https://tickets.moss.example/",
            category=Category.SLOW,
            message="Answers took 4.1 s, 5 times in a row",
        ),
        opened + timedelta(hours=3),
    )
    actions.close(
        tx,
        ref,
        outcome=Outcome.NOT_AN_ISSUE,
        reason="The theatre had announced the sale of season tickets; the load was expected.",
        actor=actor,
        at=opened + timedelta(hours=3, minutes=20),
    )
    _deliver(tx, opened + timedelta(hours=6))


def _late(tx: Session, policy: Policy) -> None:
    evidence = Evidence(
        seen=(FRIDAY - timedelta(seconds=40)).isoformat(),
        last_good=(FRIDAY - timedelta(minutes=2)).isoformat(),
        lines=(
            EvidenceLine("answer", "503 Service Unavailable in 0.22 s", "200 in 0.41 s"),
            EvidenceLine("address", "203.0.113.61", "203.0.113.61"),
            EvidenceLine(
                "certificate",
                "valid to Tue 3 Nov 2026 12:00 GMT",
                "valid to Tue 3 Nov 2026 12:00 GMT",
            ),
            EvidenceLine("page title", "503 Service Unavailable", "Larkfield School"),
        ),
        excerpt=EXCERPT,
    )
    ref = _open(
        tx,
        policy,
        _new(
            "larkfield",
            "Intranet is down",
            site="intranet",
            url="https://intranet.larkfield.example/",
            message="The server answered 503 Service Unavailable",
            evidence=evidence,
        ),
        FRIDAY,
    )
    _deliver(tx, FRIDAY + timedelta(seconds=2))
    sweep_at = FRIDAY.replace(day=9, hour=9, minute=30)
    actions.note(
        tx,
        ref,
        text="Their host's status page speaks of a fault in the data centre since Friday evening.",
        actor=Actor("Mia Lindqvist"),
        at=sweep_at,
    )


def _requests(tx: Session, policy: Policy, mia: Staff) -> None:
    _open(
        tx,
        policy,
        _new(
            "wren",
            "New call to action on the home page",
            category=Category.CONTENT_CHANGE,
            priority=Priority.NORMAL,
            source=Source.PORTAL,
            message="Please replace the banner with the spring offer; text is attached.",
        ),
        FRIDAY.replace(day=5, hour=13, minute=10),
    )
    _open(
        tx,
        policy,
        _new(
            "harbour",
            "How do we add a second language?",
            category=Category.ADVICE,
            priority=Priority.LOW,
            source=Source.PORTAL,
            message="We would like the menus in French for the summer.",
        ),
        FRIDAY - timedelta(hours=2),
    )
    ref = _open(
        tx,
        policy,
        _new(
            "tidewater",
            "Update the shop plug-in",
            category=Category.CMS_UPDATE,
            priority=Priority.NORMAL,
            source=Source.PORTAL,
            message="The shop asks for an update every morning.",
        ),
        FRIDAY - timedelta(hours=5),
    )
    actions.reply(
        tx,
        policy,
        ref,
        text="Thank you. We will update it on Tuesday before nine and tell you when it is done.",
        outlook=actions.Outlook(
            next_steps="We update the plugin on a copy first.", estimate="Tuesday before nine"
        ),
        actor=as_actor(mia),
        at=FRIDAY - timedelta(hours=1),
    )
    _deliver(tx, FRIDAY)


def _recovered(tx: Session, policy: Policy, sam: Staff, mia: Staff) -> None:
    evidence = Evidence(
        seen=at(9, 1, 10).isoformat(),
        last_good=at(9, 0, 10).isoformat(),
        lines=(
            EvidenceLine("answer", "none: the connection was reset", "200 in 0.38 s"),
            EvidenceLine("address", "198.51.100.23", "198.51.100.23"),
        ),
    )
    ref = _open(
        tx,
        policy,
        _new(
            "moss",
            "Tickets is down",
            site="tickets",
            url="https://tickets.moss.example/",
            message="The server at 198.51.100.23 reset the connection",
            since=at(9, 1, 10),
            evidence=evidence,
        ),
        at(9, 1, 41),
    )
    _deliver(tx, at(9, 1, 44))
    actions.acknowledge(tx, policy, ref, actor=as_actor(sam), at=at(9, 12, 5))
    _deliver(tx, at(9, 12, 8))
    actions.note(
        tx,
        ref,
        text="The queue worker on their second machine was out of memory.\n"
        "Log: /var/log/queue/worker.log, 09:00:58.",
        actor=as_actor(mia),
        at=at(9, 14, 40),
    )
    actions.reply(
        tx,
        policy,
        ref,
        text="Your ticket shop stopped at 09:01 because one of its two machines ran out of memory."
        " We are restarting it now and watch the other.\n\nYou hear from us again by 10:15.",
        actor=as_actor(sam),
        at=at(9, 16, 2),
    )
    number = int(ref.removeprefix("T-")) - 1000
    incidents.recover(
        tx, policy, number, since=at(9, 1, 10), until=at(9, 20, 11), at=at(9, 20, 41), is_told=True
    )
    _deliver(tx, at(9, 20, 44))


def _outages(tx: Session, policy: Policy) -> None:
    evidence = Evidence(
        seen=at(9, 4, 10).isoformat(),
        last_good=at(9, 3, 10).isoformat(),
        lines=(
            EvidenceLine("answer", "none: connection refused", "200 in 0.41 s"),
            EvidenceLine("address", "203.0.113.7", "203.0.113.7"),
            EvidenceLine("certificate", "", "valid to Wed 3 Feb 2027 12:00 GMT"),
            EvidenceLine("certificate issuer", "", "Example Trust R11"),
            EvidenceLine("page title", "", "Book a room by the sea | Harbour Inns"),
        ),
    )
    new = _new(
        "harbour",
        "Booking site is down",
        site="booking",
        url="https://booking.harbour.example/",
        message="The server at 203.0.113.7 refused the connection",
        since=at(9, 4, 10),
        evidence=evidence,
    )
    _open(tx, policy, new, at(9, 5, 30))
    tx.flush()
    duty = [one.message for one in claims.claim(tx, now=at(9, 5, 33), most=10)]
    endings = [
        (DeliveryOutcome.SENT, "250 2.0.0 OK", None),
        (DeliveryOutcome.REFUSED, "550 5.1.1 no such mailbox", FailureReason.PERMANENT),
        (DeliveryOutcome.SENT, "250 2.0.0 OK", None),
    ]
    for message, (outcome, answer, reason) in zip(duty, endings, strict=True):
        assert message.id is not None
        outbox.settle(
            tx,
            message.id,
            outcome=outcome,
            answer=answer,
            now=at(9, 5, 34),
            reason=reason,
            is_address_refused=outcome is DeliveryOutcome.REFUSED,
        )
    new = _new(
        "wren",
        "Shop is slow",
        site="shop",
        url="https://shop.wren.example/",
        category=Category.SLOW,
        message="Answers took 4.8 s, 5 times in a row; slow is more than 3 s",
        since=at(9, 24),
        evidence=Evidence(
            seen=at(9, 29).isoformat(),
            last_good=at(9, 23).isoformat(),
            lines=(EvidenceLine("answer", "200 in 4.81 s", "200 in 0.62 s"),),
        ),
    )
    _open(tx, policy, new, at(9, 29, 4))
    tx.flush()
    for message in (one.message for one in claims.claim(tx, now=at(9, 29, 6), most=1)):
        assert message.id is not None
        outbox.settle(
            tx,
            message.id,
            outcome=DeliveryOutcome.DEFERRED,
            answer="421 4.7.0 try again later",
            now=at(9, 47),
            reason=FailureReason.TEMPORARY,
        )


class PaintedWatch:
    """A watch that knows a fixed list of sites."""

    def __init__(self, sites: Sequence[SiteView] | None = None) -> None:
        self._sites = list(sites) if sites is not None else some_sites()

    def summary(self, tx: Session) -> WatchSummary:
        """Count the painted sites."""
        states = [site.state for site in self._sites]
        order = list(SiteState)
        return WatchSummary(
            up=states.count(SiteState.UP),
            slow=states.count(SiteState.SLOW),
            down=states.count(SiteState.DOWN),
            unknown=states.count(SiteState.UNKNOWN),
            maintenance=states.count(SiteState.MAINTENANCE),
            total=len(states),
            worst=min(states, key=order.index) if states else None,
        )

    def list_sites(self, tx: Session) -> Sequence[SiteView]:
        """Return the painted sites."""
        return self._sites

    def list_histories(self, tx: Session, client: str) -> Sequence[SiteHistory]:
        """Return the painted pasts of one client's sites."""
        found = (self.find_site(tx, site.slug) for site in self._sites if site.client == client)
        return [history for history in found if history is not None]

    def find_site(self, tx: Session, slug: str) -> SiteHistory | None:
        """Return a painted past: eventful if the site is not well, none if it is unknown."""
        view = next((site for site in self._sites if site.slug == slug), None)
        if view is None:
            return None
        is_new = view.state is SiteState.UNKNOWN
        unusual = {} if is_new or view.state is SiteState.UP else a_busy_past()
        return a_history(view, now=NOW, unusual=unusual, watched_for=0 if is_new else 70)


def some_sites() -> list[SiteView]:
    """Two dozen sites, one in each bad state."""
    special = [
        _site("harbour", "Booking site", "booking", SiteState.DOWN, at(9, 4, 10),
              "The server at 203.0.113.7 refused the connection", None, "T-1008"),
        _site("larkfield", "Intranet", "intranet", SiteState.DOWN, FRIDAY,
              "The server answered 503 Service Unavailable", 0.22, "T-1003"),
        _site("wren", "Shop", "shop", SiteState.SLOW, at(9, 24),
              "The answer took 4.8 s; slow is more than 3 s", 4.81, "T-1009"),
        _site("tidewater", "Old archive", "archive", SiteState.UNKNOWN, at(9, 40),
              "Our own resolver does not answer", None, None),
        _site("moss", "Members", "members", SiteState.MAINTENANCE, at(9, 30),
              "200 in 0.51 s", 0.51, None),
        _site("moss", "Tickets", "tickets", SiteState.UP, at(9, 20, 11),
              "200 in 0.38 s", 0.38, "T-1007"),
    ]  # fmt: skip
    names = ["Home page", "Careers", "Press", "Gallery"]
    rest = [
        _site(client, name, name.split()[0].lower(), SiteState.UP, FRIDAY - timedelta(days=20 + i),
              f"200 in 0.{23 + 7 * i} s", 0.23 + 0.07 * i, None)
        for client in CLIENTS
        for i, name in enumerate(names)
    ]  # fmt: skip
    return special + rest


def _site(
    client: str,
    name: str,
    host: str,
    state: SiteState,
    since: datetime,
    message: str,
    seconds: float | None,
    ref: str | None,
) -> SiteView:
    return SiteView(
        slug=f"{client}-{host}",
        name=name,
        url=f"https://{host}.{client}.example/",
        client=client,
        client_name=CLIENTS[client],
        state=state,
        since=since,
        last_probe_at=NOW - timedelta(seconds=len(name) * 3),
        message=message,
        duration_seconds=seconds,
        open_ticket_reference=ref,
        interval=timedelta(seconds=60),
    )
