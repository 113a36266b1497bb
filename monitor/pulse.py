"""Signs of life of the roles: each beats through a pipe that its supervisor reads, and may ask.

The store is no way for them: while it is away, roles are well and say so, and starting them again
would only lose what they keep for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Generator

from monitor.reloading import ASK


class Pulse:
    """A child's end: ``descriptor`` is the pipe that the supervisor gave it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        os.set_blocking(descriptor, False)
        os.set_inheritable(descriptor, False)

    def beat(self) -> None:
        """Give a sign of life; a supervisor that does not read, or is gone, costs nothing."""
        self._write(b".")

    def ask(self) -> None:
        """Ask the supervisor to take a changed configuration into use."""
        self._write(ASK)

    def _write(self, octet: bytes) -> None:
        with contextlib.suppress(OSError):
            os.write(self._descriptor, octet)


class Pulses:
    """The supervisor's end: calls ``note`` with the role whenever its process beats.

    ``asked`` is called when a process asks for a reload.
    """

    def __init__(
        self, note: Callable[[str], None], asked: Callable[[], None] | None = None
    ) -> None:
        self._note = note
        self._asked = asked
        self._readers: set[int] = set()

    @contextlib.contextmanager
    def of(self, role: str) -> Generator[int]:
        """Give out the descriptor that a new process of ``role`` is to inherit.

        It is closed here when the context ends, when the process has its own.
        """
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        self._readers.add(reader)
        asyncio.get_running_loop().add_reader(reader, self._read, reader, role)
        try:
            yield writer
        finally:
            os.close(writer)

    def close(self) -> None:
        """Read no more."""
        for reader in list(self._readers):
            self._forget(reader)

    def _read(self, reader: int, role: str) -> None:
        try:
            beats = os.read(reader, 4096)
        except BlockingIOError:
            return
        if beats:
            self._note(role)
            if ASK in beats and self._asked is not None:
                self._asked()
        else:
            self._forget(reader)  # the process has ended

    def _forget(self, reader: int) -> None:
        asyncio.get_running_loop().remove_reader(reader)
        self._readers.discard(reader)
        os.close(reader)
