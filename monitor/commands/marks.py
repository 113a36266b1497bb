"""States on the terminal: a word, its shape and its tone, in greyscale as plain as in colour."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from monitor.commands.screen import Tone, Toned

_SHAPES: Mapping[str, tuple[str, Tone]] = MappingProxyType(
    {
        "up": ("●", Tone.GOOD),
        "slow": ("◐", Tone.WARNING),
        "down": ("■", Tone.BAD),
        "unknown": ("○", Tone.QUIET),
        "maintenance": ("◇", Tone.QUIET),
    }
)


def mark(state: str | None, word: str | None = None) -> Toned:
    """Return ``state``, a verdict or how a site stands, as ``■ Down``; other text as it stands.

    ``word`` takes the place of the state's own name, as in ``● Up again``.
    """
    shape, tone = _SHAPES.get(state or "", ("", None))
    return Toned(f"{shape} {word or (state or '').capitalize()}".strip(), tone)
