"""Checks a tree of values against the settings models and tells every fault at its own place.

What is at fault is cut out of the tree, with stand-ins for required keys, until the rest is valid:
so one reading tells the faults of single keys and the contradictions among all the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydantic import ValidationError

from monitor.settings import Settings
from monitor.settings.conflicts import Conflict, find_conflicts
from monitor.settings.faults import describe, describe_key, describe_unknown
from monitor.settings.file import Node, child_key
from monitor.settings.shape import Shape
from monitor.settings.site_files import find_unusable_files
from tickets.errors import Fault

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_SHAPE = Shape(section=Settings)
_LIMITS = ("interval", "timeout", "slow_after")
_DEPENDS_ON = dict.fromkeys(_LIMITS, _LIMITS) | {"url": ("allow_networks",)}
_STAND_INS = {
    "agency": None,
    "slug": "stand-in-%d",
    "name": "stand-in-%d",
    "url": "https://stand-in-%d.invalid/",
    "mail_from": "stand-in-%d@mail.invalid",
}


def check(root: Node, *, reads_files: bool = False) -> tuple[Settings | None, list[Fault]]:
    """Return the settings in ``root`` and every fault found; with a fault they are of no use.

    Takes what is at fault out of ``root``. With ``reads_files`` the certificate files that sites
    name are looked into as well.
    """
    faults = list(_cut_unknown(root, _SHAPE))
    broken = _Broken()
    is_told = False
    while True:
        try:
            settings = Settings.model_validate(root.plain())
        except ValidationError as error:
            places = [
                (_Place(root, each["loc"]), each)
                for each in error.errors(include_url=False, include_input=False)
                if each["type"] != "default_factory_not_called"
            ]
            if not is_told:  # later errors are our own doing
                faults += [place.fault(_message(place, each)) for place, each in places]
                is_told = True
            if not broken.cut(places):
                return None, faults
        else:
            conflicts = [*find_conflicts(settings)]
            if reads_files:
                conflicts += find_unusable_files(settings)
            return settings, faults + list(_contradictions(root, conflicts, broken))


class _Place:
    """Where in the tree a path leads: to ``node`` through ``parents``, from the root.

    ``missing`` is the key below ``node`` that is not there, and ends the way.
    """

    def __init__(self, root: Node, path: Sequence[str | int]) -> None:
        self.node, self.shape = root, _SHAPE
        self.parents: list[Node] = []
        self.missing: str | None = None
        for key in path:
            child = self.node.child(key)
            if self.node.entries is not None and (child is None or child.is_empty):
                self.missing = str(key)
                return
            if child is None:
                return
            self.parents.append(self.node)
            self.node = child
            self.shape = self.shape.child(key) or Shape()

    @property
    def container(self) -> Node:
        """The mapping or list in which the key at fault stands, or should stand."""
        return self.node if self.missing is not None or not self.parents else self.parents[-1]

    def fault(self, message: str) -> Fault:
        """Return a fault at this place; a key that is not there has the line of its section."""
        if self.missing is None:
            return self.node.fault(message)
        empty = self.node.child(self.missing)
        return Fault(
            file=self.node.source,
            line=self.node.line if empty is None else empty.line,
            key=child_key(self.node.key, self.missing),
            message=message,
        )


@dataclass(slots=True)
class _Broken:
    """What was cut: the keys, and the mappings and lists that lost one."""

    keys: set[str] = field(default_factory=set[str])
    containers: set[str] = field(default_factory=set[str])
    _count: int = 0

    def cut(self, places: Sequence[tuple[_Place, ErrorDetails]]) -> bool:
        """Take what is at fault out of the tree; tell whether there was anything to take.

        A required key that is not there gets a stand-in, unlike any other, so that the rest of its
        section is still compared with the others.
        """
        before = self._count
        for place, error in places:
            if error["type"] == "missing" and place.missing in _STAND_INS:
                stand_in = _stand_in(place.missing, self._count)
                place.node.put(place.missing, stand_in)
                self._add(stand_in, place.node)
            elif place.parents:
                place.parents[-1].drop(place.node)
                self._add(place.node, place.container)
        return self._count > before

    def explains(self, key: str, container: Node) -> bool:
        """Tell whether a contradiction about ``key`` may come from a default in place of a cut."""
        if key == "slug":
            return False
        needed = {f"probing.{each}" for each in _DEPENDS_ON.get(key, ())}
        return container.key in self.containers or bool(needed & (self.keys | self.containers))

    def _add(self, cut: Node, container: Node) -> None:
        self._count += 1
        self.keys.add(cut.key)
        self.containers.add(container.key)


def _stand_in(key: str, number: int) -> Node:
    form = _STAND_INS[key]
    return Node("", entries={}) if form is None else Node("", scalar=form % number)


def _message(place: _Place, error: ErrorDetails) -> str:
    if error["loc"][-1:] == ("[key]",):
        return describe_key(error, str(error["loc"][-2]))
    message = describe(error, place.node, place.shape, place.missing)
    if place.missing is None or error["type"] == "missing":
        return message
    return f"{message} (it is not set, so its default counts)"


def _cut_unknown(node: Node, shape: Shape) -> Iterator[Fault]:
    """Take keys that no section has out of the tree; yield a fault for each."""
    for name, child in list((node.entries or {}).items()):
        below = shape.child(name)
        if below is not None:
            yield from _cut_unknown(child, below)
        elif shape.section is not None:
            node.drop(child)
            yield child.fault(describe_unknown(name, shape.names()))
    below = shape.child(0) if shape.is_list else None
    for child in node.items or ():
        if below is not None:
            yield from _cut_unknown(child, below)


def _contradictions(root: Node, conflicts: Iterable[Conflict], broken: _Broken) -> Iterator[Fault]:
    """Yield the contradictions that do not merely follow from a fault that is told already."""
    for conflict in conflicts:
        place = _Place(root, conflict.path)
        if not broken.explains(str(conflict.path[-1]), place.container):
            yield place.fault(conflict.message)
