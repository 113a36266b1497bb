"""Facts of a probe in the form in which blackbox_exporter's dashboards expect them.

Texts come from sites and are hostile: whatever cannot be read is None or 0, never an error.
"""

from __future__ import annotations

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from ipaddress import ip_address

_FNV_OFFSET, _FNV_PRIME = 0x811C9DC5, 0x01000193

_TLS_VERSION = re.compile(r"TLSv1(?:\.([0-9]))?", re.ASCII)
_OPENSSL_CIPHER = re.compile(r"(?:(ECDHE|DHE)-)?(?:(RSA|ECDSA)-)?([A-Z0-9-]+)", re.ASCII)
_BULK = {
    "AES128-GCM-SHA256": "AES_128_GCM_SHA256",
    "AES256-GCM-SHA384": "AES_256_GCM_SHA384",
    "AES128-CCM": "AES_128_CCM",
    "AES256-CCM": "AES_256_CCM",
    "AES128-SHA": "AES_128_CBC_SHA",
    "AES256-SHA": "AES_256_CBC_SHA",
    "AES128-SHA256": "AES_128_CBC_SHA256",
    "AES256-SHA256": "AES_256_CBC_SHA256",
    "AES256-SHA384": "AES_256_CBC_SHA384",
    "CHACHA20-POLY1305": "CHACHA20_POLY1305_SHA256",
}


@lru_cache(maxsize=16_384)
def ip_facts(address: str | None) -> tuple[int, int]:
    """Return the protocol, 4 or 6, and the 32-bit FNV-1a hash of the address's 4 or 16 bytes.

    Both are 0 if there is no address.
    """
    try:
        packed = ip_address((address or "").partition("%")[0]).packed
    except ValueError:
        return 0, 0
    hashed = _FNV_OFFSET
    for byte in packed:
        hashed = ((hashed ^ byte) * _FNV_PRIME) & 0xFFFFFFFF
    return 4 if len(packed) == 4 else 6, hashed


def http_version(version: str | None) -> float:
    """Return 1, 1.1, 2 or 3, or 0 if there was no answer."""
    return {"1.0": 1, "1": 1, "1.1": 1.1, "2": 2, "3": 3}.get(version or "", 0)


@lru_cache(maxsize=16_384)
def last_modified(header: str) -> float | None:
    """Return the instant that a Last-Modified header names, in seconds since 1970, or None."""
    try:
        at = parsedate_to_datetime(header)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def tls_version_name(version: str) -> str:
    """Return a TLS version written like ``TLS 1.3``, whichever way the library writes it."""
    match = _TLS_VERSION.fullmatch(version)
    return f"TLS 1.{match[1] or 0}" if match else version


def cipher_name(cipher: str) -> str:
    """Return the IANA name of a cipher that OpenSSL names in its own way; others as they are."""
    match = _OPENSSL_CIPHER.fullmatch(cipher)
    bulk = _BULK.get(match[3]) if match else None
    if match is None or bulk is None:
        return cipher
    keys = "_".join(part for part in (match[1], match[2] or "RSA") if part)
    return f"TLS_{keys}_WITH_{bulk}"
