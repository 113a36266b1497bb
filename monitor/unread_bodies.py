"""Reads on what a request still sends when its answer is ready, so that the answer arrives.

A connection that is closed on unread bytes is reset, and the reset overtakes the answer: who sends
too much would hear nothing of a 413 and try again. What is read here is thrown away.
"""

from __future__ import annotations

import asyncio
import contextlib

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 64 * 1024 * 1024
"""Most that is read on; whoever sends more may miss the answer."""

READ_ON_SECONDS = 20.0


class ReadOn:
    """ASGI middleware that takes the rest of a body before the answer begins.

    A client that asks first (``Expect: 100-continue``) has sent nothing and is answered at once.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or not _has_body(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        is_whole = False

        async def note_end() -> Message:
            nonlocal is_whole
            message = await receive()
            is_whole = is_whole or not message.get("more_body", False)
            return message

        async def send_after_body(message: Message) -> None:
            if message["type"] == "http.response.start" and not is_whole:
                await _read_on(note_end)
            await send(message)

        await self._app(scope, note_end, send_after_body)


def _has_body(headers: Headers) -> bool:
    if headers.get("expect", "").lower() == "100-continue":
        return False
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


async def _read_on(receive: Receive) -> None:
    left = MOST_BYTES
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(READ_ON_SECONDS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body", False):
                    return
