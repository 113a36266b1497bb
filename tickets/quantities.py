"""Durations and sizes as people write them: ``30s``, ``5m``, ``1h30m``, ``1MiB``.

A number without a unit is refused: whoever writes ``timeout: 10`` should say of what.
"""

from __future__ import annotations

import re
from datetime import timedelta

from tickets.addresses import shown

DURATION_FORMS = "30s, 5m, 1h, 2d, 1h30m or 500ms"
SIZE_FORMS = "500B, 64KiB, 1MiB or 1GiB"

DURATION_PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$"
SIZE_PATTERN = r"^[0-9]+(B|KiB|MiB|GiB)$"

_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h|d)", re.ASCII)
_DURATION = re.compile(f"({_PART.pattern})+", re.ASCII)
_SIZE = re.compile(r"([0-9]{1,12})(B|KiB|MiB|GiB)", re.ASCII)
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)

_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_SIZES = {"GiB": 1024**3, "MiB": 1024**2, "KiB": 1024, "B": 1}
_LONGEST_TEXT = 40


def parse_duration(text: str) -> timedelta:
    """Return the duration that ``text`` says; largest unit first, each unit once.

    Raises ``ValueError`` with the allowed forms.
    """
    if len(text) <= _LONGEST_TEXT and _DURATION.fullmatch(text):
        parts = _PART.findall(text)
        order = [list(_UNITS).index(unit) for _, unit in parts]
        if order == sorted(set(order)):
            return sum((float(number) * _UNITS[unit] for number, unit in parts), timedelta())
    if _NUMBER.fullmatch(text[:_LONGEST_TEXT]):
        raise ValueError(f"{shown(text)} has no unit; write {DURATION_FORMS}")
    raise ValueError(f"{shown(text)} is not a duration; write {DURATION_FORMS}")


def duration_text(duration: timedelta) -> str:
    """Return ``duration`` (not negative) in the shortest form that ``parse_duration`` reads.

    Hours are kept up to three days, so that a promise of 48 hours still reads as ``48h``.
    """
    if not duration:
        return "0s"
    text = ""
    rest = duration
    for unit, size in _UNITS.items():
        if unit == "d" and duration <= timedelta(days=3):
            continue
        count, rest = divmod(rest, size)
        if count:
            text += f"{count}{unit}"
    return text or f"{duration / _UNITS['ms']:g}ms"


def parse_size(text: str) -> int:
    """Return the bytes that ``text`` says; raises ``ValueError`` with the allowed forms."""
    match = _SIZE.fullmatch(text[:_LONGEST_TEXT])
    if match is None:
        reason = "has no unit" if _NUMBER.fullmatch(text[:_LONGEST_TEXT]) else "is not a size"
        raise ValueError(f"{shown(text)} {reason}; write {SIZE_FORMS}")
    return int(match[1]) * _SIZES[match[2]]


def size_text(size: int) -> str:
    """Return ``size`` bytes in the largest unit that divides it."""
    unit = next(unit for unit, factor in _SIZES.items() if size % factor == 0)
    return f"{size // _SIZES[unit]}{unit}"
