"""Facts of the certificates that a server showed, from libcurl's description of the chain."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import blake2b

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from monitor.rules.content import clean
from monitor.rules.observation import Certificate

Chain = Sequence[Sequence[tuple[str, str]]]
"""Per certificate, leaf first, pairs of a field's name and its text, as libcurl gives them."""

_MOST_KEPT = 20_000
_MOST_NAMES = 100


class CertificateReader:
    """Reads chains; remembers those it has read, since a site shows the same one every time."""

    def __init__(self) -> None:
        self._read: dict[bytes, Certificate | None] = {}

    def read(self, chain: Chain, *, verified: bool) -> Certificate | None:
        """Return the facts of ``chain``; None if it is empty or cannot be read at all."""
        fields = [dict(pairs) for pairs in chain]
        key = blake2b("".join(each.get("Cert", "") for each in fields).encode()).digest()
        if key not in self._read:
            if len(self._read) >= _MOST_KEPT:
                self._read.clear()
            self._read[key] = _read(fields)
        certificate = self._read[key]
        if certificate is None or certificate.verified == verified:
            return certificate
        return replace(certificate, verified=verified)


def _read(fields: Sequence[dict[str, str]]) -> Certificate | None:
    ends = [end for end in map(_end_of, fields) if end is not None]
    if not fields or not ends:
        return None
    leaf = fields[0]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is odd in it, not ours to mend
            parsed = x509.load_pem_x509_certificate(leaf["Cert"].encode())
            return Certificate(
                not_after=parsed.not_valid_after_utc,
                earliest_not_after=min(ends),
                subject=clean(parsed.subject.rfc4514_string(), most=300),
                issuer=clean(parsed.issuer.rfc4514_string(), most=300),
                names=_names_of(parsed),
                verified=True,
                fingerprint_sha256=parsed.fingerprint(SHA256()).hex(),
                serial_number=f"{parsed.serial_number:x}",
            )
    except (KeyError, ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return Certificate(
            not_after=ends[0],
            earliest_not_after=min(ends),
            subject=clean(leaf.get("Subject", ""), most=300),
            issuer=clean(leaf.get("Issuer", ""), most=300),
            names=(),
            verified=True,
            serial_number=clean(leaf.get("Serial Number", ""), most=100),
        )


def _end_of(fields: dict[str, str]) -> datetime | None:
    try:
        return datetime.fromtimestamp(ssl.cert_time_to_seconds(fields["Expire date"]), UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        return None


def _names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    found = [str(name.value) for name in names if isinstance(name, x509.DNSName | x509.IPAddress)]
    return tuple(clean(name, most=253) for name in found[:_MOST_NAMES])
