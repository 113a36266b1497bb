"""How the boards show states: a word, a shape and a colour for each number.

The hues read on Grafana's light and dark ground alike. Those of the states are kept for states; all
else is drawn in violets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from monitor.site_metrics import STATE_CODES
from tickets.pages.watch import STATE_WORDS, SiteState

UP = "#2f8f5b"
SLOW = "#b7791f"
DOWN = "#d9453b"
UNKNOWN = "#85838c"
MAINTENANCE = "#3d8db5"

VIOLETS = ("#c9c2f0", "#a79be6", "#8574d9", "#6554c0", "#b0859e")
"""What is no state, from light to strong; the last stands apart."""
ACCENT = VIOLETS[2]

PRIORITIES = {"critical": VIOLETS[3], "normal": VIOLETS[1], "low": VIOLETS[0]}

HUES = {
    SiteState.DOWN: DOWN,
    SiteState.SLOW: SLOW,
    SiteState.UNKNOWN: UNKNOWN,
    SiteState.MAINTENANCE: MAINTENANCE,
    SiteState.UP: UP,
}
SHAPES = {
    SiteState.DOWN: "■",
    SiteState.SLOW: "◐",
    SiteState.UNKNOWN: "○",
    SiteState.MAINTENANCE: "◇",
    SiteState.UP: "●",
}
PAUSED_CODE = 4

Step = tuple[float | None, str]
"""From which value on (None: from the lowest) which colour is used."""


def state_text(state: SiteState) -> str:
    """Return a state as a shape and a word."""
    return f"{SHAPES[state]} {STATE_WORDS[state]}"


def values(words: Mapping[int, tuple[str, str]]) -> dict[str, Any]:
    """Return a mapping of single values to a text and a colour each."""
    options = {
        str(value): {"color": colour, "index": index, "text": text}
        for index, (value, (text, colour)) in enumerate(words.items())
    }
    return {"type": "value", "options": options}


def between(low: float, high: float, text: str, colour: str) -> dict[str, Any]:
    """Return a mapping of the values from ``low`` to ``high``; an empty text keeps the number."""
    result = {"color": colour, "index": 0} | ({"text": text} if text else {})
    return {"type": "range", "options": {"from": low, "to": high, "result": result}}


def no_number(text: str) -> dict[str, Any]:
    """Return a mapping of what is no number, as a share of nothing is."""
    result = {"color": UNKNOWN, "index": 0, "text": text}
    return {"type": "special", "options": {"match": "null+nan", "result": result}}


STATES: Sequence[dict[str, Any]] = [
    values(
        {code: (state_text(state), HUES[state]) for state, code in STATE_CODES.items()}
        | {PAUSED_CODE: ("‖ Paused", UNKNOWN)}
    )
]
"""The states by ``fettle_check_status_code``."""

WORST_FIRST = (
    SiteState.DOWN,
    SiteState.SLOW,
    SiteState.UNKNOWN,
    SiteState.MAINTENANCE,
    SiteState.UP,
)

RANKS: Sequence[dict[str, Any]] = [
    values(
        {
            len(WORST_FIRST) - place: (state_text(state), HUES[state])
            for place, state in enumerate(WORST_FIRST)
        }
    )
]
"""The states by how bad they are, so that a table can be sorted: 5 is down, 1 is up."""


def rank(selector: str) -> str:
    """Return an expression for how bad a site's state is; a paused site has 0."""
    code = f"fettle_check_status_code{{{selector}}}"
    return " + ".join(
        f"{len(WORST_FIRST) - place} * ({code} == bool {STATE_CODES[state]})"
        for place, state in enumerate(WORST_FIRST)
    )


STATUS_CODES: Sequence[dict[str, Any]] = [
    values({0: ("no answer", DOWN)}),
    between(100, 299, "", UP),
    between(300, 399, "", MAINTENANCE),
    between(400, 499, "", SLOW),
    between(500, 599, "", DOWN),
]

RESULTS = {"up": UP, "slow": SLOW, "down": DOWN, "unknown": UNKNOWN, "error": VIOLETS[4]}
"""Hues by the label ``result`` of ``fettle_checks_total``."""

GOOD_SHARE: Sequence[Step] = [(None, DOWN), (0.99, SLOW), (0.999, UP)]
NONE_IS_WELL: Sequence[Step] = [(None, UP), (1, DOWN)]
