"""What was seen when a ticket opened, beside what was seen when all was well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from tickets.rules.plain_text import several_lines


@dataclass(frozen=True, slots=True)
class EvidenceLine:
    """One fact: its label, what was seen now, and what was seen when it last worked."""

    label: str
    now: str
    before: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Facts side by side for the desk; all text may come from a site and is hostile.

    ``seen`` and ``last_good`` are instants as ISO 8601 text with an offset (empty where unknown).
    """

    seen: str = ""
    last_good: str = ""
    lines: tuple[EvidenceLine, ...] = ()
    excerpt: str = ""

    def document(self) -> dict[str, object]:
        """Return the evidence as a JSON document that every database takes."""
        lines = [
            {
                "label": line.label,
                "now": several_lines(line.now),
                "before": several_lines(line.before),
            }
            for line in self.lines
        ]
        return {
            "seen": self.seen,
            "last_good": self.last_good,
            "lines": lines,
            "excerpt": several_lines(self.excerpt),
        }


def read_evidence(document: dict[str, object]) -> Evidence:
    """Rebuild evidence from what ``document`` wrote; an empty document gives empty evidence."""
    lines = cast("Sequence[dict[str, str]]", document.get("lines") or ())
    return Evidence(
        seen=str(document.get("seen", "")),
        last_good=str(document.get("last_good", "")),
        lines=tuple(EvidenceLine(**line) for line in lines),
        excerpt=str(document.get("excerpt", "")),
    )
