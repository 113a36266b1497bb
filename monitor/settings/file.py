"""A YAML file as a tree of text in which every value knows its line.

Plain words stay text here: what ``yes``, ``10:00`` or ``0123`` mean is for the setting to say, so
YAML's guesses (a boolean, a number in base 60, an octal number) never happen. Only ``null``, ``~``
or nothing at all, unquoted, is no value. Whatever makes YAML dangerous or ambiguous is refused:
duplicate keys, aliases, tags, several documents, deep nesting, huge files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from tickets.addresses import shown
from tickets.errors import Fault, Misconfigured

MAX_BYTES = 5_000_000
"""Largest file that is read."""

MAX_DEPTH = 30
"""Deepest nesting of lists and mappings."""

MAX_VALUES = 250_000
"""Most keys and values in one file; 20,000 sites need about 150,000."""

_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NO_VALUE = frozenset({"", "~", "null", "Null", "NULL"})
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]{1,60}", re.ASCII)
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HINTS = {
    "mapping values are not allowed": "a value that contains a colon and a space needs quotes, "
    "or a line is indented too far",
    "could not find expected ':'": "a key has no colon after it, or a line is indented wrongly",
    "did not find expected key": "this line is indented differently from the keys before it",
    "did not find expected '-' indicator": "this line is indented differently from the list",
    "did not find expected ',' or '}'": "a { is not closed, or a comma is missing",
    "did not find expected ',' or ']'": "a [ is not closed, or a comma is missing",
    "did not find expected node content": "a [ or { is not closed, or a value is missing",
    "found unexpected end of stream": "a quote is not closed",
}


@dataclass(slots=True)
class Node:
    """One value with the place it came from: a mapping, a list, or a scalar.

    ``entries`` is set for a mapping and ``items`` for a list; otherwise ``scalar`` is text, or None
    for no value, or a finished value from the command line. ``source`` names the file, the
    environment variable or the command line; ``line`` counts from 1 and is None outside files.
    ``key`` is the dotted path from the root.
    """

    source: str
    line: int | None = None
    key: str = ""
    entries: dict[str, Node] | None = None
    items: list[Node] | None = None
    scalar: object = None

    @property
    def is_empty(self) -> bool:
        """Whether there is no value here."""
        return self.entries is None and self.items is None and self.scalar is None

    def plain(self) -> object:
        """Return the tree without its places; entries without a value are left out."""
        if self.entries is not None:
            return {name: node.plain() for name, node in self.entries.items() if not node.is_empty}
        if self.items is not None:
            return [node.plain() for node in self.items]
        return self.scalar

    def child(self, key: str | int) -> Node | None:
        """Return the entry or item ``key``, or None."""
        if isinstance(key, str):
            return (self.entries or {}).get(key)
        return self.items[key] if self.items is not None and key < len(self.items) else None

    def put(self, name: str, node: Node) -> None:
        """Set an entry of this mapping, naming its keys from here on."""
        assert self.entries is not None
        self.entries[name] = node
        node.name(child_key(self.key, name))

    def drop(self, child: Node) -> None:
        """Take an entry or item out; those that stay keep their dotted paths."""
        if self.entries is not None:
            self.entries = {name: each for name, each in self.entries.items() if each is not child}
        if self.items is not None:
            self.items = [each for each in self.items if each is not child]

    def name(self, key: str) -> None:
        """Set the dotted path of this node and of all below it."""
        self.key = key
        for name, node in (self.entries or {}).items():
            node.name(child_key(key, name))
        for index, node in enumerate(self.items or ()):
            node.name(f"{key}[{index}]")

    def fault(self, message: str) -> Fault:
        """Return a fault at this place."""
        return Fault(file=self.source, line=self.line, key=self.key, message=message)


def child_key(key: str, name: str) -> str:
    """Return the dotted path of entry ``name`` below ``key``; odd names are quoted."""
    return f"{key}.{_shown_key(name)}" if key else _shown_key(name)


@lru_cache(maxsize=1024)
def _shown_key(name: str) -> str:
    return name if _PLAIN_KEY.fullmatch(name) else shown(name, limit=60)


def read_file(path: Path) -> tuple[Node, list[Fault]]:
    """Return the file's tree and the faults that do not hinder reading on.

    Raises ``Misconfigured`` when the file cannot be read at all.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise _unreadable(str(path), f"cannot be read: {reason}") from error
    if len(content) > MAX_BYTES:
        raise _unreadable(str(path), f"is larger than {MAX_BYTES:,} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _unreadable(str(path), "is not UTF-8 text", line=line) from error
    root, faults = parse(text, source=str(path), has_lines=True)
    if root.is_empty:
        root.entries = {}
    if root.entries is None:
        raise _unreadable(str(path), "must be a mapping of sections, such as agency and clients")
    return root, faults


def parse(text: str, *, source: str, has_lines: bool) -> tuple[Node, list[Fault]]:
    """Return the tree in YAML ``text`` and the faults that do not hinder reading on.

    Raises ``Misconfigured`` for what is no YAML or exceeds a limit.
    """
    builder = _Builder(source=source, has_lines=has_lines)
    try:
        for event in _events(text):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        # Not kept as the cause: it may quote the line, and the line may hold a password.
        raise _unreadable(source, *_explain(error, text, has_lines=has_lines)) from None
    except yaml.YAMLError:
        found = _FORBIDDEN.search(text)
        line = text.count("\n", 0, found.start()) + 1 if found and has_lines else None
        raise _unreadable(source, "contains a control character", line=line) from None
    return builder.root, builder.faults


@dataclass(slots=True)
class _Builder:
    """Puts the parser's events together; keeps its own stack, so depth costs no recursion."""

    source: str
    has_lines: bool
    root: Node = field(init=False)
    faults: list[Fault] = field(default_factory=list[Fault])
    _open: list[Node] = field(default_factory=list[Node])
    _keys: list[tuple[str, int | None] | None] = field(
        default_factory=list[tuple[str, int | None] | None]
    )
    _values: int = 0
    _documents: int = 0

    def __post_init__(self) -> None:
        self.root = Node(self.source)

    def take(self, event: yaml.Event) -> None:
        """Take the next event; raises ``Misconfigured`` when a limit is exceeded."""
        mark = event.start_mark
        line = mark.line + 1 if mark is not None and self.has_lines else None
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _unreadable(self.source, "must be one document: remove the ---", line=line)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
            self._keys.pop()
        elif isinstance(event, yaml.NodeEvent):
            self._values += 1
            if self._values > MAX_VALUES:
                raise _unreadable(self.source, f"has more than {MAX_VALUES:,} values", line=line)
            self._take_value(event, line)

    def _take_value(self, event: yaml.NodeEvent, line: int | None) -> None:
        parent = self._open[-1] if self._open else None
        if parent is not None and parent.entries is not None and self._keys[-1] is None:
            if not isinstance(event, yaml.ScalarEvent):
                raise _unreadable(self.source, "a key must be a plain word", line=line)
            self._keys[-1] = (event.value, line)
            return
        node = Node(self.source, line)
        self._attach(parent, node)
        if isinstance(event, yaml.AliasEvent):
            self.faults.append(node.fault("aliases (*name) are not read; write the value out"))
        elif getattr(event, "tag", None) is not None:
            self.faults.append(node.fault("tags (!name) are not read; write the value without it"))
        if isinstance(event, yaml.ScalarEvent):
            is_plain = event.style is None or event.style == ""
            node.scalar = None if is_plain and event.value in _NO_VALUE else event.value
        elif isinstance(event, yaml.CollectionStartEvent):
            if isinstance(event, yaml.MappingStartEvent):
                node.entries = {}
            else:
                node.items = []
            self._open.append(node)
            self._keys.append(None)
            if len(self._open) > MAX_DEPTH:
                raise _unreadable(self.source, f"is nested deeper than {MAX_DEPTH}", line=line)

    def _attach(self, parent: Node | None, node: Node) -> None:
        if parent is None:
            self.root = node
        elif parent.items is not None:
            node.key = f"{parent.key}[{len(parent.items)}]"
            parent.items.append(node)
        elif parent.entries is not None and (key := self._keys[-1]) is not None:
            name, line = key
            self._keys[-1] = None
            node.line = line
            node.key = child_key(parent.key, name)
            first = parent.entries.setdefault(name, node)
            if first is not node:
                where = f" on line {first.line}" if first.line else ""
                self.faults.append(node.fault(f"is given twice, first{where}; remove one"))


def _events(text: str) -> Iterable[yaml.Event]:
    return yaml.parse(text, Loader=_LOADER)


def _explain(error: yaml.MarkedYAMLError, text: str, *, has_lines: bool) -> tuple[str, int | None]:
    mark = error.problem_mark or error.context_mark
    problem = error.problem or "cannot be read"
    hint = next((hint for start, hint in _HINTS.items() if problem.startswith(start)), "")
    if mark is not None and problem.startswith("found character that cannot start any token"):
        lines = text.split("\n")
        found = lines[mark.line][mark.column :][:1] if mark.line < len(lines) else ""
        hint = (
            "a line is indented with a tab; YAML wants spaces"
            if found == "\t"
            else f"a value that begins with {found} needs quotes"
        )
    line = mark.line + 1 if mark is not None and has_lines else None
    return f"is not valid YAML: {hint or problem}", line


def _unreadable(source: str, message: str, line: int | None = None) -> Misconfigured:
    return Misconfigured([Fault(file=source, line=line, key="", message=message)])


def dump(document: object) -> str:
    """Return plain values as YAML text that ``parse`` reads, keys in the order given.

    Other scripts are written as they are, unless something that does not print stands among them.
    """
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    if text.replace("\n", "").isprintable():
        return text
    return yaml.safe_dump(document, sort_keys=False, width=100)
