"""Looks into plain values that came from a file, whatever they turn out to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

_LONGEST = 2000


def as_mapping(value: object) -> Mapping[str, object]:
    """Return a mapping with its keys as text; an empty one for anything else."""
    if not isinstance(value, dict):
        return {}
    return {str(key): each for key, each in cast("dict[object, object]", value).items()}


def as_list(value: object) -> Sequence[object]:
    """Return a list; an empty one for anything else."""
    return cast("list[object]", value) if isinstance(value, list) else []


def as_text(value: object) -> str:
    """Return text, trimmed and on one line; empty for anything else, or for far too much."""
    if not isinstance(value, str) or len(value) > _LONGEST:
        return ""
    return " ".join("".join(each if each.isprintable() else " " for each in value).split())


def as_seconds(value: object) -> float:
    """Return a number of seconds, also from text; 0 for anything else, or for no sensible one."""
    if isinstance(value, str):
        try:
            value = float(value[:20])
        except ValueError:
            return 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return float(value) if 0 < value < 1_000_000 else 0


def is_on(value: object) -> bool:
    """Tell whether a switch is on; other programs write true, 1 or "1"."""
    return value is True or value == 1 or (isinstance(value, str) and value in {"1", "true"})


def duration(seconds: float) -> str:
    """Return seconds as the settings write a duration."""
    if seconds == int(seconds):
        return f"{int(seconds)}s"
    return f"{max(1, round(seconds * 1000))}ms"
