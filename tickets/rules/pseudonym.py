"""Pseudonyms: what stands in a history in place of a person whose data was erased."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import cast

ERASED_DOMAIN = "erased.invalid"
"""Domain of the addresses of erased people; no mail can ever go there (RFC 2606)."""

NAME_FIELDS = frozenset({"name", "actor", "by", "requester_name"})
"""Columns, facts and keys that hold nothing but a person's name."""

_BEFORE, _AFTER = r"(?<![\w.!#$%&'*+/=?^`{|}~-])", r"(?![\w-]|\.\w)"


@dataclass(frozen=True, slots=True)
class Pseudonym:
    """A name and an address that lead nowhere; ``token`` is random, so they lead back to nobody."""

    token: str

    @property
    def name(self) -> str:
        """What stands for the name."""
        return f"Erased contact {self.token}"

    @property
    def address(self) -> str:
        """What stands for the mail address, in lower case."""
        return f"erased-{self.token}@{ERASED_DOMAIN}"


def is_pseudonym(address: str) -> bool:
    """Tell whether ``address`` stands for somebody whose data was erased."""
    return address.lower().endswith(f"@{ERASED_DOMAIN}")


class Mask:
    """Puts a pseudonym in the place of one address and its person's names, in text and JSON.

    A name of several words is replaced wherever it stands; one of a single word, such as Office,
    only where a field holds a name and nothing else.
    """

    def __init__(self, address: str, names: Collection[str], pseudonym: Pseudonym) -> None:
        self._pseudonym = pseudonym
        self._names = {name.casefold() for name in names}
        self._address = re.compile(_BEFORE + re.escape(address) + _AFTER, re.IGNORECASE)
        full = sorted((name for name in names if len(name.split()) > 1), key=len, reverse=True)
        listed = "|".join(map(re.escape, full))
        self._full_names = (
            re.compile(rf"(?<!\w)(?:{listed})(?!\w)", re.IGNORECASE) if full else None
        )

    def hide(self, value: object, *, field: str, has_names: bool) -> object:
        """Return ``value`` of ``field`` with the person gone; names only if ``has_names``."""
        if isinstance(value, str):
            if has_names and field in NAME_FIELDS and value.strip().casefold() in self._names:
                return self._pseudonym.name
            text = self._address.sub(self._pseudonym.address, value)
            if has_names and self._full_names is not None:
                text = self._full_names.sub(self._pseudonym.name, text)
            return text
        if isinstance(value, dict):
            entries = cast("dict[str, object]", value)
            return {
                key: self.hide(each, field=key, has_names=has_names)
                for key, each in entries.items()
            }
        if isinstance(value, list):
            items = cast("list[object]", value)
            return [self.hide(each, field=field, has_names=has_names) for each in items]
        return value
