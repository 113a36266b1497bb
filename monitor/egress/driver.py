"""libcurl's multi handle on the asyncio loop: it says which sockets to watch, we say what came.

The sockets are watched by a selector of our own, of which the loop sees a single descriptor: a
probe changes what it waits for half a dozen times, and each change would cost the loop more than
the kernel. Nothing here knows of HTTP.
"""

from __future__ import annotations

import asyncio
import selectors
from dataclasses import dataclass
from typing import Protocol, cast

import pycurl

_EVENTS = {
    pycurl.POLL_IN: selectors.EVENT_READ,
    pycurl.POLL_OUT: selectors.EVENT_WRITE,
    pycurl.POLL_INOUT: selectors.EVENT_READ | selectors.EVENT_WRITE,
}


@dataclass(frozen=True, slots=True)
class Ending:
    """How libcurl ended a transfer: its code (0 is success) and its own words."""

    code: int
    words: str = ""


_SUCCESS = Ending(0)

_TURN_SECONDS = 0.005
"""How long sockets are served in one turn of the loop; a handshake's step may add one to it."""


class Driver:
    """Runs easy handles to their end; bound to the running loop, closed by ``close``."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._selector = selectors.DefaultSelector()
        self._watched: dict[int, int] = {}
        self._ready: list[tuple[int, int]] = []
        self._waiting: dict[pycurl.Curl, asyncio.Future[Ending]] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = 0.0
        self._wake_at: float | None = None
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self._descriptor = _descriptor_of(self._selector)
        self._loop.add_reader(self._descriptor, self._serve_sockets)

    async def run(self, curl: pycurl.Curl) -> Ending:
        """Run one transfer to its end; cancelling it closes its connection at once."""
        ending: asyncio.Future[Ending] = self._loop.create_future()
        self._waiting[curl] = ending
        try:
            self._multi.add_handle(curl)
            return await ending
        finally:
            if self._waiting.pop(curl, None) is not None:
                self._multi.remove_handle(curl)

    def close(self) -> None:
        """End what still runs and let go of every socket, timer and callback."""
        while self._waiting:
            curl, ending = self._waiting.popitem()
            ending.cancel()
            self._multi.remove_handle(curl)
        self._loop.remove_reader(self._descriptor)
        if self._alarm is not None:
            self._alarm.cancel()
        self._multi.close()
        self._selector.close()

    def _watch(self, what: int, descriptor: int, _multi: object, _data: object) -> None:
        """Hear from libcurl what to watch on a socket; called inside its own functions."""
        events = _EVENTS.get(what)  # none for POLL_NONE and POLL_REMOVE
        watched_for = self._watched.get(descriptor)
        if events == watched_for:
            return
        if events is None:
            del self._watched[descriptor]
            self._selector.unregister(descriptor)
            return
        self._watched[descriptor] = events
        if watched_for is None:
            self._selector.register(descriptor, events)
        else:
            self._selector.modify(descriptor, events)

    def _set_timer(self, milliseconds: int) -> None:
        """Hear from libcurl when to call it next; a timer that is early enough is left alone."""
        if milliseconds < 0:
            self._wake_at = None
            return
        self._wake_at = wake_at = self._loop.time() + milliseconds / 1000
        if self._alarm is None or wake_at < self._alarm_at:
            self._arm(wake_at)

    def _arm(self, wake_at: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = wake_at
        self._alarm = self._loop.call_at(wake_at, self._serve_timer)

    def _serve_timer(self) -> None:
        self._alarm = None
        wake_at = self._wake_at
        if wake_at is None:
            return
        if wake_at > self._loop.time():
            self._arm(wake_at)
            return
        self._wake_at = None
        self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        self._settle()

    def _serve_sockets(self) -> None:
        """Serve sockets that are ready, for one turn; the loop comes back for those left over.

        Many handshakes that come at once would otherwise hold up all else for their sum. Who is
        left over is served first the next time.
        """
        if not self._ready:
            self._ready = [(key.fd, events) for key, events in self._selector.select(0)]
            self._ready.reverse()
        until = self._loop.time() + _TURN_SECONDS
        while self._ready and self._loop.time() < until:
            descriptor, events = self._ready.pop()
            if descriptor in self._watched:  # serving one socket may have closed another
                bits = (pycurl.CSELECT_IN if events & selectors.EVENT_READ else 0) | (
                    pycurl.CSELECT_OUT if events & selectors.EVENT_WRITE else 0
                )
                self._multi.socket_action(descriptor, bits)
        self._settle()

    def _settle(self) -> None:
        left = 1
        while left:
            left, done, failed = self._multi.info_read()
            for curl in done:
                self._end(curl, _SUCCESS)
            for curl, code, words in failed:
                self._end(curl, Ending(code, words))

    def _end(self, curl: pycurl.Curl, ending: Ending) -> None:
        waiting = self._waiting.get(curl)
        if waiting is not None and not waiting.done():
            waiting.set_result(ending)


class _HasDescriptor(Protocol):
    def fileno(self) -> int: ...


def _descriptor_of(selector: selectors.BaseSelector) -> int:
    """Return the selector's own descriptor, which those of Linux and the BSDs have."""
    return cast(_HasDescriptor, selector).fileno()
