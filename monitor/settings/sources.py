"""Puts what the environment and the command line say over what the file says.

``FETTLE_MAIL__HOST`` sets ``mail.host``; two underscores separate keys. A client or site is named
by its slug in capitals with underscores for hyphens, any other item of a list by its number from 0.
A name that ends in ``_FILE`` names a file that holds the value. An empty variable counts as not
set.
"""

from __future__ import annotations

import itertools
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from monitor.settings import Settings
from monitor.settings.file import Node, parse
from monitor.settings.shape import Shape
from tickets.addresses import shown
from tickets.errors import Fault, Misconfigured
from tickets.settings.types import did_you_mean

PREFIX = "FETTLE_"
MAX_SECRET_BYTES = 65_536
"""Largest file that a variable ending in ``_FILE`` may name."""

_SHAPE = Shape(section=Settings)
_FROM_FILE = "_FILE"


def apply_environment(root: Node, environ: Mapping[str, str]) -> list[Fault]:
    """Set in ``root`` what the variables of ``environ`` that begin with ``FETTLE_`` say.

    Variables without two underscores that name no section are none of ours: an orchestrator may
    set names such as FETTLE_PORT. Returns the faults found.
    """
    faults: list[Fault] = []
    seen: dict[str, str] = {}
    names = [name for name in environ if name.startswith(PREFIX) and environ[name]]
    for name in sorted(names, key=lambda name: (name.count("__"), name)):
        source = f"environment variable {name}"
        try:
            path, is_file = _find(root, name)
            if path is None:
                continue
            other = seen.setdefault(".".join(map(str, path)), name)
            if other != name:
                message = f"sets the same as {other}; set one of the two"
                faults.append(Fault(file=source, line=None, key="", message=message))
                continue
            text = _read_secret(Path(environ[name])) if is_file else environ[name]
            _put(root, path, text, source=source)
        except ValueError as error:
            faults.append(Fault(file=source, line=None, key="", message=str(error)))
        except Misconfigured as error:
            faults.extend(error.faults)
    return faults


def apply_overrides(root: Node, overrides: Mapping[str, object]) -> None:
    """Set in ``root`` what the command line says: finished values or text by dotted path.

    None counts as not given. The paths are the program's own: an unknown one is a ``KeyError``.
    """
    for path, value in overrides.items():
        if value is None:
            continue
        *sections, last = path.split(".")
        node, shape = root, _SHAPE
        for section in sections:
            node, shape = _entry(node, section), _child(shape, section, path)
        _child(shape, last, path)
        if node.entries is not None:
            node.put(last, Node("command line", scalar=value))


def _child(shape: Shape, key: str, path: str) -> Shape:
    child = shape.child(key)
    if child is None:
        raise KeyError(path)
    return child


def _find(root: Node, name: str) -> tuple[list[str | int] | None, bool]:
    """Return the path of the setting that a variable means, and whether it names a file.

    The path is None when the variable is none of ours. Raises ``ValueError`` for an unknown one.
    """
    words = name.removeprefix(PREFIX).split("__")
    try:
        return _path(root, words), False
    except ValueError:
        if name.endswith(_FROM_FILE):
            words[-1] = words[-1].removesuffix(_FROM_FILE)
            return _path(root, words), True
        if len(words) == 1:
            return None, False
        raise


def _path(root: Node, words: list[str]) -> list[str | int]:
    path: list[str | int] = []
    node: Node | None = root
    shape = _SHAPE
    for word in words:
        key = _key(node, shape, word)
        child = shape.child(key)
        assert child is not None
        node = None if node is None else node.child(key)
        shape = child
        path.append(key)
    return path


def _key(node: Node | None, shape: Shape, word: str) -> str | int:
    lower = word.lower()
    if shape.section is not None:
        if lower not in shape.names():
            raise ValueError(
                f"means no setting: {shown(lower)} is not one of {', '.join(shape.names())}"
                + did_you_mean(lower, shape.names())
            )
        return lower
    if shape.item is None:
        raise ValueError(f"means no setting: nothing stands below the value before {shown(word)}")
    if not shape.is_list:
        name = lower.replace("_", "-")
        return next((key for key in _names(node) if key.lower() == name), name)
    return _index(node, shape.item, word)


def _index(node: Node | None, item: Shape, word: str) -> int:
    items = [] if node is None else node.items or []
    if "slug" in item.names():
        slugs = [_slug(each) for each in items]
        wanted = word.lower().replace("_", "-")
        if wanted not in slugs:
            listed = ", ".join(filter(None, slugs)) or "none"
            raise ValueError(
                f"means no setting: there is no slug {shown(wanted)} here, only {listed}"
            )
        return slugs.index(wanted)
    if not (word.isascii() and word.isdigit() and len(word) < 6) or int(word) > len(items):
        raise ValueError(
            f"means no setting: {shown(word)} is not the number of an item; the list has "
            f"{len(items)}, counted from 0"
        )
    return int(word)


def _slug(node: Node) -> str:
    slug = (node.entries or {}).get("slug")
    return str(slug.scalar) if slug is not None else ""


def _names(node: Node | None) -> Iterator[str]:
    if node is not None and node.entries is not None:
        yield from node.entries


def _put(root: Node, path: list[str | int], text: str, *, source: str) -> None:
    shape = _SHAPE
    for key in path:
        child = shape.child(key)
        assert child is not None
        shape = child
    value = _value(text, shape, source=source)
    node = root
    for key, following in itertools.pairwise(path):
        node = _entry(node, key, is_list=isinstance(following, int))
    last = path[-1]
    if isinstance(last, str):
        if node.entries is not None:
            node.put(last, value)
    elif node.items is not None:
        value.name(f"{node.key}[{last}]")
        node.items[last : last + 1] = [value]


def _entry(node: Node, key: str | int, *, is_list: bool = False) -> Node:
    """Return what stands below ``key``, made if nothing does.

    A file that has something else there keeps it: its fault is reported anyway, and what is set
    below is lost with it.
    """
    child = node.child(key)
    if child is None or child.is_empty:
        child = Node(node.source, node.line)
        if is_list:
            child.items = []
        else:
            child.entries = {}
        if isinstance(key, str) and node.entries is not None:
            node.put(key, child)
        elif isinstance(key, int) and node.items is not None:
            child.name(f"{node.key}[{key}]")
            node.items[key : key + 1] = [child]
    return child


def _value(text: str, shape: Shape, *, source: str) -> Node:
    """Return the value of a variable: text as it stands, or YAML for what has items or keys."""
    if shape.is_value:
        return Node(source, scalar=text)
    node, faults = parse(text, source=source, has_lines=False)
    if faults:
        raise Misconfigured(faults)
    if shape.is_list and node.entries is None and node.items is None:
        return Node(source, items=[Node(source, scalar=each.strip()) for each in text.split(",")])
    return node


def _read_secret(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise ValueError(f"names {shown(str(path))}, which cannot be read: {reason}") from error
    if is_world_readable(path):
        raise ValueError(
            f"names {shown(str(path))}, which every user of this host can read; run chmod o-r on it"
        )
    if len(content) > MAX_SECRET_BYTES:
        raise ValueError(
            f"names {shown(str(path))}, which is larger than {MAX_SECRET_BYTES:,} bytes"
        )
    try:
        return content.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ValueError(f"names {shown(str(path))}, which is not UTF-8 text") from None


def is_world_readable(path: Path) -> bool:
    """Tell whether ``path`` is a file that every user of this host may read."""
    mode = path.stat().st_mode
    return stat.S_ISREG(mode) and bool(mode & stat.S_IROTH)
