"""The errors that cross module borders; each says what was wrong, where, and what is allowed.

A library's error is wrapped at the library's home module and kept as ``__cause__``. A site that
does not answer is never an error: it is an observation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class ServiceError(Exception):
    """Root of Fettle's own errors; ``str(error)`` is a sentence fit for a person."""


class Refused(ServiceError):
    """The caller asked for something that is not allowed (HTTP 4xx, exit 1)."""


class Conflict(ServiceError):
    """The caller acted on a state that has changed meanwhile (HTTP 409)."""


class NotFound(ServiceError):
    """What the caller named does not exist (HTTP 404)."""


class Unavailable(ServiceError):
    """A part that we need does not answer now; trying again later may work (HTTP 503, exit 3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault in a configuration: where it is and what would be right.

    ``line`` counts from 1 and is None when the value came from the environment or a flag; ``key``
    is the dotted path, for example ``clients[0].sites[1].url``.
    """

    file: str
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        where = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {self.key}: {self.message}" if self.key else f"{where}: {self.message}"


class Misconfigured(ServiceError):
    """The configuration cannot be used; carries every fault found (exit 2 at start)."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)
