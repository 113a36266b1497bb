"""What a process of Fettle uses of its host: memory and processor time."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_STATM = Path("/proc/self/statm")
_RESIDENT = 1
"""Which of the numbers there is the resident memory, in pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a process uses: resident memory in bytes, and processor seconds since it started.

    The memory is None where the host does not tell it.
    """

    resident_bytes: int | None
    cpu_seconds: float

    def document(self) -> dict[str, float | None]:
        """Return the usage as a JSON document for the store."""
        return {"resident_bytes": self.resident_bytes, "cpu_seconds": self.cpu_seconds}


def measure() -> Usage:
    """Return what this process uses now."""
    times = os.times()
    return Usage(resident_bytes=_resident(), cpu_seconds=round(times.user + times.system, 2))


def _resident() -> int | None:
    try:
        pages = int(_STATM.read_text().split()[_RESIDENT])
    except (OSError, ValueError, IndexError):  # no Linux
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
