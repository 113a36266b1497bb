"""Colours that a client brings: whether text can be read on them."""

from __future__ import annotations

LEAST_CONTRAST = 4.5
"""Least contrast of text (WCAG 2.2, success criterion 1.4.3)."""


def contrast_with_white(colour: str) -> float:
    """Return the contrast of white text on ``colour`` (``#rrggbb``), from 1 to 21 (WCAG 2.2)."""
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    luminance = 0.2126 * _linear(red) + 0.7152 * _linear(green) + 0.0722 * _linear(blue)
    return 1.05 / (luminance + 0.05)


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
