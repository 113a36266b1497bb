"""Who may read a client's status page."""

from __future__ import annotations

from enum import StrEnum


class StatusAccess(StrEnum):
    """``LINK`` asks for a key in the address."""

    PUBLIC = "public"
    LINK = "link"
    OFF = "off"
