"""The pass over what staff are told of by and about the outbox: digests, and faults of mail."""

from __future__ import annotations

from datetime import datetime

import structlog

from tickets.digests import is_digest_due, tell_digest
from tickets.fault_notices import has_news, tell_faults
from tickets.policy import Policy
from tickets.store import Store

log = structlog.get_logger()


async def sweep_outbox(store: Store, policy: Policy, *, now: datetime) -> None:
    """Make one pass. Opens its own transactions; raises ``Unavailable`` if the store is away."""
    if await store.aread(lambda tx: is_digest_due(tx, policy, now)):
        count = await store.awrite(lambda tx: tell_digest(tx, policy, at=now))
        log.info("sweep.digest_told", tickets=count)
    if await store.aread(lambda tx: has_news(tx, now)):
        count = await store.awrite(lambda tx: tell_faults(tx, policy, at=now))
        log.warning("sweep.mail_faults_told", notices=count)
