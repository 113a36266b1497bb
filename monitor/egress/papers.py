"""What a handshake needs beside the public authorities: a site's own ones, and our certificate.

The files are read anew for each exchange: they are small and they change. One that cannot be read
is our own fault and no site's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from monitor.egress.terms import EgressFailed, Terms, Transcript
from monitor.rules.observation import Cause, Phase

_MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Papers:
    """PEM data: ``authorities`` trusted in place of the public ones, our certificate and its key.

    ``key_password`` is empty for a key without one. ``kind`` says which of them there are: a handle
    that was used with one kind must not be used with another, or it would still hold the papers of
    a stranger.
    """

    authorities: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = field(default=None, repr=False)
    key_password: str = field(default="", repr=False)

    @property
    def kind(self) -> tuple[bool, bool]:
        """Whether there are authorities, and whether there is a certificate of ours."""
        return self.authorities is not None, self.certificate is not None


NO_PAPERS = Papers()
"""For an exchange that needs the public authorities alone."""


def read_papers(terms: Terms) -> Papers:
    """Return the papers that ``terms`` name; raises EgressFailed for a file that cannot be read.

    They must not push the public bundle out of libcurl's single place for parsed authorities, so
    they are handed over as data.
    """
    own = terms.client_certificate
    if own is None and terms.ca_file is None:
        return NO_PAPERS
    authorities = certificate = key = None
    if terms.ca_file is not None:
        authorities = _read(terms.ca_file, "the certificate authorities")
    if own is not None:
        certificate = _read(own.certificate_file, "our own certificate")
        key = _read(own.key_file, "our own certificate's key")
    return Papers(
        authorities=authorities,
        certificate=certificate,
        key=key,
        key_password=(own and own.key_password) or "",
    )


def _read(name: str, what: str) -> bytes:
    try:
        with Path(name).open("rb") as file:
            found = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise _unusable(f"the prober cannot read {what} in {name}: {error.strerror}") from error
    except ValueError as error:  # a NUL in the name
        raise _unusable(f"the prober cannot read {what}: {error}") from error
    if b"-----BEGIN " not in found:
        raise _unusable(f"the prober cannot use {what} in {name}: it is not PEM")
    if len(found) > _MOST_BYTES:
        raise _unusable(f"{name} is larger than {_MOST_BYTES // 1024:,} KiB, too large for {what}")
    return found


def _unusable(message: str) -> EgressFailed:
    return EgressFailed(Cause.OWN_RESOURCES, Phase.TLS, message, Transcript())
