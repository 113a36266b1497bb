"""What the agency's people may do at the desk."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """A staff member's role; each includes what stands before it."""

    VIEWER = "viewer"
    STAFF = "staff"
    LEAD = "lead"


_ACTING = frozenset({Role.STAFF, Role.LEAD})


def may_act(role: Role) -> bool:
    """Tell whether ``role`` may change tickets; a viewer only reads."""
    return role in _ACTING
