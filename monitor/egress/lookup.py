"""Names to addresses: the system's own lookup in threads of our own, so that one hangs alone.

The system's lookup can be neither awaited nor cancelled. It therefore runs in daemon threads that
nothing else uses and nobody waits for at exit; each name that hangs holds one of them or two, and
whoever asks for the same name meanwhile waits for the same answer. libcurl's own threads are not
used: they are twenty, so that twenty hanging names would stop every other.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from queue import Empty, SimpleQueue

from monitor.rules.observation import Cause

_IDLE_SECONDS = 30.0
_MOST_ADDRESSES = 16
_OWN_LACK = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_FAMILIES = {None: socket.AF_UNSPEC, 4: socket.AF_INET, 6: socket.AF_INET6}

SystemLookup = Callable[[str, int], Sequence[str]]
"""From a name and an address family (of ``socket``) to addresses; raises OSError; may block."""


class LookupFailed(Exception):
    """A name gave no address; ``cause`` says why and ``str`` is a sentence for a person."""

    def __init__(self, cause: Cause, message: str) -> None:
        super().__init__(message)
        self.cause = cause


@dataclass(slots=True)
class _Question:
    """One name under way, and the futures of all who wait for it."""

    host: str
    family: int | None
    is_begun: bool = False
    is_second: bool = False
    waiting: list[asyncio.Future[tuple[str, ...]]] = field(
        default_factory=list[asyncio.Future[tuple[str, ...]]]
    )


class NameLookup:
    """Looks names up without ever blocking the event loop; one per process, bound to its loop."""

    def __init__(
        self, *, most_threads: int = 256, system_lookup: SystemLookup | None = None
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._most_threads = most_threads
        self._threads = 0
        self._idle = threading.Semaphore(0)
        self._questions: SimpleQueue[_Question | None] = SimpleQueue()
        self._under_way: dict[tuple[str, int | None], _Question] = {}
        self._system_lookup = system_lookup or _ask_system
        self._is_closed = False

    async def find_addresses(
        self, host: str, *, family: int | None, deadline: float
    ) -> tuple[str, ...]:
        """Return the addresses of ``host`` (ASCII) as numbers, at most 16, in the system's order.

        ``family`` is 4, 6 or None for both; ``deadline`` is an instant of the loop's clock. Raises
        LookupFailed. A host that is an address itself, in whatever spelling, asks nobody.
        """
        literal = find_literal(host)
        if literal is not None:
            return (literal,)
        question = self._under_way.get((host, family))
        if question is None:
            question = self._ask(host, family)
        elif self._may_ask_anew(question):
            question = self._ask(host, family)
            question.is_second = True
        answer: asyncio.Future[tuple[str, ...]] = self._loop.create_future()
        question.waiting.append(answer)
        alarm = self._loop.call_at(deadline, _give_up, question, answer)
        try:
            return await answer
        finally:
            alarm.cancel()
            with contextlib.suppress(ValueError):
                question.waiting.remove(answer)

    def close(self) -> None:
        """Let idle threads end; one that hangs in the system ends by itself, unheeded."""
        self._is_closed = True
        for _ in range(self._threads):
            self._questions.put(None)

    def _may_ask_anew(self, question: _Question) -> bool:
        """Tell whether a second look may have a lookup of its own beside one that hangs.

        Whoever waited for the first has given up, so its answer, if it still comes, is stale. Two a
        name at most, and only while threads are plenty: those of other names come first.
        """
        return (
            question.is_begun
            and not question.waiting
            and not question.is_second
            and self._threads < self._most_threads // 2
        )

    def _ask(self, host: str, family: int | None) -> _Question:
        if not self._idle.acquire(blocking=False) and self._threads < self._most_threads:
            thread = threading.Thread(target=self._work, name="fettle-lookup", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                raise LookupFailed(
                    Cause.OWN_RESOURCES, "the prober cannot start another thread to look names up"
                ) from error
            self._threads += 1
        question = _Question(host, family)
        self._under_way[host, family] = question
        self._questions.put(question)
        return question

    def _work(self) -> None:
        """Answer questions until there are none for a while; runs in a thread of its own."""
        while (question := self._next_question()) is not None:
            question.is_begun = True
            answer: tuple[str, ...] | LookupFailed
            try:
                found = self._system_lookup(question.host, _FAMILIES[question.family])
                answer = tuple(dict.fromkeys(map(_without_zone, found)))[:_MOST_ADDRESSES]
            except OSError as error:
                answer = _explain(question.host, question.family, error)
            except UnicodeError:  # a label that is empty or too long
                answer = LookupFailed(
                    Cause.DNS_NOT_FOUND, f"{question.host} cannot be the name of a host"
                )
            with contextlib.suppress(RuntimeError):  # the loop has closed meanwhile
                self._loop.call_soon_threadsafe(self._settle, question, answer)
            self._idle.release()
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._forget_thread)

    def _next_question(self) -> _Question | None:
        try:
            return self._questions.get(timeout=_IDLE_SECONDS)
        except Empty:
            if self._idle.acquire(blocking=False):
                return None
            return self._questions.get()  # our idleness was just counted on: a question is coming

    def _forget_thread(self) -> None:
        self._threads -= 1

    def _settle(self, question: _Question, answer: tuple[str, ...] | LookupFailed) -> None:
        key = question.host, question.family
        if self._under_way.get(key) is question:
            del self._under_way[key]
        for waiting in question.waiting:
            if waiting.done():
                continue
            if isinstance(answer, LookupFailed):
                waiting.set_exception(LookupFailed(answer.cause, str(answer)))
            else:
                waiting.set_result(answer)


def find_literal(host: str) -> str | None:
    """Return the address that ``host`` spells out, None if it is a name.

    IPv4 may be written in any way that browsers accept: ``127.1``, ``0x7f000001``, ``2130706433``.
    """
    last = host.removesuffix(".").rpartition(".")[2]
    if ":" not in host and not last[:1].isdigit():
        return None
    with contextlib.suppress(ValueError):
        return str(ip_address(_without_zone(host)))
    try:
        return socket.inet_ntoa(socket.inet_aton(host.removesuffix(".")))
    except (OSError, UnicodeError):
        return None


def _without_zone(address: str) -> str:
    """Return an address without the name of a network card, which libcurl's list cannot hold."""
    return address.partition("%")[0]


