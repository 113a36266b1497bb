"""What a client reads when a page cannot answer: plain words, and whom to write to.

Nothing of the inside is told: no name of a part, of a log, or of the software.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tickets.pages.faults import Fault

_WORDS: Mapping[int, tuple[str, str]] = {
    405: ("Nothing was done", "Open the page itself and use what stands on it."),
    415: ("Nothing was done", "Open the page itself and send the form that it shows."),
    503: ("Not at this moment", "This page does not answer. Wait a few seconds and try again."),
}


def for_clients(fault: Fault, *, reply_to: str | None) -> Fault:
    """Return ``fault`` as clients read it; ``reply_to`` is whom they may write to, if anybody."""
    if fault.status in _WORDS:
        title, message = _WORDS[fault.status]
        fault = replace(fault, title=title, message=message, advice="")
    if fault.status < 500:
        return fault
    name = f" and name {fault.mark}" if fault.mark else ""
    advice = f"If it cannot wait, write to {reply_to}{name}." if reply_to else ""
    if not fault.mark:
        return replace(fault, advice=advice)
    message = f"Please try again. Our number for what went wrong is {fault.mark}."
    return replace(fault, message=message, advice=advice)
