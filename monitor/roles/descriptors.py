"""How many probes this process has file descriptors for."""

from __future__ import annotations

import resource

import structlog

log = structlog.get_logger()

RESERVED = 40
"""Descriptors kept for the store, the event loop and the log."""

EACH = 1.5
"""Descriptors a probe: its socket, and now and then that of its lookup or of another address."""


def affordable(concurrency: int) -> int:
    """Return how many probes may run at once: ``concurrency``, or what the descriptors are for.

    Raises the process's own soft limit as far as it needs and may.
    """
    needed = RESERVED + int(EACH * concurrency)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return concurrency
    fewer = max(1, int((soft - RESERVED) / EACH))
    log.warning(
        "service.concurrency_capped", concurrency=fewer, wanted=concurrency, descriptors=soft
    )
    return fewer
