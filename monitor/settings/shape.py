"""What the settings models look like from outside: which keys stand where, of which kind.

Used to find the setting that an environment variable means, to name the allowed keys in a fault,
and to write the reference. Reads the models, never a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from tickets.settings.types import Section


@dataclass(frozen=True, slots=True)
class Shape:
    """One place in the settings: a section with keys, a list or mapping of items, or a value.

    ``section`` is set for a section; ``item`` is the shape of what a list or mapping holds.
    """

    section: type[Section] | None = None
    item: Shape | None = None
    is_list: bool = False

    @property
    def is_value(self) -> bool:
        """Whether a single value stands here."""
        return self.section is None and self.item is None

    def names(self) -> Sequence[str]:
        """Return the keys of a section as files spell them; none for anything else."""
        return [] if self.section is None else [key for key, _ in fields_of(self.section)]

    def child(self, key: str | int) -> Shape | None:
        """Return what stands below ``key``, or None when nothing can stand there."""
        if self.section is not None:
            return _shape_below(self.section, str(key))
        return self.item


def fields_of(section: type[Section]) -> Iterator[tuple[str, FieldInfo]]:
    """Yield the keys of a section as files spell them, with their definitions."""
    for name, field in section.model_fields.items():
        yield field.alias or name, field


def find_field(section: type[Section], key: str) -> FieldInfo | None:
    """Return the definition of ``key`` in ``section``, or None."""
    return next((field for name, field in fields_of(section) if name == key), None)


@lru_cache(maxsize=1024)
def _shape_below(section: type[Section], key: str) -> Shape | None:
    field = find_field(section, key)
    return None if field is None else shape_of(field.annotation)


def shape_of(annotation: Any) -> Shape:
    """Return the shape that a type annotation of a settings model describes."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return shape_of(arguments[0])
    if origin in {Union, UnionType} and type(None) in arguments:
        return shape_of(next(each for each in arguments if each is not type(None)))
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return Shape(section=annotation)
    if origin is tuple and arguments[-1:] == (Ellipsis,):
        return Shape(item=shape_of(arguments[0]), is_list=True)
    if origin is Mapping:
        return Shape(item=shape_of(arguments[1]))
    return Shape()
