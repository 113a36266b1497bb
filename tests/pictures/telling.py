"""How a value is told: the word and the hue that a panel gives it, or the number with its unit."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

Json = Mapping[str, Any]
INK = "#d8d9da"


def settings_of(panel: Json, name: str) -> dict[str, Any]:
    """Return what a panel says of a field: its defaults under the overrides of that name."""
    said: dict[str, Any] = dict(panel["fieldConfig"]["defaults"])
    for override in panel["fieldConfig"]["overrides"]:
        matcher = override["matcher"]
        is_like = matcher["id"] == "byRegexp" and re.search(matcher["options"].strip("/"), name)
        if is_like or matcher["options"] == name:
            said |= {one["id"]: one["value"] for one in override["properties"]}
    return said


def told(said: Json, value: Any) -> tuple[str, str | None]:
    """Return a cell's text and its hue, None where it has none."""
    if value is None:
        return said["noValue"], None
    if isinstance(value, str):
        return value, None
    for mapping in said["mappings"]:
        found = _mapped(mapping, value)
        if found is not None:
            return found.get("text") or number(said, value), found["color"]
    return number(said, value), step_hue(said["thresholds"]["steps"], value)


def _mapped(mapping: Json, value: float) -> Mapping[str, Any] | None:
    options = mapping["options"]
    if mapping["type"] == "value":
        return options.get(f"{value:g}")
    if mapping["type"] == "range":
        return options["result"] if options["from"] <= value <= options["to"] else None
    return options["result"] if math.isnan(value) else None


def step_hue(steps: Sequence[Json], value: float) -> str:
    """Return the hue of the last threshold that ``value`` has reached."""
    hue = steps[0]["color"]
    for step in steps[1:]:
        if value >= step["value"]:
            hue = step["color"]
    return hue


def number(said: Json, value: float) -> str:
    """Return a number with its unit, roughly as Grafana writes it."""
    unit = said["unit"]
    if math.isnan(value):
        return "NaN"
    if unit == "percentunit":
        return f"{100 * value:.{said.get('decimals', 1)}f} %"
    if unit == "s":
        return duration(value)
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    if unit.startswith("suffix:"):
        return f"{value:.0f}{unit.removeprefix('suffix:')}"
    if unit == "dateTimeAsLocal":
        return datetime.fromtimestamp(value / 1000, UTC).strftime("%Y-%m-%d %H:%M")
    return f"{value:.{said.get('decimals', 1)}f}".removesuffix(".0")


def duration(value: float) -> str:
    """Return a number of seconds in the unit that reads best."""
    for unit, size in (("days", 86400), ("hours", 3600), ("min", 60)):
        if abs(value) >= size:
            return f"{value / size:.1f} {unit}".replace(".0 ", " ")
    return f"{value:.2f} s" if abs(value) >= 1 else f"{1000 * value:.0f} ms"
