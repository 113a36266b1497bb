"""The stamp in each form: when it was made and for whom; so it needs no cookie and no session.

It stands against forms that nobody opened, that a program sent in no time, or that lay open for
days; and its nonce makes a form that is sent twice one request. Forging one would gain nothing but
the seconds that a person takes to type.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

GOOD_FOR = timedelta(hours=24)
"""How old a form may be when it is sent."""

LEAST_TIME = timedelta(seconds=3)
"""What a person takes at least to fill in the form, with all help of the browser."""

_AHEAD = timedelta(minutes=5)
_SHAPE = re.compile(r"([0-9a-f]{1,12})\.([\w-]{22})\.([0-9a-f]{64})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Stamp:
    """A stamp of ours: when its form was made, and the nonce that no other form has."""

    made_at: datetime
    nonce: str

    def is_old(self, now: datetime) -> bool:
        """Tell whether the form is too old, or from a clock that has been put back since."""
        return not -_AHEAD <= now - self.made_at <= GOOD_FOR

    def is_hasty(self, now: datetime) -> bool:
        """Tell whether the form was sent sooner than a person can."""
        return now - self.made_at < LEAST_TIME


def make_stamp(secret: bytes, client: str, *, at: datetime) -> str:
    """Return a new stamp for a form of ``client``, made at ``at``."""
    facts = f"{int(at.timestamp()):x}.{secrets.token_urlsafe(16)}"
    return f"{facts}.{_sign(secret, client, facts)}"


def read_stamp(secret: bytes, client: str, text: str) -> Stamp | None:
    """Return the stamp that a form of ``client`` came with; None if it is none of ours."""
    found = _SHAPE.fullmatch(text)
    if found is None:
        return None
    made_at, nonce, signature = found.groups()
    if not hmac.compare_digest(signature, _sign(secret, client, f"{made_at}.{nonce}")):
        return None
    return Stamp(datetime.fromtimestamp(int(made_at, 16), UTC), nonce)


def receipt_token(stamp: Stamp, content_hash: str) -> str:
    """Return the token of the receipt page: the same when the same form is sent again.

    Other words in the same form, sent after going back, are another request.
    """
    digest = hashlib.sha256(f"{stamp.nonce}.{content_hash}".encode()).digest()
    return urlsafe_b64encode(digest[:16]).decode().rstrip("=")


def _sign(secret: bytes, client: str, facts: str) -> str:
    return hmac.new(secret, f"{client}.{facts}".encode(), hashlib.sha256).hexdigest()
