"""Tells the service manager how the service is: systemd's notification socket, and nothing else.

A message is one datagram of lines such as ``READY=1``. Whoever is not started by such a manager has
no socket, and then nothing is sent. A manager that does not listen costs a log line, never the
service.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import structlog

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class NotifySocket:
    """The manager's socket: a path, or a name of the abstract kind that begins with ``@``.

    ``watchdog_seconds`` is how long the manager waits for a sign of life before it kills the
    service; None if it does not.
    """

    address: str | None = None
    watchdog_seconds: float | None = None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], *, pid: int) -> Self:
        """Return the socket that ``environ`` names; ``pid`` is the process that is to report."""
        address = environ.get("NOTIFY_SOCKET") or None
        if address is not None and address[0] not in "/@":
            log.warning("notify_socket.address_unknown", kind=address.partition(":")[0])
            address = None
        is_ours = environ.get("WATCHDOG_PID", str(pid)) == str(pid)
        microseconds = environ.get("WATCHDOG_USEC", "")
        if address is None or not is_ours or not microseconds.isdecimal() or not int(microseconds):
            return cls(address)
        return cls(address, int(microseconds) / 1e6)

    def tell(self, *lines: str) -> None:
        """Send ``lines`` as one message; never waits and never raises."""
        if self.address is None:
            return
        name = os.fsencode(self.address)
        if name.startswith(b"@"):
            name = b"\0" + name[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto("\n".join(lines).encode(), name)
        except OSError as error:
            log.warning("notify_socket.message_lost", said=lines[0], reason=error.strerror)
