"""Mails: a letter put into one safe MIME message, and the seam through which it leaves.

Headers are written by us and never by ``EmailMessage``: on Python up to 3.11.9 and 3.12.4 that
class decodes an encoded word in a subject and emits the line break inside as a new header. Text
from outside goes into one header only, the subject, and there as encoded words of our own. Every
message is parsed again and compared with what was meant before it may leave.
"""

from __future__ import annotations

import email.message
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.charset import QP, Charset
from email.errors import MessageError
from email.header import Header
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.parser import BytesParser
from email.policy import compat32, default
from email.utils import format_datetime
from typing import Protocol

from tickets.addresses import canonical_mail_address
from tickets.errors import Refused, ServiceError
from tickets.letters import Letter
from tickets.rules.message import FailureReason
from tickets.rules.plain_text import one_line

MAX_BRAND = 80
"""Longest brand of a client in a sender's name, in characters."""

LOOP_MARK = "X-Fettle-Instance"
"""Header by which a program that reads mail knows ours again, with our domain as its value."""

_WIRE = compat32.clone(linesep="\r\n", mangle_from_=False, max_line_length=998)
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+>")
_LINK = re.compile(r"https?://[!#-;=?-~]{1,900}")
_BARE_LINE_END = re.compile(rb"(?<!\r)\n|\r(?!\n)")
_MAX_WIRE_LINE = 998
_TEXT_HEADERS = frozenset({"From", "Subject"})
_LITERAL_SUBJECT = re.compile(r"[ -~]{1,60}")

_UTF8 = Charset("utf-8")
_UTF8.header_encoding = QP
_UTF8.body_encoding = QP


class MailRefused(Refused):
    """A mail that cannot be made safe or does not come out as meant; trying again is no use."""


