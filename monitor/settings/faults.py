"""Says what pydantic found wrong in words for the person who wrote the file.

A value is repeated only where it can be no secret: in a choice of words. All other messages come
from our own validators, which know what they may show.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from monitor.settings.file import Node
from monitor.settings.shape import Shape, find_field
from tickets.addresses import shown
from tickets.settings.types import did_you_mean

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_CHOICES = {"enum", "literal_error"}
_LIMITS = {
    "greater_than_equal": ("must be at least", "ge"),
    "less_than_equal": ("must be at most", "le"),
}


def describe(error: ErrorDetails, node: Node, shape: Shape, missing: str | None) -> str:
    """Return a message that completes "<key>: ...".

    ``node`` and ``shape`` are the value at fault; ``missing`` names the key below it that is not
    there, if that is the fault.
    """
    kind, context = error["type"], error.get("ctx", {})
    if kind == "missing" and missing is not None:
        field = find_field(shape.section, missing) if shape.section is not None else None
        return f"is missing. {field.description if field is not None else ''}".rstrip()
    if kind == "value_error":
        return str(context["error"])
    if kind in _CHOICES:
        return _choice(node.scalar, str(context["expected"]))
    if kind in _LIMITS:
        words, name = _LIMITS[kind]
        return f"{words} {context[name]}"
    if node.is_empty:
        return "is empty"
    return _wrong_form(node, shape, error["msg"])


def describe_key(error: ErrorDetails, key: str) -> str:
    """Return the message for a key that its mapping does not allow."""
    context = error.get("ctx", {})
    if error["type"] in _CHOICES:
        return _choice(key, str(context["expected"]))
    return str(context.get("error", error["msg"]))


def describe_unknown(key: str, allowed: Sequence[str]) -> str:
    """Return the message for a key that ``allowed`` does not list."""
    if key == "<<":
        return "merge keys are not read; write the keys out"
    listed = ", ".join(allowed)
    return f"is not a key of this version{did_you_mean(key, allowed)}; allowed here: {listed}"


def _choice(given: object, expected: str) -> str:
    words = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    listed = f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]
    if not isinstance(given, str):
        return f"must be {listed}"
    return f"{shown(given)} is not allowed; write {listed}{did_you_mean(given, words)}"


def _wrong_form(node: Node, shape: Shape, otherwise: str) -> str:
    found = "a mapping" if node.entries is not None else "a list" if node.items is not None else ""
    if shape.section is not None:
        return f"must be a mapping with the keys {', '.join(shape.names())}"
    if shape.is_list:
        return f"must be a list, such as [...] or lines that begin with -, not {found or 'text'}"
    if shape.item is not None:
        return f"must be a mapping, such as {{name: value}}, not {found or 'text'}"
    if found:
        return f"must be a single value, not {found}"
    return otherwise[:1].lower() + otherwise[1:]
