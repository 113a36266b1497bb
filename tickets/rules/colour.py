"""Colours that a client brings: whether text can be read on them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

LEAST_CONTRAST = 4.5
"""Least contrast of text (WCAG 2.2, success criterion 1.4.3)."""


def contrast_with_white(colour: str) -> float:
    """Return the contrast of white text on ``colour`` (``#rrggbb``), from 1 to 21."""
    return contrast("#ffffff", colour)


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (``#rrggbb``), from 1 to 21 (WCAG 2.2)."""
    darker_one, lighter_one = sorted((_luminance(one), _luminance(other)))
    return (lighter_one + 0.05) / (darker_one + 0.05)


def _parts(colour: str) -> Sequence[int]:
    return [int(colour[place : place + 2], 16) for place in (1, 3, 5)]


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(part / 255) for part in _parts(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def readable_on(colour: str, ground: str) -> str:
    """Return ``colour``, mixed with as much white as text of it needs on a dark ``ground``."""
    for share in range(101):
        mixed = _mixed_with_white(colour, share / 100)
        if contrast(mixed, ground) >= LEAST_CONTRAST:
            return mixed
    return "#ffffff"


def darker(colour: str) -> str:
    """Return ``colour`` a quarter darker, as for a button under a hand."""
    return _written(part * 0.75 for part in _parts(colour))


def _mixed_with_white(colour: str, share: float) -> str:
    return _written(part + (255 - part) * share for part in _parts(colour))


def _written(parts: Iterable[float]) -> str:
    return "#" + "".join(f"{round(part):02x}" for part in parts)
