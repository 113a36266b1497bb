"""Host names, web addresses and mail addresses as people type them, checked and made canonical.

Pure text work: no name is looked up here. Every refusal is a ``ValueError`` whose message completes
"<key>: ..." and never repeats a password that the text may contain.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, quote, urlsplit

import idna

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_URL = 2000
"""Longest web address, in characters."""

_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_MAIL_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_PORT = re.compile(r"[0-9]{1,5}", re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}
_KEPT_IN_PATH = "/:@!$&'()*+,;=-._~%[]"
_KEPT_IN_QUERY = _KEPT_IN_PATH + "?"


@dataclass(frozen=True, slots=True)
class HostPort:
    """A place to listen at or connect to; an IPv6 host stands without its brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def canonical_host(text: str) -> str:
    """Return a host name in lower case and ASCII, or an address in its shortest form.

    Non-ASCII names are encoded as browsers do it (UTS 46). One trailing dot is dropped. Raises
    ``ValueError`` for anything that is no host, and for the odd spellings of IPv4 addresses
    (``127.1``, ``0x7f.0.0.1``) that some resolvers accept.
    """
    if text.startswith("[") and text.endswith("]"):
        return _canonical_ipv6(text[1:-1])
    if not text.isascii():
        text = _encoded(text)
    host = text.lower().removesuffix(".")
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{shown(text)} is not a valid host name")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise ValueError(
                f"{shown(text)} is not a valid address: write four decimal numbers, "
                "such as 192.0.2.1"
            ) from None
    return host


def literal_address(host: str) -> IPAddress | None:
    """Return the address that a canonical ``host`` stands for without a lookup, or None.

    ``localhost`` and names below it always mean this host, so they count as 127.0.0.1.
    """
    if host == "localhost" or host.endswith(".localhost"):
        return ipaddress.IPv4Address("127.0.0.1")
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Tell whether a canonical ``host`` certainly means this host, without a lookup."""
    address = literal_address(host)
    return address is not None and address.is_loopback


def canonical_url(text: str) -> str:
    """Return an http or https URL in one canonical spelling.

    Scheme and host come in lower case and ASCII, a default port is dropped, an empty path becomes
    ``/``, non-ASCII text is percent-encoded; what is percent-encoded already stays as it is.
    Raises ``ValueError`` for another scheme, a missing host, a bad port, a user name or password, a
    fragment, a space or a control character, or more than ``MAX_URL`` characters.
    """
    parts = _split(text)
    if "@" in parts.netloc:
        raise ValueError(
            "must not contain a user name or password; a site's credentials go into basic_auth"
        )
    if "#" in text:
        raise ValueError("must not contain a fragment: the part after # is never sent to the site")
    host, port = _host_and_port(parts.netloc)
    netloc = f"[{host}]" if ":" in host else host
    if port is not None and port != _DEFAULT_PORTS[parts.scheme]:
        netloc += f":{port}"
    url = f"{parts.scheme}://{netloc}{quote(parts.path or '/', safe=_KEPT_IN_PATH)}"
    return f"{url}?{quote(parts.query, safe=_KEPT_IN_QUERY)}" if parts.query else url


def url_host(url: str) -> str:
    """Return the host of a canonical URL, an IPv6 address without its brackets."""
    return urlsplit(url).hostname or ""


def url_path(url: str) -> str:
    """Return the path of a canonical URL with its query; the root is ``/``."""
    return "/" + url.split("/", 3)[3]


def parse_host_port(text: str) -> HostPort:
    """Return the host and port in ``HOST:PORT``; raises ``ValueError``."""
    host, port = _host_and_port(text)
    if port is None:
        raise ValueError(f"{shown(text)} has no port; write HOST:PORT, such as 127.0.0.1:8080")
    return HostPort(host, port)


def canonical_mail_address(text: str) -> str:
    """Return one mail address with its domain in lower case and ASCII.

    The part before the @ stays as typed. Raises ``ValueError`` for anything but one plain address:
    display names, lists, quoted local parts, comments, spaces and control characters are refused,
    so that the result is safe in a mail header and in an SMTP command.
    """
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain:
        raise ValueError(f"{shown(text)} is not a mail address such as support@agency.example")
    if len(local) > 64 or not _LOCAL_PART.fullmatch(local):
        raise ValueError(
            f"{shown(text)} is not one plain mail address: before the @ only letters, digits, "
            "inner dots and !#$%&'*+/=?^_`{|}~- are allowed, at most 64 characters"
        )
    ascii_domain = (domain if domain.isascii() else _encoded(domain)).lower()
    labels = ascii_domain.split(".")
    is_name = all(_MAIL_LABEL.fullmatch(label) for label in labels)
    if not is_name or _NUMBER.fullmatch(labels[-1]) or len(ascii_domain) > 253:
        raise ValueError(f"{shown(text)} has no valid domain after the @")
    return f"{local}@{ascii_domain}"


def shown(text: str, *, limit: int = 80) -> str:
    """Return ``text`` quoted for a message: control characters escaped, cut after ``limit``."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return "'" + "".join(c if c.isprintable() else repr(c)[1:-1] for c in cut) + "'"


def _split(text: str) -> SplitResult:
    if len(text) > MAX_URL:
        raise ValueError(f"is {len(text)} characters long; at most {MAX_URL} are allowed")
    if any(c.isspace() or not c.isprintable() for c in text) or "\\" in text:
        raise ValueError("must not contain spaces, control characters or backslashes")
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.lower() not in _DEFAULT_PORTS:
        raise ValueError("must begin with http:// or https://")
    if not rest or rest[0] in "/?#":
        raise ValueError("has no host; write it as https://www.example.com/")
    try:
        return urlsplit(f"{scheme.lower()}://{rest}")
    except ValueError:
        raise ValueError("is not a valid URL; write it as https://www.example.com/") from None


def _host_and_port(text: str) -> tuple[str, int | None]:
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]"):
        return canonical_host(text), None
    if not _PORT.fullmatch(port) or not 1 <= int(port) <= 65535:
        raise ValueError(f"{shown(port)} is not a port; a port is a number from 1 to 65535")
    if not host:
        raise ValueError("has no host before the port")
    return canonical_host(host), int(port)


def _canonical_ipv6(text: str) -> str:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        raise ValueError(f"{shown(text)} is not a valid IPv6 address") from None
    if address.scope_id:
        raise ValueError(f"{shown(text)} names a network interface, which only this host knows")
    return str(address)


def _encoded(text: str) -> str:
    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise ValueError(
            f"{shown(text)} is not a valid internationalised name; write it in its xn-- form"
        ) from None
