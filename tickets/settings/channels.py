"""Settings of where the agency's own people are told: by mail, or by a service for chat or push.

What apprise makes of a URL is not asked here, because it takes half a second and fifty megabytes
to ask: see ``tickets.channels``.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field, PlainSerializer, SecretStr, WithJsonSchema

from tickets.addresses import canonical_mail_address, shown
from tickets.rules.escalation import StaffChannel
from tickets.settings.types import Section

MAX_URL = 2000

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]{0,39}):", re.IGNORECASE)
_MAIL = "mailto"


def _channel(given: SecretStr) -> SecretStr:
    text = given.get_secret_value().strip()
    match = _SCHEME.match(text)
    if match is None:
        raise ValueError(
            "is not the URL of a channel; write mailto://duty@agency.example for mail, or an "
            "apprise URL such as ntfy://HOST/TOPIC"
        )
    scheme = match[1].lower()
    if scheme == _MAIL:
        address = text[match.end() :].removeprefix("//")
        return SecretStr(f"{_MAIL}://{canonical_mail_address(address)}")
    if not text[match.end() :].startswith("//"):
        raise ValueError(f"{shown(scheme)} is followed by no //; an apprise URL begins {scheme}://")
    if len(text) > MAX_URL or not text.isprintable() or " " in text:
        raise ValueError(f"must be one line of at most {MAX_URL} characters without blanks")
    return SecretStr(f"{scheme}://{text[match.end() + 2 :]}")


def is_secret_channel(text: str) -> bool:
    """Tell whether the URL of a channel may hold a credential: every one but a mail address."""
    return not text.strip().lower().startswith(f"{_MAIL}:")


def masked(url: str) -> str:
    """Return the URL of a channel fit to be shown: whole for mail, else the scheme alone."""
    return url if not is_secret_channel(url) else f"{url.partition(':')[0]}://***"


def _shown(url: SecretStr) -> str:
    return masked(url.get_secret_value())


ChannelUrl = Annotated[
    SecretStr,
    AfterValidator(_channel),
    PlainSerializer(_shown, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string"}),
]
"""Where staff are told: ``mailto://ADDRESS`` by our own mail server, or any other apprise URL."""


@dataclass(frozen=True, slots=True)
class PushService:
    """A channel that is no mail: ``key`` stands for its URL wherever something is stored or told.

    The key is made from the URL, so it stays as long as the URL does and says nothing of it.
    """

    key: str
    url: SecretStr


class StaffChannels(Section):
    """Where the agency's own people are told."""

    duty: tuple[ChannelUrl, ...] = Field(
        default=(),
        description="Who is told at once of every new incident and critical request, twice a day "
        "of other requests, and as support.escalate says: "
        "mailto://ADDRESS, or an apprise URL for Slack, Teams, ntfy, SMS and others. Keep URLs out "
        "of the file that hold tokens: set FETTLE_STAFF_CHANNELS__DUTY__0_FILE, and so on.",
    )
    lead: tuple[ChannelUrl, ...] = Field(
        default=(),
        description="Who is told as support.escalate says, and of faults of Fettle's own; written "
        "like duty. Name one channel that is no mail: else a dead mail server is shown, not told.",
    )

    def mail_addresses(self, channel: StaffChannel) -> Iterator[str]:
        """Yield the mail addresses behind one list, in the order given."""
        for url in self._urls(channel):
            if not is_secret_channel(url.get_secret_value()):
                yield url.get_secret_value().removeprefix(f"{_MAIL}://")

    def push_services(self, channel: StaffChannel) -> Iterator[tuple[int, PushService]]:
        """Yield the channels behind one list that are no mail, with their places in it from 0."""
        for index, url in enumerate(self._urls(channel)):
            text = url.get_secret_value()
            if is_secret_channel(text):
                digest = hashlib.sha256(text.encode()).hexdigest()[:12]
                yield index, PushService(f"{text.partition(':')[0]}:{digest}", url)

    def _urls(self, channel: StaffChannel) -> tuple[SecretStr, ...]:
        return self.duty if channel is StaffChannel.DUTY else self.lead
