"""What a message about one episode of an alert does: the table of repeats, late words and revivals.

An episode is an alert's key with the instant at which it began; a sender repeats what it said,
says it late, and in any order. At most one episode of a key fires: the newest.
"""

from __future__ import annotations

from enum import StrEnum

from monitor.rules.alert import AlertStatus


class AlertState(StrEnum):
    """How an episode of an alert stands.

    ``gone`` is what its sender no longer lists though it never said that it ended; ``superseded``
    is what a newer episode of the same alert has followed.
    """

    FIRING = "firing"
    RESOLVED = "resolved"
    GONE = "gone"
    SUPERSEDED = "superseded"


class Step(StrEnum):
    """What is to be done.

    ``begin``: the episode is new and fires. ``end``: it fired and ended. ``come_back``: it was
    thought to be gone, and fires. ``keep``: it is new and over already, so it is only stored.
    ``confirm``: that it is gone was right.
    """

    NOTHING = "nothing"
    BEGIN = "begin"
    END = "end"
    COME_BACK = "come_back"
    KEEP = "keep"
    CONFIRM = "confirm"


def step_of(status: AlertStatus, *, known: AlertState | None, is_past: bool) -> Step:
    """Return what a message of ``status`` does to an episode that stands at ``known``.

    ``known`` is None for an episode never heard of; ``is_past`` tells whether a newer episode of
    the key is known. What ended never fires again: a late word must not open anything.
    """
    is_firing = status is AlertStatus.FIRING
    if known is None:
        return Step.BEGIN if is_firing and not is_past else Step.KEEP
    if known is AlertState.FIRING:
        return Step.NOTHING if is_firing else Step.END
    if known is AlertState.GONE:
        if not is_firing:
            return Step.CONFIRM
        return Step.NOTHING if is_past else Step.COME_BACK
    return Step.NOTHING