def _ask_system(host: str, family: int) -> Sequence[str]:
    found = socket.getaddrinfo(host, None, family=family, type=socket.SOCK_STREAM)
    return [str(address[0]) for _family, _type, _protocol, _name, address in found]


def _give_up(question: _Question, answer: asyncio.Future[tuple[str, ...]]) -> None:
    if answer.done():
        return
    if question.is_begun:
        failure = LookupFailed(
            Cause.DNS_TIMEOUT, f"no name server gave an address for {question.host} in time"
        )
    else:
        failure = LookupFailed(
            Cause.OWN_RESOLVER,
            f"the prober was too busy with hanging lookups to look up {question.host}",
        )
    answer.set_exception(failure)


def _explain(host: str, family: int | None, error: OSError) -> LookupFailed:
    if not _has_descriptors():
        error = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    if not isinstance(error, socket.gaierror):
        if error.errno in _OWN_LACK:
            return LookupFailed(
                Cause.OWN_RESOURCES, f"the prober has no file descriptors left to look up {host}"
            )
        return LookupFailed(Cause.DNS_FAILURE, f"looking up {host} failed: {error.strerror}")
    if error.errno in {socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_ADDRFAMILY}:
        what = "address" if family is None else f"IPv{family} address"
        return LookupFailed(Cause.DNS_NOT_FOUND, f"the name {host} has no {what}")
    if error.errno in {socket.EAI_MEMORY, socket.EAI_SYSTEM}:
        return LookupFailed(
            Cause.OWN_RESOURCES, f"the prober could not look up {host}: {error.strerror}"
        )
    return LookupFailed(
        Cause.DNS_FAILURE, f"the name servers gave no answer for {host}: {error.strerror}"
    )


def _has_descriptors() -> bool:
    """Tell whether this process can open another file: without, the system knows no names."""
    try:
        os.close(os.dup(0))
    except OSError as error:
        return error.errno not in _OWN_LACK
    return True
