"""Takes a changed configuration into use: on a signal, or when somebody asks over HTTP.

A request may come from anybody who reaches the service (contract, section 4), so it does nothing
but have the file looked at: only one that has changed is read. A signal always reads it, for
secrets and other things beside the file may have changed. Words of one octet go from whoever
reloads to the roles, and one comes back.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from tickets.errors import Misconfigured, Unavailable

log = structlog.get_logger()

ANSWER_SECONDS = 30.0
"""How long whoever asks for a reload waits to hear how it went."""

ASK = b"a"
"""What a role tells its supervisor: somebody asks for a reload."""


class Word(bytes, Enum):
    """How a reload went, as roles are told."""

    LOADED = b"L"
    REFUSED = b"R"
    UNCHANGED = b"u"
    STILL_REFUSED = b"r"

    @property
    def is_kept(self) -> bool:
        """Whether it is news that counts, also for roles that are started later."""
        return self in {Word.LOADED, Word.REFUSED}


class _NothingNew(Exception):
    """A reload took no other configuration into use."""

    def __init__(self, word: Word) -> None:
        self.word = word


class Loads:
    """What a role knows of the loads of its configuration, and how it asks for another.

    ``counts`` are those that were asked for since the service started. A role that runs was started
    with a configuration that was good. ``ask`` is None for who cannot reload.
    """

    def __init__(self, ask: Callable[[], None] | None = None) -> None:
        self.is_good = True
        self.counts = Counter[Word]()
        self._ask = ask
        self._waiting: set[asyncio.Future[Word]] = set()

    def hear(self, words: bytes) -> None:
        """Take note of how reloads went, in the order in which they came."""
        for word in (Word(bytes([octet])) for octet in words):
            if word.is_kept:
                self.counts[word] += 1
                self.is_good = word is Word.LOADED
            for waiting in self._waiting:
                if not waiting.done():
                    waiting.set_result(word)

    async def ask(self) -> Word:
        """Have the configuration taken into use if it has changed; return how that went.

        Raises ``Unavailable`` when nobody can, or says nothing for ``ANSWER_SECONDS``.
        """
        if self._ask is None:
            raise Unavailable("this service cannot load its configuration anew")
        waiting: asyncio.Future[Word] = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        self._ask()
        try:
            return await asyncio.wait_for(waiting, ANSWER_SECONDS)
        except TimeoutError as error:
            raise Unavailable("nobody said how the reload went") from error
        finally:
            self._waiting.discard(waiting)


Read = TypeVar("Read")

Tell = Callable[[Word], None]


class Reloads(Generic[Read]):
    """Reads the configuration when it is asked to, and tells how that went.

    ``read`` returns what is then in force and raises ``Misconfigured`` or ``Unavailable``; it runs
    in a thread. ``file`` is what it reads.
    """

    def __init__(self, file: Path, read: Callable[[], Read]) -> None:
        self._file = file
        self._read = read
        self._asked = asyncio.Event()
        self._is_ordered = False
        self._seen = self._content()
        self._is_good = True

    def order(self) -> None:
        """Have it read in any case; call it on the event loop."""
        self._is_ordered = True
        self._asked.set()

    def ask(self) -> None:
        """Have it read if the file has changed; call it on the event loop."""
        self._asked.set()

    async def next(self, tell: Tell) -> Read:
        """Return the next configuration that was read without a fault.

        ``tell`` is told how each reload went, this one too.
        """
        while True:
            try:
                found = await self._read_once()
            except _NothingNew as nothing:
                tell(nothing.word)
            else:
                tell(Word.LOADED)
                return found

    async def _read_once(self) -> Read:
        await self._asked.wait()
        self._asked.clear()
        is_ordered, self._is_ordered = self._is_ordered, False
        content = self._content()
        if not is_ordered and content == self._seen:
            raise _NothingNew(Word.UNCHANGED if self._is_good else Word.STILL_REFUSED)
        try:
            found = await asyncio.to_thread(self._read)
        except (Misconfigured, Unavailable) as error:
            # The old configuration goes on: a slip of the pen must not stop the watch.
            log.warning("supervisor.reload_refused", fault=str(error))
            self._is_good = False
            if isinstance(error, Misconfigured):
                self._seen = content
            raise _NothingNew(Word.REFUSED) from error
        self._seen, self._is_good = content, True
        return found

    def _content(self) -> bytes:
        try:
            return self._file.read_bytes()
        except OSError:
            return b""