class SendFailed(ServiceError):
    """An attempt to hand over a mail failed.

    ``is_permanent`` says that this mail will never be taken. ``hold`` is how long the channel
    itself is of no use, whatever the mail; None where the failure is the mail's own.
    ``is_address_refused`` says that the recipient's address will take no other mail either.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: FailureReason,
        is_permanent: bool = False,
        hold: timedelta | None = None,
        is_address_refused: bool = False,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.is_permanent = is_permanent
        self.hold = hold
        self.is_address_refused = is_address_refused


@dataclass(frozen=True, slots=True, kw_only=True)
class MailIdentity:
    """From whom our mails come: the agency's name and address, and where answers go."""

    name: str
    address: str
    reply_to: str

    def for_client(self, brand: str | None) -> MailIdentity:
        """Return the same under a client's brand: ``Harbour Inns support via Bright Agency``.

        The address stays the agency's: nobody may send in the name of a client's own domain.
        """
        brand = one_line(brand or "", limit=MAX_BRAND)
        if not brand or brand.casefold() == one_line(self.name).casefold():
            return self
        desk = "" if brand.casefold().endswith(" support") else " support"
        return replace(self, name=f"{brand}{desk} via {self.name}")

    def owns(self, address: str) -> bool:
        """Tell whether ``address`` is our own: a client's mail to it would come back to us."""
        return address.lower() in {self.address.lower(), self.reply_to.lower()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One message for one recipient, ready for the wire; the addresses are the envelope's."""

    header_id: str
    sender: str
    recipient: str
    content: bytes


class Sender(Protocol):
    """A channel that takes mails."""

    async def send(self, mail: Mail) -> str:
        """Hand over ``mail`` and return the server's answer; return only when it was taken.

        Raises ``SendFailed``. Needs no transaction and must not be called within one.
        """
        ...

    async def rest(self) -> None:
        """Let go of connections held for the next mail; called when nothing is due."""
        ...


def compose(
    letter: Letter,
    *,
    identity: MailIdentity,
    recipient: str,
    header_id: str,
    thread_id: str,
    written_at: datetime,
    is_automatic: bool,
    unsubscribe_url: str | None = None,
) -> Mail:
    """Return the mail that carries ``letter``; the same arguments give the same bytes.

    ``header_id`` and ``thread_id`` are Message-IDs with their angle brackets. ``is_automatic`` says
    that no person wrote it, which keeps automatic answers away. ``unsubscribe_url`` is for mail
    that nobody has to take, such as a statement. Raises ``MailRefused``.
    """
    to = _checked_address(recipient)
    sender = _checked_address(identity.address)
    headers = {
        "From": _mailbox(identity.name, sender),
        "Reply-To": _checked_address(identity.reply_to),
        "To": to,
        "Subject": _encoded(letter.subject, name="Subject"),
        "Date": format_datetime(written_at),
        "Message-ID": _checked_id(header_id),
        "In-Reply-To": _checked_id(thread_id),
        "References": _checked_id(thread_id),
        LOOP_MARK: sender.rpartition("@")[2],
    }
    if is_automatic:
        headers |= {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}
    if unsubscribe_url is not None:
        headers |= _unsubscription(unsubscribe_url)
    try:
        message = _body(letter, header_id)
        for name, value in headers.items():
            message[name] = value
        content = message.as_bytes(policy=_WIRE)
    except (MessageError, UnicodeError, ValueError) as error:
        raise MailRefused(f"the mail {header_id} cannot be written: {error}") from error
    _guard(content, headers=headers, letter=letter, addresses=(sender, to))
    return Mail(header_id=header_id, sender=sender, recipient=to, content=content)


def _body(letter: Letter, header_id: str) -> email.message.Message:
    text = MIMEText(letter.text, "plain", _UTF8, policy=_WIRE)  # pyright: ignore[reportArgumentType] (takes a Charset)
    if letter.html is None:
        return text
    # An equals sign before an underscore occurs in no quoted-printable text.
    boundary = "=_" + hashlib.sha256(header_id.encode()).hexdigest()[:32]
    html = MIMEText(letter.html, "html", _UTF8, policy=_WIRE)  # pyright: ignore[reportArgumentType] (takes a Charset)
    for part in (text, html):
        del part["MIME-Version"]
    return MIMEMultipart("alternative", boundary, [text, html], policy=_WIRE)


def _checked_address(address: str) -> str:
    try:
        return canonical_mail_address(address)
    except ValueError as error:
        raise MailRefused(f"a mail needs one plain address: {error}") from error


def _checked_id(header_id: str) -> str:
    if not _MESSAGE_ID.fullmatch(header_id):
        raise MailRefused(f"{one_line(header_id, limit=80)!r} is not a Message-ID")
    return header_id


def _unsubscription(url: str) -> dict[str, str]:
    """Return the headers of RFC 2369, and of RFC 8058 where one click is safe: over https."""
    if not _LINK.fullmatch(url):
        raise MailRefused(f"{one_line(url, limit=80)!r} is no address to unsubscribe at")
    headers = {"List-Unsubscribe": f"<{url}>"}
    if url.startswith("https:"):
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    return headers


def _mailbox(name: str, address: str) -> str:
    quoted = one_line(name).replace("\\", "\\\\").replace('"', '\\"')
    plain = f'"{quoted}"'
    shown = plain if _LITERAL_SUBJECT.fullmatch(plain) and "=?" not in plain else None
    return f"{shown or _encoded(name, name='From')} <{address}>"


def _encoded(text: str, *, name: str) -> str:
    """Return ``text`` for a header: literally if it is short and plain, else as encoded words."""
    line = one_line(text)
    if _LITERAL_SUBJECT.fullmatch(line) and "=?" not in line:
        return line
    return Header(line, _UTF8, header_name=name, maxlinelen=75).encode()


def _guard(
    content: bytes, *, headers: Mapping[str, str], letter: Letter, addresses: tuple[str, str]
) -> None:
    """Parse ``content`` again and raise ``MailRefused`` unless it says what was meant, no more."""
    if _BARE_LINE_END.search(content) or any(
        len(line) > _MAX_WIRE_LINE for line in content.split(b"\r\n")
    ):
        raise MailRefused("a mail came out with lines that no mail server takes")
    parsed = BytesParser(policy=default).parsebytes(content)
    body_headers = {"MIME-Version", "Content-Type"}
    if letter.html is None:
        body_headers.add("Content-Transfer-Encoding")
    meant = sorted(name.lower() for name in (*headers, *body_headers))
    if sorted(name.lower() for name in parsed) != meant:
        raise MailRefused("a mail came out with other headers than were meant")
    written = BytesParser(policy=compat32).parsebytes(content, headersonly=True)
    for name, value in headers.items():
        if name not in _TEXT_HEADERS and " ".join(str(written[name]).split()) != value:
            raise MailRefused(f"a mail came out with another {name} than was meant")
    for name, address in zip(("From", "To"), addresses, strict=True):
        if [one.addr_spec for one in parsed[name].addresses] != [address]:
            raise MailRefused(f"a mail came out with another {name} address than was meant")
    meant_subject = one_line(letter.subject)
    if str(parsed["Subject"]) != meant_subject:
        raise MailRefused("a mail came out with another subject than was meant")
    leaves = [part for part in parsed.walk() if not part.is_multipart()]
    bodies = [part.get_content().replace("\r\n", "\n") for part in leaves]
    if bodies != [body for body in (letter.text, letter.html) if body is not None]:
        raise MailRefused("a mail came out with another text than was meant")
