"""The demo's client websites on loopback; each can be stopped, broken, slowed and mended."""

from __future__ import annotations

import asyncio
import contextlib
import html
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from tickets.clock import Clock

SLOW_SECONDS = 2.5
"""How long a slowed site thinks before it answers; the demo's limit is one second."""


class Mood(StrEnum):
    """How a demo site behaves."""

    WELL = "well"
    STOPPED = "stopped"
    BROKEN = "broken"
    SLOW = "slow"


@dataclass(slots=True)
class Website:
    """One client's website: what it is called, where it is, and how it behaves since when."""

    slug: str
    client: str
    client_name: str
    name: str
    title: str
    words: str
    colour: str
    clock: Clock
    mood: Mood = Mood.WELL
    changed_at: datetime | None = None
    port: int = 0
    _server: asyncio.Server | None = field(default=None, repr=False)
    _visits: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]], repr=False)

    @property
    def url(self) -> str:
        """The address at which Fettle, and the visitor, find the site."""
        return f"http://127.0.0.1:{self.port}/"

    async def open(self) -> None:
        """Listen; the first time at a free port, later at the same."""
        self._server = await asyncio.start_server(self._visit, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening: whoever comes is refused, and whoever waits is cut off."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for visit in self._visits:
            visit.cancel()
        await asyncio.gather(*self._visits)

    async def become(self, mood: Mood) -> None:
        """Behave as told from now on."""
        if mood is Mood.STOPPED:
            await self.close()
        elif self._server is None:
            await self.open()
        self.mood = mood
        self.changed_at = self.clock.now()

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._visits.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, TimeoutError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # the visitor went away, or the server was stopped
        finally:
            self._visits.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(30):
            with contextlib.suppress(asyncio.IncompleteReadError):
                await reader.readuntil(b"\r\n\r\n")
            if self.mood is Mood.SLOW:
                await asyncio.sleep(SLOW_SECONDS)
            writer.write(self._answer())
            await writer.drain()

    def _answer(self) -> bytes:
        if self.mood is Mood.BROKEN:
            status, title, words = "503 Service Unavailable", "Error", "Database connection failed."
        else:
            status, title, words = "200 OK", self.title, self.words
        page = _PAGE.format(
            title=html.escape(title), name=html.escape(self.client_name), words=html.escape(words)
        ).encode()
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\n"
            f"Content-Length: {len(page)}\r\nServer: demo\r\nConnection: close\r\n\r\n"
        )
        return head.encode() + page


_PAGE = """<!doctype html>
<html lang="en-GB"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 1.125rem/1.6 Georgia, serif; max-width: 34rem; margin: 18vh auto; padding: 0 2rem; }}
h1 {{ font-weight: 400; font-size: 2.25rem; line-height: 1.15; }}
p.who {{ font: 0.875rem system-ui, sans-serif; letter-spacing: 0.04em; }}
</style></head>
<body><p class="who">{name}</p><h1>{title}</h1><p>{words}</p></body></html>
"""


def make_websites(clock: Clock) -> tuple[Website, ...]:
    """Return the demo's three sites, none of which listens yet."""
    return (
        Website(
            slug="harbour-booking",
            client="harbour-inns",
            client_name="Harbour Inns",
            name="Booking site",
            title="A room with a view of the boats",
            words="Choose your dates and one of eleven rooms above the quay.",
            colour="#0b5d57",
            clock=clock,
        ),
        Website(
            slug="wren-shop",
            client="wren-and-co",
            client_name="Wren & Co",
            name="Shop",
            title="Notebooks, bound by hand",
            words="Twelve papers, four sizes, and a pencil that fits the spine.",
            colour="#8a3b12",
            clock=clock,
        ),
        Website(
            slug="moss-tickets",
            client="moss-theatre",
            client_name="Moss Theatre",
            name="Tickets",
            title="The winter season is on sale",
            words="Six plays, one opera, and a pantomime that behaves itself.",
            colour="#6d2a6b",
            clock=clock,
        ),
    )
