"""Writes down the settings from their models: a JSON Schema for editors, tables for people.

``python -m monitor.settings.reference`` rewrites both in the repository in which it is run; a test
tells when they are out of date.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import PydanticUndefined

from monitor.settings import Settings
from monitor.settings.shape import fields_of, shape_of
from tickets.quantities import DURATION_PATTERN, SIZE_PATTERN
from tickets.settings.types import PERCENT_PATTERN, Section

SCHEMA_FILE = Path("config/fettle.schema.json")
REFERENCE_FILE = Path("docs/configuration.md")
BEGIN, END = "<!-- keys: begin -->\n", "<!-- keys: end -->\n"

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_VARIABLE = re.compile(r"FETTLE_[A-Z0-9_]+")
_KINDS = {
    "uri": "URL",
    "email": "mail address",
    "date": "date",
    "password": "secret",
    DURATION_PATTERN: "duration",
    SIZE_PATTERN: "size",
    PERCENT_PATTERN: "share",
    "string": "text",
    "integer": "whole number",
    "boolean": "true or false",
}


_SMALLEST: dict[str, Any] = {
    "agency": {"name": "-", "url": "https://agency.invalid/", "mail_from": "mail@agency.invalid"},
    "support": {
        "escalate": [{"at": "50%", "tell": ["duty"]}],
        "holidays": {"add": [{"date": "2026-06-15", "name": "-"}]},
        "closures": [{"name": "-", "from": "12-24", "to": "01-01"}],
    },
    "alerts": {"sources": [{"name": "source", "kind": "alertmanager", "token": "0" * 16}]},
    "clients": [
        {
            "slug": "client",
            "name": "-",
            "contacts": [{"name": "-", "email": "contact@client.invalid"}],
            "support": {
                "holidays": {"add": [{"date": "2026-06-15", "name": "-"}]},
                "closures": [{"name": "-", "from": "12-24", "to": "01-01"}],
                "response": {"critical": {}, "normal": {}, "low": {}},
            },
            "allowance": {"hours_per_month": 1},
            "sites": [
                {
                    "slug": "site",
                    "url": "https://client.invalid/",
                    "basic_auth": {"username": "-", "password": "-"},
                    "client_certificate": {"certificate_file": "-", "key_file": "-"},
                    "maintenance": [{"from": "2026-03-09T22:00", "to": "2026-03-10T02:00"}],
                }
            ],
        }
    ],
}
"""One of everything with nothing but the required keys: all else in it is a default."""


class _Generator(GenerateJsonSchema):
    """Makes no titles from names, and no two ways to say that there is no value."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def nullable_schema(self, schema: Any) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the configuration file.

    A password is never required in it, because it had better come from elsewhere.
    """
    document = Settings.model_json_schema(schema_generator=_Generator)
    definitions = document["$defs"]
    for definition in definitions.values():
        definition["description"] = definition["description"].partition("\n")[0]
        definition.pop("title")
    defaults = Settings.model_validate(_SMALLEST).model_dump(mode="json", by_alias=True)
    _write_defaults(Settings, defaults, {"Settings": document, **definitions})
    definitions["BasicAuthSettings"]["required"].remove("password")
    document |= {"title": "Fettle's configuration", "description": "The file config/fettle.yml."}
    return {"$schema": _DIALECT, **document}


def _write_defaults(
    section: type[Section], values: dict[str, Any], definitions: dict[str, Any]
) -> None:
    """Write the defaults of a section, and of those in it, as a file would hold them."""
    properties = definitions[section.__name__]["properties"]
    for key, field in fields_of(section):
        shape = shape_of(field.annotation)
        below = shape.section or (shape.item and shape.item.section)
        properties[key].pop("default", None)
        if below is not None:
            value = values[key]
            _write_defaults(below, value[0] if shape.is_list else value, definitions)
        elif field.default is not None and field.default is not PydanticUndefined:
            properties[key]["default"] = values[key]


def reference() -> str:
    """Return Markdown with one table for each section: key, value, default, meaning."""
    schema = json_schema()
    lines: list[str] = []
    for name, found in schema["properties"].items():
        section = _resolved(found, schema)
        lines += [f"### {name}", "", section["description"], ""]
        lines += ["| key | value | default | meaning |", "|---|---|---|---|"]
        rows = _rows(section, schema, prefix="[]." if section.get("type") == "array" else "")
        lines += [*rows, ""]
    return "\n".join(lines)


def with_reference(text: str) -> str:
    """Return the Markdown page ``text`` with the tables between its two marks made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{reference()}{END}{after}"


def schema_text() -> str:
    """Return the JSON Schema as the file holds it."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _resolved(found: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Return a property with what it refers to; its own words win."""
    name = found.get("$ref", "").rpartition("/")[2]
    return {**schema["$defs"][name], **found} if name else found


def _rows(section: dict[str, Any], schema: dict[str, Any], *, prefix: str) -> Iterator[str]:
    section = _resolved(section.get("items", section), schema)
    for key, found in section["properties"].items():
        field = _resolved(found, schema)
        item = _resolved(field.get("items", field), schema)
        is_list = "items" in field
        if "properties" not in item:
            is_required = key in section.get("required", ())
            yield _row(f"{prefix}{key}", field, schema, is_required=is_required)
            continue
        if is_list:
            yield _row(f"{prefix}{key}", field, schema, is_required=False)
        yield from _rows(item, schema, prefix=f"{prefix}{key}{'[]' if is_list else ''}.")


def _row(key: str, field: dict[str, Any], schema: dict[str, Any], *, is_required: bool) -> str:
    default = "required" if is_required else ""
    if "default" in field:
        default = f"`{json.dumps(field['default'], ensure_ascii=False)}`"
        default = default.replace('`"', "`").replace('"`', "`")
    meaning = _VARIABLE.sub(r"`\g<0>`", field["description"])
    return f"| `{key}` | {_kind(field, schema)} | {default} | {meaning} |"


def _kind(field: dict[str, Any], schema: dict[str, Any]) -> str:
    """Return in a few words what may stand there."""
    field = _resolved(field, schema)
    if "enum" in field or "const" in field:
        return ", ".join(f"`{word}`" for word in field.get("enum", [field.get("const")]))
    if "items" in field:
        item = _resolved(field["items"], schema)
        return "list" if "properties" in item else f"list of: {_kind(item, schema)}"
    if "additionalProperties" in field:
        return f"mapping to: {_kind(field['additionalProperties'], schema)}"
    if isinstance(field["type"], list):
        return "text or whole number"
    kind = _KINDS.get(field.get("pattern", ""), _KINDS.get(field.get("format", field["type"]), ""))
    if "minimum" in field:
        kind += f", {field['minimum']} to {field['maximum']}"
    return kind


def write(root: Path) -> None:
    """Rewrite both files below the repository ``root``."""
    (root / SCHEMA_FILE).write_text(schema_text(), encoding="utf-8")
    page = root / REFERENCE_FILE
    page.write_text(with_reference(page.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write(Path.cwd())
