"""The demo's mail server: takes every mail and keeps it for the visitor to read."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, Envelope, Session

from tickets.clock import Clock

MOST_KEPT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenMail:
    """One mail as it came: to whom, when, and what it says as text and as HTML."""

    number: int
    taken_at: datetime
    recipient: str
    subject: str
    text: str
    html: str


class Postbox:
    """Keeps the newest ``MOST_KEPT`` mails, the newest first."""

    def __init__(self, clock: Clock) -> None:
        self.mails: deque[TakenMail] = deque(maxlen=MOST_KEPT)
        self.port = 0
        self._clock = clock
        self._count = 0
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen at a free port of loopback."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, loop=loop, hostname="demo.invalid"), "127.0.0.1", 0
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    def find(self, number: int) -> TakenMail | None:
        """Return the mail with this number; None if it is not kept."""
        return next((mail for mail in self.mails if mail.number == number), None)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 (aiosmtpd's name)
        """Take a mail."""
        content = envelope.content or b""
        raw = content if isinstance(content, bytes) else content.encode()
        message = message_from_bytes(raw, policy=policy.default)
        self._count += 1
        self.mails.appendleft(
            TakenMail(
                number=self._count,
                taken_at=self._clock.now(),
                recipient=", ".join(envelope.rcpt_tos),
                subject=str(message["Subject"] or ""),
                text=_part(message, "plain"),
                html=_part(message, "html"),
            )
        )
        return "250 taken"


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return "" if part is None else str(part.get_content())
