"""A ticket as its entries tell it: replaying them must give what is stored.

Entries hold JSON's types, so the state does too: instants are ISO 8601 text, enums their values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, cast

from tickets.rules.ticket import Action, Status, is_allowed

ADDED = frozenset({"link", "minutes"})
"""Facts of an entry that add to what was there instead of taking its place."""


class Recorded(Protocol):
    """What replaying reads of an entry."""

    @property
    def number(self) -> int:
        """Its place in the history, from 1."""
        ...

    @property
    def action(self) -> Action:
        """What was done."""
        ...

    @property
    def before(self) -> Mapping[str, object]:
        """What moved, as it was."""
        ...

    @property
    def after(self) -> Mapping[str, object]:
        """What moved, as it is since."""
        ...


class BrokenHistory(ValueError):
    """The entries do not tell one ticket's life: a gap, a forbidden step or a contradiction."""


def replay(entries: Iterable[Recorded]) -> Mapping[str, object]:
    """Return what the entries (oldest first) say that the ticket is, by the names of its columns.

    Beside the columns it holds those of the current promise that moved, ``minutes`` (all time
    spent) and ``links`` (references, sorted). A column that an old opening entry does not name is
    known from the first entry that moved it. Raises ``BrokenHistory``.
    """
    state: dict[str, object] = {"minutes": 0, "links": []}
    version = 0
    for entry in entries:
        version += 1
        if entry.number != version:
            raise BrokenHistory(f"entry {version} is missing: entry {entry.number} follows")
        _check_step(state, entry)
        for name, value in entry.before.items():
            if name in state and state[name] != value:
                raise BrokenHistory(
                    f"entry {version} moves {name} from {value!r}, where it was {state[name]!r}"
                )
        _apply(state, entry.after)
    if not version:
        raise BrokenHistory("a ticket has at least the entry that opened it")
    return state | {"version": version}


def _check_step(state: Mapping[str, object], entry: Recorded) -> None:
    if entry.number == 1:
        if entry.action is not Action.OPEN:
            raise BrokenHistory(f"the first entry is '{entry.action}', not '{Action.OPEN}'")
        return
    status = Status(str(state["status"]))
    if not is_allowed(entry.action, status):
        raise BrokenHistory(
            f"entry {entry.number} is '{entry.action}', which is not possible from {status}"
        )


def _apply(state: dict[str, object], after: Mapping[str, object]) -> None:
    for name, value in after.items():
        if name == "minutes":
            state["minutes"] = cast("int", state["minutes"]) + cast("int", value)
        elif name == "link":
            state["links"] = sorted({*cast("list[str]", state["links"]), str(value)})
        else:
            state[name] = value
