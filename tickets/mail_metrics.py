"""What the metrics page says of mail that cannot leave, or may not leave yet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from prometheus_client import Metric

from tickets.metrics import Family
from tickets.queries.mail_faults import count_held, find_mail_faults
from tickets.rules.message import HoldReason
from tickets.store import Session

FAILING = Family(
    name="fettle_mail_server_failing",
    unit="bool",
    meaning="Whether the mail server has been of no use for a minute: mails wait.",
)
UNDELIVERABLE = Family(
    name="fettle_mail_undeliverable_addresses",
    meaning="Addresses that were refused for good and take no mail.",
)
LIMITED = Family(
    name="fettle_mail_limits_in_force",
    labels=("limit",),
    meaning="Limits that hold mails back: that of a minute, those of addresses for a day.",
)
HELD = Family(
    name="fettle_outbox_held_messages",
    labels=("why",),
    meaning="Messages that wait though nothing about them failed.",
)

MAIL_FAULT_FAMILIES = (FAILING, UNDELIVERABLE, LIMITED, HELD)


def read_mail_fault_metrics(tx: Session, now: datetime) -> Iterator[Metric]:
    """Yield the families, every closed combination present; needs an open transaction."""
    faults, held = find_mail_faults(tx, now), count_held(tx, now)
    addresses = sum(1 for one in faults.brakes if one.address)
    yield FAILING.metric([((), float(faults.failing_since is not None))])
    yield UNDELIVERABLE.metric([((), len(faults.undeliverable))])
    yield LIMITED.metric(
        [(("minute",), len(faults.brakes) - addresses), (("address_day",), addresses)]
    )
    yield HELD.metric(((why,), held.get(why, 0)) for why in HoldReason)
