"""What an API token may be used for."""

from __future__ import annotations

from enum import StrEnum


class Scope(StrEnum):
    """One thing that a token allows; none includes another."""

    TICKETS_READ = "tickets:read"
    TICKETS_WRITE = "tickets:write"
    SITES_READ = "sites:read"
