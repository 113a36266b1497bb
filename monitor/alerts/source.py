"""A source of alerts: who may post under its name, and how that is proved."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import SecretStr

from monitor.settings import Settings
from monitor.settings.alerts import AlertSourceKind
from tickets.history import Actor
from tickets.rules.ticket import Source

SIGNATURE_HEADER = "x-grafana-alerting-signature"

SIGNED_WITHIN = timedelta(minutes=5)
"""How far the signed time may lie from ours, either way."""

_ACTORS = {
    AlertSourceKind.ALERTMANAGER: Actor("Alertmanager"),
    AlertSourceKind.GRAFANA: Actor("Grafana"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSource:
    """One source as the settings describe it; secrets are never shown."""

    name: str
    kind: AlertSourceKind
    token: str | None = field(default=None, repr=False)
    hmac_secret: str | None = field(default=None, repr=False)
    hmac_timestamp_header: str | None = None
    reconcile_url: str | None = None
    receiver: str | None = None
    default_client: str | None = None
    tell_client: bool = False

    @property
    def actor(self) -> Actor:
        """Who acts in the history of its tickets."""
        return _ACTORS[self.kind]

    @property
    def ticket_source(self) -> Source:
        """What its tickets say of where they came from."""
        return Source(self.kind.value)

    def knows(self, authorizations: Sequence[str]) -> bool:
        """Tell whether a request's Authorization headers carry the token, if one is asked for.

        It may come as a bearer token, as the password of basic authentication, or after any other
        scheme. The comparison takes as long for a wrong token as for the right one.
        """
        if self.token is None:
            return True
        if len(authorizations) != 1:
            return False
        scheme, _, shown = authorizations[0].strip().partition(" ")
        if scheme.lower() == "basic":
            shown = _password(shown.strip())
        return _is_same(shown.strip().encode("utf-8", "surrogateescape"), self.token.encode())

    def signed(self, body: bytes, *, signature: str, timestamp: str, now: datetime) -> bool:
        """Tell whether ``signature`` is Grafana's of ``body``, if one is asked for.

        ``timestamp`` is what the header says that the settings name: seconds since 1970.
        """
        if self.hmac_secret is None:
            return True
        signed = body
        if self.hmac_timestamp_header is not None:
            if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
                return False
            if abs(now.timestamp() - int(timestamp)) > SIGNED_WITHIN.total_seconds():
                return False
            signed = timestamp.encode() + b":" + body
        right = hmac.new(self.hmac_secret.encode(), signed, hashlib.sha256).hexdigest()
        return _is_same(
            signature.strip().lower().encode("utf-8", "surrogateescape"), right.encode()
        )


def list_sources(settings: Settings) -> tuple[AlertSource, ...]:
    """Return the sources that the settings list, in their order."""
    return tuple(
        AlertSource(
            name=source.name,
            kind=source.kind,
            token=_revealed(source.token),
            hmac_secret=_revealed(source.hmac_secret),
            hmac_timestamp_header=source.hmac_timestamp_header,
            reconcile_url=source.reconcile_url,
            receiver=source.receiver,
            default_client=source.default_client,
            tell_client=source.tell_client,
        )
        for source in settings.alerts.sources
    )


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _password(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def _is_same(one: bytes, other: bytes) -> bool:
    """Compare in constant time; the digests hide also how long each is."""
    return hmac.compare_digest(hashlib.sha256(one).digest(), hashlib.sha256(other).digest())
