"""Sites on their way into the settings: what each says, and what could not be carried."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.settings.site import is_secret_header
from tickets.addresses import canonical_host

NO_CLIENT = "Imported sites"
"""Name of the client of sites that name none."""

_LONGEST_SLUG = 63
_LONGEST_NAME = 200
_NO_SLUG = re.compile(r"[^a-z0-9]+")


@dataclass(slots=True)
class SiteDraft:
    """One site as the settings' keys with plain values, and what of it is a secret.

    ``called`` is what the other program calls it, for notes. ``secrets`` are paths of keys below
    the site, such as ``("headers", "X-Token")``; their values are not kept.
    """

    called: str
    client: str
    name: str
    settings: dict[str, object]
    slug: str = ""
    secrets: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


@dataclass(slots=True)
class Notes:
    """What was not carried, and what was assumed: each reason once, with all whom it concerns."""

    _found: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def add(self, called: str, reason: str) -> None:
        """Note ``reason`` of the one that is ``called`` so; empty for the file as a whole."""
        self._found.setdefault(reason, []).append(called)

    def __len__(self) -> int:
        return len(self._found)

    def __iter__(self) -> Iterator[tuple[str, Sequence[str]]]:
        """Yield each reason with those whom it concerns."""
        for reason, concerned in self._found.items():
            yield reason, [each for each in concerned if each]


@dataclass(slots=True)
class Draft:
    """What was read from one file."""

    sites: list[SiteDraft] = field(default_factory=list[SiteDraft])
    left_out: Notes = field(default_factory=Notes)
    assumed: Notes = field(default_factory=Notes)

    def leave_out(self, called: str, reason: str) -> None:
        """Note that something of ``called``, or all of it, is not carried."""
        self.left_out.add(called, reason)


@dataclass(frozen=True, slots=True)
class Imported:
    """The settings that came of a file: ``clients`` as the configuration has them.

    ``secrets`` are the environment variables in which the secrets that were left out belong.
    """

    clients: Sequence[Mapping[str, object]]
    site_count: int
    secrets: Sequence[str]
    left_out: Notes
    assumed: Notes


def slug_of(name: str, *, fallback: str) -> str:
    """Return a slug for ``name``: its letters and digits in ASCII, else the ``fallback``."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = _NO_SLUG.sub("-", plain).strip("-")[:_LONGEST_SLUG].strip("-")
    return slug or fallback


def unique(slug: str, taken: set[str]) -> str:
    """Return ``slug``, or it with the next free number, and take it."""
    found, number = slug, 1
    while found in taken:
        number += 1
        end = f"-{number}"
        found = slug[: _LONGEST_SLUG - len(end)].rstrip("-") + end
    taken.add(found)
    return found


def shortened(name: str) -> str:
    """Return a name that is no longer than the settings allow."""
    return name[:_LONGEST_NAME].strip()


def take_headers(site: SiteDraft, headers: Iterable[tuple[str, str]]) -> None:
    """Give the site what headers are harmless, and note those that may be credentials."""
    plain: dict[str, str] = {}
    for name, value in headers:
        if is_secret_header(name):
            site.secrets.append(("headers", name))
        else:
            plain[name] = value
    if plain:
        site.settings["headers"] = plain


def split_credentials(url: str) -> tuple[str, str]:
    """Return a URL without the user name and password that it holds, and the user name."""
    scheme, mark, rest = url.partition("://")
    netloc, slash, path = rest.partition("/")
    credentials, at, host = netloc.rpartition("@")
    if not mark or not at:
        return url, ""
    return f"{scheme}://{host}{slash}{path}", credentials.partition(":")[0]


def is_host(text: str) -> bool:
    """Tell whether ``text`` is a host name or an address."""
    try:
        canonical_host(text)
    except ValueError:
        return False
    return True
